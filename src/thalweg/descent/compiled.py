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
    OUT_OF_EPOCHS,
    UNSURE,
    Arrays,
    Limits,
    Walk,
    rows_kernel,
    start_kernel,
    triangle_kernel,
)
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.descent.torch_random import (
    STATE,
    WORDS_PER_EPOCH,
    Generator,
    initial_parameters,
)
from thalweg.losses import MSE
from thalweg.optimizers import RULES, AdamW, Rule, memory_of, numbers_of
from thalweg.run import OptimizerState, Outcome

_OUTCOMES = {
    OUT_OF_EPOCHS: Outcome.OUT_OF_EPOCHS,
    CONVERGED: Outcome.CONVERGED,
    DIVERGED: Outcome.DIVERGED,
}

_NO_ROWS = np.empty(0, np.int64)
_NO_TWISTERS = (np.empty(0, np.uint32), np.empty(0, np.uint32))


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
    start, generator = plan.start, plan.generator
    if start is None:
        start, generator = initial_parameters(generator, plan.data.X.shape[1], plan.intercept)
    steps = plan.batches.steps_per_epoch(len(plan.data))
    walk = _walk_triangle if _needs_no_rows(plan) else _walk_rows
    arrays = _arrays(plan, rule, steps, start)
    outcome, epochs, points, limit = walk(plan, rule, steps, generator, start, arrays)
    if outcome == UNSURE:  # a loss beyond what the first rows could vouch for
        return descend(plan._replace(loss_limit=loss_limit(plan)))
    if plan.batches.shuffle:
        generator = generator._replace(drawn=generator.drawn + WORDS_PER_EPOCH * epochs)
    return Trace(
        path=arrays.path[:points],
        steps=_steps(plan, steps, epochs, points),
        loss=arrays.record[0, :epochs],
        gradient_norm=arrays.record[1, :epochs],
        outcome=_OUTCOMES[outcome],
        optimizer_state=_state(rule, arrays),
        generator=generator,
        loss_limit=limit,
    )


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged.

    It is :data:`DIVERGENCE` times the larger of the loss at the start and the target's variance.
    """
    if plan.loss_limit is not None and not math.isnan(plan.loss_limit):
        return plan.loss_limit
    X, y = plan.data.X, plan.data.y
    start = plan.start
    if start is None:
        start, _ = initial_parameters(plan.generator, X.shape[1], plan.intercept)
    w = _bias_last(start) if plan.intercept else np.array(start, np.float64)
    at_start, spread = start_kernel(type(plan.loss))(plan.loss, X, y, w, plan.intercept)
    return DIVERGENCE * max(at_start, spread)


def _needs_no_rows(plan: Plan) -> bool:
    batches = plan.batches
    whole = batches.batch_size is None or batches.batch_size >= len(plan.data)
    return whole and batches.sampler is None and isinstance(plan.loss, MSE)


def _walk_triangle(
    plan: Plan, rule: Any, steps: int, generator: Generator, start: Array, arrays: Arrays
) -> tuple[int, int, int, float]:
    arrays.w[:] = start
    summary = plan.data.summary
    R = summary.triangle(intercept=plan.intercept)
    about_mean = (R if plan.intercept else summary.triangle())[1:, -1]
    variance = float(about_mean @ about_mean) / summary.n
    kernel = triangle_kernel(type(rule), start.size)
    return kernel(rule, R, float(summary.n), variance, _limits(plan, steps), arrays)


def _walk_rows(
    plan: Plan, rule: Any, steps: int, generator: Generator, start: Array, arrays: Arrays
) -> tuple[int, int, int, float]:
    kernel = rows_kernel(type(rule), type(plan.loss))
    X, y, walk = plan.data.X, plan.data.y, _walk(plan, steps, generator)
    arrays.w[:] = _bias_last(start) if plan.intercept else start
    if plan.intercept and plan.optimizer_state:
        arrays.memory[:] = _bias_last(arrays.memory)
    result = kernel(rule, plan.loss, X, y, walk, _limits(plan, steps), arrays)
    if plan.intercept:
        arrays.memory[:] = _bias_first(arrays.memory)
    return result


def _bias_last(parameters: Array) -> Array:
    """Turn [bias, weights…] into [weights…, bias], along the last axis."""
    return np.concatenate((parameters[..., 1:], parameters[..., :1]), axis=-1)


def _bias_first(parameters: Array) -> Array:
    """Undo :func:`_bias_last`."""
    return np.concatenate((parameters[..., -1:], parameters[..., :-1]), axis=-1)


def _walk(plan: Plan, steps: int, generator: Generator) -> Walk:
    """Say which rows each step sees."""
    batches, order, bounds, twisters = plan.batches, _NO_ROWS, _NO_ROWS, _NO_TWISTERS
    if batches.sampler is not None:
        order = np.concatenate(batches.sampler)
        bounds = np.cumsum([0, *map(len, batches.sampler)])
    elif batches.shuffle:
        order = np.empty(len(plan.data), np.int64)
        twisters = (np.empty(STATE + 1, np.uint32), np.empty(STATE + 1, np.uint32))
    size = batches.batch_size or len(plan.data)
    seed = generator.seed & 0xFFFFFFFF  # of which PyTorch takes the low 32 bits
    return Walk(
        plan.intercept, size, steps, batches.shuffle, seed, generator.drawn,
        order, bounds, twisters,
    )  # fmt: skip


def _limits(plan: Plan, steps: int) -> Limits:
    every = plan.record_every or steps
    return Limits(
        plan.epochs,
        every,
        every - plan.steps_before % every,
        plan.gradient_tolerance,
        plan.loss_tolerance,
        math.nan if plan.loss_limit is None else plan.loss_limit,
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


def _arrays(plan: Plan, rule: Rule, steps: int, start: Array) -> Arrays:
    """Make the arrays of a walk, with what the optimiser remembers as [bias, weights…]."""
    kept, counted, state = memory_of(rule), numbers_of(rule), plan.optimizer_state or {}
    p = start.size
    memory, numbers = np.zeros((len(kept), p)), np.zeros(3)
    path = np.empty((_points(plan, steps), p))
    path[0] = start
    for slot, one in enumerate(kept):
        if one.exported and one.name in state:
            memory[slot] = state[one.name]
        elif one.start:
            memory[slot] = one.start
    for slot, one in enumerate(counted):
        numbers[slot] = state.get(one.name, one.start)
    if not counted[0].exported and kept[0].name in state:
        numbers[0] = 1.0  # PyTorch's SGD counts no steps: its buffer shows that there was one
    return Arrays(
        w=np.empty(p),
        memory=memory,
        numbers=numbers,
        path=path,
        record=np.empty((2, plan.epochs)),
        work=(np.empty(p), np.empty(p)),
    )


def _state(rule: Rule, arrays: Arrays) -> OptimizerState:
    """Name what the optimiser remembers as PyTorch does."""
    state: dict[str, Any] = {
        one.name: arrays.memory[slot] for slot, one in enumerate(memory_of(rule)) if one.exported
    }
    for slot, one in enumerate(numbers_of(rule)):
        if one.exported:
            state[one.name] = float(arrays.numbers[slot])
    return state
