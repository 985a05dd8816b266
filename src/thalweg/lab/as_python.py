"""The page's settings as Python: what to type to get the same run.

Not here: the same run as a plain PyTorch script (:mod:`thalweg.export`).
"""

from __future__ import annotations

from thalweg.data.dataset import Dataset
from thalweg.lab.messages import Keywords, Source
from thalweg.settings import Settings


def asked_of(settings: Keywords) -> Settings:
    """Check the settings of a run, all but its start."""
    return Settings.of(**{name: value for name, value in settings.items() if name != "start"})


def as_python(source: Source, rows: Dataset, settings: Keywords) -> str:
    """Write the settings of a run as a few lines of Python.

    Examples
    --------
    >>> import thalweg
    >>> print(as_python(Source("chapters"), thalweg.salammbo(), {"lr": 0.1, "eps": 0.5}))
    import thalweg
    <BLANKLINE>
    data = thalweg.salammbo()
    run = thalweg.fit(data, optimizer='nadam', lr=0.1, eps=0.5, epochs=250)
    print(run)
    """
    given = asked_of(settings).call()
    if settings.get("start") is not None:
        given["start"] = settings["start"]
    words = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return "\n".join(
        [
            "import thalweg",
            "",
            f"data = {_data(source, rows)}",
            f"run = thalweg.fit(data, {words})",
            "print(run)",
        ]
    )


def _data(source: Source, rows: Dataset) -> str:
    if source.kind == "chapters":
        return "thalweg.salammbo()"
    if source.kind in ("file", "upload"):
        missing = ", missing='drop'" if source.drop_missing else ""
        return (
            f"thalweg.read({rows.name!r}, target={rows.target!r}, "
            f"features={list(rows.features)!r}{missing})"
        )
    units = f", units={rows.units!r}" if rows.units else ""
    return (
        f"thalweg.Dataset({rows.X.tolist()!r}, {rows.y.tolist()!r}, "
        f"features={list(rows.features)!r}, target={rows.target!r}{units})"
    )
