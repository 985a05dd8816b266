"""A fit that is checked against its rows and ready to be walked: the plan for an engine.

Not here: what can be asked (:mod:`thalweg.settings`), walking
(:mod:`thalweg.descent.engines`).
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from thalweg.batches import Batches, batches_of
from thalweg.checks import check_parameters
from thalweg.data.dataset import Dataset
from thalweg.data.source import Source
from thalweg.descent.plan import Plan, Trace
from thalweg.errors import InvalidSetting
from thalweg.numbers import counted
from thalweg.runs.run import InitialState, OptimizerState, ResumeState, Run
from thalweg.settings import Settings, kind_of
from thalweg.summary.exact import exact_loss
from thalweg.summary.scaling import Scaling, scaling_of
from thalweg.torch_random import Generator, initial_parameters

if TYPE_CHECKING:
    from thalweg.descent.streaming import Streamed
    from thalweg.summary.summary import Summary

# A path of more than this is refused before the descent starts: it would not fit in memory.
PATH_BYTES = 2**30


class Task(NamedTuple):
    """A fit that is checked and ready to be walked."""

    plan: Plan
    settings: Settings
    rows: Source  # in the user's units
    scaling: Scaling | None

    def run(self, trace: Trace) -> Run:
        """Say in the user's words what an engine did."""
        plan = self.plan
        for remembered in trace.optimizer_state.values():
            if isinstance(remembered, np.ndarray):  # a run that goes on from this one shares it
                remembered.flags.writeable = False
        in_memory = self.rows if isinstance(self.rows, Dataset) else None
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
            coding=self.rows.coding,
            reading=self.rows.reading,
            data=in_memory,
            scan=self.rows if in_memory is None else None,
            scaling=self.scaling,
            stored_summary=self.rows.summary if in_memory is None else None,
            initial_state=InitialState(
                plan.start is None, plan.optimizer_state, plan.generator, trace.loss_limit
            ),
        )


class _Start(NamedTuple):
    """Where a descent starts, in the coordinates it walks in."""

    parameters: np.ndarray[Any, Any] | None
    optimizer_state: OptimizerState | None
    generator: Generator


def prepare(
    rows: Source, start: ArrayLike | int | Run | ResumeState | None, settings: Settings
) -> Task:
    """Hold the settings and the start against the rows, and make the plan."""
    if isinstance(start, Run):
        start = start.continuation()
    scaling = None
    if settings.standardize:
        scaling = _scaling(rows.summary, start, intercept=settings.intercept)
    first = _start(start, settings, len(rows.features), scaling)
    walked = _scaled_rows(rows, scaling, at_hand=needs_rows_at_hand(settings))
    return Task(_plan(settings, rows, walked, first), settings, rows, scaling)


def needs_rows_at_hand(settings: Settings) -> bool:
    """Tell whether a descent goes through rows in another order than their own, or all at once."""
    in_order = not settings.shuffle and settings.batch_sampler is None
    return settings.engine == "reference" or not in_order


# --- The coordinates ------------------------------------------------------------------------------


def _scaling(
    summary: Summary, start: ArrayLike | int | ResumeState | None, *, intercept: bool
) -> Scaling:
    """Give the shift and the scale of each feature.

    What goes on from another run keeps that run's coordinates, in which its optimiser remembers.
    """
    kept = start.scaling if isinstance(start, ResumeState) else None
    if kept is not None and len(kept.means) == len(summary.features):
        return kept
    return scaling_of(summary, intercept=intercept)


def _scaled_rows(rows: Source, scaling: Scaling | None, *, at_hand: bool) -> Dataset | Streamed:
    """Give the rows in the coordinates that the descent walks in."""
    if not isinstance(rows, Dataset) or not (rows.is_dense or at_hand):
        from thalweg.descent.streaming import Streamed  # only where rows are scanned

        return Streamed.of(rows, scaling)
    if scaling is None:
        return rows
    scaled = Dataset(
        scaling.rows(rows.X, rows.summary), rows.y, features=rows.features, target=rows.target
    )
    # By algebra: the same digits as for rows that are scanned, which are not all at hand.
    scaled.summary = rows.summary.rescaled(*scaling)
    return scaled


