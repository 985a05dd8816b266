"""The compiled engine: a plan in, native calls, a trace out.

In float64, without PyTorch. Batch descent on the squared error takes the dataset's summary in
place of its rows. A walk is made in calls that come back to Python, and go on where they ended:
for Ctrl-C, for progress, for rows that come block by block. However it is cut, its bits are the
same. Not here: the loops (:mod:`~thalweg.descent.full_batch`,
:mod:`~thalweg.descent.mini_batch`), how long a call may be (:mod:`~thalweg.descent.engines`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.data.source import Rows
from thalweg.descent.full_batch import triangle_kernel
from thalweg.descent.kernel import (
    CONVERGED,
    CURSOR,
    DIVERGED,
    EPOCHS,
    LOSS_LIMIT,
    OUT_OF_EPOCHS,
    OUTCOME,
    POINTS,
    ROW,
    UNFINISHED,
    UNSURE,
    UNTIL_RECORD,
    WHOLE_POINTS,
    WHOLE_UNTIL,
    Arrays,
    Limits,
)
from thalweg.descent.mini_batch import Epoch, rows_kernel, start_kernel
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

OUTCOMES = {
    OUT_OF_EPOCHS: Outcome.OUT_OF_EPOCHS,
    CONVERGED: Outcome.CONVERGED,
    DIVERGED: Outcome.DIVERGED,
    UNSURE: Outcome.STOPPED,
    UNFINISHED: Outcome.STOPPED,
}

NO_ROWS = np.empty(0, np.int64)
NO_TWISTERS = np.empty((0, 0), np.uint32)

START = np.zeros(CURSOR, np.int64)  # of a walk, but for the steps to the next point
START[OUTCOME], START[POINTS] = UNFINISHED, 1

# The first call's size, in numbers that it looks at: some milliseconds.
FIRST_NUMBERS = 2**20
# Rows that the loss at the start is summed up from in one call: some tens of milliseconds.
START_NUMBERS = 2**24


class Walk:
    """A walk that is made in calls: where it stands is in its arrays alone.

    ``loss_limit`` is NaN in its trace where no loss came near it: it would take a pass over the
    rows. :func:`loss_limit` works it out.

    Parameters
    ----------
    plan : Plan
        With one of the rules of :mod:`thalweg.optimizers`, in float64.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rule: Any = canonical(plan.rule)
        start, self.generator = initial(plan)
        self.steps = plan.batches.steps_per_epoch(len(plan.data))
        every = plan.record_every or self.steps
        self.limits = Limits(plan.epochs, every, plan.gradient_tolerance, plan.loss_tolerance)
        self.arrays = make_arrays(plan, self.rule, self.steps, start)
        self.first_budget = 1 + FIRST_NUMBERS // (start.size * self._numbers(start.size))

    def _numbers(self, p: int) -> int:
        """Count what a unit of the budget looks at, for each parameter."""
        raise NotImplementedError

    def go_on(self, budget: int) -> None:
        """Walk on; a budget is of epochs in batch descent on the squared error, else of rows."""
        raise NotImplementedError

    @property
    def outcome(self) -> Outcome:
        """How it ended; ``STOPPED`` where there is more to walk."""
        return OUTCOMES[self.arrays.cursor.item(OUTCOME)]

    @property
    def epochs(self) -> int:
        """The whole epochs walked."""
        return self.arrays.cursor.item(EPOCHS)

    @property
    def loss(self) -> float:
        """The last whole epoch's loss."""
        return self.arrays.record.item(0, self.epochs - 1)

    def trace(self) -> Trace:
        """Say what was done in the whole epochs so far."""
        plan, cursor = self.plan, self.arrays.cursor.tolist()
        epochs, outcome = cursor[EPOCHS], OUTCOMES[cursor[OUTCOME]]
        arrays, points, until_record = self.arrays, cursor[POINTS], cursor[UNTIL_RECORD]
        if outcome is Outcome.STOPPED:
            arrays, points, until_record = self._kept()
        path, generator = arrays.path, self.generator
        if until_record != self.limits.record_every:  # the end is always recorded
            if outcome is Outcome.STOPPED:  # its place is that of a point to come
                path = path[: points + 1].copy()
            path[points] = arrays.w
            points += 1
        if plan.batches.shuffle:
            generator = generator._replace(drawn=generator.drawn + WORDS_PER_EPOCH * epochs)
        return Trace(
            path[:points],
            steps_of_points(plan, self.steps, epochs, points),
            arrays.record[0, :epochs],
            arrays.record[1, :epochs],
            outcome,
            exported_state(self.rule, arrays),
            generator,
            arrays.losses.item(LOSS_LIMIT),
        )

    def _kept(self) -> tuple[Arrays, int, int]:
        """Copy what a walk that goes on will move, as it was after the last whole epoch.

        With the points that were due by then, and the steps to the next.
        """
        arrays, cursor = self.arrays, self.arrays.cursor
        copied = arrays._replace(
            w=arrays.w.copy(), slots=arrays.slots.copy(), scalars=arrays.scalars.copy()
        )
        return copied, cursor.item(POINTS), cursor.item(UNTIL_RECORD)


