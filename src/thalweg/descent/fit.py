"""The descent: ``fit`` turns the user's words into a plan, and an engine walks it.

Not here: the engines (:mod:`~thalweg.descent.compiled`, :mod:`~thalweg.descent.reference`), the
settings' checks (:mod:`~thalweg.settings`).
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from thalweg import settings as known
from thalweg.checks import PRECISIONS, check_choice, check_number, check_parameters
from thalweg.data.dataset import Data, Dataset
from thalweg.data.scanning import Scan, rows_of
from thalweg.descent.engines import descend
from thalweg.descent.plan import Batches, Plan, TorchRule, Trace
from thalweg.errors import InvalidSetting, sentence
from thalweg.losses import MSE, Loss
from thalweg.runs.run import InitialState, OptimizerState, ResumeState, Run, Scaling
from thalweg.settings import Settings
from thalweg.torch_random import Generator, initial_parameters

if TYPE_CHECKING:
    from thalweg.descent.streaming import Streamed
    from thalweg.optimizers import Rule
    from thalweg.progress import Callback
    from thalweg.summary.summary import Summary

PathLike: TypeAlias = str | os.PathLike[str]

# A path of more than this is refused before the descent starts: it would not fit in memory.
PATH_BYTES = 2**30

_OWN_SETTINGS = (
    "optimizer", "lr", "epochs", "batch_size", "shuffle", "drop_last", "batch_sampler", "loss",
    "delta", "seed", "start", "intercept", "standardize", "engine", "dtype", "record",
    "tolerance", "tolerance_on",
)  # fmt: skip
_IN_PARTS = ("progress", "checkpoint", "every", "resume")


def fit(
    data: Data | Scan,
    *,
    optimizer: str | type = "nadam",
    lr: float = 0.01,
    epochs: int = 250,
    batch_size: int | None = None,
    shuffle: bool = False,
    drop_last: bool = False,
    batch_sampler: Iterable[Iterable[int]] | None = None,
    loss: str = "mse",
    delta: float = 1.0,
    seed: int = 0,
    start: ArrayLike | int | Run | ResumeState | None = None,
    intercept: bool = True,
    standardize: bool = False,
    engine: str = "auto",
    dtype: str | None = None,
    record: str | int = "epoch",
    tolerance: float | None = None,
    tolerance_on: str = "gradient_norm",
    progress: bool | Callback = False,
    checkpoint: PathLike | None = None,
    every: float = 60.0,
    resume: PathLike | None = None,
    **hyperparameters: Any,
) -> Run:
    r"""Fit a linear regression by gradient descent, and keep everything the descent did.

    Each step moves the parameters :math:`w` against the gradient of the mean loss :math:`\ell`
    over a batch :math:`B` of rows, as the optimiser's rule says; for plain SGD

    .. math:: w \leftarrow w - \mathrm{lr} \cdot \frac{1}{|B|} \sum_{i \in B}
              \nabla \ell(w_0 + x_i w_{1:},\, y_i)

    Parameters
    ----------
    data : Dataset, pair (X, y) or Scan
        The n rows, d features each. Of a :func:`thalweg.scan` batch descent on the squared error
        reads the files once, any other reads them once an epoch, with a few blocks in memory; the
        result is that of the same rows in memory, to the bit.
    optimizer : str or class
        Any optimiser of ``torch.optim`` that needs no closure, by name (``"nadam"``) or class.
    lr : float
        The learning rate.
    epochs : int
        Passes over the rows.
    batch_size : int or None
        Rows a step: None for all of them (batch descent), 1 for stochastic descent.
    shuffle, drop_last : bool
        As in PyTorch's ``DataLoader``: draw a new order each epoch; leave out a short last batch.
    batch_sampler : iterable of iterable of int, optional
        The row numbers of each batch written out, in place of the three above. They may overlap.
    loss : {"mse", "l1", "huber"}
        As PyTorch defines them, averaged over the batch.
    delta : float
        Where the Huber loss turns from a parabola into a line, in units of the target.
    seed : int
        Of the stream that draws the start and shuffles: PyTorch's after ``manual_seed(seed)``.
    start : optional
        None draws PyTorch's own initialisation of ``nn.Linear`` from ``seed``; a whole number
        draws it from that seed instead; an array ``[bias, weights…]`` is taken as it is; a
        :class:`Run` is gone on from, with its optimiser state and its stream of random numbers;
        :meth:`Run.continuation` says to leave some of that behind.
    intercept : bool
        Whether there is a bias.
    standardize : bool
        Walk in standardised features; parameters and path are reported in the user's units.
    engine : {"auto", "compiled", "reference"}
        ``compiled``: float64, native code. ``reference``: PyTorch itself, float32 unless
        ``dtype="float64"``. ``auto``: compiled wherever it applies.
    dtype : {"float32", "float64"}, optional
        The precision; None is the engine's own.
    record : {"epoch", "step"} or int
        Which points of the path to keep; a number k keeps every k-th step.
    tolerance : float, optional
        Stop early when ``tolerance_on`` is reached.
    tolerance_on : {"gradient_norm", "loss"}
        ``gradient_norm``: an epoch's gradient norm is at most ``tolerance``. ``loss``: its loss
        is within the fraction ``tolerance`` above the exact solution's; for ``mse`` only.
    progress : bool or callable
        True shows a bar in a terminal or a notebook, on anything longer than a second; a
        function is called some times a second with a :class:`thalweg.progress.Progress`.
    checkpoint : path-like, optional
        Where to keep the run so far, as a run file: written after the first epoch, then every
        ``every`` seconds, and at the end. Left out with ``resume``, that file is kept on.
    every : float
        Seconds between two checkpoints. Default a minute: what a person would not mind to lose.
    resume : path-like, optional
        A checkpoint of the same fit to go on from; the end is the same to the bit.
    **hyperparameters
        The optimiser's own settings under PyTorch's names, such as ``momentum``.

    Returns
    -------
    Run

    Raises
    ------
    InvalidData
        On rows that cannot be fitted.
    InvalidSetting
        On a setting that does not exist or a value it cannot take.
    MissingExtra
        If the fit needs PyTorch and it is not installed.
    UnreadableFile, UnwritableFile
        If ``resume`` is missing or damaged, or ``checkpoint`` cannot be written.

    Notes
    -----
    With any of ``progress``, ``checkpoint`` and ``resume`` Ctrl-C (``KeyboardInterrupt``) ends
    the fit and gives the run so far, with :attr:`Outcome.STOPPED`. The bits are the same without.

    Examples
    --------
    >>> import thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), optimizer="nadam", lr=0.01, epochs=250, seed=4321)
    >>> run
    Run(nadam, epochs=250, loss=3708.13, bias=0.891967, weight=0.0675632, out_of_epochs)
    """
    asked = (
        optimizer, lr, epochs, batch_size, shuffle, drop_last, known.write_out(batch_sampler),
        loss, delta, seed, intercept, standardize, engine, dtype, record, tolerance,
        tolerance_on, tuple(hyperparameters.items()),
    )  # fmt: skip
    if progress or checkpoint is not None or resume is not None:
        from thalweg.descent.parts import fit_in_parts  # run files: only for a fit that has one

        return fit_in_parts(
            data, start, asked,
            progress=progress, checkpoint=checkpoint, every=every, resume=resume,
        )  # fmt: skip
    task = prepare(data, start, asked)
    return task.run(descend(task.plan, task.settings))


class Task(NamedTuple):
    """A fit that is checked and ready to be walked."""

    plan: Plan
    settings: Settings
    rows: Dataset | Scan  # in the user's units
    scaling: Scaling | None

    def run(self, trace: Trace) -> Run:
        """Say in the user's words what an engine did."""
        plan = self.plan
        return Run(
            scaled_path=trace.path,
            steps=trace.steps,
            loss=trace.loss,
            gradient_norm=trace.gradient_norm,
            settings=self.settings,
            outcome=trace.outcome,
            optimizer_state=trace.optimizer_state,
            generator=trace.generator,
            features=self.rows.features,
            target=self.rows.target,
            data=self.rows if isinstance(self.rows, Dataset) else None,
            scaling=self.scaling,
            stored_summary=None if isinstance(self.rows, Dataset) else self.rows.summary,
            initial_state=InitialState(
                plan.start is None, plan.optimizer_state, plan.generator, trace.loss_limit
            ),
        )


