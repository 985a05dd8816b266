"""Whether two sources hold the same rows: a digest of rows, block by block.

Rows are counted in blocks of :data:`BLOCK_ROWS`, from the first one on, however they come: from
memory or in batches. Each block has a digest of its own, so that several can be worked out at
the same time, and the digest of the rows is made of theirs, in their order. Not here: sums over
the same blocks (:mod:`thalweg.summary.blocks`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Sequence

import numpy as np

from thalweg.arrays import Array

BLOCK_ROWS = 65_536
"""The rows of a block: a fixed number, for digests and for sums, in memory and in files."""

PIECE_ROWS = 4_096  # rows that are copied at a time


class RowsDigest:
    """The digest of rows that come one batch after the other.

    Parameters
    ----------
    features : sequence of str
        The d names.
    target : str
        The target's name.

    Examples
    --------
    >>> whole, parts = RowsDigest(["x"], "y"), RowsDigest(["x"], "y")
    >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([5.0, 7.0, 9.0])
    >>> whole.add(X, y)
    >>> parts.add(X[:1], y[:1])
    >>> parts.add(X[1:], y[1:])
    >>> whole.hexdigest() == parts.hexdigest()
    True
    """

    def __init__(self, features: Sequence[str], target: str) -> None:
        self.features = tuple(features)
        self.target = target
        self.rows = 0
        self._blocks: list[bytes] = []
        self._open = hashlib.sha256()

    def add(self, X: Array, y: Array) -> None:
        """Take the next b rows: ``X`` of shape (b, d), ``y`` of shape (b,), float64."""
        start = 0
        while start < len(y):
            stop = min(start + PIECE_ROWS, start + BLOCK_ROWS - self.rows % BLOCK_ROWS, len(y))
            self._open.update(_row_bytes(X[start:stop], y[start:stop]))
            self.rows += stop - start
            start = stop
            if self.rows % BLOCK_ROWS == 0:
                self._blocks.append(self._open.digest())
                self._open = hashlib.sha256()

    def through(self, batches: Iterable[tuple[Array, Array]]) -> Generator[tuple[Array, Array]]:
        """Take batches on their way to somebody else."""
        for X, y in batches:
            self.add(X, y)
            yield X, y

    def hexdigest(self) -> str:
        """Give the digest of the rows so far and of the columns' names."""
        last = [self._open.digest()] if self.rows % BLOCK_ROWS else []
        return combine(self.features, self.target, self.rows, [*self._blocks, *last])


def combine(features: Sequence[str], target: str, rows: int, blocks: Iterable[bytes]) -> str:
    """Make the digest of rows from those of their blocks, which are given in their order."""
    names = json.dumps({"features": list(features), "target": target, "rows": rows})
    digest = hashlib.sha256(names.encode())
    digest.update(b"\0")
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _row_bytes(X: Array, y: Array) -> memoryview:
    return np.ascontiguousarray(np.column_stack((X, y)), dtype="<f8").data.cast("B")
