"""The files of one job: each is looked into once, and read as it was found in every pass.

The first file settles the columns of all: the others are matched to them by name. Not here: which
files there are (:mod:`thalweg.data.paths`), what the kinds of files are
(:mod:`thalweg.data.tables`), rows (:mod:`thalweg.data.scanning`).
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Callable, Generator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeAlias

from thalweg.data.arrow import batch_rows
from thalweg.data.categories import Categories
from thalweg.data.columns import ChosenColumns, Column
from thalweg.data.delimited import Delimited
from thalweg.data.missing import row_numbers
from thalweg.data.paths import AnyPath, expanded, list_files
from thalweg.data.reading import Dialect
from thalweg.data.scanning import ArrowBatch
from thalweg.data.tables import Table, open_table, readable, without_runs
from thalweg.data.text_format import TextFormat
from thalweg.errors import InvalidData, UnreadableFile, and_more, printable

Chooser: TypeAlias = Callable[
    [Sequence[Column], Sequence[str] | None, Categories, str], ChosenColumns
]
"""Chooses among a table's columns, given the features and the categories wanted and its name."""

NAMES_SHOWN = 5


class _Stamp(NamedTuple):
    """What changes when a file does."""

    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> _Stamp:
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


class FileSet:
    """Files that hold the rows of one table.

    Parameters
    ----------
    path : path-like or sequence of path-like
        As :func:`thalweg.data.paths.list_files` takes it.
    choose : callable
        Chooses the columns.
    features : sequence of str, optional
        The features wanted, from each file. When left out they are those that the first one has,
        and the others may have no further columns.
    categories : "all", sequence of str or mapping, optional
        Which features are categories, as the first file settles it.
    target : str
        Helps to find the header of a text.
    written : TextFormat
        How texts are written.

    Attributes
    ----------
    paths : list of Path
    name : str
        What they are, for titles.
    source : str
        What they are called in errors.
    origin : tuple of Path
        The files and folders that were named, wherever the process goes from here.
    choice : ChosenColumns
        The columns chosen; positions are those in the first file.
    written : TextFormat
        As given.
    size : int
        Bytes in all files.
    expected_rows : int or None
        About how many rows there are, judged by the first file.

    Raises
    ------
    UnreadableFile, InvalidData, InvalidSetting
        By what is in the first file. The others are looked into when they are first read.
    """

    def __init__(
        self,
        path: AnyPath | Sequence[AnyPath],
        choose: Chooser,
        *,
        features: Sequence[str] | None,
        categories: Categories = None,
        target: str,
        written: TextFormat,
    ) -> None:
        self.paths = without_runs(list_files(path), path)
        first = self.paths[0]
        if isinstance(path, str | os.PathLike):
            name, given = Path(path).name, [path]
        else:
            name, given = first.parent.name, list(path)
        self.origin = tuple(expanded(each).absolute() for each in given)
        self.name = printable(name)
        self.source = printable(str(first)) if len(self.paths) == 1 else self.name
        self._choose = choose
        self._all_columns = features is None
        self._target, self.written = target, written
        self._stamps = [_Stamp.of(file) for file in self.paths]
        self.size = sum(stamp.size for stamp in self._stamps)
        with readable(first):
            table, columns = self._look_into(first)
            if len(self.paths) == 1 and isinstance(table, Delimited) and table.is_bare:
                raise _bare(table)
            self.choice = choose(columns, features, categories, _called(table))
            rows = table.expected_rows
        self._before: list[int] = []  # the rows before each file, in the last pass
        self._columns = [column.name for column in columns]  # of the first file
        # How each file is read, by its number: the table, and where the chosen columns stand.
        self._found: dict[int, tuple[Table, tuple[int, ...]]] = {0: (table, self.choice.positions)}
        self.expected_rows = (
            None if rows is None else rows * self.size // max(1, self._stamps[0].size)
        )

    @property
    def dialect(self) -> Dialect | None:
        """What the files that were looked into turned out to be; None where they differ."""
        first, *others = {table.dialect for table, _ in self._found.values()}
        return None if others else first

    def batches(self, kept: Sequence[int]) -> Generator[ArrowBatch]:
        """Give the rows as the files hold them, in small batches, and where the columns stand.

        Parameters
        ----------
        kept : sequence of int
            Which of the chosen columns, by their place in the choice.
        """
        most = batch_rows(len(kept))
        names = (*self.choice.features, self.choice.target)
        coded = [number for number in kept if names[number] in self.choice.categories]
        self._before, rows = [], 0
        for number, path in enumerate(self.paths):
            self._before.append(rows)
            with readable(path):
                self._check_unchanged(number)
                if number not in self._found:
                    self._found[number] = self._match(path)
                table, positions = self._found[number]
                wanted, words = ([positions[n] for n in some] for some in (kept, coded))
                for part, order in table.tables(wanted, words):
                    rows += part.num_rows
                    for batch in part.to_batches(max_chunksize=most):
                        yield batch, order
                self._check_unchanged(number)

    def locate(self, rows: Sequence[int]) -> str:
        """Say where rows of the last pass stand, given their numbers from 0."""
        places = []
        for number, few in groupby(rows, lambda row: bisect.bisect_right(self._before, row) - 1):
            within = [row - self._before[number] for row in few]
            table, _ = self._found[number]
            place = row_numbers(within)
            if isinstance(table, Delimited):
                lines = ", ".join(str(table.line_of(row)) for row in within)
                place = f"line{'s' * (len(within) > 1)} {lines}"
            places.append(place + f" of {self.paths[number].name}" * (len(self.paths) > 1))
        return ", ".join(places)

    def _look_into(self, path: Path) -> tuple[Table, list[Column]]:
        table = open_table(path, target=self._target, written=self.written)
        return table, table.columns()

    def _match(self, path: Path) -> tuple[Table, tuple[int, ...]]:
        """Look into another file than the first, and find the same columns in it."""
        table, columns = self._look_into(path)
        if self._all_columns:
            self._check_same([column.name for column in columns], _called(table))
        choice = self.choice
        found = self._choose(columns, choice.features, choice.categories, _called(table))
        return table, found.positions

    def _check_same(self, names: list[str], source: str) -> None:
        """Refuse a file with other columns, where nobody said which are meant."""
        lacking = [name for name in self.choice.features if name not in names]
        others = [name for name in names if name not in self._columns]
        if not lacking and not others:
            return
        faults = [f"no {_shown(lacking)}"] if lacking else []
        faults += [f"{_shown(others)} besides"] if others else []
        common = [name for name in self.choice.features if name in names]
        raise InvalidData(
            source,
            got=" and ".join(faults),
            expected=f"the columns of {self.paths[0]}",
            advice="say which columns are meant with {features}"
            if common
            else "take that file out",
            suggest={"features": common},
        )

    def _check_unchanged(self, number: int) -> None:
        path = self.paths[number]
        if _Stamp.of(path) != self._stamps[number]:
            raise UnreadableFile(
                str(path),
                got="a file that has changed since it was opened",
                expected="the same rows in each pass",
                advice="open it again once it is written",
            )


def _bare(table: Table) -> UnreadableFile:
    return UnreadableFile(
        table.name,
        got="a header and no rows",
        expected="rows of values below the header",
        advice="check the filter or the program that wrote the file",
    )


def _called(table: Table) -> str:
    """Say what a table is called in errors about its columns."""
    headless = isinstance(table, Delimited) and not table.layout.has_header
    return f"{table.name} (it has no header)" if headless else table.name


def _shown(names: list[str]) -> str:
    columns = "column " if len(names) == 1 else "columns "
    return columns + and_more(map(repr, names), NAMES_SHOWN)