def prepare_as_fit(data: Data | Scan, given: Mapping[str, Any]) -> Task:
    """Make the task of ``fit(data, **given)`` without walking it."""
    for name in _IN_PARTS:
        if name in given:
            raise InvalidSetting(
                sentence(
                    name,
                    got=repr(given[name]),
                    expected="a setting of the descent alone",
                    advice="it is for a single fit, with thalweg.fit",
                )
            )
    bound = inspect.signature(fit).bind(data, **given)
    bound.apply_defaults()
    settings = bound.arguments
    settings["batch_sampler"] = known.write_out(settings["batch_sampler"])
    asked = tuple(settings[name] for name in _OWN_SETTINGS if name != "start")
    return prepare(data, settings["start"], (*asked, tuple(settings["hyperparameters"].items())))


def prepare(
    data: Data | Scan, start: ArrayLike | int | Run | ResumeState | None, asked: tuple[Any, ...]
) -> Task:
    """Check what was asked, in the order of ``_prepare``, and turn it into a plan."""
    try:
        request = _prepare(*asked)
    except TypeError:  # something unhashable, which a check refuses with its own sentence
        request = _prepare.__wrapped__(*asked)
    rows = rows_of(data)
    if isinstance(start, Run):
        start = start.continuation()
    scaling = None
    if request.settings.standardize:
        scaling = _scaling(rows.summary, start, intercept=request.settings.intercept)
    beginning = _begin(start, request, len(rows.features), scaling)
    plan = _plan(request, _walked_rows(rows, request.settings, scaling), beginning)
    return Task(plan, request.settings, rows, scaling)


