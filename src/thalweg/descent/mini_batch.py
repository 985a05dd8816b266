"""Descent on any loss over any batches, in native code: from the rows.

Not here: batch descent on the squared error (:mod:`thalweg.descent.full_batch`); plain SGD by
single rows (:mod:`thalweg.descent.plain_sgd`); arguments and results
(:mod:`thalweg.descent.compiled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.descent.kernel import (
    ARRAYS,
    BATCH,
    DIVERGED,
    EPOCHS,
    INDICES,
    LIMITS,
    LOSS_LIMIT,
    LOSS_SUM,
    OUTCOME,
    POINTS,
    ROW,
    SHUFFLED,
    UNFINISHED,
    UNSURE,
    UNTIL_RECORD,
    VECTOR,
    WHOLE_POINTS,
    WHOLE_UNTIL,
    Arrays,
    Limits,
    bases_of,
    check_arrays,
    ended,
    exact,
    judge,
    keep,
    kernel_of,
    next_powers,
    norm_of,
    powers_at,
    recall,
    schedule,
    update,
    write_point,
)
from thalweg.descent.plain_sgd import step_on_fours
from thalweg.descent.plan import DIVERGENCE
from thalweg.descent.row import FEW, product, residual, row_at
from thalweg.losses import Loss, value_and_slope
from thalweg.optimizers.rule import Coefficients, Pair
from thalweg.torch_random import STATE, Words, begin_shuffle, seed_twister, shuffle_on


def rows_kernel(rule: type, loss: type[Loss]) -> Callable[..., int]:
    """Give :func:`walk_rows` for one rule and one loss, compiled or from the disk."""
    return kernel_of(walk_rows, (rule, loss), (*_ROWS, 0, _EPOCH, LIMITS, ARRAYS, 1))


def start_kernel(loss: type[Loss]) -> Callable[..., tuple[float, float, float]]:
    """Give :func:`start_sums` for one loss, compiled or from the disk."""
    return kernel_of(start_sums, (loss,), (*_ROWS, VECTOR, True, 0.0))


class Epoch(NamedTuple):
    """Which rows each step of an epoch sees."""

    intercept: bool
    batch_size: int
    steps: int
    rows: int  # that they see, a row as often as it is seen
    shuffle: bool  # `order` is then drawn afresh each epoch
    seed: int
    drawn: int
    order: NDArray[np.int64]  # (n,) or (rows,), the rows in the order they are seen; () as they are
    bounds: NDArray[np.int64]  # (steps + 1,), where each batch starts in `order`; () evenly
    twisters: Words  # (2, 625), the stream and each epoch's own; (0, 0) where nothing is shuffled
    variance: float  # the target's, or a lower bound of it; NaN has the rows looked at
    whole: Array  # (p * (slots + 1) + 3,), written: parameters, slots, scalars before the epoch


@exact
def step_on_row(
    rule: Any, coefficients: Coefficients, X: Array, i: int, slope: float, intercept: bool,
    w: Array, slots: Array, sums: Array,
) -> None:  # fmt: skip
    """Make the step that one row asks for, adding its gradient to ``sums``."""
    d = X.shape[1]
    for j in range(d):
        gradient: float = slope * X[i, j]
        sums[j] += gradient
        w[j], remembered = update(rule, coefficients, w[j], gradient, recall(rule, slots, j))
        keep(rule, slots, j, remembered)
    if intercept:
        sums[d] += slope
        w[d], remembered = update(rule, coefficients, float(w[d]), slope, recall(rule, slots, d))
        keep(rule, slots, d, remembered)


@exact
def add_row(X: Array, i: int, slope: float, intercept: bool, gradient: Array) -> None:
    """Add the gradient of one row to a batch's."""
    d = X.shape[1]
    for j in range(d):
        gradient[j] += slope * X[i, j]
    if intercept:
        gradient[d] += slope


@exact
def add_four(
    loss: Loss, X: Array, y: Array, i1: int, i2: int, i3: int, i4: int,
    intercept: bool, w: Array, gradient: Array,
) -> float:  # fmt: skip
    """Add the gradient of four rows to a batch's; give their losses' sum.

    In a batch, too, fours count from the epoch's first row, so that no cut shows.
    """
    d = X.shape[1]
    bias = w[d] if intercept else 0.0
    r1, r2 = product(X, i1, w) + (bias - y[i1]), product(X, i2, w) + (bias - y[i2])
    r3, r4 = product(X, i3, w) + (bias - y[i3]), product(X, i4, w) + (bias - y[i4])
    (value1, s1), (value2, s2) = value_and_slope(loss, r1), value_and_slope(loss, r2)
    (value3, s3), (value4, s4) = value_and_slope(loss, r3), value_and_slope(loss, r4)
    for j in range(d):
        gradient[j] += (s1 * X[i1, j] + s2 * X[i2, j]) + (s3 * X[i3, j] + s4 * X[i4, j])
    if intercept:
        gradient[d] += (s1 + s2) + (s3 + s4)
    return (value1 + value2) + (value3 + value4)


