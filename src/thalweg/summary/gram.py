"""The Gram matrix of the columns ``[1, X, y]`` in double-double arithmetic, from rows.

Rows in memory are looked at once and not copied, block by block, on as many threads as there are
processors; rows that come in batches are summed in the same blocks, to the same bits. Not here:
the kernel (:mod:`thalweg.summary.gram_kernel`), blocks and their tree
(:mod:`thalweg.summary.blocks`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import groupby
from threading import Event
from typing import Any, TypeAlias, TypeVar

import numpy as np

from thalweg.arrays import Array
from thalweg.data.array_likes import check_finite
from thalweg.data.identity import BLOCK_ROWS
from thalweg.errors import InvalidData
from thalweg.interrupts import interruptible
from thalweg.native import processors
from thalweg.summary.blocks import Pieces, Tree
from thalweg.summary.double_double import Matrix, add_matrix, within
from thalweg.summary.gram_kernel import BLOCK, WIDE, add_gram, add_wide_gram, symmetric

PIECE_CELLS = 2**20  # how many values are converted to float64 at a time
PIECE_PRODUCTS = 2**26  # how many are summed before Ctrl-C is heard: some hundredths of a second

# Norms of columns whose products, and the squares of their ratios, float64 can hold.
LEAST, MOST = 1e-75, 1e75

Part = TypeVar("Part")
Rows: TypeAlias = Iterable[tuple[Array, Array]]
"""Rows in short pieces, (b, d) and (b,) each, float64."""


def gram_of(X: Any, y: Any) -> Matrix:
    """Give the Gram matrix of ``[1, X, y]``: that of each block of rows, added up as a tree.

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

    def of_block(rows: Rows) -> Matrix:
        block = _zeros(X.shape[1])
        for piece in rows:
            _add_piece(*piece, *block)
        return _whole(block, X.shape[1])

    tree = Tree(add)
    for number, part in enumerate(in_blocks(of_block, X, y)):
        tree.put(number, part)
    high, low = tree.total()
    if not within(high, LEAST**2, MOST**2):
        check_finite(X, y)
        _check_norms(high, np.array([np.abs(column).max() for column in (*X.T, y)]))
    return high, low


class GramSums:
    """The Gram matrix of ``[1, X, y]`` from rows that come one batch after the other.

    Parameters
    ----------
    d : int
        The number of features.

    Examples
    --------
    >>> sums = GramSums(1)
    >>> sums.add(np.array([[1], [2]]), np.array([3, 5]))
    >>> sums.total()[0].diagonal()
    array([ 2.,  5., 34.])
    """

    def __init__(self, d: int) -> None:
        self.d = d
        self.n = 0
        self._pieces = Pieces(BLOCK, d)
        self._tree: Tree[Matrix] = Tree(add)
        self._open = _zeros(d)
        # What the values of a column reach while its norm tells nothing: whether it is zero.
        self._largest = np.zeros(d + 1)

    def add(self, X: Any, y: Any) -> None:
        """Take the next b rows, of any real type: ``X`` of shape (b, d), ``y`` of shape (b,).

        Raises
        ------
        InvalidData
            Where a value is not finite.
        """
        self.n += len(y)
        for piece in self._pieces.of(X, y):
            self._take(*piece)
        kept = slice(len(y) - min(self._pieces.kept, len(y)), None)
        looked_at = np.isfinite(self._open[0].diagonal()).all()
        if not (looked_at and np.isfinite(X[kept]).all() and np.isfinite(y[kept]).all()):
            check_finite(X, y)

    def total(self) -> Matrix:
        """Give the matrix of all the rows, at least one; nothing can be added any more.

        Raises
        ------
        InvalidData
            Where a column's norm is below 1e-75 or above 1e75.
        """
        for piece in self._pieces.rest():
            self._take(*piece)
        if self.n % BLOCK_ROWS:
            self._close()
        high, low = self._tree.total()
        if not within(high, LEAST**2, MOST**2):
            mean_squares = high.diagonal()[1:] / self.n  # their roots are no larger than values
            _check_norms(high, np.maximum(self._largest, np.sqrt(mean_squares)))
        return high, low

    def _take(self, X: Any, y: Any) -> None:
        for piece in short_pieces(X, y):
            _add_piece(*piece, *self._open)
        squares = self._open[0].diagonal()[1 : self.d + 2]
        unclear = ~((squares >= LEAST**2) & (squares <= MOST**2))
        if unclear.any():
            columns = (X[:, j] if j < self.d else y for j in np.flatnonzero(unclear))
            reached = [np.abs(column).max() for column in columns]
            self._largest[unclear] = np.maximum(self._largest[unclear], reached)
        if self._pieces.given % BLOCK_ROWS == 0:
            self._close()

    def _close(self) -> None:
        """Put the open block into the tree, and open the next one."""
        number = (self._pieces.given - 1) // BLOCK_ROWS
        self._tree.put(number, _whole(self._open, self.d))
        self._open = _zeros(self.d)