class FullBatch(Walk):
    """Batch descent on the squared error: the summary is enough."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        p = self.arrays.w.size
        self.kernel = triangle_kernel(type(self.rule), p)
        self.triangle = plan.data.summary.full_batch(plan.intercept)

    def _numbers(self, p: int) -> int:
        return p + 8

    def go_on(self, budget: int) -> None:
        """Walk on, by so many epochs at most."""
        self.kernel(self.rule, *self.triangle, self.limits, self.arrays, budget)


class MiniBatch(Walk):
    """Descent on any loss over any batches of rows in memory."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.kernel = rows_kernel(type(self.rule), type(plan.loss))
        self.epoch = self._epoch()

    def _numbers(self, p: int) -> int:
        return 8

    def go_on(self, budget: int) -> None:
        """Walk on, by about so many rows at most."""
        if self._call(budget) == UNSURE:  # a loss beyond what is certain without a pass
            self.arrays.losses[LOSS_LIMIT] = self._loss_limit()
            self._call(1)  # which only judges it

    def _call(self, budget: int) -> int:
        X, y, first = self._rows()
        return self.kernel(
            self.rule, self.plan.loss, X, y, first, self.epoch, self.limits, self.arrays, budget
        )

    def _rows(self) -> tuple[Array, Array, int]:
        """Give the rows, or the block of them that comes next, and how many precede it."""
        return self.plan.rows.X, self.plan.rows.y, 0

    def _loss_limit(self) -> float:
        return loss_limit(self.plan)

    def _variance(self) -> float:
        """Give the target's variance, where it is known without a pass over the rows."""
        return math.nan

    def _epoch(self) -> Epoch:
        plan, batches, n = self.plan, self.plan.batches, len(self.plan.data)
        order, bounds, twisters = NO_ROWS, NO_ROWS, NO_TWISTERS
        size = min(batches.batch_size or n, n)
        rows = self.steps * size if batches.drop_last else n
        if batches.sampler is not None:
            order = np.concatenate(batches.sampler)
            bounds = np.cumsum([0, *map(len, batches.sampler)])
            rows = order.size
        elif batches.shuffle:
            order = np.zeros(n, np.int64)
            twisters = np.zeros((2, STATE + 1), np.uint32)
        seed = self.generator.seed & 0xFFFFFFFF  # of which PyTorch takes the low 32 bits
        whole = np.zeros(self.arrays.w.size + self.arrays.slots.size + 3)
        return Epoch(
            plan.intercept, size, self.steps, rows, batches.shuffle, seed, self.generator.drawn,
            order, bounds, twisters, self._variance(), whole,
        )  # fmt: skip

    def _kept(self) -> tuple[Arrays, int, int]:
        arrays, points, until_record = super()._kept()
        if arrays.cursor.item(ROW) > 0:
            whole, p = self.epoch.whole, arrays.w.size
            w, slots, scalars = whole[:p], whole[p:-3].reshape(-1, p), whole[-3:]
            arrays = arrays._replace(w=w.copy(), slots=slots.copy(), scalars=scalars.copy())
            points, until_record = arrays.cursor[[WHOLE_POINTS, WHOLE_UNTIL]].tolist()
        return arrays, points, until_record


