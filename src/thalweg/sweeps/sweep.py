"""Sweeps: thousands of descents over learning rates, optimisers, settings and starts at once.

Batch descent on the squared error, each run from the summary alone. Not here: the native walk
(:mod:`thalweg.sweeps.kernel`), the figures (:mod:`thalweg.figures.sweeps`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.arrays import Array
from thalweg.checks import check_number, check_parameters
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.descent.fit import PATH_BYTES, Task, fit, prepare_as_fit
from thalweg.descent.plan import TorchRule
from thalweg.errors import InvalidSetting, sentence
from thalweg.optimizers import RULES
from thalweg.runs.run import Outcome, Run
from thalweg.sweeps.kernel import SweepTrace, sweep_descend
from thalweg.torch_random import Generator, initial_parameters


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """What the runs of a sweep did; every array has an entry per run.

    Attributes
    ----------
    settings : mapping of str to ndarray, shape (runs,)
        ``optimizer``, ``lr``, ``start`` (the number of the start) and each setting that was
        given as a list. Where an optimiser has not that setting, NaN or None.
    starts : ndarray, shape (starts, p)
        The starts, in the user's units.
    parameters : ndarray, shape (runs, p)
        Where each run ended, in the user's units.
    loss : ndarray, shape (runs,)
        The mean squared error there; of a run that diverged, its last epoch's.
    epochs : ndarray, shape (runs,), int64
        Epochs walked: fewer than asked for where a run diverged.
    diverged : ndarray, shape (runs,), bool
        Which runs did.
    paths : ndarray, shape (runs, epochs + 1, p), or None
        The parameters after each epoch, the start first, in the user's units; NaN after a
        divergence.
    exact_loss : float
        The least mean squared error there is.
    stable_learning_rate : float
        The largest stable rate of plain SGD, in the coordinates that were walked in.
    data : Dataset
        The rows.
    asked : mapping
        What :func:`sweep` was asked, for :meth:`run`.

    Examples
    --------
    >>> import thalweg
    >>> rates = thalweg.sweep(thalweg.salammbo(), lr=[1e-10, 4e-10, 1e-9], optimizer="sgd")
    >>> rates.diverged
    array([False, False,  True])
    >>> float(rates.loss[1] / rates.run(1).summary.loss(rates.run(1).parameters))
    1.0...
    """

    settings: Mapping[str, NDArray[Any]]
    starts: Array
    parameters: Array
    loss: Array
    epochs: NDArray[np.int64]
    diverged: NDArray[np.bool_]
    paths: Array | None
    exact_loss: float
    stable_learning_rate: float
    data: Dataset
    asked: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        return (
            f"Sweep({len(self):,} runs, {int(self.diverged.sum()):,} diverged, "
            f"least loss {np.nanmin(self.loss):.6g}, exact {self.exact_loss:.6g})"
        )

    @property
    def outcomes(self) -> list[Outcome]:
        """How each run ended."""
        return [Outcome.DIVERGED if bad else Outcome.OUT_OF_EPOCHS for bad in self.diverged]

    @property
    def best(self) -> int:
        """The number of the run with the least loss, of those that did not diverge.

        Raises
        ------
        InvalidSetting
            If every run diverged.
        """
        if self.diverged.all():
            raise InvalidSetting(
                sentence(
                    "lr",
                    got="a sweep in which every run diverged",
                    expected="at least one that did not",
                    advice=f"plain SGD is stable below lr={self.stable_learning_rate:.3g} here",
                )
            )
        return int(np.argmin(np.where(self.diverged, np.inf, self.loss)))

    def setting(self, number: int) -> dict[str, Any]:
        """Give the keyword arguments with which ``fit`` walks one of the runs."""
        varied = {name: plain(values[number]) for name, values in self.settings.items()}
        own = {n: value for n, value in varied.items() if n != "start" and not is_absent(value)}
        start = self.starts[self.settings["start"][number]]
        return {**_of_optimizer(self.asked, own["optimizer"]), **own, "start": start}

    def run(self, number: int) -> Run:
        """Walk one of the runs again, alone, with everything kept."""
        return fit(self.data, **self.setting(number))


def sweep(
    data: Data,
    *,
    lr: float | Sequence[float] | Array,
    optimizer: str | Sequence[str] = "nadam",
    epochs: int = 250,
    start: ArrayLike | int | Sequence[int] | None = None,
    seed: int = 0,
    intercept: bool = True,
    standardize: bool = False,
    paths: bool = False,
    **hyperparameters: Any,
) -> Sweep:
    """Walk batch descent on the squared error for every combination of settings.

    Parameters
    ----------
    data : Dataset or pair (X, y)
        The n rows; they are summed up once, and each run costs the same whatever n.
    lr : float or sequence of float
        Learning rates.
    optimizer : str or sequence of str
        One or several of PyTorch's coordinate-wise rules, by name.
    epochs : int
        Of each run.
    start : optional
        None draws PyTorch's own initialisation from ``seed``; a whole number, or several, draw
        it from those seeds; an array is one start ``[bias, weights…]``, or one a row.
    seed : int
        Of the stream that draws the start.
    intercept : bool
        Whether there is a bias.
    standardize : bool
        Walk in standardised features; results are in the user's units.
    paths : bool
        Whether to keep the parameters after each epoch of each run.
    **hyperparameters
        Settings of the optimisers under PyTorch's names: a list gives several values to try; a
        value, or a tuple such as ``betas``, is the same for all. An optimiser that has not a
        setting does without it.

    Returns
    -------
    Sweep

    Raises
    ------
    InvalidData
        On rows that cannot be fitted.
    InvalidSetting
        On settings that do not exist or values they cannot take, and where the paths would take
        more than a gibibyte.

    Examples
    --------
    >>> import thalweg
    >>> found = thalweg.sweep(
    ...     thalweg.salammbo(), optimizer=["sgd", "adam"], lr=[0.1, 0.4], standardize=True,
    ...     epochs=60, momentum=[0.0, 0.5],
    ... )
    >>> len(found)
    6
    >>> found.setting(found.best)["optimizer"]
    'sgd'
    """
    rows = take(data).read()
    rates = _rates(lr)
    asked = {"epochs": epochs, "seed": seed, "intercept": intercept, "standardize": standardize}
    groups = [
        _Group(name, settings, _task(rows, name, float(rates[0]), asked, settings))
        for name in _names(optimizer)
        for settings in _combinations(name, hyperparameters)
    ]
    _check_all_used(groups, hyperparameters)
    first = groups[0].task
    starts = _starts(start, seed, rows.X.shape[1], intercept=intercept)
    _check_memory(len(groups) * len(rates) * len(starts), epochs, starts.shape[1], paths)
    walked_from = starts
    if first.scaling is not None and (start is not None and not _are_seeds(start)):
        walked_from = first.scaling.from_user(starts, intercept=intercept)
    elif first.scaling is not None:
        starts = first.scaling.to_user(walked_from, intercept=intercept)
    traces = [_walk(group.task, rates, walked_from, paths) for group in groups]
    return _gather(rows, groups, traces, rates, starts, {**asked, **hyperparameters})


class _Group(NamedTuple):
    """The runs that differ by learning rate and start only: one native call."""

    optimizer: str
    settings: dict[str, Any]
    task: Task


def _names(optimizer: str | Sequence[str]) -> list[str]:
    names = [optimizer] if isinstance(optimizer, str | type) else list(optimizer)
    return [name.lower() if isinstance(name, str) else name for name in names]


def _rates(lr: float | Sequence[float] | Array) -> Array:
    given = np.atleast_1d(np.asarray(lr)).ravel()
    if not given.size:
        raise InvalidSetting(
            sentence("lr", got="none", expected="at least one", advice="try lr=[0.01, 0.1]")
        )
    if given.dtype.kind in "iuf" and (np.isfinite(given) & (given > 0)).all():
        return given.astype(np.float64)
    for value in given.tolist():
        check_number("lr", value, low=0.0, advice="try numpy.geomspace(1e-4, 1, 50)")
    return np.array(given.tolist(), dtype=np.float64)  # numbers of other kinds, such as fractions


def _combinations(optimizer: str, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every combination of the settings that an optimiser has."""
    rule = RULES.get(optimizer)
    own = {k: v for k, v in given.items() if rule is None or k in rule._fields}
    choices = [value if isinstance(value, list) else [value] for value in own.values()]
    for values in product(*choices):
        yield dict(zip(own, values, strict=True))


