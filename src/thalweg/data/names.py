"""Names of columns and of parameters, where none were given and as results show them.

Not here: which columns of a table are fitted (:mod:`thalweg.data.columns`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from thalweg.errors import and_more

NAMES_SHOWN = 10


def default_features(d: int) -> tuple[str, ...]:
    """Name d columns that came without names: ``x``, or ``x1 … xd``.

    Examples
    --------
    >>> default_features(1), default_features(2)
    (('x',), ('x1', 'x2'))
    """
    return ("x",) if d == 1 else tuple(f"x{j}" for j in range(1, d + 1))


def parameter_names(features: Sequence[str], *, intercept: bool = True) -> tuple[str, ...]:
    """Name the parameters in the order of a path's columns: ``bias``, then one per feature.

    With one feature its parameter is called ``weight``, as in the lesson. A name that is taken
    gets ``_2``, ``_3`` …, so that names are unique: a feature may be called ``bias`` too.

    Examples
    --------
    >>> parameter_names(["characters"])
    ('bias', 'weight')
    >>> parameter_names(["length", "width"], intercept=False)
    ('length', 'width')
    >>> parameter_names(["bias", "length"])
    ('bias', 'bias_2', 'length')
    """
    weights = ("weight",) if len(features) == 1 else tuple(features)
    return unique_names(("bias", *weights) if intercept else weights)


def shown(names: Sequence[str]) -> str:
    """Write names as a tuple, of many the first ones.

    Examples
    --------
    >>> shown(["a", "b"]), shown(["x"] * 1000)[-18:]
    ("('a', 'b')", " 'x' and 990 more)")
    """
    if len(names) <= NAMES_SHOWN:
        return repr(tuple(names))
    return f"({and_more(map(repr, names), NAMES_SHOWN)})"


def unique_names(
    wanted: Sequence[str], same: Callable[[str], str] | None = None
) -> tuple[str, ...]:
    """Give each name, in their order, a number where it is taken.

    Two names are one where ``same`` makes the same of both, as ``str.casefold`` does of names
    that differ by case alone.

    Examples
    --------
    >>> unique_names(["a", "b", "a", "a_2"])
    ('a', 'b', 'a_3', 'a_2')
    >>> unique_names(["a", "A"], same=str.casefold)
    ('a', 'A_2')
    """
    asked = set(wanted if same is None else map(same, wanted))
    if len(asked) == len(wanted):
        return tuple(wanted)
    same, taken = same or str, set[str]()
    names: list[str] = []
    for name in wanted:
        free, count = name, 1
        while same(free) in taken or (count > 1 and same(free) in asked):
            count += 1
            free = f"{name}_{count}"
        taken.add(same(free))
        names.append(free)
    return tuple(names)
