"""The page's settings as Python: what to type to get the same run.

Not here: the same run as a plain PyTorch script (:mod:`thalweg.export`).
"""

from __future__ import annotations

import inspect
from typing import Any

from thalweg.data.dataset import Dataset
from thalweg.descent.fit import fit
from thalweg.lab.messages import Settings, Source

_ALWAYS = ("optimizer", "lr", "epochs")
_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(fit).parameters.items()
    if parameter.default is not inspect.Parameter.empty
}


def as_python(source: Source, rows: Dataset, settings: Settings) -> str:
    """Write the settings of a run as a few lines of Python.

    Examples
    --------
    >>> import thalweg
    >>> print(as_python(Source("chapters"), thalweg.salammbo(), {"lr": 0.1, "momentum": 0.9}))
    import thalweg
    <BLANKLINE>
    data = thalweg.salammbo()
    run = thalweg.fit(data, optimizer='nadam', lr=0.1, epochs=250, momentum=0.9)
    print(run)
    """
    given: dict[str, Any] = {name: settings.get(name, _DEFAULTS[name]) for name in _ALWAYS}
    given |= {
        name: value
        for name, value in settings.items()
        if name not in _DEFAULTS or value != _DEFAULTS[name]
    }
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
