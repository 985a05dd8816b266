"""Rows to fit: the features, the target and their names, checked once on the way in.

Not here: what else users pass as data (:mod:`thalweg.data.inputs`), reading files
(:mod:`thalweg.data.files`), sums over the rows (:mod:`thalweg.summary`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.checks import check_text
from thalweg.data.array_likes import as_arrays, as_real_arrays, check_finite, has_names
from thalweg.data.categories import Categories, Coding, as_categories, no_columns
from thalweg.data.columns import Column, choose
from thalweg.data.compact import (
    CodedRows,
    Compact,
    SparseRows,
    Table,
    is_small,
    is_sparse,
    made_dense,
    parts,
)
from thalweg.data.identity import RowsDigest
from thalweg.data.names import default_features, shown, unique_names
from thalweg.data.reading import Reading
from thalweg.data.source import Rows, Watcher
from thalweg.errors import InvalidData, nearest
from thalweg.numbers import counted

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary


class Dataset:
    """The rows of a regression: features ``X``, target ``y``, and their names.

    Parameters
    ----------
    X : array-like, sparse matrix or frame, shape (n, d)
        The features, a row per observation. Shape (n,) is taken as one feature. A sparse matrix
        of SciPy's is held as one.
    y : array-like or series, shape (n,) or (n, 1)
        The target; rows belong together by their places, whatever a frame's index says.
    features : sequence of str, optional
        The d names; of a frame, which columns. When left out those of the frame, else ``x``, or
        ``x1 … xd``, with ``_2`` where the target has it.
    target : str, optional
        The target's name; when left out that of a series, else ``y``.
    units : mapping of str to str, optional
        The unit of each named column, for the axes of figures.
    name : str
        What the rows are, for titles.
    categories : "all", sequence of str or mapping, optional
        Columns of a frame whose words become features of zeros and ones, one for each level but
        the first; all columns of words, or those named, or those that a mapping gives the levels
        of. See :func:`thalweg.read`.

    Attributes
    ----------
    X : ndarray, shape (n, d), float64
        A read-only copy. Of rows that are held in less memory it is made when it is asked for.
    y : ndarray, shape (n,), float64
        A read-only copy.
    origin : tuple of Path
        The files and folders that the rows were read from; none for rows made in memory.

    Raises
    ------
    InvalidData
        On shapes that do not fit together, on values that are not finite numbers, on no rows.
        Nothing is ever broadcast. Where ``X`` is asked of rows of which it would take more than
        2 GiB.

    Examples
    --------
    >>> Dataset([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.5], features=["hours"], target="pages")
    Dataset(3 rows, features=('hours',), target='pages')
    """

    origin: tuple[Path, ...] = ()
    reading: Reading | None = None
    """How files were read, where the rows come from some."""
    coding: Coding | None = None
    """How features were made of categories, where some were."""
    _compact: Compact | None = None  # the rows, where their table need not be made

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        features: Sequence[str] | None = None,
        target: str | None = None,
        units: Mapping[str, str] | None = None,
        name: str = "",
        categories: Categories = None,
    ) -> None:
        coding = None
        if has_names(X) or has_names(y):
            from thalweg.data.frames import named_arrays  # narwhals: only where frames come

            X, y, features, target, coding = named_arrays(
                X, y, target=target, features=features, categories=as_categories(categories)
            )
        elif categories is not None:
            raise no_columns(X)
        # As a frame's names, that may be no text, it is called as it prints.
        self.target = target = "y" if target is None else str(target)
        self.name = name
        self._hold(X, y, coding)
        self.features: tuple[str, ...] = _feature_names(features, self.table.shape[1], target)
        self.units: dict[str, str] = dict(units or {})
        check_text("name", name)
        check_text("units", *self.units, *self.units.values())
        check_text("features", *self.features)
        check_text("target", target)
        unknown = [column for column in self.units if column not in (*self.features, target)]
        if unknown:
            raise InvalidData(
                "units",
                got=repr(unknown[0]),
                expected="the name of a column",
                advice=nearest(unknown[0], (*self.features, target)),
            )

    def _hold(self, X: Any, y: Any, coding: Coding | None) -> None:
        """Take the rows; copies, and read-only: the summary kept beside them must stay true."""
        if is_sparse(X):
            self._compact = SparseRows.of(X)
            X = np.broadcast_to(0.0, self._compact.shape)  # of their values no copy is made
        X, y = as_arrays(X, y)
        check_finite(X if self._compact is None else X[:0], y)
        self.y: Array = np.array(y)
        if self._compact is None:
            held = np.array(X, order="C")
            held.flags.writeable = False
            if coding is None:
                self.X = held
            else:
                self.coding, self._compact = coding, CodedRows(held, coding)
        self.y.flags.writeable = False
        if self._compact is not None and is_small(self._compact):
            _ = self.X

    @classmethod
    def settled(
        cls, X: Any, y: Any, features: Sequence[str] | None, target: str, coding: Coding | None
    ) -> Dataset:
        """Take rows as readers give them: where there is a coding, with the numbers of levels."""
        if coding is None:
            return cls(X, y, features=features, target=target)
        rows = cls.__new__(cls)
        rows.target, rows.features, rows.units, rows.name = target, coding.features, {}, ""
        rows._hold(X, y, coding)
        return rows

    @cached_property
    def X(self) -> Array:
        """The features, shape (n, d), float64, read-only."""
        X = made_dense(cast("Compact", self._compact), self.source)
        X.flags.writeable = False
        return X

    @property
    def table(self) -> Table:
        """The features as they are held: ``X``, or what makes a few of its rows at a time."""
        return self.X if self.is_dense else cast("Compact", self._compact)

    @property
    def is_dense(self) -> bool:
        """Whether ``X`` is there."""
        return "X" in self.__dict__

    @classmethod
    def borrow(
        cls, X: Any, y: Any, *, features: Sequence[str] | None = None, target: str = "y"
    ) -> Dataset:
        """Look at arrays of any real type where they are: neither copied nor checked for NaN.

        For whoever goes through the rows once and keeps none of them: the arrays may change later.
        """
        if is_sparse(X):
            return cls(X, y, features=features, target=target)
        borrowed = cls.__new__(cls)
        borrowed.X, borrowed.y = as_real_arrays(X, y)
        borrowed.target, borrowed.units, borrowed.name = str(target), {}, ""
        borrowed.features = _feature_names(features, borrowed.X.shape[1], borrowed.target)
        return borrowed

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a copy's arrays: they are read-only too, which NumPy does not keep."""
        self.__dict__.update(state)
        self.y.flags.writeable = False
        if self.is_dense:
            self.X.flags.writeable = False

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self)

    @property
    def source(self) -> str:
        """What the rows are called in errors."""
        return self.name or "data"

    def batches(self) -> Generator[Rows]:
        """Give all the rows: as one block where ``X`` is there, else a few at a time."""
        for part, X in parts(self.table):
            yield X, self.y[part]

    def read(self) -> Dataset:
        """Give the dataset itself: its rows are in memory."""
        return self

    def watched(self, watcher: Watcher) -> AbstractContextManager[None]:
        """Change nothing: no row is read, all are in memory."""
        return nullcontext()

    def select(self, features: Sequence[str]) -> Dataset:
        """Give the same rows with some of the features, in the order named.

        Raises
        ------
        InvalidSetting
            On names that no feature has, or that repeat.

        Examples
        --------
        >>> Dataset([[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0]).select(["x2"]).X.tolist()
        [[2.0], [4.0]]
        """
        columns = [Column(name, "", True) for name in (*self.features, self.target)]
        choice = choose(columns, target=self.target, features=features, source=self.source)
        positions = choice.positions[:-1]
        if self._compact is None:
            selected = Dataset(
                self.X[:, positions], self.y, features=choice.features, target=self.target
            )
        else:
            selected = self._with(self._compact.select(choice.features, positions))
            selected.features = choice.features
        units = {c: self.units[c] for c in (*choice.features, self.target) if c in self.units}
        selected.units, selected.name = units, self.name
        selected.origin, selected.reading = self.origin, self.reading
        return selected

    def for_intercept(self, intercept: bool) -> Dataset:
        """Give the same rows with the features that go with an intercept, or without one."""
        coding = self.coding
        if coding is None or coding.for_intercept(intercept) is coding:
            return self
        held = cast("CodedRows", self._compact)
        return self._with(CodedRows(held.coded, coding.for_intercept(intercept)))

    def recoded(self, features: tuple[str, ...], coding: Coding | None) -> Table:
        """Give some of the features, as another coding makes them of the same columns.

        A level that has no feature here may have one there.
        """
        held = self._compact
        if coding is not None and isinstance(held, CodedRows) and coding.is_of(held.coding):
            return CodedRows(coding.recoded(held.coded, held.coding), coding)
        return self.select(features).table

    def _with(self, compact: Compact) -> Dataset:
        other = Dataset.__new__(Dataset)
        other.__dict__.update({k: v for k, v in vars(self).items() if k not in _OF_THE_ROWS})
        other._compact = compact
        if isinstance(compact, CodedRows):
            other.coding, other.features = compact.coding, compact.coding.features
        if is_small(compact):
            _ = other.X
        return other

    @cached_property
    def summary(self) -> Summary:
        """What one pass over the rows leaves: enough for loss, gradient and exact solution."""
        from thalweg.summary.summary import (
            Summary,  # SciPy's LAPACK: only when something is computed
        )

        return Summary.of(self)

    @cached_property
    def digest(self) -> str:
        """The identity of the rows and the columns' names, the same as of a scan of them."""
        rows = RowsDigest(self.features, self.target)
        for X, y in self.batches():
            rows.add(X, y)
        return rows.hexdigest()

    def label(self, column: str) -> str:
        """Name a column with its unit, for an axis."""
        unit = self.units.get(column, "")
        return f"{column} ({unit})" if unit else column

    def __len__(self) -> int:
        return int(self.y.shape[0])

    def __repr__(self) -> str:
        rows = counted(len(self), "row")
        return f"Dataset({rows}, features={shown(self.features)}, target={self.target!r})"

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import dataset_html  # only in a notebook

        return dataset_html(self)


_OF_THE_ROWS = ("X", "summary", "digest")  # what is worked out once, and anew for other features


def _feature_names(features: Sequence[str] | None, d: int, target: str) -> tuple[str, ...]:
    if features is None:
        return unique_names((target, *default_features(d)))[1:]
    names = (features,) if isinstance(features, str) else tuple(map(str, features))
    if len(names) != d or len(set(names)) != d or target in names:
        raise InvalidData(
            "features",
            got=f"{names!r} with target {target!r}",
            expected=f"{d} different names, one for each column of X, none the target's",
            advice="name each column of X once",
        )
    return names
