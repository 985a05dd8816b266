"""What figures call things: runs, axes with their units, ticks of logarithmic axes.

Not here: the traces that carry these names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from thalweg.data.dataset import Dataset
from thalweg.data.names import parameter_names
from thalweg.errors import InvalidData
from thalweg.losses import NAMES
from thalweg.numbers import counted, number, power_of_ten

if TYPE_CHECKING:
    from thalweg.runs.run import Run
    from thalweg.summary.summary import Summary

Runs: TypeAlias = "Run | Sequence[Run] | Mapping[str, Run]"
"""One run, several, or several by the names that figures shall call them."""

# What Plotly reads as HTML, as a field of a template and as TeX; and how it writes these.
_MARKS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "{": "&#123;", "$": "&#36;"})

_TELLING = ("batch_size", "loss", "shuffle", "standardize", "intercept", "epochs", "seed")


def as_text(name: str) -> str:
    """Write a name so that Plotly shows it as it is, in titles, legends and hover texts.

    Examples
    --------
    >>> as_text("mass <b> %{x}")
    'mass &lt;b&gt; %&#123;x}'
    """
    return name.translate(_MARKS)


def name_runs(runs: Runs | None) -> dict[str, Run]:
    """Give each run the name that figures call it, in their order.

    A run without a name is called by its optimiser and learning rate, and by other settings
    where those leave two runs alike; what is still alike is numbered. Names are as Plotly takes
    them: see :func:`as_text`.
    """
    if runs is None:
        return {}
    if isinstance(runs, Mapping):
        return {as_text(name): run for name, run in runs.items()}
    members = list(runs) if isinstance(runs, Sequence) else [runs]
    plain = [f"{run.settings.optimizer}, lr {number(run.settings.lr, 6)}" for run in members]
    plain = [
        name + _differences(run, [m for n, m in zip(plain, members, strict=True) if n == name])
        for name, run in zip(plain, members, strict=True)
    ]
    numbered = [
        name if plain.count(name) == 1 else f"{name} ({plain[: i + 1].count(name)})"
        for i, name in enumerate(plain)
    ]
    # Escaping is one to one: these are as different as they were.
    return dict(zip(map(as_text, numbered), members, strict=True))


def need_runs(runs: Runs) -> dict[str, Run]:
    """Name the runs, of which there must be one at least."""
    named = name_runs(runs)
    if not named:
        raise InvalidData(
            "runs",
            got="no run",
            expected="at least one",
            advice="pass what thalweg.fit returned",
        )
    return named


def _differences(run: Run, alike: Sequence[Run]) -> str:
    """Name the settings by which a run differs from others of its optimiser and learning rate."""
    settings = [r.settings.keywords() for r in alike]
    own = settings[[r is run for r in alike].index(True)]
    telling = [
        key
        for key in dict.fromkeys((*_TELLING, *own))
        if any(other.get(key) != own.get(key) for other in settings)
    ]
    words = {"batch_size": "batch {}" if own.get("batch_size") else "all rows"}
    return "".join(f", {words.get(key, key + ' {}').format(own.get(key))}" for key in telling[:2])


def describe(data: Dataset | Summary | None, drawn: int | None = None) -> str:
    """Say what the rows are, and how many of them are drawn."""
    if data is None:
        return ""
    n = len(data) if isinstance(data, Dataset) else data.n
    count = counted(n, "row")
    if drawn is not None and n > drawn:
        count = f"{drawn:,} of {count}"
    return f"{data.name}, {count}" if data.name else count


def describe_runs(named: dict[str, Run]) -> str:
    """Say which rows the runs were fitted to, where they are the same."""
    names = {run.source.name for run in named.values() if run.source is not None}
    return names.pop() if len(names) == 1 else ""


class Units:
    """The units of a regression's quantities, for axes.

    A column's unit is its own where it is one word, else the column's name: a weight is in
    ``€ per m²``, or in ``A per characters``.
    """

    def __init__(
        self, features: Sequence[str], target: str, data: Dataset | Summary | None
    ) -> None:
        self.features = tuple(features)
        self._units = data.units if data is not None else {}
        self._feature_of = dict(zip(parameter_names(features)[1:], features, strict=True))
        self.target = self._unit(target)

    def _unit(self, column: str) -> str:
        unit = self._units.get(column, column)
        return column if " " in unit or not unit else unit

    def parameter(self, name: str) -> str:
        """Label a parameter, or the plane's direction, with its unit."""
        if name == "bias":
            return f"bias ({self.target})"
        feature = self._feature_of.get(name, name)
        if feature not in self.features:
            return name
        called = name if name == "weight" else f"weight of {feature}"
        return f"{called} ({self.target} per {self._unit(feature)})"

    def loss(self, kind: str = "mse") -> str:
        """Label a loss with its unit."""
        name = NAMES[kind]
        squared = name.power == 2
        unit = f"({self.target})" if " " in self.target and squared else self.target
        return f"{name.label} ({unit}{'²' * squared})"


def log_ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    """Give ticks for an axis of decimal logarithms: where, and the numbers they stand for.

    Examples
    --------
    >>> log_ticks(3.1, 6.2)
    ([4.0, 5.0, 6.0], ['10⁴', '10⁵', '10⁶'])
    >>> log_ticks(0.1, 1.2)[1]
    ['2', '5', '10']
    >>> log_ticks(10.1, 11.2)[1]
    ['2 × 10¹⁰', '5 × 10¹⁰', '10¹¹']
    """
    decades = range(ceil(low), floor(high) + 1)
    if len(decades) >= 3:
        every = max(1, len(decades) // 7)
        chosen = [k for k in decades if k % every == 0]
        return [float(k) for k in chosen], [power_of_ten(k) for k in chosen]
    steps = [
        (k + np.log10(m), m * 10.0**k) for k in range(floor(low), ceil(high) + 1) for m in (1, 2, 5)
    ]
    ticks = [(float(at), value) for at, value in steps if low <= at <= high]
    if len(ticks) < 3:
        ticks = [(float(at), 10.0**at) for at in np.linspace(low, high, 5)]
    return [at for at, _ in ticks], [number(value) for _, value in ticks]


def percent(share: float) -> str:
    """Write a share so that only all of it reads as 100 %.

    Examples
    --------
    >>> percent(0.97312), percent(0.99999), percent(1.0)
    ('97.3 %', 'over 99.9 %', '100 %')
    """
    if share >= 1.0:
        return "100 %"
    return "over 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"
