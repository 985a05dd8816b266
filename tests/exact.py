"""Least squares in exact rational arithmetic: the truth that approximate answers are held against.

Every float64 is a whole number divided by a power of two, so the Gram matrix of float64 columns
is exact in whole numbers, and Bareiss's elimination keeps it so. Not here: any tolerance.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike


def powers(x: ArrayLike, degree: int) -> np.ndarray:
    """Give the columns x, x², …, each power exact and then rounded once."""
    exact = [Fraction(float(value)) for value in np.ravel(np.asarray(x))]
    return np.array([[float(value**k) for k in range(1, degree + 1)] for value in exact])


def least_squares(
    X: ArrayLike, y: ArrayLike, *, intercept: bool = True
) -> tuple[list[Fraction], Fraction]:
    """Give the parameters [bias, weights…] and the mean squared error, for independent columns."""
    rows = np.column_stack([np.asarray(X, dtype=float), np.asarray(y, dtype=float)])
    if intercept:
        rows = np.column_stack([np.ones(len(rows)), rows])
    columns, scales = zip(*(_whole(column) for column in rows.T), strict=True)
    p = len(columns) - 1
    gram = [[sum(map(int.__mul__, a, b)) for b in columns] for a in columns]
    reduced = _eliminate([row[:] for row in gram], p)
    scaled: list[Fraction] = [Fraction(0)] * p
    for i in range(p - 1, -1, -1):
        rest = reduced[i][p] - sum(reduced[i][j] * scaled[j] for j in range(i + 1, p))
        scaled[i] = Fraction(rest) / reduced[i][i]
    # ‖y - X w‖² = yᵀy - wᵀ Xᵀy at the answer
    square = gram[p][p] - sum(scaled[i] * gram[i][p] for i in range(p))
    parameters = [scaled[i] * scales[i] / scales[p] for i in range(p)]
    return parameters, Fraction(square) / scales[p] ** 2 / len(rows)


def loss(X: ArrayLike, y: ArrayLike, parameters: ArrayLike, *, intercept: bool = True) -> Fraction:
    """Give the mean squared error at any parameters."""
    residuals = _residuals(X, y, parameters, intercept)
    return sum((r * r for r in residuals), Fraction(0)) / len(residuals)


def gradient(
    X: ArrayLike, y: ArrayLike, parameters: ArrayLike, *, intercept: bool = True
) -> list[Fraction]:
    """Give the gradient of the mean squared error at any parameters."""
    residuals = _residuals(X, y, parameters, intercept)
    columns = [[Fraction(float(v)) for v in column] for column in np.asarray(X, dtype=float).T]
    rows = len(residuals)
    if intercept:
        columns.insert(0, [Fraction(1)] * rows)
    return [
        sum((2 * a * r for a, r in zip(column, residuals, strict=True)), Fraction(0)) / rows
        for column in columns
    ]


def digits(got: float, truth: Fraction) -> float:
    """Count the correct decimal digits of a float, 16 at most."""
    if truth == 0:
        return 16.0 if got == 0 else 0.0
    error = abs(Fraction(float(got)) - truth) / abs(truth)
    return 16.0 if error == 0 else min(16.0, -float(np.log10(float(error))))


def _whole(column: np.ndarray) -> tuple[list[int], int]:
    """Give whole numbers and the power of two that divides them into the column's values."""
    ratios = [float(value).as_integer_ratio() for value in column]
    scale = max(bottom for _, bottom in ratios)
    return [top * (scale // bottom) for top, bottom in ratios], scale


def _eliminate(matrix: list[list[int]], p: int) -> list[list[int]]:
    """Make the first p columns triangular without fractions (Bareiss)."""
    previous = 1
    for k in range(p):
        for i in range(k + 1, p):
            for j in range(k + 1, p + 1):
                entry = matrix[k][k] * matrix[i][j] - matrix[i][k] * matrix[k][j]
                matrix[i][j] = entry // previous
        previous = matrix[k][k]
    return matrix


def _residuals(
    X: ArrayLike, y: ArrayLike, parameters: ArrayLike, intercept: bool
) -> list[Fraction]:
    weights = [Fraction(float(w)) for w in np.asarray(parameters, dtype=float)]
    rows = [[Fraction(float(v)) for v in row] for row in np.asarray(X, dtype=float)]
    bias = weights.pop(0) if intercept else Fraction(0)
    return [
        bias + sum(w * v for w, v in zip(weights, row, strict=True)) - Fraction(float(target))
        for row, target in zip(rows, np.asarray(y, dtype=float), strict=True)
    ]