def _task(
    rows: Dataset, name: str, lr: float, asked: Mapping[str, Any], settings: Mapping[str, Any]
) -> Task:
    """Check one combination as ``fit`` does."""
    task = prepare_as_fit(rows, {"optimizer": name, "lr": lr, **asked, **settings})
    if isinstance(task.plan.rule, TorchRule):
        raise InvalidSetting(
            sentence(
                "optimizer",
                got=repr(name),
                expected=f"one of {', '.join(map(repr, RULES))}",
                advice="walk the others one at a time with thalweg.fit",
            )
        )
    return task


def _check_all_used(groups: Iterable[_Group], given: Mapping[str, Any]) -> None:
    """Refuse a setting that none of the optimisers has: with ``fit``'s own sentence."""
    groups = list(groups)
    used = {name for group in groups for name in group.settings}
    unknown = {name: value for name, value in given.items() if name not in used}
    if unknown:
        first = groups[0]
        plain = {k: v[0] if isinstance(v, list) and v else v for k, v in unknown.items()}
        prepare_as_fit(first.task.rows, {"optimizer": first.optimizer, **plain})


def _are_seeds(start: object) -> bool:
    if isinstance(start, Integral):
        return not isinstance(start, bool)
    return isinstance(start, list | tuple | range) and all(
        isinstance(value, Integral) and not isinstance(value, bool) for value in start
    )


