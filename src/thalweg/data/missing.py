"""Missing values in rows on their way to a fit: dropped and counted, or refused.

Not here: where the rows come from (:mod:`thalweg.data.files`, :mod:`thalweg.data.frames`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from thalweg.arrays import Array
from thalweg.checks import check_choice
from thalweg.data.source import Rows
from thalweg.errors import InvalidData, and_more, warn
from thalweg.numbers import counted

Missing: TypeAlias = Literal["error", "drop"]

SHOWN = 5  # positions of missing values in an error


def check_missing(missing: str) -> None:
    """Refuse a word that says nothing about missing values."""
    check_choice("missing", missing, ("error", "drop"))


def row_numbers(rows: Sequence[int]) -> str:
    """Say which rows are meant.

    Examples
    --------
    >>> row_numbers([3]), row_numbers([3, 4])
    ('row 3 (counted from 0)', 'rows 3, 4 (counted from 0)')
    """
    return f"row{'s' * (len(rows) > 1)} {', '.join(map(str, rows))} (counted from 0)"


class MissingFilter:
    """Lets the rows through that can be fitted, and counts the others.

    A row in which a value is missing (null or NaN) is dropped, or stops the reading: then the
    rest is still read, so that the error can say how many such rows there are.
    Rows are counted from 0, as in a frame.

    Parameters
    ----------
    names : sequence of str
        The columns' names: the features', and the target's if there is one.
    missing : {"error", "drop"}
        What a missing value means.
    source : str
        What the rows are called in an error.
    advice : str
        What to do about missing values.
    locate : callable, optional
        Says where rows stand, given their numbers from 0: in which lines of which file.

    Attributes
    ----------
    rows : int
        How many rows have come by.
    dropped : int
        How many of them had missing values.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        missing: Missing,
        source: str,
        advice: str = "fill them in, or use {read.missing}",
        locate: Callable[[Sequence[int]], str] | None = None,
    ) -> None:
        check_missing(missing)
        self.names = tuple(names)
        self.missing = missing
        self.source = source
        self.advice = advice
        self._locate = locate or row_numbers
        self.rows = 0
        self.dropped = 0
        self._first: list[int] = []
        self._holes = np.zeros(len(self.names), dtype=np.int64)
        self._fewest: Any = None  # the holes of the row with fewest, among those with a target

    def through(self, blocks: Iterable[Rows]) -> Generator[Rows]:
        """Give each block's rows without missing values.

        Raises
        ------
        InvalidData
            At the first infinite value; at the end, if rows had missing values and may not be
            dropped, or if no row is left.
        """
        for block in blocks:
            X, y = self._sift(*block)
            if len(y) and not (self.dropped and self.missing == "error"):
                yield X, y
        self._account()

    def warn_of_dropped(self) -> None:
        """Say how many rows were left out, where some were."""
        if self.dropped:
            warn(
                f"{self.source}: {self.dropped:,} of {counted(self.rows, 'row')} with missing "
                "values are left out"
            )

    def _sift(self, X: Array, y: Array) -> Rows:
        start, self.rows = self.rows, self.rows + len(y)
        # A sum is finite only if all its terms are: one pass, and rarely a false alarm.
        with np.errstate(all="ignore"):
            suspect = not np.isfinite(X.sum() + y.sum())
        if not suspect:
            return X, y
        holes = np.column_stack([np.isnan(X), np.isnan(y)])
        lacking = holes.any(axis=1)
        self._refuse_infinite(X, y, lacking, start)
        if lacking.any():
            found = np.flatnonzero(lacking)
            self._first += (start + found[: SHOWN - len(self._first)]).tolist()
            self._holes += holes.sum(axis=0)
            self.dropped += len(found)
            if self.dropped == self.rows:
                self._note_fewest(holes)
            X, y = X[~lacking], y[~lacking]
        return X, y

    def _note_fewest(self, holes: Any) -> None:
        """Keep what would have to be left out for one row to be fitted."""
        known = holes if self._fewest is None else np.vstack([self._fewest, holes])
        known = known[~known[:, -1]]
        if len(known):
            self._fewest = known[known.sum(axis=1).argmin()]

    def _refuse_infinite(self, X: Array, y: Array, lacking: Any, start: int) -> None:
        infinite = np.column_stack([np.isinf(X), np.isinf(y)]) & ~lacking[:, np.newaxis]
        if not infinite.any():
            return
        row, column = (int(i) for i in np.argwhere(infinite)[0])
        value = y[row] if column == X.shape[1] else X[row, column]
        raise InvalidData(
            self.source,
            got=f"{value} in column {self.names[column]!r}, {self._locate([start + row])}",
            expected="finite numbers",
            advice="take that row out, or leave its cell empty to have it count as missing",
        )

    def _account(self) -> None:
        """Refuse, at the end, rows that may not be dropped, and the lack of any."""
        if self.dropped and self.missing == "error":
            places = self._locate(self._first)
            more = ", …" if self.dropped > len(self._first) else ""
            where = ", ".join(
                f"{name!r} ({holes:,})"
                for name, holes in zip(self.names, self._holes.tolist(), strict=True)
                if holes
            )
            got = (
                f"missing values in {self.dropped:,} of {counted(self.rows, 'row')}, in columns "
                f"{where}; {places}{more}"
            )
            expected, advice = "a value in each cell", self.advice
        elif self.rows == 0:
            got, expected = "no rows", "at least one row"
            advice = "check the filter or the program that wrote them"
        elif self.dropped == self.rows:
            raise self._none_whole()
        else:
            return
        raise InvalidData(
            self.source, got=got, expected=expected, advice=advice, suggest={"read.missing": "drop"}
        )

    def _none_whole(self) -> InvalidData:
        """Say without which columns there would be a row to fit."""
        *features, target = self.names
        without = [] if self._fewest is None else self._fewest[:-1].tolist()
        left = [name for name, hole in zip(features, without, strict=False) if not hole]
        empty = [name for name, hole in zip(features, without, strict=False) if hole]
        advice = "fill them in, or name other features"
        if self._fewest is None:
            advice = f"name another target than {target!r}, which has no values"
        elif left:
            advice = f"leave {and_more(map(repr, empty), SHOWN)} out, with {{features}}"
        return InvalidData(
            self.source,
            got=f"missing values in each of the {counted(self.rows, 'row')}",
            expected="one row without",
            advice=advice,
            suggest={"features": left},
        )
