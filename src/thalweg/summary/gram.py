"""The Gram matrix of the columns ``[1, X, y]`` in double-double arithmetic, from rows in memory.

The rows are looked at once and not copied: span by span, on as many threads as there are
processors. Not here: the kernel (:mod:`thalweg.summary.gram_kernel`), rows that come in blocks
(:mod:`thalweg.summary`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from typing import Any, TypeVar

import numpy as np

from thalweg.arrays import Array
from thalweg.data.arrays import check_finite
from thalweg.errors import InvalidData, sentence
from thalweg.summary.double_double import Matrix, add_matrix, within
from thalweg.summary.gram_kernel import BLOCK, gram

# How many values and rows are converted to float64, or worked on by one thread, at a time.
SPAN_CELLS, SPAN_ROWS = 2**22, 2**16

# Norms of columns whose products, and the squares of their ratios, float64 can hold.
LEAST, MOST = 1e-75, 1e75

Part = TypeVar("Part")


def gram_of(X: Any, y: Any) -> Matrix:
    """Give the Gram matrix of ``[1, X, y]``: that of each span of rows, added up in their order.

    The spans do not depend on the number of threads, and so neither do the bits of the result.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Of any real type and strides.
    y : ndarray, shape (n,)

    Returns
    -------
    high, low : ndarray, shape (d + 2, d + 2)
        The matrix is their sum.

    Raises
    ------
    InvalidData
        Where a value is not finite, or a column's norm is below 1e-75 or above 1e75.

    Examples
    --------
    >>> gram_of(np.array([[1], [2]]), np.array([3, 5]))[0]
    array([[ 2.,  3.,  8.],
           [ 3.,  5., 13.],
           [ 8., 13., 34.]])
    """
    high, low = reduce(add, in_spans(gram, X, y))
    if not within(high, LEAST**2, MOST**2):
        _check_columns(X, y, high)
    return high, low


def in_spans(work: Callable[[Array, Array], Part], X: Any, y: Any) -> Iterator[Part]:
    """Give what ``work`` makes of each span of rows, in their order, several at a time.

    Spans are float64 and no copy where the rows are float64; they do not depend on the number of
    threads. A few results wait at most.
    """
    n, d = X.shape
    rows = max(1, min(SPAN_ROWS, SPAN_CELLS // (d + 2)) // BLOCK) * BLOCK

    def of_span(first: int) -> Part:
        span = slice(first, first + rows)
        return work(np.asarray(X[span], dtype=np.float64), np.asarray(y[span], dtype=np.float64))

    threads = 1 if n <= rows else _processors()
    if threads == 1:
        yield from map(of_span, range(0, n, rows))
        return
    waiting: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, n, rows):
            waiting.append(pool.submit(of_span, first))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def add(total: Matrix, part: Matrix) -> Matrix:
    """Add a Gram matrix to another, in place."""
    add_matrix(*total, *part)
    return total


def _check_columns(X: Any, y: Any, high: Array) -> None:
    """Refuse the first column whose norm is out of bounds; zero is allowed where it is true."""
    check_finite(X, y)
    for j, column in enumerate((*X.T, y)):
        largest = float(np.abs(column).max())
        if largest == 0.0 or LEAST**2 <= high[j + 1, j + 1] <= MOST**2:
            continue
        raise InvalidData(
            sentence(
                "X" if j < X.shape[1] else "y",
                got=f"values as large as {largest:.3g}"
                + (f" in column {j}" if j < X.shape[1] else ""),
                expected=f"columns with a norm between {LEAST:g} and {MOST:g}",
                advice="measure that column in another unit",
            )
        )


def _processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
