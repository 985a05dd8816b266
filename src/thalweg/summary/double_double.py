"""Linear algebra in double-double arithmetic: a number is the unevaluated sum of two floats.

It carries about 106 bits, so that a Gram matrix, whose condition number is the square of its
columns', still gives the least-squares answer to all the digits that float64 columns permit. Here
are the factorisation of such a matrix, the solution from it and a few products. Not here: the
Gram matrix itself (:mod:`thalweg.summary.gram`), what the numbers mean (:mod:`thalweg.summary`).

A matrix is a pair of C-ordered arrays, the high parts and the low parts. All kernels stand in
this one file: Numba's cache notices changes of a kernel's own file only.

References
----------
T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18
(1971). Y. Hida, X. S. Li, D. H. Bailey, "Algorithms for quad-double precision floating point
arithmetic", ARITH-15 (2001).
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.native import native

DoubleDouble: TypeAlias = tuple[float, float]
# A pivot, relative to its column, that is this small may be one of a dependent column.
SUSPICIOUS = 2.0**-40

Matrix: TypeAlias = tuple[Array, Array]
Order: TypeAlias = NDArray[np.int64]


def _declare_fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Give ``a * b + c``, rounded once."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), emit


fused: Any = intrinsic(_declare_fused)


# --- Numbers --------------------------------------------------------------------------------------


@native()
def plus(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Add two numbers."""
    high = a[0] + b[0]
    part = high - a[0]
    low = (a[0] - (high - part)) + (b[0] - part) + (a[1] + b[1])
    total = high + low
    return total, low - (total - high)


