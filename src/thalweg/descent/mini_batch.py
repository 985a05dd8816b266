"""Descent on any loss over any batches, in native code: from the rows.

Not here: batch descent on the squared error (:mod:`thalweg.descent.full_batch`); arguments and
results (:mod:`thalweg.descent.compiled`).
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
    DIVERGED,
    LIMITS,
    OUT_OF_EPOCHS,
    UNSURE,
    VECTOR,
    Arrays,
    Limits,
    bases_of,
    exact,
    judge,
    keep,
    kernel_of,
    next_powers,
    powers_at,
    recall,
    reordered,
    schedule,
    take_roots,
    update,
)
from thalweg.descent.plan import DIVERGENCE
from thalweg.losses import Loss, value_and_slope
from thalweg.optimizers.rule import Coefficients, Pair
from thalweg.torch_random import Words, seed_twister, shuffle

# Features up to which updates are not made in vector code: the compiler finds it not worth it.
SHORT = 16


def rows_kernel(rule: type, loss: type[Loss]) -> Callable[..., tuple[int, int, int, float]]:
    """Give :func:`walk_rows` for one rule and one loss, compiled or from the disk."""
    return kernel_of(walk_rows, (rule, loss), (*_ROWS, _WALK, LIMITS, ARRAYS))


def start_kernel(loss: type[Loss]) -> Callable[..., Pair]:
    """Give :func:`start_and_spread` for one loss, compiled or from the disk."""
    return kernel_of(start_and_spread, (loss,), (*_ROWS, VECTOR, True))


class Walk(NamedTuple):
    """Which rows each step sees."""

    intercept: bool
    batch_size: int
    steps: int  # in an epoch
    shuffle: bool  # `order` is then drawn afresh each epoch
    seed: int
    drawn: int
    order: NDArray[np.int64]  # (n,) or (r,), the rows in the order they are seen; () as they stand
    bounds: NDArray[np.int64]  # (steps + 1,), where each batch starts in `order`; () evenly
    twisters: tuple[Words, Words]  # memory for the stream and for each epoch's own
    # Of an epoch whose rows come in several calls: (3,), read and moved on; zeros at its beginning.
    so_far: Array  # the losses' sum, the rows seen, and those of them whose batch is not whole yet
    part: bool = False  # the rows are a part of one batch, whose step comes with the rest of it


@exact
def short_product(X: Array, i: int, w: Array) -> float:
    """Multiply a short row with the weights, in an order that has to wait little for itself.

    The reordered sum would read several weights at once that were written one by one a moment
    ago, for which a processor waits until they have left its store buffer.
    """
    d, product = X.shape[1], 0.0
    for k in range(d >> 2):  # by shifts: Numba divides as Python does, for negative numbers too
        j = 4 * k
        first = X[i, j] * w[j] + X[i, j + 1] * w[j + 1]
        product += first + (X[i, j + 2] * w[j + 2] + X[i, j + 3] * w[j + 3])
    for j in range((d >> 2) << 2, d):
        product += X[i, j] * w[j]
    return product


@reordered
def residual(X: Array, y: Array, i: int, w: Array, intercept: bool) -> float:
    """Give prediction − target of row i; ``w`` is [weights…, bias]."""
    d = X.shape[1]
    product = 0.0
    if d >= SHORT:
        for j in range(d):
            product += X[i, j] * w[j]
    else:
        product = short_product(X, i, w)
    offset: float = w[d] - y[i] if intercept else -y[i]
    return product + offset


@exact
def step_on_row(
    rule: Any, now: Coefficients, X: Array, i: int, slope: float, intercept: bool,
    w: Array, memory: Array, sums: Array,
) -> None:  # fmt: skip
    """Make the step that one row asks for, adding its gradient to ``sums``."""
    d = X.shape[1]
    for j in range(d):
        gradient: float = slope * X[i, j]
        sums[j] += gradient
        w[j], remembered = update(rule, now, w[j], gradient, recall(rule, memory, j))
        keep(rule, memory, j, remembered)
    if intercept:
        sums[d] += slope
        w[d], remembered = update(rule, now, float(w[d]), slope, recall(rule, memory, d))
        keep(rule, memory, d, remembered)


@exact
def add_row(X: Array, i: int, slope: float, intercept: bool, gradient: Array) -> None:
    """Add the gradient of one row to a batch's."""
    d = X.shape[1]
    for j in range(d):
        gradient[j] += slope * X[i, j]
    if intercept:
        gradient[d] += slope


@exact
def step_on_batch(
    rule: Any, now: Coefficients, size: int, gradient: Array, w: Array, memory: Array, sums: Array
) -> None:
    """Make the step that a batch asks for, and empty its gradient for the next."""
    for j in range(w.size):
        sums[j] += gradient[j]
        w[j], remembered = update(rule, now, w[j], gradient[j] / size, recall(rule, memory, j))
        keep(rule, memory, j, remembered)
        gradient[j] = 0.0


