"""Rows that are held in less memory than their table takes: sparse ones, and coded categories.

A part of them, by a slice or by numbers, is held so too, and ``numpy.asarray`` makes the table:
who goes through rows a few at a time need not know. Not here: columns of zeros and ones for
levels (:mod:`thalweg.data.categories`), sums that pass over zeros
(:mod:`thalweg.summary.gram_kernel`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.data.array_likes import not_finite
from thalweg.data.categories import Coding
from thalweg.errors import InvalidData

DENSE_CELLS = 2**22
"""Up to so many cells, 32 MiB, a table is made at once: it costs little, and is quicker."""

PART_CELLS = 2**19  # 4 MiB
MOST_BYTES = 2**31  # beyond this none is made


Chosen: TypeAlias = "slice | NDArray[np.intp]"
"""Which rows: some that follow one another, or their numbers."""


class Compact(Protocol):
    """Rows, (n, d), that are an array once they are asked for as one."""

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and features."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Chosen) -> Compact: ...

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array: ...

    def select(self, features: Sequence[str], positions: Sequence[int]) -> Compact:
        """Give some of the features, by their names and where these stand."""
        ...


Table: TypeAlias = "Array | Compact"
"""The features of rows as they are held."""


@dataclass(frozen=True)
class CodedRows:
    """Columns of which some hold the numbers of levels, shape (n, c)."""

    coded: Array
    coding: Coding

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and features."""
        return len(self.coded), len(self.coding.features)

    def __len__(self) -> int:
        return len(self.coded)

    def __getitem__(self, rows: Chosen) -> CodedRows:
        return CodedRows(self.coded[rows], self.coding)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.asarray(self.coding.expanded(self.coded), dtype)

    def select(self, features: Sequence[str], positions: Sequence[int]) -> CodedRows:
        """Give some of the features, by their names."""
        return CodedRows(self.coded, self.coding.select(features))


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix of SciPy's in rows (CSR), float64."""

    matrix: Any

    @classmethod
    def of(cls, X: Any) -> SparseRows:
        """Take a sparse matrix of any format, a copy of it.

        Raises
        ------
        InvalidData
            On values that are not finite numbers, on no rows or no features.
        """
        from scipy.sparse import csr_array

        if X.ndim != 2 or X.dtype.kind not in "biuf" or not all(X.shape):
            raise InvalidData(
                "X",
                got=f"a sparse array of {X.dtype}, shape {X.shape}",
                expected="real numbers in shape (n, d), with a row and a feature at least",
                advice="make it of float64, a row for each observation",
            )
        matrix = csr_array(X, dtype=np.float64, copy=True)
        matrix.sum_duplicates()
        bad = np.flatnonzero(~np.isfinite(matrix.data))
        if len(bad):
            row = int(np.searchsorted(matrix.indptr, bad[0], side="right")) - 1
            place = row, int(matrix.indices[bad[0]])
            raise not_finite("X", matrix.data[bad[0]], place, len(bad))
        return cls(matrix)

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and features."""
        n, d = self.matrix.shape
        return int(n), int(d)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Chosen) -> SparseRows:
        return SparseRows(self.matrix[rows])

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.asarray(self.matrix.toarray(), dtype)

    def select(self, features: Sequence[str], positions: Sequence[int]) -> SparseRows:
        """Give some of the features, by where they stand."""
        return SparseRows(self.matrix[:, list(positions)])


def is_sparse(X: object) -> bool:
    """Tell a sparse matrix of SciPy's, without importing that."""
    return type(X).__module__.startswith("scipy.sparse") and hasattr(X, "tocsr")


def is_small(table: Compact) -> bool:
    """Tell rows of which the table is better made at once."""
    n, d = table.shape
    return n * d <= DENSE_CELLS


def is_too_large(table: Table) -> bool:
    """Tell rows of which no table is made."""
    n, d = table.shape
    return not isinstance(table, np.ndarray) and 8 * n * d > MOST_BYTES


def parts(table: Table) -> Iterator[tuple[slice, Array]]:
    """Go through rows: all at once where they are an array, else a few at a time."""
    if isinstance(table, np.ndarray):
        yield slice(None), table
        return
    n, d = table.shape
    most = max(1, PART_CELLS // d)
    for first in range(0, n, most):
        part = slice(first, first + most)
        yield part, np.asarray(table[part])


def made_dense(table: Compact, source: str) -> Array:
    """Make the table of rows, where that is not too large.

    Raises
    ------
    InvalidData
        Where it would take more than 2 GiB.
    """
    n, d = table.shape
    if is_too_large(table):
        raise InvalidData(
            source,
            got=f"{n:,} rows of {d:,} features, mostly zeros, for what needs all their cells",
            expected=f"at most {MOST_BYTES // 2**30} GiB of them: these would take "
            f"{8 * n * d / 2**30:,.0f} GiB",
            advice="use batch descent on the squared error, or batches in the rows' order "
            "(engine='compiled', without shuffle), which go through them a few at a time",
        )
    return np.asarray(table)
