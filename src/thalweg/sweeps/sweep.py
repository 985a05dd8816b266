"""Sweeps: thousands of descents over learning rates, optimisers, settings and starts at once.

Batch descent on the squared error, each run from the summary alone. Not here: the native walk
(:mod:`thalweg.sweeps.kernel`), the figures (:mod:`thalweg.figures.sweeps`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.arrays import Array
from thalweg.checks import check_flag, check_parameters
from thalweg.conditioning.rates import stable_learning_rate
from thalweg.data.categories import Categories
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.descent.fit import fit
from thalweg.descent.task import PATH_BYTES, Task, prepare
from thalweg.errors import InvalidSetting
from thalweg.kinds import POSITIVE, Number
from thalweg.numbers import counted
from thalweg.optimizers.choice import TORCH_FLAGS, TorchRule, check_names
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import declared
from thalweg.optimizers.sgd import SGD
from thalweg.runs.run import Outcome, Run
from thalweg.settings import DEFAULTS, Settings, kind_of
from thalweg.summary.exact import exact_loss
from thalweg.sweeps.kernel import SweepTrace, sweep_descend
from thalweg.torch_random import Generator, initial_parameters

_FOR_ALL = ("epochs", "seed", "intercept", "standardize")  # the same in all the runs
_SWEPT = ("lr", "optimizer", "start", "paths", *_FOR_ALL)
_RATE = Number("", "try numpy.geomspace(1e-4, 1, 50)", range=POSITIVE)


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
    seeds : tuple of int, or None
        What the starts were drawn from; None where they were given.
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
    groups : tuple of Settings
        The settings of each group of runs, which differ by learning rate and start only; groups
        follow one another.

    Examples
    --------
    >>> import thalweg
    >>> rates = thalweg.sweep(thalweg.salammbo(), lr=[1e-10, 4e-10, 1e-9], optimizer="sgd")
    >>> rates.diverged
    array([False, False,  True])
    >>> round(float(rates.loss[1] / rates.run(1).summary.loss(rates.run(1).parameters)), 9)
    1.0
    """

    settings: Mapping[str, NDArray[Any]]
    starts: Array
    seeds: tuple[int, ...] | None
    parameters: Array
    loss: Array
    epochs: NDArray[np.int64]
    diverged: NDArray[np.bool_]
    paths: Array | None
    exact_loss: float
    stable_learning_rate: float
    data: Dataset
    groups: tuple[Settings, ...]

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        return (
            f"Sweep({counted(len(self), 'run')}, {int(self.diverged.sum()):,} diverged, "
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
                "lr",
                got="a sweep in which every run diverged",
                expected="at least one that did not",
                advice=f"plain SGD is stable below lr={self.stable_learning_rate:.3g} here",
            )
        return int(np.argmin(np.where(self.diverged, np.inf, self.loss)))

    def setting(self, number: int) -> dict[str, Any]:
        """Give the keyword arguments with which ``fit`` walks one of the runs."""
        lr = float(self.settings["lr"][number])
        group = self.groups[range(len(self))[number] * len(self.groups) // len(self)]
        which = int(self.settings["start"][number])
        start = self.starts[which].copy() if self.seeds is None else self.seeds[which]
        return {**group.replace(lr=lr).changed(), "start": start}

    def run(self, number: int) -> Run:
        """Walk one of the runs again, alone, with everything kept."""
        return fit(self.data, **self.setting(number))


def sweep(
    data: Data,
    y: Any = None,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    lr: float | Sequence[float] | Array,
    optimizer: str | type | Sequence[str | type] = "nadam",
    start: ArrayLike | int | Sequence[int] | None = None,
    paths: bool = False,
    **settings: Any,
) -> Sweep:
    """Walk batch descent on the squared error for every combination of settings.

    Parameters
    ----------
    data, y, target, features, categories
        The n rows, as :func:`thalweg.fit` takes them; they are summed up once, and each run costs
        the same whatever n.
    lr : float or sequence of float
        Learning rates.
    optimizer : str or class, or a sequence of them
        One or several of PyTorch's coordinate-wise rules.
    start : optional
        None draws PyTorch's own initialisation from ``seed``; a whole number, or several, draw
        it from those seeds; an array is one start ``[bias, weights…]``, or one a row.
    paths : bool
        Whether to keep the parameters after each epoch of each run.
    **settings
        ``epochs``, ``seed``, ``intercept`` and ``standardize`` as in :func:`thalweg.fit`; and the
        optimisers' own under PyTorch's names: a list gives several values to try; a value, or a
        tuple such as ``betas``, is the same for all. An optimiser that has not a setting does
        without it.

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
    paths = check_flag("paths", paths)
    rates = _rates(lr)
    groups = _groups(optimizer, float(rates[0]), settings)
    rows = take(
        data,
        y,
        target=target,
        features=features,
        categories=categories,
        intercept=groups[0].intercept,
    ).read()
    tasks = [prepare(rows, None, group) for group in groups]
    first = tasks[0]
    seeds = _seeds(start, first.settings.seed)
    starts = _starts(start, seeds, len(rows.features), first.settings.intercept)
    _check_memory(
        len(groups) * len(rates) * len(starts), first.settings.epochs, starts.shape[1], paths
    )
    scaled_starts = starts
    if first.scaling is not None and seeds is None:
        scaled_starts = first.scaling.from_user(starts, intercept=first.settings.intercept)
    elif first.scaling is not None:
        starts = first.scaling.to_user(scaled_starts, intercept=first.settings.intercept)
    traces = [_walk(task, rates, scaled_starts, paths) for task in tasks]
    varied = [name for name, value in settings.items() if _is_several(value)]
    return _gather(first, groups, traces, rates, starts, seeds, varied)


# --- The settings of the runs ---------------------------------------------------------------------


def _groups(
    optimizer: str | type | Sequence[str | type], lr: float, given: Mapping[str, Any]
) -> tuple[Settings, ...]:
    """Check every combination of optimisers and of settings given as lists."""
    for name in ("progress", "checkpoint", "every", "resume"):
        if name in given:
            raise InvalidSetting(
                name,
                got=repr(given[name]),
                expected="a setting of the descent alone",
                advice="it is for a single fit, with thalweg.fit",
            )
    for name in _FOR_ALL:
        if _is_several(given.get(name)):
            raise InvalidSetting(
                name,
                got=repr(given[name]),
                expected="one value, the same for all the runs",
                advice="several starts are start=[1, 2]"
                if name == "seed"
                else "make a sweep of each",
            )
    several: Any = optimizer
    if not (isinstance(optimizer, tuple) or _is_several(optimizer)):
        several = [optimizer]
    names: list[Any] = list(several)
    for name, values in {"optimizer": names, **given}.items():
        if _is_several(values) and not len(values):
            raise InvalidSetting(
                name,
                got="an empty list",
                expected="at least one value to try",
                advice="leave it out, or give it one",
            )
    groups: list[Settings] = []
    used: set[str] = set()
    for each in names:
        own = _own(each, given)
        used |= set(own)
        choices = [list(value) if _is_several(value) else [value] for value in own.values()]
        for values in product(*choices):
            settings = Settings.of(optimizer=each, lr=lr, **dict(zip(own, values, strict=True)))
            _check_batch_descent(settings)
            groups.append(settings)
    unused = [name for name in given if name not in used]
    if unused:  # none of the optimisers has it
        check_names(unused, RULES[_name(names[0])], _SWEPT, function="sweep")
    return tuple(groups)


def _own(optimizer: str | type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the settings that only other optimisers have."""
    rule = RULES.get(_name(optimizer))
    if rule is None:
        return dict(given)
    known = (*DEFAULTS, *declared(rule).settings, *TORCH_FLAGS)
    return {name: value for name, value in given.items() if name in known}


def _name(optimizer: str | type) -> str:
    name = optimizer.__name__ if isinstance(optimizer, type) else optimizer
    return name.lower() if isinstance(name, str) else ""


def _is_several(value: object) -> bool:
    return isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _check_batch_descent(settings: Settings) -> None:
    """Refuse what a sweep does not walk: it has one kernel, for batch descent on mse."""
    if isinstance(settings.rule, TorchRule):
        for flag in TORCH_FLAGS.keys() & settings.hyperparameters.keys():
            raise InvalidSetting(
                flag,
                got=repr(settings.hyperparameters[flag]),
                expected="nothing: PyTorch does not walk a sweep",
                advice="leave it out, or walk such runs one at a time with thalweg.fit",
            )
        raise InvalidSetting(
            "optimizer",
            got=repr(settings.optimizer),
            expected=f"one of {', '.join(map(repr, RULES))}",
            advice="walk the others one at a time with thalweg.fit",
        )
    own = ("optimizer", "lr", *_FOR_ALL, *settings.hyperparameters)
    other = [name for name in settings.changed() if name not in own]
    if other:
        raise InvalidSetting(
            other[0],
            got=repr(settings.keywords()[other[0]]),
            expected="nothing: a sweep walks batch descent on the squared error",
            advice="walk such runs one at a time with thalweg.fit",
        )


def _rates(lr: float | Sequence[float] | Array) -> Array:
    given = np.atleast_1d(np.asarray(lr)).ravel()
    several = lr if isinstance(lr, list | tuple) else ()
    if not given.size:
        raise InvalidSetting("lr", got="none", expected="at least one", advice="try lr=[0.01, 0.1]")
    plain = given.dtype.kind in "iuf" and not any(isinstance(one, bool) for one in several)
    if plain and (np.isfinite(given) & (given > 0)).all():
        return given.astype(np.float64)
    # Numbers of other kinds, such as fractions, and what is none.
    each = np.atleast_1d(np.asarray(lr, dtype=object)).ravel().tolist()
    return np.array([_RATE.take("lr", value) for value in each])


def _are_seeds(start: object) -> bool:
    if isinstance(start, Integral):
        return not isinstance(start, bool)
    return (
        isinstance(start, list | tuple | range)
        and len(start) > 0
        and all(isinstance(value, Integral) and not isinstance(value, bool) for value in start)
    )


def _seeds(start: Any, seed: int) -> tuple[int, ...] | None:
    """Give what the starts are drawn from; None where they are given."""
    if start is not None and not _are_seeds(start):
        return None
    given: Any = seed if start is None else start
    return tuple(kind_of("seed").take("start", s) for s in np.atleast_1d(given).tolist())


def _starts(start: Any, seeds: tuple[int, ...] | None, d: int, intercept: bool) -> Array:
    """Give the starts, one a row: drawn from seeds, or as they were given."""
    if seeds is not None:
        return np.array([initial_parameters(Generator(s, 0), d, intercept)[0] for s in seeds])
    points = np.asarray(start, dtype=object)
    if not any(isinstance(one, bool | list | tuple) for one in points.flat):
        points = np.asarray(start)  # neither truth values, which are no numbers, nor ragged rows
    rows = points if points.ndim == 2 and len(points) else points[np.newaxis]
    return np.array([check_parameters("start", row, d + intercept) for row in rows])


def _check_memory(runs: int, epochs: int, p: int, paths: bool) -> None:
    size = runs * (epochs + 1) * p * 8
    if paths and size > PATH_BYTES:
        raise InvalidSetting(
            "paths",
            got=f"{runs:,} paths of {size / 2**30:.1f} GiB together",
            expected=f"at most {PATH_BYTES / 2**30:.0f} GiB",
            advice="leave paths out, and walk the interesting runs again with Sweep.run",
        )


def _walk(task: Task, rates: Array, starts: Array, paths: bool) -> SweepTrace:
    """Walk one group: every learning rate from every start."""
    plan = task.plan
    return sweep_descend(
        *plan.data.summary.full_batch(plan.intercept),
        plan.rule,
        np.repeat(rates, len(starts)),
        np.tile(starts, (len(rates), 1)),
        plan.epochs,
        paths=paths,
    )


def _gather(
    first: Task,
    groups: tuple[Settings, ...],
    traces: Sequence[SweepTrace],
    rates: Array,
    starts: Array,
    seeds: tuple[int, ...] | None,
    varied: Sequence[str],
) -> Sweep:
    each = len(rates) * len(starts)
    settings: dict[str, NDArray[Any]] = {
        "optimizer": np.repeat([group.optimizer for group in groups], each),
        "lr": np.tile(np.repeat(rates, len(starts)), len(groups)),
        "start": np.tile(np.arange(len(starts)), len(groups) * len(rates)),
    }
    for name in varied:
        settings[name] = np.repeat(_column([g.keywords().get(name) for g in groups]), each)

    def in_user_units(points: Array) -> Array:
        if first.scaling is None:
            return points
        return first.scaling.to_user(points, intercept=first.settings.intercept)

    kept = [trace.path for trace in traces if trace.path is not None]
    stable = stable_learning_rate(
        first.rows.summary,
        SGD(),
        intercept=first.settings.intercept,
        standardize=first.settings.standardize,
    )
    return Sweep(
        settings=settings,
        starts=starts,
        seeds=seeds,
        parameters=in_user_units(np.concatenate([trace.parameters for trace in traces])),
        loss=np.concatenate([trace.loss for trace in traces]),
        epochs=np.concatenate([trace.epochs for trace in traces]),
        diverged=np.concatenate([trace.diverged for trace in traces]),
        paths=in_user_units(kept[0] if len(kept) == 1 else np.concatenate(kept)) if kept else None,
        exact_loss=exact_loss(first.rows, intercept=first.settings.intercept)[0],
        stable_learning_rate=stable or 0.0,  # plain SGD always has one
        data=first.rows,  # type: ignore[arg-type]  # in memory: see sweep
        groups=groups,
    )


def _column(values: Sequence[Any]) -> NDArray[Any]:
    """Put the values of a varied setting into one array: numbers as numbers, the rest as it is."""
    if all(value is None or type(value) is float for value in values):
        return np.array([math.nan if value is None else value for value in values], dtype=float)
    if all(type(value) is bool for value in values):
        return np.array(values)
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def is_absent(value: object) -> bool:
    """Tell whether a run's optimiser has not the setting."""
    return value is None or (isinstance(value, float) and math.isnan(value))
