"""One row among those at hand: its place, its product with the weights, its residual.

Not here: the walks over rows (:mod:`thalweg.descent.mini_batch`, :mod:`thalweg.descent.plain_sgd`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.descent.kernel import exact, reordered

# Features up to which updates are not made in vector code: the compiler finds it not worth it.
SHORT = 16
# Features up to which four rows at a time are quicker without vector code.
FEW = 24
# Features beyond which a row costs what memory takes to bring it: four at a time gain nothing.
LONG = 256


@exact
def row_at(order: NDArray[np.int64], k: int, first: int) -> Any:
    """Give the place of an epoch's k-th row among those at hand.

    Unsigned: a number that could be negative would be looked at before each use, as Python
    counts such from the end, and no loop over four rows would be worth it.
    """
    return np.uint64(order[k]) if order.size > 0 else np.uint64(k - first)


@reordered
def product(X: Array, i: int, w: Array) -> float:
    """Multiply a row with the weights, in vector code."""
    total = 0.0
    for j in range(X.shape[1]):
        total += X[i, j] * w[j]
    return total


@exact
def short_product(X: Array, i: int, w: Array) -> float:
    """Multiply a short row with the weights, in an order that has to wait little for itself.

    Vector code would read several weights at once that were written one by one a moment ago, for
    which a processor waits until they have left its store buffer.
    """
    d, total = X.shape[1], 0.0
    for k in range(d >> 2):  # by shifts: Numba divides as Python does, for negative numbers too
        j = 4 * k
        first = X[i, j] * w[j] + X[i, j + 1] * w[j + 1]
        total += first + (X[i, j + 2] * w[j + 2] + X[i, j + 3] * w[j + 3])
    for j in range((d >> 2) << 2, d):
        total += X[i, j] * w[j]
    return total


@exact
def residual(X: Array, y: Array, i: int, w: Array, intercept: bool) -> float:
    """Give prediction − target of row i; ``w`` is [weights…, bias]."""
    d = X.shape[1]
    predicted = product(X, i, w) if d >= SHORT else short_product(X, i, w)
    offset: float = w[d] - y[i] if intercept else -y[i]
    return predicted + offset
