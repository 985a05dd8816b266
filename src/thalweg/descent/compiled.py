"""The compiled engine: a plan in, one native call, a trace out.

In float64, without PyTorch. Batch descent on the squared error takes the dataset's summary in
place of its rows. Not here: the loops
(:mod:`~thalweg.descent.full_batch`, :mod:`~thalweg.descent.mini_batch`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.descent.full_batch import triangle_kernel
from thalweg.descent.kernel import (
    CONVERGED,
    DIVERGED,
    OUT_OF_EPOCHS,
    UNSURE,
    Arrays,
    Limits,
)
from thalweg.descent.mini_batch import Walk, rows_kernel, start_kernel
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.losses import MSE
from thalweg.optimizers.rule import canonical, declared
from thalweg.runs.run import OptimizerState, Outcome
from thalweg.torch_random import (
    STATE,
    WORDS_PER_EPOCH,
    Generator,
    initial_parameters,
)

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary

OUTCOMES = {
    OUT_OF_EPOCHS: Outcome.OUT_OF_EPOCHS,
    CONVERGED: Outcome.CONVERGED,
    DIVERGED: Outcome.DIVERGED,
}

NO_ROWS = np.empty(0, np.int64)
NO_TWISTERS = (np.empty(0, np.uint32), np.empty(0, np.uint32))


def descend(plan: Plan) -> Trace:
    """Walk a plan in one native call.

    ``loss_limit`` is NaN in the trace where no loss came near it: it would take a pass over the
    rows. :func:`loss_limit` works it out.

    Parameters
    ----------
    plan : Plan
        Of one of our own rules, in float64.

    Returns
    -------
    Trace
    """
    rule = canonical(plan.rule)
    start, generator = beginning(plan)
    steps = plan.batches.steps_per_epoch(len(plan.data))
    walk = _walk_triangle if needs_no_rows(plan) else _walk_rows
    arrays = make_arrays(plan, rule, steps, start)
    outcome, epochs, points, limit = walk(plan, rule, steps, generator, start, arrays)
    if outcome == UNSURE:  # a loss beyond what the first rows could vouch for
        return descend(plan._replace(loss_limit=loss_limit(plan)))
    if plan.batches.shuffle:
        generator = generator._replace(drawn=generator.drawn + WORDS_PER_EPOCH * epochs)
    return Trace(
        path=arrays.path[:points],
        steps=steps_of_points(plan, steps, epochs, points),
        loss=arrays.record[0, :epochs],
        gradient_norm=arrays.record[1, :epochs],
        outcome=OUTCOMES[outcome],
        optimizer_state=exported_state(rule, arrays),
        generator=generator,
        loss_limit=limit,
    )


def beginning(plan: Plan) -> tuple[Array, Generator]:
    """Give where a plan starts, given or drawn, and the stream of random numbers after that."""
    if plan.start is None:
        return initial_parameters(plan.generator, len(plan.data.features), plan.intercept)
    return np.asarray(plan.start, np.float64), plan.generator


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged.

    It is :data:`DIVERGENCE` times the larger of the loss at the start and the target's variance.
    """
    if plan.loss_limit is not None and not math.isnan(plan.loss_limit):
        return plan.loss_limit
    X, y = plan.rows.X, plan.rows.y
    start, _ = beginning(plan)
    w = np.roll(start, -1) if plan.intercept else start.copy()
    at_start, spread = start_kernel(type(plan.loss))(plan.loss, X, y, w, plan.intercept)
    return DIVERGENCE * max(at_start, spread)


def needs_no_rows(plan: Plan) -> bool:
    """Tell whether the summary is enough: batch descent on the squared error."""
    return plan.batches.sees_all(len(plan.data)) and isinstance(plan.loss, MSE)


def _walk_triangle(
    plan: Plan, rule: Any, steps: int, generator: Generator, start: Array, arrays: Arrays
) -> tuple[int, int, int, float]:
    R, n, variance = _triangle(plan.data.summary, plan.intercept)
    kernel = triangle_kernel(type(rule), start.size)
    return kernel(rule, R, n, variance, _limits(plan, steps), arrays)