def in_blocks(work: Callable[[Rows], Part], X: Any, y: Any) -> Iterator[Part]:
    """Give what ``work`` makes of each block of rows, in their order, several at a time.

    A few results wait at most. Where nobody takes any more of them, as after Ctrl-C, the work
    ends with the pieces that are being worked on.
    """
    stopped = Event()

    def of_block(first: int) -> Part:
        block = slice(first, first + BLOCK_ROWS)
        return work(short_pieces(X[block], y[block], stopped))

    n = len(y)
    threads = 1 if n <= BLOCK_ROWS else processors()
    if threads == 1:
        yield from map(of_block, range(0, n, BLOCK_ROWS))
        return
    waiting: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for first in range(0, n, BLOCK_ROWS):
                waiting.append(pool.submit(of_block, first))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BaseException:
            stopped.set()
            raise


def in_same_blocks(
    work: Callable[[Rows], Part], batches: Iterable[tuple[Any, Any]]
) -> Iterator[Part]:
    """Give what ``work`` makes of each block of rows that come in batches of any sizes.

    The blocks are those of :func:`in_blocks`.
    """
    for _, block in groupby(_numbered(batches), key=lambda numbered: numbered[0]):
        yield work(piece for _, piece in block)


def _numbered(batches: Iterable[tuple[Any, Any]]) -> Iterator[tuple[int, tuple[Array, Array]]]:
    """Cut batches into short pieces, each with the number of its block."""
    rows = 0
    for X, y in batches:
        start = 0
        while start < len(y):
            stop = min(len(y), start + BLOCK_ROWS - rows % BLOCK_ROWS)
            for piece in short_pieces(X[start:stop], y[start:stop]):
                yield rows // BLOCK_ROWS, piece
            rows, start = rows + stop - start, stop


def short_pieces(X: Any, y: Any, stopped: Event | None = None) -> Rows:
    """Give rows of any real type as float64, a few at a time: short work each.

    Each piece but the last has a multiple of :data:`~thalweg.summary.gram_kernel.BLOCK` rows.

    Raises
    ------
    CancelledError
        Once it is ``stopped``.
    """
    width = X.shape[1] + 2
    rows = max(1, min(PIECE_CELLS // width, PIECE_PRODUCTS // width**2) // BLOCK) * BLOCK
    for first in range(0, len(y), rows):
        if stopped is not None and stopped.is_set():
            raise CancelledError
        piece = slice(first, first + rows)
        yield np.asarray(X[piece], dtype=np.float64), np.asarray(y[piece], dtype=np.float64)


def add(first: Matrix, second: Matrix) -> Matrix:
    """Give the sum of two Gram matrices, in new memory."""
    high, low = first[0].copy(), first[1].copy()
    add_matrix(high, low, *second)
    return high, low


def _add_piece(X: Array, y: Array, high: Array, low: Array) -> None:
    kernel = add_wide_gram if len(high) >= WIDE else add_gram
    kernel(X, y, high, low)


def _whole(block: Matrix, d: int) -> Matrix:
    return interruptible(d**2, symmetric, *block, d + 2)


def _zeros(d: int) -> Matrix:
    """Give room for the sums of a block, as the kernel takes it."""
    padded = d + 2 + (d + 2) % 2
    return np.zeros((padded, padded)), np.zeros((padded, padded))


def _check_norms(high: Array, largest: Array) -> None:
    """Refuse the first column whose norm is out of bounds; zero is allowed where it is true."""
    squares = high.diagonal()[1:]
    for j, (square, value) in enumerate(zip(squares.tolist(), largest.tolist(), strict=True)):
        if value == 0.0 or LEAST**2 <= square <= MOST**2:
            continue
        is_target = j == len(squares) - 1
        raise InvalidData(
            "y" if is_target else "X",
            got=f"values as large as {value:.3g}" + ("" if is_target else f" in column {j}"),
            expected=f"columns with a norm between {LEAST:g} and {MOST:g}",
            advice="measure that column in another unit",
        )
