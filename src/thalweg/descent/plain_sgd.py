"""Plain SGD by single rows, in blocks of four, which is quicker.

Row by row each prediction waits for the update before it. With the products of four rows among
each other, their predictions come from the parameters before the block, and the four updates are
made in one passage: the same mathematics in another rounding. Blocks count from an epoch's first
row, and a call begins and ends at their borders, so that no cut shows in the result. Not here: any
other rule, the walk that calls this (:mod:`thalweg.descent.mini_batch`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from numba.extending import overload

from thalweg.arrays import Array
from thalweg.descent.kernel import (
    CHOSEN,
    LOSS_SUM,
    POINTS,
    UNTIL_RECORD,
    Arrays,
    Limits,
    exact,
    reordered,
    schedule,
    write_point,
)
from thalweg.descent.row import FEW, LONG, residual, row_at
from thalweg.losses import Loss, value_and_slope
from thalweg.optimizers.sgd import PlainSGD

if TYPE_CHECKING:
    from thalweg.descent.mini_batch import Epoch


def step_on_fours(
    rule: Any, loss: Loss, X: Array, y: Array, first: int, epoch: Epoch, limits: Limits,
    arrays: Arrays, row: int, stop: int,
) -> int:  # fmt: skip
    """Make the steps of single rows as far as there are whole blocks; give the next row.

    Points and losses are written, and counted in the cursor. Only plain SGD is walked so; for
    other rules nothing is done.
    """
    walk: Any = _plain_fours if type(rule) is PlainSGD else _no_fours
    return int(walk(rule, loss, X, y, first, epoch, limits, arrays, row, stop))


@overload(step_on_fours, **CHOSEN)
def _choose_step_on_fours(  # type: ignore[no-untyped-def]
    rule, loss, X, y, first, epoch, limits, arrays, row, stop
):
    return _plain_fours if rule.instance_class is PlainSGD else _no_fours


def _no_fours(  # type: ignore[no-untyped-def]
    rule, loss, X, y, first, epoch, limits, arrays, row, stop
):
    return row


def _products(X: Array, i1: int, i2: int, i3: int, i4: int, w: Array) -> Any:
    """Multiply four rows with the weights and with each other."""
    p1, p2, p3, p4 = 0.0, 0.0, 0.0, 0.0
    g21, g31, g32, g41, g42, g43 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(X.shape[1]):
        x1, x2, x3, x4, own = X[i1, j], X[i2, j], X[i3, j], X[i4, j], w[j]
        p1, p2, p3, p4 = p1 + x1 * own, p2 + x2 * own, p3 + x3 * own, p4 + x4 * own
        g21, g31, g41 = g21 + x1 * x2, g31 + x1 * x3, g41 + x1 * x4
        g32, g42, g43 = g32 + x2 * x3, g42 + x2 * x4, g43 + x3 * x4
    return (p1, p2, p3, p4), (g21, g31, g32, g41, g42, g43)


products = exact(_products)


@reordered
def long_products(X: Array, i1: int, i2: int, i3: int, i4: int, w: Array) -> Any:
    """Do the same for long rows, one new row at a time: memory is fetched ahead only so."""
    p1, p2, p3, p4 = 0.0, 0.0, 0.0, 0.0
    g21, g31, g32, g41, g42, g43 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(X.shape[1]):
        p1 += X[i1, j] * w[j]
    for j in range(X.shape[1]):
        new = X[i2, j]
        p2, g21 = p2 + new * w[j], g21 + new * X[i1, j]
    for j in range(X.shape[1]):
        new = X[i3, j]
        p3, g31, g32 = p3 + new * w[j], g31 + new * X[i1, j], g32 + new * X[i2, j]
    for j in range(X.shape[1]):
        new = X[i4, j]
        p4, g41 = p4 + new * w[j], g41 + new * X[i1, j]
        g42, g43 = g42 + new * X[i2, j], g43 + new * X[i3, j]
    return (p1, p2, p3, p4), (g21, g31, g32, g41, g42, g43)


@exact
def move(X: Array, i: int, change: float, shrink: float, intercept: bool, w: Array) -> None:
    """Make one row's step."""
    d = X.shape[1]
    for j in range(d):
        w[j] = shrink * w[j] - change * X[i, j]
    if intercept:
        w[d] = shrink * w[d] - change


