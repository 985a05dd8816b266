"""The built-in data: the 15 chapters of Flaubert's *Salammbô*, counted.

Not here: counting (:func:`thalweg.count_letters` turns texts into such a table).
"""

from thalweg.data.dataset import Dataset

# Characters and letters A of chapters I to XV, by the rule of `thalweg.count_letters`.
_COUNTS = (
    (36961, 2503),
    (43621, 2992),
    (15694, 1042),
    (36231, 2487),
    (29945, 2014),
    (40588, 2805),
    (75255, 5062),
    (37709, 2643),
    (30899, 2126),
    (25486, 1784),
    (37497, 2641),
    (40398, 2766),
    (74105, 5047),
    (76725, 5312),
    (18317, 1215),
)


def salammbo() -> Dataset:
    """Give the 15 chapters of *Salammbô*: characters (n = 15, d = 1) and letters A.

    Returns
    -------
    Dataset
        A row per chapter. ``X``: characters per chapter; ``y``: unaccented a and A per chapter.

    Examples
    --------
    >>> salammbo()
    Dataset(15 rows, features=('characters',), target='A')
    """
    return Dataset(
        [[characters] for characters, _ in _COUNTS],
        [letters for _, letters in _COUNTS],
        features=("characters",),
        target="A",
        units={"characters": "count per chapter", "A": "count per chapter"},
        name="Salammbô",
    )
