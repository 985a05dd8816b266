"""The Gram matrix of the columns ``[1, X, y]`` in double-double arithmetic, from rows in memory.

The rows are looked at once and not copied: span by span, on as many threads as there are
processors. Not here: the kernel (:mod:`thalweg.gram_kernel`), rows that come in blocks
(:mod:`thalweg.summary`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from typing import Any, NoReturn, TypeVar

import numpy as np

from thalweg.dataset import Array, check_finite
from thalweg.double_double import Matrix, add_matrix
from thalweg.errors import InvalidData, sentence
from thalweg.gram_kernel import BLOCK, LEAST, MOST, gram, representable

# How many values and rows are converted to float64, or worked on by one thread, at a time.
SPAN_CELLS, SPAN_ROWS = 2**22, 2**16

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
        Where a value is not finite, or of a magnitude whose square float64 cannot hold.

    Examples
    --------
    >>> gram_of(np.array([[1], [2]]), np.array([3, 5]))[0]
    array([[ 2.,  3.,  8.],
           [ 3.,  5., 13.],
           [ 8., 13., 34.]])
    """
    high, low, largest = reduce(_join, in_spans(gram, X, y))
    if not representable(largest):
        _refuse(X, y, largest)
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


def _join(
    total: tuple[Array, Array, Array], part: tuple[Array, Array, Array]
) -> tuple[Array, Array, Array]:
    """Add what a span gives to what those before it gave: matrix, and largest magnitudes."""
    add_matrix(*total[:2], *part[:2])
    return total[0], total[1], np.maximum(total[2], part[2])


def _refuse(X: Any, y: Any, largest: Array) -> NoReturn:
    """Say which value of the rows there is no Gram matrix for."""
    check_finite(X, y)
    column = next(j for j in range(len(largest)) if not representable(largest[j : j + 1]))
    of_target = column == len(largest) - 1
    raise InvalidData(
        sentence(
            "y" if of_target else "X",
            got=f"magnitudes up to {largest[column]:.3g}"
            + ("" if of_target else f" in column {column - 1}"),
            expected=f"magnitudes between {LEAST:g} and {MOST:g}",
            advice="measure that column in another unit",
        )
    )


def _processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