class _Request(NamedTuple):
    """What was asked, checked as far as it can be without the rows."""

    settings: Settings
    rule: Rule | TorchRule
    loss: Loss


class _Beginning(NamedTuple):
    """Where a descent starts, in the coordinates it walks in."""

    parameters: np.ndarray[Any, Any] | None
    optimizer_state: OptimizerState | None
    generator: Generator


@lru_cache(maxsize=256, typed=True)
def _prepare(
    optimizer: str | type, lr: float, epochs: int, batch_size: int | None, shuffle: bool,
    drop_last: bool, batch_sampler: tuple[tuple[int, ...], ...] | None, loss: str, delta: float,
    seed: int, intercept: bool, standardize: bool, engine: str, dtype: str | None,
    record: str | int, tolerance: float | None, tolerance_on: str,
    hyperparameters: tuple[tuple[str, Any], ...],
) -> _Request:  # fmt: skip
    """Check the settings once; a slider that comes back to a place costs nothing."""
    check_number("lr", lr, low=0.0, advice="try lr=0.01")
    check_choice("engine", engine, known.ENGINES)
    name, rule = known.choose_rule(
        optimizer, lr, dict(hyperparameters), (*_OWN_SETTINGS, *_IN_PARTS)
    )
    loss_name, loss_rule = known.choose_loss(loss, delta)
    engine, dtype = _choose_engine(engine, dtype, rule)
    of_rule = rule.settings if isinstance(rule, TorchRule) else rule._asdict()
    settings = Settings(
        optimizer=name,
        lr=lr,
        hyperparameters={k: v for k, v in of_rule.items() if k != "lr"},
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        batch_sampler=batch_sampler,
        loss=loss_name,
        delta=delta,
        seed=seed,
        intercept=intercept,
        standardize=standardize,
        engine=engine,
        dtype=dtype,
        record=record,
        tolerance=tolerance,
        tolerance_on=tolerance_on,
    )
    if tolerance is not None and tolerance_on == "loss" and not isinstance(loss_rule, MSE):
        raise InvalidSetting(
            sentence(
                "tolerance_on",
                got=f"'loss' with loss={loss_name!r}",
                expected="loss='mse', whose exact solution is known",
                advice="use tolerance_on='gradient_norm'",
            )
        )
    return _Request(settings, rule, loss_rule)


def _choose_engine(engine: str, dtype: str | None, rule: Rule | TorchRule) -> tuple[str, str]:
    """Settle which engine runs, and in which precision; refuse a pair that does not exist."""
    if dtype is not None:
        check_choice("dtype", dtype, PRECISIONS)
    needs_torch = isinstance(rule, TorchRule) or dtype == "float32"
    if engine == "compiled" and needs_torch:
        what = rule.name if isinstance(rule, TorchRule) else "dtype='float32'"
        raise InvalidSetting(
            sentence(
                "engine",
                got=f"'compiled' with {what}",
                expected="'reference', which alone can do that",
                advice="use engine='auto'",
            )
        )
    if engine == "reference" or needs_torch:
        return "reference", dtype or "float32"
    return "compiled", "float64"


def _scaling(
    summary: Summary, start: ArrayLike | int | ResumeState | None, *, intercept: bool
) -> Scaling:
    """Give the shift and the scale of each feature, to mean 0 and mean square 1.

    Without an intercept nothing could make up for a shift: features are only scaled. A constant
    feature is only shifted. What goes on from another run keeps that run's coordinates, in which
    its optimiser remembers.
    """
    kept = start.scaling if isinstance(start, ResumeState) else None
    if kept is not None and len(kept.means) == len(summary.features):
        return kept
    _, means, scales = summary.standardized(intercept=intercept)
    return Scaling(means, scales)