def _triangle(summary: Summary, intercept: bool) -> tuple[Array, float, float]:
    """Give what batch descent needs of the rows: R, their number, the target's variance."""
    about_mean = summary.triangle()[1:, -1]
    variance = float(about_mean @ about_mean) / summary.n
    return summary.triangle(intercept=intercept), float(summary.n), variance


def _walk_rows(
    plan: Plan, rule: Any, steps: int, generator: Generator, start: Array, arrays: Arrays
) -> tuple[int, int, int, float]:
    kernel = rows_kernel(type(rule), type(plan.loss))
    X, y, walk = plan.rows.X, plan.rows.y, _walk(plan, steps, generator)
    bias_last = turned(plan, start, arrays)
    result = kernel(rule, plan.loss, X, y, walk, _limits(plan, steps), bias_last)
    turn_back(plan, bias_last, arrays)
    return result


def turned(plan: Plan, start: Array, arrays: Arrays) -> Arrays:
    """Give parameters and memory as [weights…, bias], as the walk over rows takes them."""
    if not plan.intercept:
        return arrays
    bias_last, _ = _turns(start.size)
    memory = arrays.memory.take(bias_last, axis=1)
    return arrays._replace(w=start.take(bias_last), memory=memory)


def turn_back(plan: Plan, bias_last: Arrays, arrays: Arrays) -> None:
    """Write the memory of what :func:`turned` gave back as [bias, weights…]."""
    if plan.intercept:
        _, bias_first = _turns(arrays.w.size)
        bias_last.memory.take(bias_first, axis=1, out=arrays.memory)


def _turns(p: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the indices that turn [bias, weights…] into [weights…, bias], and back."""
    return np.roll(np.arange(p), -1), np.roll(np.arange(p), 1)


def _walk(plan: Plan, steps: int, generator: Generator) -> Walk:
    """Say which rows each step sees."""
    batches, order, bounds, twisters = plan.batches, NO_ROWS, NO_ROWS, NO_TWISTERS
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
        order, bounds, twisters, np.zeros(3),
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


def steps_of_points(
    plan: Plan, steps_per_epoch: int, epochs: int, points: int
) -> NDArray[np.int64]:
    """Say how many updates stand before each recorded point."""
    if plan.record_every == 0:
        return np.arange(0, steps_per_epoch * (epochs + 1), steps_per_epoch)
    steps = np.arange(points) * plan.record_every
    steps[1:] -= plan.steps_before % plan.record_every
    steps[-1] = epochs * steps_per_epoch
    return steps


def make_arrays(plan: Plan, rule: Any, steps: int, start: Array) -> Arrays:
    """Make the arrays of a walk, with what the optimiser remembers as [bias, weights…]."""
    known, state, p = declared(type(rule)), plan.optimizer_state, start.size
    memory, numbers = np.zeros((len(known.slots), p)), np.zeros(3)
    for slot, one in enumerate(known.slots):
        if one.initial:
            memory[slot] = one.value(rule)
    for at, one in enumerate(known.scalars):
        if one.initial:
            numbers[at] = one.value(rule)
    if state:
        for slot, one in enumerate(known.slots):
            if one.is_kept(rule):
                memory[slot] = state.get(one.name, memory[slot])
        for at, one in enumerate(known.scalars):
            if one.is_kept(rule):
                numbers[at] = state.get(one.name, numbers[at])
        if not known.scalars[0].kept:  # SGD's buffer shows that there was a step
            numbers[0] = any(one.name in state for one in known.slots if one.is_kept(rule))
    path = np.empty((_points(plan, steps), p))
    path[0] = start
    record, work = np.empty((2, plan.epochs)), (np.empty(p), np.empty(p))
    return Arrays(start.copy(), memory, numbers, path, record, work)


def exported_state(rule: Any, arrays: Arrays) -> OptimizerState:
    """Name what the optimiser remembers as PyTorch does."""
    known, numbers = declared(type(rule)), arrays.numbers.tolist()
    state: dict[str, Any] = {
        one.name: arrays.memory[slot] for slot, one in enumerate(known.slots) if one.is_kept(rule)
    }
    for at, one in enumerate(known.scalars):
        if one.is_kept(rule):
            state[one.name] = numbers[at]
    return state
