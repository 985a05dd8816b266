"""The last digits of the exact solution, from the rows: iterative refinement.

The Gram matrix of ill-conditioned columns gives the answer to fewer digits than there are, and
the loss to fewer where the target is far from zero. Its factor is then still good enough to
correct the answer by what the residuals say, computed from the rows in double-double arithmetic,
until nothing changes. Not here: the first answer (:mod:`thalweg.summary.solution`), when the rows
are asked (:mod:`thalweg.summary.exact`).

References
----------
Å. Björck, "Iterative refinement of linear least squares solutions", BIT 7 (1967).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

from thalweg.arrays import Array
from thalweg.interrupts import interruptible
from thalweg.summary.double_double import (
    Matrix,
    add_matrix,
    add_residual_products,
    correct,
    factor,
)
from thalweg.summary.gram import Rows
from thalweg.summary.solution import DEPENDENCE, ROUNDED, Solution, reach

Products: TypeAlias = tuple[Array, Array]
Passes: TypeAlias = Callable[[Callable[[Rows], Products]], Iterable[Products]]
"""One pass over the rows: gives what a function makes of each block, in their order."""

# Where no pivot is below this part of its column's squared norm, the first answer has all digits.
WELL_CONDITIONED = 2.0**-40

# The first loss is good enough where its bound is below this part of it: 13 digits for certain,
# and all of them in fact, for the bound is far above what was ever seen.
GOOD_ENOUGH = 2.0**-44

MOST_PASSES = 8
LAST_DIGIT = 2.0**-56  # a change below this part of a number does not change its float64


def refine(over_rows: Passes, n: int, matrix: Matrix, solution: Solution) -> Solution:
    """Correct an answer by passes over the rows, where it has not all its digits.

    Parameters
    ----------
    over_rows : callable
        Makes one pass.
    n : int
        The number of rows.
    matrix : Matrix
        The Gram matrix of ``[1, X, y]``, or of ``[X, y]``.
    solution : Solution
        The answer from it.

    Returns
    -------
    Solution
        With parameters and loss that are correctly rounded, or next to it. Where the columns are
        dependent only the loss is worked out anew, at the parameters as they are.
    """
    loss_is_good = solution.loss_error <= GOOD_ENOUGH * solution.loss
    if loss_is_good and solution.dependent:
        return solution
    r_high, r_low, order, least = interruptible(len(matrix[0]) ** 3, factor, *matrix, DEPENDENCE)
    if loss_is_good and least > WELL_CONDITIONED:
        return solution
    high, low = solution.parameters.copy(), np.zeros(len(matrix[0]) - 1)
    if solution.dependent:
        _, _, square = _products(over_rows, high, low, solution.intercept)
        return _with_loss(solution, square, 0.0, matrix, n)
    square, gain, change = 0.0, 0.0, np.inf
    for _ in range(MOST_PASSES):
        g_high, g_low, square = _products(over_rows, high, low, solution.intercept)
        last = change
        change, gain = interruptible(
            len(high) ** 2, correct, r_high, r_low, order, g_high, g_low, high, low
        )
        least_gain = LAST_DIGIT * square + _unseen(matrix, high) ** 2
        if change >= last or (change <= LAST_DIGIT and abs(gain) <= least_gain):
            break
    first = int(solution.intercept)
    found = solution._replace(bias=float(high[0]) if first else 0.0, weights=high[first:])
    return _with_loss(found, square, gain, matrix, n)


def _with_loss(solution: Solution, square: float, gain: float, matrix: Matrix, n: int) -> Solution:
    """Take a sum of squared residuals, with the bound of its error.

    Each residual is off by δ, of norm :func:`_unseen` at most, so the sum of their squares by
    2 ‖r‖ ‖δ‖ + ‖δ‖²; by what the last step still takes off it; and by its rounding to float64.
    """
    delta = _unseen(matrix, solution.parameters)
    error = 2.0 * np.sqrt(square) * delta + delta**2 + 2.0 * abs(gain) + ROUNDED * square
    return solution._replace(loss=square / n, loss_error=float(error) / n)


def _unseen(matrix: Matrix, parameters: Array) -> float:
    """Bound the norm of what double-double arithmetic leaves out of the residuals."""
    return 2.0**-102 * (len(parameters) + 2) * reach(matrix[0], parameters)


def _products(
    over_rows: Passes, high: Array, low: Array, intercept: bool
) -> tuple[Array, Array, float]:
    """Give the products of the columns with the residuals, and the residuals' squared norm."""
    total = np.zeros((2, 1, len(high) + 1))  # high and low parts of the products, then the square

    def of_block(rows: Rows) -> Products:
        sums = np.zeros(len(high) + 1), np.zeros(len(high) + 1)
        for X, y in rows:  # copies: the kernel is compiled once, for contiguous, writable arrays
            add_residual_products(np.array(X, order="C"), np.array(y), high, low, intercept, *sums)
        return sums

    for part_high, part_low in over_rows(of_block):
        add_matrix(total[0], total[1], part_high[np.newaxis], part_low[np.newaxis])
    return total[0, 0, :-1].copy(), total[1, 0, :-1].copy(), float(total[0, 0, -1])