def _walked_rows(
    rows: Dataset | Scan, settings: Settings, scaling: Scaling | None
) -> Dataset | Streamed:
    """Give the rows in the coordinates that the descent walks in."""
    if not isinstance(rows, Dataset):
        from thalweg.descent.streaming import Streamed  # only where rows are scanned

        return Streamed.of(rows, scaling)
    if scaling is None:
        return rows
    X = (rows.X - scaling.means) / scaling.scales
    scaled = Dataset(X, rows.y, features=rows.features, target=rows.target)
    # By algebra: the same digits as for rows that are scanned, which are not all at hand.
    scaled.summary = rows.summary.rescaled(*scaling)
    return scaled


def _begin(
    start: ArrayLike | int | ResumeState | None,
    request: _Request,
    d: int,
    scaling: Scaling | None,
) -> _Beginning:
    """Settle the start: drawn, given, or gone on from an earlier run."""
    settings = request.settings
    if start is None:
        return _Beginning(None, None, Generator(settings.seed, 0))
    if isinstance(start, Integral) and not isinstance(start, bool):
        drawn, _ = initial_parameters(Generator(int(start), 0), d, settings.intercept)
        return _Beginning(drawn, None, Generator(settings.seed, 0))
    if isinstance(start, ResumeState):
        return _go_on(start, settings, d, scaling)
    parameters = check_parameters("start", start, d + settings.intercept)
    if scaling is not None:
        parameters = scaling.from_user(parameters, intercept=settings.intercept)
    return _Beginning(parameters, None, Generator(settings.seed, 0))


def _go_on(start: ResumeState, settings: Settings, d: int, scaling: Scaling | None) -> _Beginning:
    """Take up an earlier run where it ended; its optimiser's state fits only its own kind."""
    if start.optimizer_state is not None and start.optimizer != settings.optimizer:
        raise InvalidSetting(
            sentence(
                "start",
                got=f"a run of {start.optimizer!r}, whose state {settings.optimizer!r} cannot take",
                expected="a run of the same optimiser",
                advice="use start=run.continuation(fresh_optimizer=True)",
            )
        )
    if start.parameters is None:
        return _Beginning(None, start.optimizer_state, start.generator)
    check_parameters("start", start.parameters, d + settings.intercept)
    if (start.scaling is None) == (scaling is None):
        parameters = start.scaled_parameters  # the same coordinates: see _scaling
    elif scaling is not None:
        parameters = scaling.from_user(start.parameters, intercept=settings.intercept)
    else:
        parameters = start.parameters
    return _Beginning(parameters, start.optimizer_state, start.generator)


def _plan(request: _Request, rows: Dataset | Streamed, beginning: _Beginning) -> Plan:
    settings = request.settings
    batches = known.check_rows(settings, len(rows))
    if settings.epochs > 1_000_000 or settings.record != "epoch":
        _check_memory(settings, batches, len(rows), len(rows.features) + settings.intercept)
    gradient_tolerance, loss_tolerance = 0.0, -np.inf
    if settings.tolerance is not None:
        if settings.tolerance_on == "gradient_norm":
            gradient_tolerance = settings.tolerance
        else:
            # The exact loss alone: columns that depend on one another do not matter to it.
            left = float(rows.summary.triangle(intercept=settings.intercept)[-1, -1])
            loss_tolerance = left**2 / len(rows) * (1.0 + settings.tolerance)
    plan = Plan(
        data=rows,
        intercept=settings.intercept,
        rule=request.rule,
        loss=request.loss,
        epochs=settings.epochs,
        batches=batches,
        start=beginning.parameters,
        optimizer_state=beginning.optimizer_state,
        generator=beginning.generator,
        record_every=_record_every(settings.record, epoch=0),
        gradient_tolerance=gradient_tolerance,
        loss_tolerance=loss_tolerance,
        dtype=settings.dtype,
    )
    if not isinstance(rows, Dataset):
        from thalweg.descent import streaming  # only where rows are scanned

        streaming.check(plan, settings)
    return plan


def _record_every(record: str | int, *, epoch: int) -> int:
    """Turn the setting into steps between recorded points, with ``epoch`` for once an epoch."""
    if isinstance(record, str):
        return 1 if record == "step" else epoch
    return record


def _check_memory(settings: Settings, batches: Batches, n: int, p: int) -> None:
    """Refuse a path that would not fit in memory, and say what would."""
    steps = settings.epochs * batches.steps_per_epoch(n)
    every = _record_every(settings.record, epoch=batches.steps_per_epoch(n))
    size = (steps // every + 2) * p * 8
    if size > PATH_BYTES:
        enough = every * -(-size // PATH_BYTES)
        raise InvalidSetting(
            sentence(
                "record",
                got=f"{settings.record!r}: a path of {size / 2**30:.1f} GiB",
                expected=f"one of at most {PATH_BYTES / 2**30:.0f} GiB",
                advice=f"use record={enough}, every {enough:,}th step",
            )
        )