# --- The start ------------------------------------------------------------------------------------


def _start(
    start: ArrayLike | int | ResumeState | None,
    settings: Settings,
    d: int,
    scaling: Scaling | None,
) -> _Start:
    """Settle the start: drawn, given, or gone on from an earlier run."""
    if start is None:
        return _Start(None, None, Generator(settings.seed, 0))
    if isinstance(start, Integral) and not isinstance(start, bool):
        seed = kind_of("seed").take("start", start)
        drawn, _ = initial_parameters(Generator(seed, 0), d, settings.intercept)
        return _Start(drawn, None, Generator(settings.seed, 0))
    if isinstance(start, ResumeState):
        return _go_on(start, settings, d, scaling)
    parameters = check_parameters("start", start, d + settings.intercept)
    if scaling is not None:
        parameters = scaling.from_user(parameters, intercept=settings.intercept)
    return _Start(parameters, None, Generator(settings.seed, 0))


def _go_on(start: ResumeState, settings: Settings, d: int, scaling: Scaling | None) -> _Start:
    """Take up an earlier run where it ended; its optimiser's state fits only its own kind."""
    if start.optimizer_state is not None and start.optimizer != settings.optimizer:
        raise InvalidSetting(
            "start",
            got=f"a run of {start.optimizer!r}, whose state {settings.optimizer!r} cannot take",
            expected="a run of the same optimiser",
            advice="use start=run.continuation(fresh_optimizer=True)",
        )
    fresh = start.parameters is None
    if start.intercept != settings.intercept and not (fresh and not start.optimizer_state):
        have = "with" if start.intercept else "without"
        want = "with" if settings.intercept else "without"
        raise InvalidSetting(
            "start",
            got=f"a run {have} a bias for a fit {want} one",
            expected="a run whose parameters mean the same",
            advice="use {intercept}, or give the start as an array",
            suggest={"intercept": start.intercept},
        )
    if fresh and start.optimizer_state and start.weights != d:
        raise InvalidSetting(
            "start",
            got=f"an optimiser state for {counted(start.weights, 'feature')}",
            expected=f"one for as many as the data has: {d}",
            advice="use start=run.continuation(fresh_parameters=True, fresh_optimizer=True)",
        )
    if start.parameters is None:
        return _Start(None, start.optimizer_state, start.generator)
    check_parameters("start", start.parameters, d + settings.intercept)
    if (start.scaling is None) == (scaling is None):
        parameters = start.scaled_parameters  # the same coordinates: see _scaling
    elif scaling is not None:
        parameters = scaling.from_user(start.parameters, intercept=settings.intercept)
    else:
        parameters = start.parameters
    return _Start(parameters, start.optimizer_state, start.generator)


# --- The plan -------------------------------------------------------------------------------------


def _plan(settings: Settings, source: Source, rows: Dataset | Streamed, first: _Start) -> Plan:
    batches = batches_of(settings, len(rows))
    if settings.epochs > 1_000_000 or settings.record != "epoch":
        _check_memory(settings, batches, len(rows), len(rows.features) + settings.intercept)
    gradient_tolerance, loss_tolerance = 0.0, -np.inf
    if settings.tolerance is not None:
        if settings.tolerance_on == "gradient_norm":
            gradient_tolerance = settings.tolerance
        else:
            least, _ = exact_loss(source, intercept=settings.intercept)
            loss_tolerance = least * (1.0 + settings.tolerance)
    plan = Plan(
        data=rows,
        intercept=settings.intercept,
        rule=settings.rule,
        loss=settings.loss_function,
        epochs=settings.epochs,
        batches=batches,
        start=first.parameters,
        optimizer_state=first.optimizer_state,
        generator=first.generator,
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
            "record",
            got=f"{settings.record!r}: a path of {size / 2**30:.1f} GiB",
            expected=f"one of at most {PATH_BYTES / 2**30:.0f} GiB",
            advice=f"use {{record}}, every {enough:,}th step",
            suggest={"record": enough},
        )