@exact
def count_down(arrays: Arrays, until_record: int, every: int, intercept: bool) -> int:
    """Write a point where one is due; give the steps until the next."""
    if until_record > 1:
        return until_record - 1
    write_point(arrays.path, arrays.cursor[POINTS], arrays.w, intercept)
    arrays.cursor[POINTS] += 1
    return every


def _plain_fours(  # type: ignore[no-untyped-def]
    rule, loss, X, y, first, epoch, limits, arrays, row, stop
):
    w, sums, cursor, losses, d = arrays.w, arrays.sums, arrays.cursor, arrays.losses, X.shape[1]
    order, intercept = epoch.order, epoch.intercept
    coefficients, _ = schedule(rule, 1.0, (1.0, 1.0), (1.0, 1.0), (0.0, 0.0))  # always the same
    push, shrink = coefficients[0], coefficients[1]
    total, until_record = losses[LOSS_SUM], cursor[UNTIL_RECORD]
    while row + 4 <= stop and d <= LONG:
        i1, i2 = row_at(order, row, first), row_at(order, row + 1, first)
        i3, i4 = row_at(order, row + 2, first), row_at(order, row + 3, first)
        if d > FEW:
            (p1, p2, p3, p4), g = long_products(X, i1, i2, i3, i4, w)
        else:
            (p1, p2, p3, p4), g = products(X, i1, i2, i3, i4, w)
        bias, one = (w[d], 1.0) if intercept else (0.0, 0.0)
        p1, p2, p3, p4 = p1 + bias, p2 + bias, p3 + bias, p4 + bias
        g21, g31, g32 = g[0] + one, g[1] + one, g[2] + one
        g41, g42, g43 = g[3] + one, g[4] + one, g[5] + one
        row += 4
        spread = abs(g21) + abs(g31) + abs(g32) + abs(g41) + abs(g42) + abs(g43)
        if not spread < math.inf:  # rows so large that their products leave the range
            for i in (i1, i2, i3, i4):
                value, s = value_and_slope(loss, residual(X, y, i, w, intercept))
                total += value
                for j in range(d):
                    sums[j] += s * X[i, j]
                if intercept:
                    sums[d] += s
                move(X, i, push * s, shrink, intercept, w)
                until_record = count_down(arrays, until_record, limits.record_every, intercept)
            continue
        value1, s1 = value_and_slope(loss, p1 - y[i1])
        c1 = push * s1
        value2, s2 = value_and_slope(loss, (shrink * p2 - c1 * g21) - y[i2])
        c2 = push * s2
        after = shrink * (shrink * p3 - c1 * g31) - c2 * g32
        value3, s3 = value_and_slope(loss, after - y[i3])
        c3 = push * s3
        after = shrink * (shrink * (shrink * p4 - c1 * g41) - c2 * g42) - c3 * g43
        value4, s4 = value_and_slope(loss, after - y[i4])
        c4 = push * s4
        total += (value1 + value2) + (value3 + value4)
        if intercept:
            sums[d] += (s1 + s2) + (s3 + s4)
        if until_record > 4:
            for j in range(d):
                x1, x2, x3, x4 = X[i1, j], X[i2, j], X[i3, j], X[i4, j]
                sums[j] += (s1 * x1 + s2 * x2) + (s3 * x3 + s4 * x4)
                own = shrink * (shrink * w[j] - c1 * x1) - c2 * x2
                w[j] = shrink * (shrink * own - c3 * x3) - c4 * x4
            if intercept:
                own = shrink * (shrink * w[d] - c1) - c2
                w[d] = shrink * (shrink * own - c3) - c4
            until_record -= 4
        else:  # one by one, to the same bits, for the points between
            for j in range(d):
                x1, x2, x3, x4 = X[i1, j], X[i2, j], X[i3, j], X[i4, j]
                sums[j] += (s1 * x1 + s2 * x2) + (s3 * x3 + s4 * x4)
            for i, c in ((i1, c1), (i2, c2), (i3, c3), (i4, c4)):
                move(X, i, c, shrink, intercept, w)
                until_record = count_down(arrays, until_record, limits.record_every, intercept)
    losses[LOSS_SUM], cursor[UNTIL_RECORD] = total, until_record
    return row
