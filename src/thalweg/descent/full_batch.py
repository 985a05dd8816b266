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
    LIMITS,
    MATRIX,
    OUT_OF_EPOCHS,
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
    schedule,
    take_roots,
    update,
)
from thalweg.descent.plan import DIVERGENCE


def triangle_kernel(rule: type, p: int) -> Callable[..., tuple[int, int, int, float]]:
    """Give the walk for one rule, compiled or from the disk."""
    walk = walk_line if p == 2 else walk_triangle
    return kernel_of(walk, (rule,), (MATRIX, 1.0, 1.0, LIMITS, ARRAYS))


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
    version: int, rule: Any, R: Array, n: float, variance: float, limits: Limits, arrays: Arrays
) -> tuple[int, int, int, float]:
    """Walk batch descent on the squared error.

    Parameters
    ----------
    version : int
        Not looked at: it makes the sources a part of the key on the disk.
    rule : Walked
        The optimiser.
    R : ndarray, shape (p + 1, p + 1)
        The triangle of ``[1, X, y]``, or of ``[X, y]``.
    n, variance : float
        The rows behind it, and their target's variance.
    limits : Limits
        When to end.
    arrays : Arrays
        Parameters in the order of the triangle's columns.

    Returns
    -------
    outcome, epochs, points : int
        How it ended, epochs walked, points recorded.
    limit : float
        The loss beyond which it counts as diverged.
    """
    w, memory, numbers, path, record, work = arrays
    z, gradient = work
    p = w.size
    bases, carried, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    powers = powers_at(bases, step)
    limit, until_record, points = limits.loss_limit, limits.until_record, 1
    outcome, epoch = OUT_OF_EPOCHS, 0
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        loss = triangle_gradient(R, w, z, gradient) / n
        step += 1
        powers = next_powers(bases, powers, step)
        now, carried = schedule(rule, float(step), bases, powers, carried)
        squares = 0.0
        for j in range(p):
            slope = gradient[j] * (2.0 / n)
            squares += slope * slope
            w[j], remembered = update(rule, now, w[j], slope, recall(rule, memory, j))
            keep(rule, memory, j, remembered)
        until_record -= 1
        if until_record == 0:
            for j in range(p):
                path[points, j] = w[j]
            points += 1
            until_record = limits.record_every
        record[0, epoch], record[1, epoch] = loss, squares
        if epoch == 0 and math.isnan(limit):
            limit = DIVERGENCE * (loss if loss > variance else variance)
        outcome = judge(loss, squares, w, limits, limit)
        epoch += 1
    if until_record != limits.record_every:  # the end is always recorded
        for j in range(p):
            path[points, j] = w[j]
        points += 1
    take_roots(record, epoch)
    numbers[0], numbers[1], numbers[2] = step, carried[0], carried[1]
    return outcome, epoch, points, limit


def walk_line(
    version: int, rule: Any, R: Array, n: float, variance: float, limits: Limits, arrays: Arrays
) -> tuple[int, int, int, float]:
    """Walk as :func:`walk_triangle` does for p = 2, in registers: in half the time.

    Parameters, memory and gradient wait for one another from epoch to epoch, and each passage
    through memory costs as much as a few operations.
    """
    w, memory, numbers, path, record, _ = arrays
    bases, carried, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    powers = powers_at(bases, step)
    w0, memory0 = w[0], recall(rule, memory, 0)
    w1, memory1 = w[1], recall(rule, memory, 1)
    rest = R[2, 2] * R[2, 2]
    limit, until_record, points = limits.loss_limit, limits.until_record, 1
    outcome, epoch = OUT_OF_EPOCHS, 0
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        z0 = R[0, 0] * w0 + (R[0, 1] * w1 - R[0, 2])
        z1 = R[1, 1] * w1 - R[1, 2]
        slope0 = (2.0 / n) * (R[0, 0] * z0)
        slope1 = (2.0 / n) * (R[0, 1] * z0 + R[1, 1] * z1)
        step += 1
        powers = next_powers(bases, powers, step)
        now, carried = schedule(rule, float(step), bases, powers, carried)
        w0, memory0 = update(rule, now, w0, slope0, memory0)
        w1, memory1 = update(rule, now, w1, slope1, memory1)
        w[0], w[1] = w0, w1
        until_record -= 1
        if until_record == 0:
            path[points, 0], path[points, 1] = w0, w1
            points += 1
            until_record = limits.record_every
        loss, squares = (z0 * z0 + z1 * z1 + rest) / n, slope0 * slope0 + slope1 * slope1
        record[0, epoch], record[1, epoch] = loss, squares
        if epoch == 0 and math.isnan(limit):
            limit = DIVERGENCE * (loss if loss > variance else variance)
        outcome = judge(loss, squares, w, limits, limit)
        epoch += 1
    if until_record != limits.record_every:  # the end is always recorded
        path[points, 0], path[points, 1] = w0, w1
        points += 1
    keep(rule, memory, 0, memory0)
    keep(rule, memory, 1, memory1)
    take_roots(record, epoch)
    numbers[0], numbers[1], numbers[2] = step, carried[0], carried[1]
    return outcome, epoch, points, limit