@native()
def minus(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Subtract ``b`` from ``a``."""
    return plus(a, (-b[0], -b[1]))


@native()
def times(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Multiply two numbers."""
    high = a[0] * b[0]
    low = fused(a[0], b[0], -high) + (a[0] * b[1] + a[1] * b[0])
    total = high + low
    return total, low - (total - high)


@native()
def over(a: DoubleDouble, b: DoubleDouble) -> DoubleDouble:
    """Divide ``a`` by ``b``: a quotient in working precision, corrected twice by what remains."""
    first = a[0] / b[0]
    rest = minus(a, times((first, 0.0), b))
    second = rest[0] / b[0]
    rest = minus(rest, times((second, 0.0), b))
    return plus(plus((first, 0.0), (second, 0.0)), (rest[0] / b[0], 0.0))


@native()
def root(a: DoubleDouble) -> DoubleDouble:
    """Take the square root of a positive number: one step of Newton's method."""
    first = math.sqrt(a[0])
    rest = minus(a, times((first, 0.0), (first, 0.0)))
    return plus((first, 0.0), (rest[0] / (2.0 * first), 0.0))


# --- Matrices -------------------------------------------------------------------------------------


@native()
def add_matrix(high: Array, low: Array, other_high: Array, other_low: Array) -> None:
    """Add another matrix to ``high + low``, in place."""
    for i in range(high.shape[0]):
        for j in range(high.shape[1]):
            high[i, j], low[i, j] = plus(
                (high[i, j], low[i, j]), (other_high[i, j], other_low[i, j])
            )


@native()
def within(high: Array, least: float, most: float) -> bool:
    """Tell whether all the diagonal is between two bounds; NaN is not."""
    outside = 0
    for j in range(high.shape[0]):
        if not least <= high[j, j] <= most:
            outside += 1
    return outside == 0


@native()
def multiply(high: Array, low: Array, z: Array) -> tuple[Array, Array]:
    """Multiply a matrix by a vector of working precision."""
    product_high, product_low = np.empty(high.shape[0]), np.empty(high.shape[0])
    for i in range(high.shape[0]):
        total = (0.0, 0.0)
        for j in range(high.shape[1]):
            total = plus(total, times((high[i, j], low[i, j]), (z[j], 0.0)))
        product_high[i], product_low[i] = total
    return product_high, product_low


@native()
def quadratic_form(high: Array, low: Array, z: Array) -> float:
    """Give zᵀ M z for a matrix M and a vector of working precision."""
    product_high, product_low = multiply(high, low, z)
    total = (0.0, 0.0)
    for i in range(len(z)):
        total = plus(total, times((product_high[i], product_low[i]), (z[i], 0.0)))
    return total[0]


@native()
def column_means(high: Array, low: Array) -> Array:
    """Give the means, rounded once, of the columns whose Gram matrix has that of ones first."""
    found = np.empty(high.shape[0])  # each is written below
    for j in range(found.size):
        found[j], _ = over((high[0, j], low[0, j]), (high[0, 0], low[0, 0]))
    return found


@native()
def squares_about(high: Array, low: Array, means: Array) -> Array:
    """Give the squared norms of the columns ``column - mean``, the first of them being ones."""
    found = np.empty(high.shape[0])  # each is written below
    for j in range(found.size):
        mean = (-means[j], 0.0)
        left = plus((high[j, j], low[j, j]), times(mean, (high[0, j], low[0, j])))
        right = plus((high[0, j], low[0, j]), times(mean, (high[0, 0], low[0, 0])))
        found[j], _ = plus(left, times(mean, right))
    return found


@native()
def standardize(high: Array, low: Array, means: Array, scales: Array) -> tuple[Array, Array]:
    """Give the Gram matrix of the columns ``(column - mean) / scale`` beside the column of ones.

    The column of ones is the first; a scale of zero makes its column zero.
    """
    width = len(means)
    new_high, new_low = np.zeros((width, width)), np.zeros((width, width))
    for i in range(width):
        mean_i = (-means[i], 0.0)
        for j in range(i, width):
            if scales[i] == 0.0 or scales[j] == 0.0:
                continue
            mean_j = (-means[j], 0.0)
            left = plus((high[i, j], low[i, j]), times(mean_i, (high[0, j], low[0, j])))
            right = plus((high[0, i], low[0, i]), times(mean_i, (high[0, 0], low[0, 0])))
            moved = plus(left, times(mean_j, right))
            entry = over(moved, times((scales[i], 0.0), (scales[j], 0.0)))
            new_high[i, j], new_low[i, j] = entry
            new_high[j, i], new_low[j, i] = entry
    return new_high, new_low


# --- Factorisation --------------------------------------------------------------------------------


@native()
def _swap(high: Array, low: Array, p: int, q: int) -> None:
    """Swap columns ``p < q`` of a symmetric matrix that is kept in its upper triangle."""
    for matrix in (high, low):
        for i in range(p):
            matrix[i, p], matrix[i, q] = matrix[i, q], matrix[i, p]
        for i in range(p + 1, q):
            matrix[p, i], matrix[i, q] = matrix[i, q], matrix[p, i]
        for j in range(q + 1, matrix.shape[1]):
            matrix[p, j], matrix[q, j] = matrix[q, j], matrix[p, j]
        matrix[p, p], matrix[q, q] = matrix[q, q], matrix[p, p]


@native()
def _eliminate(high: Array, low: Array, step: int) -> None:
    """Divide row ``step`` by its pivot's root; subtract its products from the rows below."""
    width = high.shape[1]
    pivot = root((high[step, step], low[step, step]))
    high[step, step], low[step, step] = pivot
    for j in range(step + 1, width):
        high[step, j], low[step, j] = over((high[step, j], low[step, j]), pivot)
    for i in range(step + 1, width):
        factor_high, factor_low = high[step, i], low[step, i]
        for j in range(i, width):
            # high + low -= factor * row, written out so that the loop becomes vector code
            product = factor_high * high[step, j]
            missed = fused(factor_high, high[step, j], -product) + (
                factor_high * low[step, j] + factor_low * high[step, j]
            )
            total = high[i, j] - product
            part = total - high[i, j]
            error = (high[i, j] - (total - part)) - (product + part) + (low[i, j] - missed)
            new = total + error
            low[i, j] = error - (new - total)
            high[i, j] = new


@native()
def _factor(high: Array, low: Array, pivots: int, threshold: float) -> None:
    """Factor a positive semidefinite matrix as RᵀR, in place and in the order of its columns.

    Only the first ``pivots`` columns are eliminated. Where a pivot is no more than ``threshold``
    times its column's squared norm, the row of R is zero.
    """
    floor = threshold * np.diag(high)
    for step in range(high.shape[0]):
        high[step, :step], low[step, :step] = 0.0, 0.0
        if step >= pivots:
            continue
        if high[step, step] > floor[step]:
            _eliminate(high, low, step)
        else:
            high[step, step:], low[step, step:] = 0.0, 0.0


@native()
def _cancelled(high: Array, norms: Array, rank: int, column: int) -> float:
    """Sum the squared norms of a column and of the terms that make up its dependent part.

    These are what its pivot, the squared norm of their sum, is to be compared with: rounding the
    columns changes the pivot in proportion to them. Working precision will do.
    """
    total: float = norms[column] ** 2
    coefficients = np.empty(rank)
    for i in range(rank - 1, -1, -1):
        rest = high[i, column]
        for j in range(i + 1, rank):
            rest -= high[i, j] * coefficients[j]
        coefficients[i] = rest / high[i, i]
        total += (coefficients[i] * norms[i]) ** 2
    return total


@native()
def _factor_pivoted(
    high: Array, low: Array, pivots: int, threshold: float, longest: bool
) -> tuple[Order, int]:
    """Factor a positive semidefinite matrix as RᵀR, in place, independent columns first.

    Of the first ``pivots`` columns, the one with the largest pivot, relative to its squared norm,
    comes next; with ``longest`` the one with the largest pivot of all that are independent beyond
    suspicion, while there are such. It is left out where the pivot is no more than ``threshold``
    times the terms that cancel in it (:func:`_cancelled`). Returns the columns in their new order,
    and the rank.
    """
    order, norms = np.arange(high.shape[0]), np.sqrt(np.diag(high))
    rank, end = 0, pivots
    while rank < end:
        best, largest, length = rank, 0.0, 0.0
        for j in range(rank, end):
            if longest and high[j, j] > max(length, SUSPICIOUS * norms[j] ** 2):
                best, largest, length = j, high[j, j] / norms[j] ** 2, high[j, j]
            elif length == 0.0 and high[j, j] > largest * norms[j] ** 2:
                best, largest = j, high[j, j] / norms[j] ** 2
        independent = largest > SUSPICIOUS or (
            high[best, best] > threshold * _cancelled(high, norms, rank, best)
        )
        if not independent:
            end -= 1
        place = rank if independent else end
        if best != place:
            _swap(high, low, min(best, place), max(best, place))
            order[best], order[place] = order[place], order[best]
            norms[best], norms[place] = norms[place], norms[best]
        if independent:
            _eliminate(high, low, rank)
            rank += 1
    return order, rank


@native()
def triangle(high: Array, low: Array, threshold: float) -> Array:
    """Give the factor R, diagonal at least zero, of the Gram matrix of columns, the target last.

    In working precision. Where a column depends on those before it, its pivot no more than
    ``threshold`` times its squared norm, its row is zero. The target's pivot, which noise may make
    negative, counts by its size.
    """
    r_high, r_low = high.copy(), low.copy()
    last = high.shape[0] - 1
    _factor(r_high, r_low, last, threshold)
    r_high[last, last] = math.sqrt(abs(r_high[last, last]))
    return r_high


@native()
def _back_substitute(
    high: Array, low: Array, size: int, column: int, x_high: Array, x_low: Array
) -> None:
    """Solve R x = the given column beside it, R being the leading triangle of that size."""
    for i in range(size - 1, -1, -1):
        rest = (high[i, column], low[i, column])
        for j in range(i + 1, size):
            rest = minus(rest, times((high[i, j], low[i, j]), (x_high[j], x_low[j])))
        x_high[i], x_low[i] = over(rest, (high[i, i], low[i, i]))


@native()
def _shrink(basic_high: Array, basic_low: Array, t_high: Array, t_low: Array) -> None:
    """Solve (I + T Tᵀ) w = basic, in place: the kept part of the answer of smallest norm."""
    rank, dropped = t_high.shape
    high, low = np.zeros((rank + 1, rank + 1)), np.zeros((rank + 1, rank + 1))
    for i in range(rank):
        high[i, rank], low[i, rank] = basic_high[i], basic_low[i]
        for j in range(i, rank):
            total = (1.0 if i == j else 0.0, 0.0)
            for m in range(dropped):
                total = plus(total, times((t_high[i, m], t_low[i, m]), (t_high[j, m], t_low[j, m])))
            high[i, j], low[i, j] = total
    _factor(high, low, rank, 0.0)
    _back_substitute(high, low, rank, rank, basic_high, basic_low)


@native()
def least_squares(
    high: Array, low: Array, threshold: float
) -> tuple[Array, float, int, Order, Array]:
    """Solve a least-squares problem from the Gram matrix of its columns, the target last.

    With the columns X in two parts, X₁ independent and X₂ = X₁ T, all the answers are
    w₁ = basic - T w₂, and the one of smallest norm has (I + T Tᵀ) w₁ = basic and w₂ = Tᵀ w₁.

    Parameters
    ----------
    high, low : ndarray, shape (p + 1, p + 1)
        The Gram matrix of [X, y]; left alone.
    threshold : float
        A column is dependent where the squared norm of what the others leave of it is no more
        than this part of the terms that cancel in it.

    Returns
    -------
    parameters : ndarray, shape (p,)
        The answer of smallest Euclidean norm.
    rest : float
        The sum of the squared residuals, as it came out: noise may make it negative.
    rank : int
    order : ndarray of int64, shape (p + 1,)
        The independent columns, ``order[:rank]``, before those that depend on them.
    dependence : ndarray, shape (rank, p - rank)
        T, in working precision.
    """
    r_high, r_low = high.copy(), low.copy()
    p = high.shape[0] - 1
    order, rank = _factor_pivoted(r_high, r_low, p, threshold, False)
    if rank < p:  # long columns take part with small coefficients: T is of moderate size then
        r_high, r_low = high.copy(), low.copy()
        order, rank = _factor_pivoted(r_high, r_low, p, threshold, True)
    x_high, x_low = np.zeros(p), np.zeros(p)
    _back_substitute(r_high, r_low, rank, p, x_high, x_low)
    t_high, t_low = np.zeros((rank, p - rank)), np.zeros((rank, p - rank))
    if rank < p:
        for m in range(p - rank):
            _back_substitute(r_high, r_low, rank, rank + m, t_high[:, m], t_low[:, m])
            for i in range(rank):  # a part that rounding the column may have put there is none
                part = t_high[i, m] ** 2 * high[order[i], order[i]]
                if part <= threshold * high[order[rank + m], order[rank + m]]:
                    t_high[i, m], t_low[i, m] = 0.0, 0.0
        _shrink(x_high, x_low, t_high, t_low)
        for m in range(p - rank):
            total = (0.0, 0.0)
            for i in range(rank):
                total = plus(total, times((t_high[i, m], t_low[i, m]), (x_high[i], x_low[i])))
            x_high[rank + m], x_low[rank + m] = total
    parameters = np.empty(p)
    for j in range(p):
        parameters[order[j]] = x_high[j]
    return parameters, r_high[p, p], rank, order, t_high


@native()
def factor(high: Array, low: Array, threshold: float) -> tuple[Array, Array, Order, float]:
    """Factor the Gram matrix of independent columns, the target last, as RᵀR.

    Returns
    -------
    r_high, r_low : ndarray, shape (p, p)
        R, of the columns without the target.
    order : ndarray of int64, shape (p,)
        The column that each column of R belongs to.
    least : float
        The smallest pivot, as a part of its column's squared norm; zero where columns are
        dependent by that ``threshold``, and R does not hold.
    """
    r_high, r_low = high.copy(), low.copy()
    p = high.shape[0] - 1
    order, rank = _factor_pivoted(r_high, r_low, p, threshold, False)
    least = 1.0 if rank == p else 0.0
    for j in range(p):
        if least > 0.0:
            least = min(least, r_high[j, j] ** 2 / high[order[j], order[j]])
    return r_high[:p, :p].copy(), r_low[:p, :p].copy(), order[:p].copy(), least


@native()
def correct(
    r_high: Array, r_low: Array, order: Order, g_high: Array, g_low: Array, x: Array, x_low: Array
) -> tuple[float, float]:
    """Add to x the solution of RᵀR step = g.

    Returns
    -------
    largest : float
        The step's largest part of its entry of x.
    gain : float
        What the step takes off ``‖y - X x‖²``, which is gᵀ step.
    """
    p = len(order)
    u_high, u_low = np.zeros((p, p + 1)), np.zeros((p, p + 1))
    u_high[:, :p], u_low[:, :p] = r_high, r_low
    for i in range(p):
        rest = (g_high[order[i]], g_low[order[i]])
        for j in range(i):
            rest = minus(rest, times((r_high[j, i], r_low[j, i]), (u_high[j, p], u_low[j, p])))
        u_high[i, p], u_low[i, p] = over(rest, (r_high[i, i], r_low[i, i]))
    step_high, step_low = np.zeros(p), np.zeros(p)
    _back_substitute(u_high, u_low, p, p, step_high, step_low)
    largest, gain = 0.0, 0.0
    for i in range(p):
        j = order[i]
        gain += g_high[j] * step_high[i]
        x[j], x_low[j] = plus((x[j], x_low[j]), (step_high[i], step_low[i]))
        if step_high[i] != 0.0:
            largest = max(largest, abs(step_high[i]) / abs(x[j]) if x[j] != 0.0 else math.inf)
    return largest, gain


@native()
def add_residual_products(
    X: Array, y: Array, x_high: Array, x_low: Array, intercept: bool, high: Array, low: Array
) -> None:
    """Add the products of the columns with the residuals y - X x, and these squared and summed.

    Everything in double-double arithmetic, row by row, to ``high + low``, shape (p + 1,). ``x``
    starts with the bias where there is an ``intercept``.
    """
    first, p = (1 if intercept else 0), len(x_high)
    if X.shape[0] != len(y) or X.shape[1] + first != p:
        raise ValueError("internal error: rows of another number of parameters")
    if not len(x_low) == p == len(high) - 1 == len(low) - 1:
        raise ValueError("internal error: sums of another number of parameters")
    for i in range(len(y)):
        rest = (y[i], 0.0)
        if intercept:
            rest = minus(rest, (x_high[0], x_low[0]))
        for j in range(first, p):
            rest = minus(rest, times((x_high[j], x_low[j]), (X[i, j - first], 0.0)))
        if intercept:
            high[0], low[0] = plus((high[0], low[0]), rest)
        for j in range(first, p):
            high[j], low[j] = plus((high[j], low[j]), times(rest, (X[i, j - first], 0.0)))
        high[p], low[p] = plus((high[p], low[p]), times(rest, rest))