def _starts(start: Any, seed: int, d: int, *, intercept: bool) -> Array:
    """Give the starts, one a row: drawn from seeds, or as they were given."""
    if start is None or _are_seeds(start):
        seeds = [seed] if start is None else np.atleast_1d(np.asarray(start)).tolist()
        return np.array([initial_parameters(Generator(s, 0), d, intercept)[0] for s in seeds])
    given = np.asarray(start)
    rows = given if given.ndim == 2 else given[np.newaxis]
    return np.array([check_parameters("start", row, d + intercept) for row in rows])


def _check_memory(runs: int, epochs: int, p: int, paths: bool) -> None:
    size = runs * (epochs + 1) * p * 8
    if paths and size > PATH_BYTES:
        raise InvalidSetting(
            sentence(
                "paths",
                got=f"{runs:,} paths of {size / 2**30:.1f} GiB together",
                expected=f"at most {PATH_BYTES / 2**30:.0f} GiB",
                advice="leave paths out, and walk the interesting runs again with Sweep.run",
            )
        )


def _walk(task: Task, rates: Array, starts: Array, paths: bool) -> SweepTrace:
    """Walk one group: every learning rate from every start."""
    plan = task.plan
    summary = plan.data.summary
    about_mean = summary.triangle()[1:, -1]
    return sweep_descend(
        summary.triangle(intercept=plan.intercept),
        summary.n,
        float(about_mean @ about_mean) / summary.n,
        plan.rule,  # type: ignore[arg-type]  # PyTorch's own rules are refused before
        np.repeat(rates, len(starts)),
        np.tile(starts, (len(rates), 1)),
        plan.epochs,
        paths=paths,
    )


def _gather(
    rows: Dataset,
    groups: Sequence[_Group],
    traces: Sequence[SweepTrace],
    rates: Array,
    starts: Array,
    asked: Mapping[str, Any],
) -> Sweep:
    first = groups[0].task
    each = len(rates) * len(starts)
    varied = [name for name, value in asked.items() if isinstance(value, list)]
    settings: dict[str, NDArray[Any]] = {
        "optimizer": np.repeat([group.optimizer for group in groups], each),
        "lr": np.tile(np.repeat(rates, len(starts)), len(groups)),
        "start": np.tile(np.arange(len(starts)), len(groups) * len(rates)),
    }
    for name in varied:
        settings[name] = np.repeat(_column([g.settings.get(name) for g in groups]), each)

    def in_user_units(points: Array) -> Array:
        if first.scaling is None:
            return points
        return first.scaling.to_user(points, intercept=first.settings.intercept)

    kept = [trace.path for trace in traces if trace.path is not None]
    walked = first.plan.data.summary
    steepest = np.linalg.norm(walked.hessian(intercept=first.settings.intercept), 2)
    triangle = walked.triangle(intercept=first.settings.intercept)
    return Sweep(
        settings=settings,
        starts=starts,
        parameters=in_user_units(np.concatenate([trace.parameters for trace in traces])),
        loss=np.concatenate([trace.loss for trace in traces]),
        epochs=np.concatenate([trace.epochs for trace in traces]),
        diverged=np.concatenate([trace.diverged for trace in traces]),
        paths=in_user_units(kept[0] if len(kept) == 1 else np.concatenate(kept)) if kept else None,
        exact_loss=float(triangle[-1, -1] ** 2) / walked.n,
        stable_learning_rate=float(2.0 / steepest),
        data=rows,
        asked=asked,
    )


def _column(values: Sequence[Any]) -> NDArray[Any]:
    """Put the values of a varied setting into one array: numbers as numbers, the rest as it is."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return np.array([math.nan if value is None else value for value in values], dtype=float)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def plain(value: object) -> Any:
    """Turn NumPy's numbers and words into Python's."""
    return value.item() if isinstance(value, np.generic) else value


def is_absent(value: object) -> bool:
    """Tell whether a run's optimiser has not the setting."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _of_optimizer(asked: Mapping[str, Any], optimizer: str) -> dict[str, Any]:
    """Leave out the settings that this optimiser has not, and those that vary."""
    own = (*RULES[optimizer]._fields, "epochs", "seed", "intercept", "standardize")
    return {k: v for k, v in asked.items() if k in own and not isinstance(v, list)}
