"""The compiled engine: a plan in, one native call, a trace out.

In float64, without PyTorch. Batch descent on the squared error takes the dataset's summary in
place of its rows. Not here: the loops (:mod:`thalweg.descent.kernel`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.dataset import Array
from thalweg.descent.kernel import (
    CONVERGED,
    DIVERGED,
    Limits,
    Walk,
    mean_loss,
    rows_kernel,
    triangle_kernel,
    variance,
)
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.descent.torch_random import WORDS_PER_EPOCH, initial_parameters
from thalweg.losses import MSE
from thalweg.optimizers import RULES, AdamW, Rule, memory_of, numbers_of
from thalweg.run import OptimizerState, Outcome

_NO_ROWS = np.empty(0, np.int64)


def applies(plan: Plan) -> bool:
    """Tell whether the compiled engine can walk a plan."""
    return type(plan.rule) in RULES.values() and plan.dtype == "float64"


def descend(plan: Plan) -> Trace:
    """Walk a plan in one native call.

    ``loss_limit`` is NaN in the trace where no loss came near it: it would take a pass over the
    rows. :func:`loss_limit` works it out.

    Parameters
    ----------
    plan : Plan
        One that :func:`applies` to.

    Returns
    -------
    Trace
    """
    rule: Any = plan.rule
    if isinstance(rule, AdamW):
        rule = rule.as_adam()
    generator = plan.generator
    if plan.start is None:
        w, generator = initial_parameters(generator, plan.data.X.shape[1], plan.intercept)
    else:
        w = np.array(plan.start, dtype=np.float64)
    memory, numbers = _remembered(rule, plan.optimizer_state, w.size)
    steps_per_epoch = plan.batches.steps_per_epoch(len(plan.data))
    path = np.empty((_points(plan, steps_per_epoch), w.size))
    record = np.empty((2, plan.epochs))
    walk = _walk_triangle if _needs_no_rows(plan) else _walk_rows
    outcome, epochs, points, limit = walk(
        plan, rule, steps_per_epoch, generator, (w, memory, numbers, path, record)
    )
    if plan.batches.shuffle:
        generator = generator._replace(drawn=generator.drawn + WORDS_PER_EPOCH * epochs)
    return Trace(
        path=path[:points],
        steps=_steps(plan, steps_per_epoch, epochs, points),
        loss=record[0, :epochs],
        gradient_norm=record[1, :epochs],
        outcome=_OUTCOMES[outcome],
        optimizer_state=_state(rule, memory, numbers),
        generator=generator,
        loss_limit=limit,
    )


_OUTCOMES = {
    0: Outcome.OUT_OF_EPOCHS,
    CONVERGED: Outcome.CONVERGED,
    DIVERGED: Outcome.DIVERGED,
}


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged.

    ``1e8`` times the larger of the loss at the start and the target's variance.
    """
    if plan.loss_limit is not None and not math.isnan(plan.loss_limit):
        return plan.loss_limit
    X, y = plan.data.X, plan.data.y
    start = plan.start
    if start is None:
        start, _ = initial_parameters(plan.generator, X.shape[1], plan.intercept)
    w = np.roll(start, -1) if plan.intercept else start
    at_start = mean_loss(plan.loss, X, y, np.ascontiguousarray(w, dtype=np.float64), plan.intercept)
    return DIVERGENCE * max(at_start, variance(y))


def _needs_no_rows(plan: Plan) -> bool:
    batches = plan.batches
    whole = batches.batch_size is None or batches.batch_size >= len(plan.data)
    return whole and batches.sampler is None and isinstance(plan.loss, MSE)


def _walk_triangle(
    plan: Plan, rule: Any, steps_per_epoch: int, generator: Any, arrays: tuple[Array, ...]
) -> tuple[int, int, int, float]:
    summary = plan.data.summary
    R = summary.triangle(intercept=plan.intercept)
    about_mean = (R if plan.intercept else summary.triangle())[1:, -1]
    limits = _limits(plan, float(about_mean @ about_mean) / summary.n)
    return triangle_kernel(type(rule))(rule, R, float(summary.n), limits, *arrays)


def _walk_rows(
    plan: Plan, rule: Any, steps_per_epoch: int, generator: Any, arrays: tuple[Array, ...]
) -> tuple[int, int, int, float]:
    batches = plan.batches
    rows = bounds = _NO_ROWS
    if batches.sampler is not None:
        rows = np.concatenate(batches.sampler).astype(np.int64, copy=False)
        bounds = np.cumsum([0, *map(len, batches.sampler)])
    walk = Walk(
        plan.intercept,
        batches.batch_size or len(plan.data),
        steps_per_epoch,
        batches.shuffle,
        generator.seed & 0xFFFFFFFF,
        generator.drawn,
    )
    kernel = rows_kernel(type(rule), type(plan.loss))
    X, y = plan.data.X, plan.data.y
    return kernel(rule, plan.loss, X, y, walk, rows, bounds, _limits(plan, math.nan), *arrays)


def _limits(plan: Plan, variance: float) -> Limits:
    return Limits(
        plan.epochs,
        plan.record_every,
        plan.steps_before,
        plan.gradient_tolerance,
        plan.loss_tolerance,
        math.nan if plan.loss_limit is None else plan.loss_limit,
        variance,
    )


def _points(plan: Plan, steps_per_epoch: int) -> int:
    """Count the points that a full walk records, start and end included."""
    if plan.record_every == 0:
        return plan.epochs + 1
    phase = plan.steps_before % plan.record_every
    return (phase + plan.epochs * steps_per_epoch) // plan.record_every + 2


def _steps(plan: Plan, steps_per_epoch: int, epochs: int, points: int) -> NDArray[np.int64]:
    """Say how many updates stand before each recorded point."""
    if plan.record_every == 0:
        return np.arange(0, steps_per_epoch * (epochs + 1), steps_per_epoch)
    steps = np.arange(points) * plan.record_every
    steps[1:] -= plan.steps_before % plan.record_every
    steps[-1] = epochs * steps_per_epoch
    return steps


def _remembered(rule: Rule, state: OptimizerState | None, p: int) -> tuple[Array, Array]:
    """Lay out what the optimiser remembers: memory (slots, p), numbers (3,)."""
    kept, counted = memory_of(rule), numbers_of(rule)
    memory, numbers = np.zeros((len(kept), p)), np.zeros(3)
    for slot, one in enumerate(kept):
        if state and one.exported and one.name in state:
            memory[slot] = state[one.name]
        elif one.start:
            memory[slot] = one.start
    for slot, one in enumerate(counted):
        numbers[slot] = state[one.name] if state and one.name in state else one.start
    if state and not counted[0].exported and kept[0].name in state:
        numbers[0] = 1.0  # SGD's buffer shows that there was a step
    return memory, numbers


def _state(rule: Rule, memory: Array, numbers: Array) -> OptimizerState:
    """Name what the optimiser remembers as PyTorch does."""
    state: dict[str, Any] = {
        one.name: memory[slot] for slot, one in enumerate(memory_of(rule)) if one.exported
    }
    for slot, one in enumerate(numbers_of(rule)):
        if one.exported:
            state[one.name] = float(numbers[slot])
    return state
