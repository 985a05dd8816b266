"""Rows in files: read whole, or scanned in batches by a fit that needs no more than a few at once.

Not here: the kinds of files (:mod:`thalweg.tables`, :mod:`thalweg.delimited`), which columns are
fitted (:mod:`thalweg.columns`), missing values (:mod:`thalweg.rows`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np

from thalweg.columns import Choice, choose
from thalweg.dataset import Dataset
from thalweg.delimited import Delimited, check_format
from thalweg.errors import ThalwegWarning, UnreadableFile, sentence
from thalweg.rows import Missing, Rows, Sieve, arrow_rows, batch_rows, check_missing
from thalweg.tables import Table, open_table, readable

if TYPE_CHECKING:
    import pyarrow as pa

    from thalweg.summary import Summary

AnyPath: TypeAlias = str | os.PathLike[str]

T = TypeVar("T")


def read(
    path: AnyPath | Sequence[AnyPath],
    *,
    target: str,
    features: Sequence[str] | None = None,
    missing: Missing = "error",
    delimiter: str | None = None,
    decimal: str = ".",
) -> Dataset:
    r"""Read the rows of a file, of several, or of a folder, into memory.

    Parameters
    ----------
    path : path-like or sequence of path-like
        CSV or TSV in UTF-8 (also compressed by gzip, bzip2, xz, Zstandard or LZ4), Parquet,
        Arrow or Feather. A folder stands for the files in it and below, in the order of their
        names, without those whose names begin with a dot or an underscore.
    target : str
        The target's name.
    features : sequence of str, optional
        The features' names; every column but the target when left out.
    missing : {"error", "drop"}
        Rows with missing values stop the reading, or are dropped with a warning.
    delimiter : str, optional
        What separates the columns of a text; found when left out (comma, semicolon, tab or |).
    decimal : {".", ","}
        The decimal mark in a text.

    Returns
    -------
    Dataset
        ``X``, shape (n, d), and ``y``, shape (n,), named after their columns.

    Raises
    ------
    UnreadableFile
        If a file is missing, damaged, or of another kind.
    InvalidData
        On columns that are not numbers, missing or infinite values, no rows.
    InvalidSetting
        On names that the table does not have.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "trees.csv"
    ...     _ = file.write_text("height;girth\n21.3;66\n19.8;61\n")
    ...     read(file, target="girth")
    Dataset(2 rows, features=('height',), target='girth')
    """
    table = scan(
        path,
        target=target,
        features=features,
        missing=missing,
        delimiter=delimiter,
        decimal=decimal,
    )
    batches = list(table.batches())
    X = np.concatenate([X for X, _ in batches])
    y = np.concatenate([y for _, y in batches])
    batches.clear()  # the rows are held twice for a moment, not three times
    return Dataset(X, y, features=table.features, target=table.target, name=table.name)


def scan(
    path: AnyPath | Sequence[AnyPath],
    *,
    target: str,
    features: Sequence[str] | None = None,
    missing: Missing = "error",
    delimiter: str | None = None,
    decimal: str = ".",
) -> Scan:
    r"""Open files whose rows are read in batches, again for each pass over them.

    Takes what :func:`read` takes and raises what it raises: names and types are checked here,
    on the first file; values when they are read.

    Returns
    -------
    Scan
        The rows, not yet read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "trees.csv"
    ...     _ = file.write_text("height;girth\n21.3;66\n19.8;61\n")
    ...     trees = scan(file, target="girth")
    ...     [len(y) for X, y in trees.batches()]
    [2]
    """
    check_missing(missing)
    check_format(delimiter, decimal)
    paths = _files(path)

    def opened(file: Path) -> tuple[Table, Choice]:
        with readable(file):
            table = open_table(file, target=target, delimiter=delimiter, decimal=decimal)
            source = table.name
            if isinstance(table, Delimited) and not table.layout.has_header:
                source += " (it has no header)"
            return table, choose(table.columns(), target=target, features=features, source=source)

    name = Path(path).name if isinstance(path, str | os.PathLike) else paths[0].parent.name
    return Scan(paths, opened, opened(paths[0])[1], missing=missing, name=name)


class Scan:
    """Rows in files, read in batches; memory is that of a few batches whatever the files' size.

    Made by :func:`scan`. Each pass opens the files anew and reads one batch ahead on a thread of
    its own; the batches come in the files' order, the same in each pass.

    Attributes
    ----------
    features : tuple of str
        The d names.
    target : str
        The target's name.
    name : str
        What the rows are, for titles.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        opened: Callable[[Path], tuple[Table, Choice]],
        choice: Choice,
        *,
        missing: Missing,
        name: str,
    ) -> None:
        self.features = choice.features
        self.target = choice.target
        self.name = name
        self._paths = paths
        self._opened = opened
        self._choice = choice
        self._missing = missing
        self._dropped_known = False

    def batches(self) -> Generator[Rows]:
        """Read all the rows once.

        Yields
        ------
        X : ndarray, shape (b, d), float64
        y : ndarray, shape (b,), float64
            The next b rows, b ≥ 1, in memory of their own; ``X`` column by column in it.

        Raises
        ------
        UnreadableFile
            If a file is damaged.
        InvalidData
            On infinite or missing values, or if there are no rows. Rows with missing values are
            counted to the end before the error is raised.
        """
        source = str(self._paths[0]) if len(self._paths) == 1 else self.name
        sieve = Sieve(self._choice, missing=self._missing, source=source)
        # Read ahead on a thread, made into rows on this one: each about half of the work.
        with closing(_one_ahead(self._tables())) as batches:
            yield from sieve.through(arrow_rows(*batch) for batch in batches)
        if sieve.dropped and not self._dropped_known:
            self._dropped_known = True
            warnings.warn(
                f"{source}: {sieve.dropped:,} of {sieve.rows:,} rows with missing values are "
                "left out",
                ThalwegWarning,
                stacklevel=2,
            )

    __iter__ = batches

    def _tables(self) -> Generator[tuple[pa.RecordBatch, tuple[int, ...]]]:
        """Give the rows as the files hold them, in small batches, and where the columns stand."""
        most = batch_rows(len(self._choice.positions))
        for path in self._paths:
            with readable(path):
                table, choice = self._opened(path)
                for part, positions in table.tables(choice.positions):
                    for batch in part.to_batches(max_chunksize=most):
                        yield batch, positions

    @cached_property
    def summary(self) -> Summary:
        """What one pass over the rows leaves: enough for loss, gradient and exact solution."""
        from thalweg.summary import Summary  # only when something is computed

        return Summary.of_batches(self.batches(), features=self.features, target=self.target)

    def __repr__(self) -> str:
        files = f"{len(self._paths)} file" + ("s" if len(self._paths) > 1 else "")
        return f"Scan({self.name!r}, {files}, features={self.features!r}, target={self.target!r})"


def _one_ahead(source: Generator[T]) -> Generator[T]:
    """Have a thread work on the next item while the last one is looked at."""
    with closing(source), ThreadPoolExecutor(1, thread_name_prefix="thalweg-read") as ahead:
        following = ahead.submit(next, source, None)
        while (item := following.result()) is not None:
            following = ahead.submit(next, source, None)
            yield item


def _files(path: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """List the files that a path, or several, stand for."""
    if not isinstance(path, str | os.PathLike):
        return _some([file for each in path for file in _files(each)], "path", "an empty list")
    root = Path(path)
    if not root.is_dir():
        if root.is_file():
            return [root]
        got = "a device or a pipe" if root.exists() else "no such file"
        raise UnreadableFile(
            sentence(str(root), got=got, expected="a file or a folder", advice="check the name")
        )
    inside = [
        file
        for file in sorted(root.rglob("*"))
        if file.is_file()
        and not any(part.startswith((".", "_")) for part in file.relative_to(root).parts)
    ]
    return _some(inside, str(root), "a folder without files")


def _some(files: list[Path], argument: str, got: str) -> list[Path]:
    if files:
        return files
    raise UnreadableFile(
        sentence(argument, got=got, expected="at least one file", advice="check the name")
    )
