"""Rows to fit: the features, the target and their names, checked once on the way in.

Not here: what else users pass as data (:mod:`thalweg.data.inputs`), reading files
(:mod:`thalweg.data.files`), sums over the rows (:mod:`thalweg.summary`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.checks import check_text
from thalweg.data.array_likes import as_arrays, as_real_arrays, check_finite, has_names
from thalweg.data.columns import Column, choose
from thalweg.data.identity import RowsDigest
from thalweg.data.names import default_features, unique_names
from thalweg.data.source import Rows, Watcher
from thalweg.errors import InvalidData, nearest
from thalweg.numbers import counted

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary


class Dataset:
    """The rows of a regression: features ``X``, target ``y``, and their names.

    Parameters
    ----------
    X : array-like or frame, shape (n, d)
        The features, a row per observation. Shape (n,) is taken as one feature.
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

    Attributes
    ----------
    X : ndarray, shape (n, d), float64
        A read-only copy.
    y : ndarray, shape (n,), float64
        A read-only copy.
    origin : tuple of Path
        The files and folders that the rows were read from; none for rows made in memory.

    Raises
    ------
    InvalidData
        On shapes that do not fit together, on values that are not finite numbers, on no rows.
        Nothing is ever broadcast.

    Examples
    --------
    >>> Dataset([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.5], features=["hours"], target="pages")
    Dataset(3 rows, features=('hours',), target='pages')
    """

    origin: tuple[Path, ...] = ()

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        features: Sequence[str] | None = None,
        target: str | None = None,
        units: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        if has_names(X) or has_names(y):
            from thalweg.data.frames import named_arrays  # narwhals: only where frames come

            X, y, features, target = named_arrays(X, y, target=target, features=features)
        X, y = as_arrays(X, y)
        check_finite(X, y)
        # Copies, and read-only: the summary kept beside them must stay true.
        self.X: Array = np.array(X, order="C")
        self.y: Array = np.array(y)
        self.X.flags.writeable = False
        self.y.flags.writeable = False
        # As a frame's names, that may be no text, it is called as it prints.
        self.target = target = "y" if target is None else str(target)
        self.features: tuple[str, ...] = _feature_names(features, self.X.shape[1], target)
        self.units: dict[str, str] = dict(units or {})
        self.name = name
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

    @classmethod
    def borrow(
        cls, X: Any, y: Any, *, features: Sequence[str] | None = None, target: str = "y"
    ) -> Dataset:
        """Look at arrays of any real type where they are: neither copied nor checked for NaN.

        For whoever goes through the rows once and keeps none of them: the arrays may change later.
        """
        borrowed = cls.__new__(cls)
        borrowed.X, borrowed.y = as_real_arrays(X, y)
        borrowed.target, borrowed.units, borrowed.name = str(target), {}, ""
        borrowed.features = _feature_names(features, borrowed.X.shape[1], borrowed.target)
        return borrowed

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a copy's arrays: they are read-only too, which NumPy does not keep."""
        self.__dict__.update(state)
        self.X.flags.writeable = self.y.flags.writeable = False

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self)

    @property
    def source(self) -> str:
        """What the rows are called in errors."""
        return self.name or "data"

    def batches(self) -> Generator[Rows]:
        """Give all the rows, as one block."""
        yield self.X, self.y

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
        selected = Dataset(
            self.X[:, choice.positions[:-1]],
            self.y,
            features=choice.features,
            target=self.target,
            units={c: self.units[c] for c in (*choice.features, self.target) if c in self.units},
            name=self.name,
        )
        selected.origin = self.origin
        return selected

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
        rows.add(self.X, self.y)
        return rows.hexdigest()

    def label(self, column: str) -> str:
        """Name a column with its unit, for an axis."""
        unit = self.units.get(column, "")
        return f"{column} ({unit})" if unit else column

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def __repr__(self) -> str:
        rows = counted(len(self), "row")
        return f"Dataset({rows}, features={self.features!r}, target={self.target!r})"

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import dataset_html  # only in a notebook

        return dataset_html(self)


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
