"""Rows that are read in batches, anew for each pass over them.

Not here: which files they come from (:mod:`thalweg.data.files`), a descent over them
(:mod:`thalweg.descent.streaming`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from thalweg.data.arrow import arrow_rows, batch_rows
from thalweg.data.categories import Coded, Codes, Coding
from thalweg.data.columns import ChosenColumns, Column, choose
from thalweg.data.dataset import Dataset
from thalweg.data.identity import RowsDigest
from thalweg.data.missing import Missing, MissingFilter
from thalweg.data.names import shown
from thalweg.data.reading import Reading
from thalweg.data.source import Rows, Watcher
from thalweg.errors import printable

if TYPE_CHECKING:
    import pyarrow as pa

    from thalweg.data.file_set import FileSet
    from thalweg.summary.summary import Summary

ArrowBatch: TypeAlias = "tuple[pa.RecordBatch, tuple[int, ...]]"
"""Rows as a file holds them, and where the wanted columns stand."""

T = TypeVar("T")


class Scan:
    """Rows in files, read in batches; memory is that of a few batches whatever the files' size.

    Made by :func:`thalweg.scan`. Each pass opens the files anew and reads one batch ahead on a
    thread of its own; the batches come in the files' order, the same in each pass.

    Attributes
    ----------
    features : tuple of str
        The d names.
    target : str
        The target's name.
    name : str
        What the rows are, for titles.
    source : str
        What they are called in errors.
    origin : tuple of Path
        The files and folders that were named.
    units : dict of str to str
        Empty: files name no units.
    size : int
        Bytes in the files.
    watcher : callable or None
        Called with each batch: the rows read so far in this pass and, where that can be told,
        those of a pass: about, in the first one over a text, and exactly from then on.
    """

    def __init__(
        self,
        files: FileSet,
        choice: ChosenColumns,
        *,
        missing: Missing,
        levels: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.target = choice.target
        self.name = files.name
        self.source = files.source
        self.origin = files.origin
        self.units: dict[str, str] = {}
        self.size = files.size
        self.watcher: Watcher | None = None
        self._files = files
        self._choice = choice
        self._missing: Missing = missing
        self._levels = dict(levels or {})
        self._absent: dict[str, frozenset[str]] = {}
        self._expected = files.expected_rows
        self._dropped_known = False

    @property
    def reading(self) -> Reading:
        """How the files are read."""
        files = self._files
        paths = tuple(printable(str(path.absolute())) for path in files.paths)
        return Reading(paths, self._missing, files.written, files.dialect)

    @property
    def features(self) -> tuple[str, ...]:
        """The d features' names; may take a pass, where the levels of categories are not known."""
        return self._choice.features if self.coding is None else self.coding.features

    @cached_property
    def coding(self) -> Coding | None:
        """How categories become features; a pass finds the levels that were not given."""
        if not self._choice.categories:
            return None
        coded = self._coded(self._levels)
        if not coded.is_settled:
            for X, _ in self._coded_rows(coded):
                coded.see(X)
        coding = coded.coding()
        self._absent = coded.absent(coding)  # in rows that later passes leave out too
        return coding

    def _coded(self, levels: Mapping[str, Sequence[str]]) -> Coded:
        choice = self._choice
        return Coded(choice.features, self.target, choice.categories, levels, self._absent)

    def batches(self) -> Generator[Rows]:
        """Read all the rows once.

        Yields
        ------
        X : ndarray, shape (b, d), float64
        y : ndarray, shape (b,), float64
            The next b rows, b ≥ 1, in memory of their own; ``X`` column by column in it, but for
            features that are made of categories.

        Raises
        ------
        UnreadableFile
            If a file is damaged.
        InvalidData
            On infinite or missing values, or if there are no rows. Rows with missing values are
            counted to the end before the error is raised.
        """
        coding = self.coding
        if coding is None:
            yield from self._coded_rows(self._coded({}))
            return
        most = batch_rows(len(coding.features))
        for X, y in self._coded_rows(self._coded(coding.levels)):
            for first in range(0, len(y), most):
                part = slice(first, first + most)
                yield coding.expanded(X[part]), y[part]

    def _coded_rows(self, coded: Coded) -> Generator[Rows]:
        """Read all the rows once, with numbers for the words of categories."""
        names = (*self._choice.features, self.target)
        missing_filter = MissingFilter(
            names, missing=self._missing, source=self.source, locate=self._files.locate
        )
        chosen = (*self._files.choice.features, self.target)
        kept = [chosen.index(name) for name in names]
        for rows in through(missing_filter, self._files.batches(kept), coded.codes):
            if self.watcher is not None:
                self.watcher(missing_filter.rows, self._expected)
            yield rows
        self._expected = missing_filter.rows
        if missing_filter.dropped and not self._dropped_known:
            self._dropped_known = True
            missing_filter.warn_of_dropped()

    __iter__ = batches

    def read(self) -> Dataset:
        """Read all the rows into memory."""
        known = self.__dict__.get("coding")
        coded = self._coded(self._levels if known is None else known.levels)
        batches = list(self._coded_rows(coded))
        X = np.concatenate([X for X, _ in batches])
        y = np.concatenate([y for _, y in batches])
        batches.clear()  # the rows are held twice for a moment, not three times
        if coded.codes and known is None:
            coded.see(X)
            known = self.coding = coded.coding()
            self._absent = coded.absent(known)
            X = coded.recoded(X, known)
        rows = Dataset.settled(X, y, self.features, self.target, known)
        rows.name, rows.origin, rows.reading = self.name, self.origin, self.reading
        return rows

    @contextmanager
    def watched(self, watcher: Watcher) -> Iterator[None]:
        """Have ``watcher`` called with what is read, unless somebody watches already."""
        if self.watcher is not None:
            yield
            return
        self.watcher = watcher
        try:
            yield
        finally:
            self.watcher = None

    def select(self, features: Sequence[str]) -> Scan:
        """Open the same rows with some of the features, in the order named.

        Raises
        ------
        InvalidSetting
            On names that no feature has, or that repeat.
        """
        columns = [Column(name, "", True) for name in (*self.features, self.target)]
        choice = choose(columns, target=self.target, features=features, source=self.source)
        if self.coding is None:
            return Scan(self._files, choice, missing=self._missing)
        return self._with(self.coding.select(choice.features))

    def for_intercept(self, intercept: bool) -> Scan:
        """Open the same rows with the features that go with an intercept, or without one."""
        coding = self.coding
        if coding is None or coding.for_intercept(intercept) is coding:
            return self
        return self._with(coding.for_intercept(intercept))

    def _with(self, coding: Coding) -> Scan:
        other = Scan(self._files, self._choice, missing=self._missing)
        other.coding, other.watcher = coding, self.watcher
        other._absent = self._absent
        other._expected, other._dropped_known = self._expected, self._dropped_known
        return other

    @property
    def n(self) -> int:
        """How many rows there are, those dropped left out; takes a pass unless there was one."""
        return self.summary.n

    @cached_property
    def summary(self) -> Summary:
        """What one pass over the rows leaves: enough for loss, gradient and exact solution."""
        return self._summed_up(self.batches())

    @cached_property
    def digest(self) -> str:
        """The identity of the rows and the columns' names, the same as of a dataset of them.

        It takes a pass over the rows, which gives the summary too where that is not known yet.
        """
        rows = RowsDigest(self.features, self.target)
        batches = rows.through(self.batches())
        if "summary" in self.__dict__:
            for _ in batches:
                pass
        else:
            self.summary = self._summed_up(batches)
        self.summary.rows_digest = rows.hexdigest()
        return rows.hexdigest()

    def _summed_up(self, batches: Iterable[Rows]) -> Summary:
        from thalweg.summary.summary import Summary  # only when something is computed

        summary = Summary.of_batches(batches, features=self.features, target=self.target)
        summary.name = self.name
        return summary

    def __repr__(self) -> str:
        count = len(self._files.paths)
        files = f"{count} file" + ("s" if count > 1 else "")
        features = shown(self.features)
        return f"Scan({self.name!r}, {files}, features={features}, target={self.target!r})"


def through(
    missing_filter: MissingFilter,
    batches: Generator[ArrowBatch],
    codes: Mapping[int, Codes],
    *,
    has_target: bool = True,
) -> Generator[Rows]:
    """Make Arrow batches into rows and filter out missing values, reading one batch ahead."""
    # Read ahead on a thread, made into rows on this one: each about half of the work.
    with closing(_one_ahead(batches)) as ahead:
        yield from missing_filter.through(
            arrow_rows(*batch, codes, has_target=has_target) for batch in ahead
        )


def _one_ahead(source: Generator[T]) -> Generator[T]:
    """Have a thread work on the next item while the last one is looked at."""
    with closing(source), ThreadPoolExecutor(1, thread_name_prefix="thalweg-read") as ahead:
        following = ahead.submit(next, source, None)
        while (item := following.result()) is not None:
            following = ahead.submit(next, source, None)
            yield item
