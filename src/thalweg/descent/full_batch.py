"""Batch descent on the squared error, in native code: from the triangle, whatever the rows.

With the triangle R of ``[1, X, y]``, loss and gradient cost O(p²). Not here: other losses, other
batches (:mod:`thalweg.descent.mini_batch`); arguments and results
(:mod:`thalweg.descent.compiled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from thalweg.arrays import Array
from thalweg.descent.kernel import (
    ARRAYS,
    EPOCHS,
    LIMITS,
    LOSS_LIMIT,
    MATRIX,
    OUTCOME,
    POINTS,
    UNFINISHED,
    UNTIL_RECORD,
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
)
from thalweg.descent.plan import DIVERGENCE


def triangle_kernel(rule: type, p: int) -> Callable[..., int]:
    """Give the walk for one rule, compiled or from the disk."""
    walk = walk_line if p == 2 else walk_triangle
    return kernel_of(walk, (rule,), (MATRIX, 1.0, 1.0, LIMITS, ARRAYS, 1))


@exact
def check(rule: Any, R: Array, limits: Limits, arrays: Arrays, epochs: int) -> None:
    """Refuse what a walk of so many epochs would overrun."""
    if R.shape[0] != arrays.w.size + 1 or R.shape[1] != R.shape[0]:
        raise ValueError("internal error: a triangle of another number of parameters")
    check_arrays(rule, arrays, limits, epochs, 1)


@exact
def last_epoch(limits: Limits, arrays: Arrays, budget: int) -> int:
    """Give the epoch before which a call ends."""
    left = limits.epochs - arrays.cursor[EPOCHS]
    return int(arrays.cursor[EPOCHS] + (budget if budget < left else left))


@exact
def triangle_gradient(R: Array, w: Array, z: Array, gradient: Array) -> float:
    """Give ``‖R [w, -1]‖²`` and write half its gradient; ``z`` keeps the residuals."""
    p = w.size
    total: float = R[p, p] * R[p, p]
    for i in range(p):
        residual = -R[i, p]
        for j in range(i, p):
            residual += R[i, j] * w[j]
        z[i] = residual
        gradient[i] = 0.0
        total += residual * residual
    for i in range(p):
        for j in range(i, p):
            gradient[j] += z[i] * R[i, j]
    return total


def walk_triangle(
    version: int, rule: Any, R: Array, n: float, variance: float, limits: Limits,
    arrays: Arrays, budget: int,
) -> int:  # fmt: skip
    """Walk batch descent on the squared error, on from where the last call ended.

    Parameters
    ----------
    version : int
        Not looked at: it makes the sources a part of the key on the disk.
    rule : Rule
        The optimiser.
    R : ndarray, shape (p + 1, p + 1)
        The triangle of ``[1, X, y]``, or of ``[X, y]``.
    n, variance : float
        The rows behind it, and their target's variance.
    limits : Limits
        When to end.
    arrays : Arrays
        Parameters in the order of the triangle's columns.
    budget : int
        The epochs to walk before it comes back.

    Returns
    -------
    int
        How the walk stands, as in the cursor.
    """
    w, slots, scalars, path, record, gradient, z, cursor, losses = arrays
    epoch, last = cursor[EPOCHS], last_epoch(limits, arrays, budget)
    check(rule, R, limits, arrays, last - epoch)
    p = w.size
    bases, carried, step = bases_of(rule), (scalars[1], scalars[2]), int(scalars[0])
    powers = powers_at(bases, step)
    until_record, points, outcome = cursor[UNTIL_RECORD], cursor[POINTS], UNFINISHED
    while epoch < last and outcome == UNFINISHED:
        loss = triangle_gradient(R, w, z, gradient) / n
        step += 1
        powers = next_powers(bases, powers, step)
        coefficients, carried = schedule(rule, float(step), bases, powers, carried)
        squares = 0.0
        for j in range(p):
            slope = gradient[j] * (2.0 / n)
            squares += slope * slope
            w[j], remembered = update(rule, coefficients, w[j], slope, recall(rule, slots, j))
            keep(rule, slots, j, remembered)
        until_record -= 1
        if until_record == 0:
            for j in range(p):
                path[points, j] = w[j]
            points += 1
            until_record = limits.record_every
        record[0, epoch], record[1, epoch] = loss, norm_of(squares, gradient, 2.0 / n)
        if epoch == 0 and math.isnan(losses[LOSS_LIMIT]):
            losses[LOSS_LIMIT] = DIVERGENCE * (loss if loss > variance else variance)
        outcome = judge(loss, record[1, epoch], w, limits, losses[LOSS_LIMIT])
        epoch += 1
    scalars[0], scalars[1], scalars[2] = step, carried[0], carried[1]
    cursor[EPOCHS], cursor[POINTS], cursor[UNTIL_RECORD] = epoch, points, until_record
    cursor[OUTCOME] = ended(outcome, epoch, limits)
    return int(cursor[OUTCOME])


def walk_line(
    version: int, rule: Any, R: Array, n: float, variance: float, limits: Limits,
    arrays: Arrays, budget: int,
) -> int:  # fmt: skip
    """Walk as :func:`walk_triangle` does for p = 2, in registers: in half the time.

    Parameters, slots and gradient wait for one another from epoch to epoch, and each passage
    through memory costs as much as a few operations.
    """
    w, slots, scalars, path, record, gradient, _, cursor, losses = arrays
    if w.size != 2:
        raise ValueError("internal error: not two parameters")
    epoch, last = cursor[EPOCHS], last_epoch(limits, arrays, budget)
    check(rule, R, limits, arrays, last - epoch)
    bases, carried, step = bases_of(rule), (scalars[1], scalars[2]), int(scalars[0])
    powers = powers_at(bases, step)
    w0, remembered0 = w[0], recall(rule, slots, 0)
    w1, remembered1 = w[1], recall(rule, slots, 1)
    rest = R[2, 2] * R[2, 2]
    until_record, points, outcome = cursor[UNTIL_RECORD], cursor[POINTS], UNFINISHED
    limit = losses[LOSS_LIMIT]
    while epoch < last and outcome == UNFINISHED:
        z0 = R[0, 0] * w0 + (R[0, 1] * w1 - R[0, 2])
        z1 = R[1, 1] * w1 - R[1, 2]
        slope0 = (2.0 / n) * (R[0, 0] * z0)
        slope1 = (2.0 / n) * (R[0, 1] * z0 + R[1, 1] * z1)
        step += 1
        powers = next_powers(bases, powers, step)
        coefficients, carried = schedule(rule, float(step), bases, powers, carried)
        w0, remembered0 = update(rule, coefficients, w0, slope0, remembered0)
        w1, remembered1 = update(rule, coefficients, w1, slope1, remembered1)
        w[0], w[1] = w0, w1
        until_record -= 1
        if until_record == 0:
            path[points, 0], path[points, 1] = w0, w1
            points += 1
            until_record = limits.record_every
        loss, squares = (z0 * z0 + z1 * z1 + rest) / n, slope0 * slope0 + slope1 * slope1
        gradient[0], gradient[1] = slope0, slope1
        record[0, epoch], record[1, epoch] = loss, norm_of(squares, gradient, 1.0)
        if epoch == 0 and math.isnan(limit):
            limit = DIVERGENCE * (loss if loss > variance else variance)
        outcome = judge(loss, record[1, epoch], w, limits, limit)
        epoch += 1
    keep(rule, slots, 0, remembered0)
    keep(rule, slots, 1, remembered1)
    losses[LOSS_LIMIT] = limit
    scalars[0], scalars[1], scalars[2] = step, carried[0], carried[1]
    cursor[EPOCHS], cursor[POINTS], cursor[UNTIL_RECORD] = epoch, points, until_record
    cursor[OUTCOME] = ended(outcome, epoch, limits)
    return int(cursor[OUTCOME])
