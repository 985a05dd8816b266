"""Files of rows: found, told apart, read whole or opened for scanning.

Not here: the reading in batches (:mod:`thalweg.data.scanning`), the kinds of files
(:mod:`thalweg.data.tables`, :mod:`thalweg.data.delimited`), which columns are fitted
(:mod:`thalweg.data.columns`), missing values (:mod:`thalweg.data.rows`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from thalweg.arrays import Array
from thalweg.data.columns import Choice, choose, find_features
from thalweg.data.dataset import Dataset
from thalweg.data.delimited import Delimited, check_format
from thalweg.data.rows import Missing, MissingFilter, batch_rows, check_missing
from thalweg.data.scanning import ArrowBatch, Scan, through
from thalweg.data.tables import Table, open_table, readable
from thalweg.errors import InvalidData, UnreadableFile

AnyPath: TypeAlias = str | os.PathLike[str]
Opener: TypeAlias = Callable[[Path], tuple[Table, Choice]]


def read(
    path: AnyPath | Sequence[AnyPath] | Any,
    *,
    target: str,
    features: Sequence[str] | None = None,
    missing: Missing = "error",
    delimiter: str | None = None,
    decimal: str = ".",
) -> Dataset:
    r"""Read the rows of a file, of several, of a folder, or of a frame, into memory.

    Parameters
    ----------
    path : path-like, sequence of path-like, or frame
        CSV or TSV in UTF-8 (also compressed by gzip, bzip2, xz, Zstandard or LZ4), Parquet,
        Arrow or Feather. A folder stands for the files in it and below, in the order of their
        names, without those whose names begin with a dot or an underscore. A frame is one of
        pandas, Polars (lazy too), PyArrow, or whatever narwhals knows.
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
    if not _are_paths(path):
        from thalweg.data.frames import from_frame, is_frame  # narwhals: only for a frame

        if is_frame(path):
            return from_frame(path, target=target, features=features, missing=missing)
    return scan(
        path,
        target=target,
        features=features,
        missing=missing,
        delimiter=delimiter,
        decimal=decimal,
    ).read()


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
    if not _are_paths(path):
        raise InvalidData(
            "path",
            got=f"a {type(path).__name__}",
            expected="a file, several, or a folder; for thalweg.read also a frame",
            advice="arrays and tensors need no reading: pass a pair (X, y) to thalweg.fit",
        )
    files = _opening(
        path,
        lambda table, source: choose(
            table.columns(), target=target, features=features, source=source
        ),
        target=target,
        delimiter=delimiter,
        decimal=decimal,
    )
    return Scan(
        files.batches,
        files.choice,
        missing=missing,
        name=files.name,
        source=files.source,
        files=len(files.paths),
        size=files.size(),
        expected=files.expected_rows(),
    )


def _are_paths(given: object) -> bool:
    several = given if isinstance(given, list | tuple) else [given]
    return all(isinstance(path, str | os.PathLike) for path in several)


def scan_features(
    path: AnyPath | Sequence[AnyPath],
    *,
    features: Sequence[str],
    delimiter: str | None = None,
    decimal: str = ".",
) -> Generator[Array]:
    r"""Read the features alone, in batches, from files that may have no target.

    Parameters
    ----------
    path, delimiter, decimal
        As :func:`read` takes them.
    features : sequence of str
        The features' names.

    Yields
    ------
    ndarray, shape (b, d), float64
        The next b rows, b ≥ 1.

    Raises
    ------
    UnreadableFile, InvalidData, InvalidSetting
        As :func:`read` does; a row with a missing value always stops the reading.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "trees.csv"
    ...     _ = file.write_text("height;girth\n21.3;66\n19.8;61\n")
    ...     [X.tolist() for X in scan_features(file, features=["girth"])]
    [[[66.0], [61.0]]]
    """
    files = _opening(
        path,
        lambda table, source: Choice(
            tuple(features),
            "",
            find_features(table.columns(), features=features, source=source),
        ),
        target=features[0],
        delimiter=delimiter,
        decimal=decimal,
    )
    # A prediction for each row: none is dropped.
    missing_filter = MissingFilter(
        files.choice.features, missing="error", source=files.source, may_drop=False
    )
    for X, _ in through(missing_filter, files.batches(), has_target=False):
        yield X


class _Files(NamedTuple):
    """Files that were found, the first of them opened."""

    name: str
    paths: list[Path]
    opened: Opener
    table: Table  # in the first file
    choice: Choice

    @property
    def source(self) -> str:
        """What they are called in errors."""
        return str(self.paths[0]) if len(self.paths) == 1 else self.name

    def expected_rows(self) -> int | None:
        """Guess the rows in all files from those of the first."""
        rows, first = self.table.expected_rows, self.paths[0].stat().st_size
        return None if rows is None else rows * self.size() // max(1, first)

    def size(self) -> int:
        """Count the bytes in all files."""
        return sum(path.stat().st_size for path in self.paths)

    def batches(self) -> Generator[ArrowBatch]:
        """Give the rows as the files hold them, in small batches, and where the columns stand."""
        most = batch_rows(len(self.choice.positions))
        for path in self.paths:
            with readable(path):
                table, choice = self.opened(path)
                for part, positions in table.tables(choice.positions):
                    for batch in part.to_batches(max_chunksize=most):
                        yield batch, positions


def _opening(
    path: AnyPath | Sequence[AnyPath],
    chosen: Callable[[Table, str], Choice],
    *,
    target: str,
    delimiter: str | None,
    decimal: str,
) -> _Files:
    """Find the files, and the columns that the first one has."""
    check_format(delimiter, decimal)
    paths = _files(path)

    def opened(file: Path) -> tuple[Table, Choice]:
        with readable(file):
            table = open_table(file, target=target, delimiter=delimiter, decimal=decimal)
            source = table.name
            if isinstance(table, Delimited) and not table.layout.has_header:
                source += " (it has no header)"
            return table, chosen(table, source)

    name = Path(path).name if isinstance(path, str | os.PathLike) else paths[0].parent.name
    return _Files(name, paths, opened, *opened(paths[0]))


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
            str(root), got=got, expected="a file or a folder", advice="check the name"
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
    raise UnreadableFile(argument, got=got, expected="at least one file", advice="check the name")