@exact
def step_on_batch(
    rule: Any,
    coefficients: Coefficients,
    size: int,
    gradient: Array,
    w: Array,
    slots: Array,
    sums: Array,
) -> None:
    """Make the step that a batch asks for, and empty its gradient for the next."""
    for j in range(w.size):
        sums[j] += gradient[j]
        mean = gradient[j] / size
        w[j], remembered = update(rule, coefficients, w[j], mean, recall(rule, slots, j))
        keep(rule, slots, j, remembered)
        gradient[j] = 0.0


@exact
def least_variance(y: Array) -> float:
    """Give a lower bound of the target's variance from its first rows alone."""
    few = y.size if y.size < 64 else 64
    mean, total = 0.0, 0.0
    for i in range(few):
        mean += y[i] / few
    for i in range(few):
        total += (y[i] - mean) * (y[i] - mean)
    return total / y.size


# --- The walk -------------------------------------------------------------------------------------


@exact
def given(y: Array, first: int, epoch: Epoch) -> int:
    """Give how many of an epoch's rows lie before the end of what is at hand.

    An order may see a row more than once, and its rows are all at hand.
    """
    end = first + y.size
    return epoch.rows if epoch.order.size > 0 or end > epoch.rows else end


@exact
def check(
    rule: Any, X: Array, y: Array, first: int, epoch: Epoch, limits: Limits, arrays: Arrays,
    budget: int,
) -> None:  # fmt: skip
    """Refuse what a walk over so many rows would overrun, or find at other places."""
    n, p, rows, row = y.size, arrays.w.size, epoch.rows, arrays.cursor[ROW]
    if X.shape[0] != n or X.shape[1] + epoch.intercept != p or n < 1:
        raise ValueError("internal error: rows of another number of parameters")
    if epoch.whole.size != p * (arrays.slots.shape[0] + 1) + 3:
        raise ValueError("internal error: no memory for the state before an epoch")
    end = given(y, first, epoch)
    if epoch.batch_size < 1 or first < 0 or first % 4 != 0 or (end % 4 != 0 and end < rows):
        raise ValueError("internal error: a block of rows not cut at a multiple of four")
    if not 0 <= row < rows or row % 4 != 0 or (row > 0 and not first <= row < end):
        raise ValueError("internal error: a cursor outside the rows")
    if not 0 <= arrays.cursor[BATCH] < epoch.steps:
        raise ValueError("internal error: a cursor outside the batches")
    single = epoch.batch_size == 1 and epoch.bounds.size == 0  # a row is a batch, by one count
    made = row if single else arrays.cursor[BATCH]
    left = (limits.epochs - arrays.cursor[EPOCHS]) * epoch.steps - made
    check_arrays(rule, arrays, limits, left if left < budget + 4 else budget + 4, budget)
    written, indirect = epoch.bounds.size > 0, epoch.order.size > 0
    if written:
        check_bounds(epoch.bounds, epoch.steps, rows)
    elif (rows - 1) // epoch.batch_size + 1 != epoch.steps:
        raise ValueError("internal error: another number of batches")
    if epoch.shuffle:
        twisters, shuffled = epoch.twisters, arrays.cursor[SHUFFLED]
        if twisters.shape[0] != 2 or twisters.shape[1] != STATE + 1:
            raise ValueError("internal error: a random stream of another size")
        out = twisters[0, STATE] >= STATE or twisters[1, STATE] >= STATE
        if out or not 0 <= shuffled <= 2 * n:
            raise ValueError("internal error: a random stream out of range")
        if written or not indirect:
            raise ValueError("internal error: no order to shuffle")
    if not indirect:
        return
    if first != 0 or epoch.order.size != (n if epoch.shuffle else rows) or rows > epoch.order.size:
        raise ValueError("internal error: an order of another number of rows")
    low, high = row, row + budget + 4
    if high > rows:
        low, high = (row if epoch.shuffle else 0), rows
    if not (epoch.shuffle and row == 0):  # it is written by this very call, or was by the last
        for k in range(low, high):
            if not 0 <= epoch.order[k] < n:
                raise IndexError("internal error: a row that does not exist")


@exact
def check_bounds(bounds: NDArray[np.int64], steps: int, rows: int) -> None:
    """Refuse batches that are empty or leave the order."""
    if bounds.size != steps + 1 or bounds[0] != 0 or bounds[steps] != rows:
        raise ValueError("internal error: bounds of other batches")
    for s in range(steps):
        if bounds[s] >= bounds[s + 1]:
            raise ValueError("internal error: bounds that do not ascend")


