"""The last digits of the exact solution, from the rows: iterative refinement.

The Gram matrix of ill-conditioned columns gives the answer to fewer digits than there are. Its
factor is then still good enough to correct the answer by what the residuals say, computed from
the rows in double-double arithmetic, until nothing changes. Not here: the first answer
(:mod:`thalweg.summary.solution`).

References
----------
Å. Björck, "Iterative refinement of linear least squares solutions", BIT 7 (1967).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np

from thalweg.arrays import Array
from thalweg.summary.double_double import Matrix, add_matrix, correct, factor, residual_products
from thalweg.summary.solution import DEPENDENCE

Products: TypeAlias = tuple[Array, Array]
Spans: TypeAlias = Callable[[Callable[[Array, Array], Products]], Iterable[Products]]

# Where no pivot is below this part of its column's squared norm, the first answer has all digits.
WELL_CONDITIONED = 2.0**-40

MOST_PASSES = 8
LAST_DIGIT = 2.0**-56  # a change below this part of a parameter does not change its float64


def refine(
    spans: Spans, n: int, matrix: Matrix, parameters: Array, *, intercept: bool
) -> tuple[Array, float] | None:
    """Correct an answer by passes over the rows.

    Parameters
    ----------
    spans : callable
        Gives what a function makes of each span of rows, ``X`` and ``y``, in their order.
    n : int
        The number of rows.
    matrix : Matrix
        The Gram matrix of ``[1, X, y]``, or of ``[X, y]``.
    parameters : ndarray, shape (p,)
        The answer from it.
    intercept : bool

    Returns
    -------
    parameters : ndarray, shape (p,)
    loss : float
        The mean squared error there. Both are correctly rounded, or next to it; None instead
        where the first answer is as good, or the columns are dependent.
    """
    r_high, r_low, order, least = factor(*matrix, DEPENDENCE)
    if least == 0.0 or least > WELL_CONDITIONED:
        return None
    high, low = parameters.copy(), np.zeros_like(parameters)
    change = np.inf
    for _ in range(MOST_PASSES):
        g_high, g_low, square = _products(spans, high, low, intercept)
        last, change = change, correct(r_high, r_low, order, g_high, g_low, high, low)
        if change <= LAST_DIGIT or change >= last:
            break
    return high, square / n


def _products(spans: Spans, high: Array, low: Array, intercept: bool) -> tuple[Array, Array, float]:
    """Give the products of the columns with the residuals, and the residuals' squared norm."""
    total = np.zeros((2, 1, len(high) + 1))  # high and low parts of the products, then the square

    def of_span(part_X: Array, part_y: Array) -> tuple[Array, Array]:
        # copies: the kernel is compiled once, for arrays that are contiguous and writable
        part_X, part_y = np.array(part_X, order="C"), np.array(part_y)
        return residual_products(part_X, part_y, high, low, intercept)

    for part_high, part_low in spans(of_span):
        add_matrix(total[0], total[1], part_high[np.newaxis], part_low[np.newaxis])
    return total[0, 0, :-1].copy(), total[1, 0, :-1].copy(), float(total[0, 0, -1])