@exact
def write_point(path: Array, k: int, w: Array, intercept: bool) -> None:
    """Write the parameters as [bias, weights…]."""
    last = w.size - 1
    for j in range(last):
        path[k, j + 1 if intercept else j] = w[j]
    path[k, 0 if intercept else last] = w[last]


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


def walk_rows(
    version: int,
    rule: Any,
    loss: Loss,
    X: Array,
    y: Array,
    walk: Walk,
    limits: Limits,
    arrays: Arrays,
) -> tuple[int, int, int, float]:
    """Walk over batches of rows.

    Parameters
    ----------
    version : int
        As in :func:`~thalweg.descent.full_batch.walk_triangle`.
    rule, loss : Walked, Loss
        The optimiser and the loss.
    X, y : ndarray, shapes (n, d) and (n,)
        The rows.
    walk : Walk
        Which of them each step sees.
    limits : Limits
        When to end.
    arrays : Arrays
        Parameters as [weights…, bias], so that weight j stands beside feature j; the path as
        [bias, weights…].

    Returns
    -------
    outcome, epochs, points : int
        How it ended, epochs walked, points recorded. ``UNSURE`` asks to be called again, from
        the same start, with the loss limit known.
    limit : float
        The loss beyond which it counts as diverged; NaN where it was not needed.
    """
    w, memory, numbers, path, record, work = arrays
    gradient, sums = work
    intercept, order, bounds = walk.intercept, walk.order, walk.bounds
    n, p, written, indirect = y.size, w.size, bounds.size > 0, order.size > 0
    twister, fresh = walk.twisters
    if walk.shuffle:
        seed_twister(twister, walk.seed, walk.drawn)
    bases, carried, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    powers = powers_at(bases, step)
    limit, until_record = limits.loss_limit, limits.until_record
    known = not math.isnan(limit)
    if not known:  # a bound settles all but the strangest fits without a pass over the rows
        limit = DIVERGENCE * least_variance(y)
    total, seen, held = walk.so_far[0], int(walk.so_far[1]), int(walk.so_far[2])
    if held == 0:
        for j in range(p):
            gradient[j] = 0.0
    outcome, epoch, points = OUT_OF_EPOCHS, 0, 1
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        if walk.shuffle:
            shuffle(order, twister, fresh)
        if seen == 0:
            for j in range(p):
                sums[j] = 0.0
        for s in range(walk.steps):
            first, high = s * walk.batch_size - held, (s + 1) * walk.batch_size - held
            if written:
                first, high = bounds[s], bounds[s + 1]
            elif high > n:
                high = n
            low, size = max(first, 0), high - first
            step += 1
            powers = next_powers(bases, powers, step)
            now, carried = schedule(rule, float(step), bases, powers, carried)
            for k in range(low, high):
                i = order[k] if indirect else k
                value, slope = value_and_slope(loss, residual(X, y, i, w, intercept))
                total += value
                if size == 1 and not walk.part:
                    step_on_row(rule, now, X, i, slope, intercept, w, memory, sums)
                else:
                    add_row(X, i, slope, intercept, gradient)
            seen += high - low
            if walk.part:
                held = size
                break
            if size > 1:
                step_on_batch(rule, now, size, gradient, w, memory, sums)
            until_record -= 1
            if until_record == 0:
                write_point(path, points, w, intercept)
                points += 1
                until_record = limits.record_every
        squares = 0.0
        for j in range(p):
            squares += sums[j] * sums[j]
        record[0, epoch], record[1, epoch] = total / seen, squares / seen**2
        outcome = judge(record[0, epoch], record[1, epoch], w, limits, limit)
        if outcome == DIVERGED and not known:
            outcome = UNSURE
        walk.so_far[0], walk.so_far[1] = total, seen
        walk.so_far[2] = held if walk.part else 0
        total, seen, held = 0.0, 0, 0
        epoch += 1
    if until_record != limits.record_every:  # the end is always recorded
        write_point(path, points, w, intercept)
        points += 1
    take_roots(record, epoch)
    if not walk.part:
        numbers[0], numbers[1], numbers[2] = step, carried[0], carried[1]
    return outcome, epoch, points, limit if known else math.nan


def start_and_spread(
    version: int, loss: Loss, X: Array, y: Array, w: Array, intercept: bool
) -> Pair:
    """Give the loss over all rows at ``w``, [weights…, bias], and the target's variance."""
    total, mean, spread = 0.0, 0.0, 0.0
    for i in range(y.size):
        total += value_and_slope(loss, residual(X, y, i, w, intercept))[0]
        mean += y[i] / y.size
    for i in range(y.size):
        spread += (y[i] - mean) * (y[i] - mean)
    return total / y.size, spread / y.size


# Arguments of the right types: a kernel is compiled for these.
_INDICES, _WORDS = np.empty(1, np.int64), np.empty(1, np.uint32)
_WALK = Walk(True, 1, 1, False, 0, 0, _INDICES, _INDICES, (_WORDS, _WORDS), VECTOR, False)
_ROWS = (np.empty((1, 1)), np.empty(1))
for _rows in _ROWS:
    _rows.flags.writeable = False  # as a dataset keeps them