@exact
def keep_whole(epoch: Epoch, arrays: Arrays, step: int, carried: Pair) -> None:
    """Keep the state in which an epoch begins, which this call may not end."""
    whole, p, slots = epoch.whole, arrays.w.size, arrays.slots
    for j in range(p):  # [bias, weights…] again
        place = j + 1 if epoch.intercept and j < p - 1 else 0 if epoch.intercept else j
        whole[place] = arrays.w[j]
        for slot in range(slots.shape[0]):
            whole[(slot + 1) * p + place] = slots[slot, j]
    last, cursor = whole.size - 3, arrays.cursor
    whole[last], whole[last + 1], whole[last + 2] = step, carried[0], carried[1]
    cursor[WHOLE_POINTS], cursor[WHOLE_UNTIL] = cursor[POINTS], cursor[UNTIL_RECORD]


@exact
def put_bias_last(w: Array, slots: Array) -> None:
    """Turn [bias, weights…] into [weights…, bias], so that weight j is at feature j's place."""
    for j in range(w.size - 1):
        w[j], w[j + 1] = w[j + 1], w[j]
        for slot in range(slots.shape[0]):
            slots[slot, j], slots[slot, j + 1] = slots[slot, j + 1], slots[slot, j]


@exact
def put_bias_first(w: Array, slots: Array) -> None:
    """Turn [weights…, bias] into [bias, weights…] again."""
    for j in range(w.size - 1, 0, -1):
        w[j], w[j - 1] = w[j - 1], w[j]
        for slot in range(slots.shape[0]):
            slots[slot, j], slots[slot, j - 1] = slots[slot, j - 1], slots[slot, j]


@exact
def shuffle_within(epoch: Epoch, cursor: NDArray[np.int64], d: int, budget: int) -> int:
    """Shuffle an epoch's order, or go on with it; give what it took of the budget.

    An entry costs about as much as eight numbers of a row.
    """
    stream, own = epoch.twisters[0], epoch.twisters[1]
    low, whole, share = cursor[SHUFFLED], 2 * epoch.order.size, 1 + d // 8
    if low == 0:
        begin_shuffle(stream, own)
    high = whole
    if budget < whole and low + budget * share < whole:
        high = low + budget * share
    shuffle_on(epoch.order, own, low, high)
    cursor[SHUFFLED] = high
    return (high - low + share - 1) // share if high == whole else budget