def initial(plan: Plan) -> tuple[Array, Generator]:
    """Give where a plan starts, given or drawn, and the stream of random numbers after that."""
    if plan.start is None:
        return initial_parameters(plan.generator, len(plan.data.features), plan.intercept)
    return np.asarray(plan.start, np.float64), plan.generator


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged.

    It is :data:`DIVERGENCE` times the larger of the loss at the start and the target's variance.
    """
    X, y = plan.rows.X, plan.rows.y
    rows = max(1, START_NUMBERS // (X.shape[1] + 1))
    blocks = ((X[k : k + rows], y[k : k + rows]) for k in range(0, len(y), rows))
    return limit_of(plan, blocks)


def limit_of(plan: Plan, blocks: Iterable[Rows]) -> float:
    """Give the loss limit of a plan whose rows come in blocks."""
    if plan.loss_limit is not None and not math.isnan(plan.loss_limit):
        return plan.loss_limit
    start, _ = initial(plan)
    w = np.roll(start, -1) if plan.intercept else start.copy()
    kernel = start_kernel(type(plan.loss))
    shift, loss, first, second = None, 0.0, 0.0, 0.0
    for X, y in blocks:
        shift = float(y[0]) if shift is None else shift
        sums = kernel(plan.loss, X, y, w, plan.intercept, shift)
        loss, first, second = loss + sums[0], first + sums[1], second + sums[2]
    n = len(plan.data)
    return DIVERGENCE * max(loss / n, (second - first * first / n) / n)


def needs_no_rows(plan: Plan) -> bool:
    """Tell whether the summary is enough: batch descent on the squared error."""
    return plan.batches.sees_all(len(plan.data)) and isinstance(plan.loss, MSE)


def begin(plan: Plan) -> Walk:
    """Begin the walk of a plan whose rows are in memory, or not needed."""
    return FullBatch(plan) if needs_no_rows(plan) else MiniBatch(plan)


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
    known, p = declared(type(rule)), start.size
    slots, scalars = np.zeros((len(known.slots), p)), np.zeros(3)
    for slot, one in enumerate(known.slots):
        if one.initial:
            slots[slot] = one.value(rule)
    for at, one in enumerate(known.scalars):
        if one.initial:
            scalars[at] = one.value(rule)
    if plan.optimizer_state:
        _remember(plan.optimizer_state, rule, slots, scalars)
    path = np.empty((_points(plan, steps), p))
    path[0] = start
    record, cursor = np.empty((2, plan.epochs)), START.copy()
    every = plan.record_every or steps
    cursor[UNTIL_RECORD] = every - plan.steps_before % every
    losses = np.zeros(2)
    losses[LOSS_LIMIT] = math.nan if plan.loss_limit is None else plan.loss_limit
    gradient, sums = np.zeros(p), np.zeros(p)
    return Arrays(start.copy(), slots, scalars, path, record, gradient, sums, cursor, losses)


def _remember(state: OptimizerState, rule: Any, slots: Array, scalars: Array) -> None:
    """Take over what an optimiser remembers, by PyTorch's names."""
    known = declared(type(rule))
    kept = [(slot, one.name) for slot, one in enumerate(known.slots) if one.is_kept(rule)]
    for slot, name in kept:
        slots[slot] = state.get(name, slots[slot])
    for at, one in enumerate(known.scalars):
        if one.is_kept(rule):
            scalars[at] = state.get(one.name, scalars[at])
    if not known.scalars[0].kept:  # SGD's buffer shows that there was a step
        scalars[0] = any(name in state for _, name in kept)


def exported_state(rule: Any, arrays: Arrays) -> OptimizerState:
    """Name what the optimiser remembers as PyTorch does."""
    known, scalars = declared(type(rule)), arrays.scalars.tolist()
    state: dict[str, Any] = {
        one.name: arrays.slots[slot] for slot, one in enumerate(known.slots) if one.is_kept(rule)
    }
    for at, one in enumerate(known.scalars):
        if one.is_kept(rule):
            state[one.name] = scalars[at]
    return state