def walk_rows(
    version: int,
    rule: Any,
    loss: Loss,
    X: Array,
    y: Array,
    first: int,
    epoch: Epoch,
    limits: Limits,
    arrays: Arrays,
    budget: int,
) -> int:
    """Walk over batches of rows, on from where the last call ended.

    It comes back when the budget is spent, when the rows given are used up, or at the walk's
    end. However a walk is cut into calls, its bits are the same.

    Parameters
    ----------
    version : int
        As in :func:`~thalweg.descent.full_batch.walk_triangle`.
    rule, loss : Rule, Loss
        The optimiser and the loss.
    X, y : ndarray, shapes (n, d) and (n,)
        The rows, or a block of them.
    first : int
        The epoch's rows before them, a multiple of four.
    epoch : Epoch
        Which rows each step sees.
    limits : Limits
        When to end.
    arrays : Arrays
        Parameters as [bias, weights…].
    budget : int
        The rows to look at before it comes back, up to the next multiple of four.

    Returns
    -------
    int
        How the walk stands, as in the cursor.
    """
    check(rule, X, y, first, epoch, limits, arrays, budget)
    if epoch.intercept:
        put_bias_last(arrays.w, arrays.slots)
    w, slots, scalars, path, record, gradient, sums, cursor, losses = arrays
    order, bounds = epoch.order, epoch.bounds
    intercept, p, written = epoch.intercept, w.size, bounds.size > 0
    end = given(y, first, epoch)
    single, few = epoch.batch_size == 1 and not written, X.shape[1] <= FEW
    bases, carried, step = bases_of(rule), (scalars[1], scalars[2]), int(scalars[0])
    powers = powers_at(bases, step)
    epochs, row, batch, outcome = cursor[EPOCHS], cursor[ROW], cursor[BATCH], cursor[OUTCOME]
    limit = losses[LOSS_LIMIT]
    known = not math.isnan(limit)
    if not known:  # a bound settles all but the strangest fits without a pass over the rows
        variance = epoch.variance
        limit = DIVERGENCE * (least_variance(y) if math.isnan(variance) else variance)
    elif outcome == UNSURE and epochs > 0:  # the last epoch awaits its verdict: that is all
        outcome = judge(record[0, epochs - 1], record[1, epochs - 1], w, limits, limit)
        budget = 0
    if epoch.shuffle and epochs == 0 and cursor[SHUFFLED] == 0:
        seed_twister(epoch.twisters[0], epoch.seed, epoch.drawn)
    while epochs < limits.epochs and outcome == UNFINISHED and budget > 0 and first <= row:
        if row == 0:
            if epoch.shuffle:
                budget -= shuffle_within(epoch, cursor, X.shape[1], budget)
                if budget <= 0:
                    break
            if budget < epoch.rows or end < epoch.rows:
                keep_whole(epoch, arrays, step, carried)
            for j in range(p):
                gradient[j], sums[j] = 0.0, 0.0
            losses[LOSS_SUM] = 0.0
        stop = (row + budget + 3) // 4 * 4
        if stop > end:
            stop = end
        budget -= stop - row
        if single:
            to = step_on_fours(rule, loss, X, y, first, epoch, limits, arrays, row, stop)
            step, row = step + to - row, to
        total, until_record, points = losses[LOSS_SUM], cursor[UNTIL_RECORD], cursor[POINTS]
        while single and row < stop:
            step += 1
            powers = next_powers(bases, powers, step)
            coefficients, carried = schedule(rule, float(step), bases, powers, carried)
            i = row_at(order, row, first)
            value, slope = value_and_slope(loss, residual(X, y, i, w, intercept))
            total += value
            step_on_row(rule, coefficients, X, i, slope, intercept, w, slots, sums)
            row += 1
            until_record -= 1
            if until_record == 0:
                write_point(path, points, w, intercept)
                points += 1
                until_record = limits.record_every
        while row < stop:
            low, high = batch * epoch.batch_size, (batch + 1) * epoch.batch_size
            if written:
                low, high = bounds[batch], bounds[batch + 1]
            elif high > epoch.rows:
                high = epoch.rows
            here = high if high < stop else stop  # as far as the batch goes in this call
            while row < here:
                if few and (row & 3) == 0 and row + 4 <= here:
                    i1, i2 = row_at(order, row, first), row_at(order, row + 1, first)
                    i3, i4 = row_at(order, row + 2, first), row_at(order, row + 3, first)
                    total += add_four(loss, X, y, i1, i2, i3, i4, intercept, w, gradient)
                    row += 4
                else:
                    i = row_at(order, row, first)
                    value, slope = value_and_slope(loss, residual(X, y, i, w, intercept))
                    total += value
                    add_row(X, i, slope, intercept, gradient)
                    row += 1
            if row < high:  # the batch goes on in another call
                break
            step += 1
            powers = next_powers(bases, powers, step)
            coefficients, carried = schedule(rule, float(step), bases, powers, carried)
            step_on_batch(rule, coefficients, high - low, gradient, w, slots, sums)
            batch += 1
            until_record -= 1
            if until_record == 0:
                write_point(path, points, w, intercept)
                points += 1
                until_record = limits.record_every
        losses[LOSS_SUM], cursor[UNTIL_RECORD], cursor[POINTS] = total, until_record, points
        if row < epoch.rows:
            break
        squares = 0.0
        for j in range(p):
            squares += sums[j] * sums[j]
        record[0, epochs], record[1, epochs] = total / row, norm_of(squares, sums, 1.0) / row
        outcome = judge(record[0, epochs], record[1, epochs], w, limits, limit)
        if outcome == DIVERGED and not known:
            outcome = UNSURE
        row, batch, cursor[SHUFFLED] = 0, 0, 0
        epochs += 1
    scalars[0], scalars[1], scalars[2] = step, carried[0], carried[1]
    cursor[EPOCHS], cursor[ROW], cursor[BATCH] = epochs, row, batch
    cursor[OUTCOME] = ended(outcome, epochs, limits)
    if epoch.intercept:
        put_bias_first(arrays.w, arrays.slots)
    return int(cursor[OUTCOME])


def start_sums(
    version: int, loss: Loss, X: Array, y: Array, w: Array, intercept: bool, shift: float
) -> tuple[float, float, float]:
    """Sum over rows the loss at ``w``, [weights…, bias], the target, and its square.

    The target is taken from ``shift``, so that little cancels when a variance is made of it.
    """
    if X.shape[0] != y.size or X.shape[1] + intercept != w.size:
        raise ValueError("internal error: rows of another number of parameters")
    total, first, second = 0.0, 0.0, 0.0
    for i in range(y.size):
        total += value_and_slope(loss, residual(X, y, i, w, intercept))[0]
        first += y[i] - shift
        second += (y[i] - shift) * (y[i] - shift)
    return total, first, second


# Arguments of the right types: a kernel is compiled for these.
_WORDS = np.empty((1, 1), np.uint32)
_EPOCH = Epoch(True, 1, 1, 1, False, 0, 0, INDICES, INDICES, _WORDS, 1.0, VECTOR)
_ROWS = (np.empty((1, 1)), np.empty(1))
for _rows in _ROWS:
    _rows.flags.writeable = False  # as a dataset keeps them
