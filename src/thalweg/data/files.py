"""Files of rows: read whole, or opened for scanning.

Not here: the files of a job (:mod:`thalweg.data.file_set`), the reading in batches
(:mod:`thalweg.data.scanning`), the kinds of files (:mod:`thalweg.data.tables`,
:mod:`thalweg.data.delimited`), which columns are fitted (:mod:`thalweg.data.columns`), missing
values (:mod:`thalweg.data.missing`).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from thalweg.arrays import Array
from thalweg.data.categories import Categories, Coded, Coding, as_categories
from thalweg.data.columns import ChosenColumns, Column, choose, find_features
from thalweg.data.compact import CodedRows, parts
from thalweg.data.dataset import Dataset
from thalweg.data.file_set import FileSet
from thalweg.data.missing import Missing, MissingFilter, check_missing
from thalweg.data.paths import AnyPath, are_paths
from thalweg.data.scanning import Scan, through
from thalweg.data.text_format import TextFormat
from thalweg.errors import InvalidData


def read(
    path: AnyPath | Sequence[AnyPath] | Any,
    *,
    target: str,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    missing: Missing = "error",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    na_values: Any = None,
    encoding: str | None = None,
    comment: str | None = None,
    skip_rows: int = 0,
) -> Dataset:
    r"""Read the rows of a file, of several, of a folder, or of a frame, into memory.

    Parameters
    ----------
    path : path-like, sequence of path-like, or frame
        CSV, TSV and their kin, or JSON lines (also compressed by gzip, bzip2, xz, Zstandard or
        LZ4), Parquet, Arrow, Feather, or Excel's workbooks with ``thalweg[excel]``. A folder stands
        for the files in it and below, in the order of their names, without those whose names begin
        with a dot or an underscore. A frame is one of pandas, Polars (lazy too), PyArrow, or
        whatever narwhals knows.
    target : str
        The target's name.
    features : sequence of str, optional
        The features' names; every column but the target when left out.
    categories : "all", sequence of str or mapping, optional
        Columns whose words become features: one of zeros and ones for each level, named as in
        ``region_north``. All columns of words, or those named; of numbers too. The levels are
        found in all the files, those of rows that are fitted, numbers in the order of their size,
        words in that of the alphabet; a mapping gives them, ``{"size": ["S", "M", "L"]}``. The
        first level of each has no feature: the intercept stands for it, and where there is none
        it has one.
    missing : {"error", "drop"}
        Rows with missing values stop the reading, or are dropped with a warning.
    delimiter : str, optional
        What separates the columns of a text; found when left out (comma, semicolon, tab, | or,
        where nothing else does, a blank, or several that line the columns up).
    decimal : {".", ","}
        The decimal mark in a text.
    thousands : str, optional
        What stands between groups of three digits in a text.
    na_values : str, number or sequence of them, optional
        What counts as a missing value in a text or a workbook, besides an empty cell and what
        pandas has: NA, N/A, NaN, NULL, None, <NA> and the like, blanks around them left aside.
        Refused, as ``skip_rows`` is, beside a frame or a file that is neither, JSON lines among
        them.
    encoding : str, optional
        The encoding of a text by Python's name. Left out it is UTF-8, or UTF-16 where the text
        begins with that mark.
    comment : str, optional
        The character from which on a line of a text is a comment.
    skip_rows : int
        How many lines of a text, or rows of a sheet, stand above the table.

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
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "trees.csv"
    ...     _ = file.write_text("height;girth\n21.3;66\n19.8;61\n")
    ...     read(file, target="girth")
    Dataset(2 rows, features=('height',), target='girth')
    """
    if not are_paths(path):
        from thalweg.data.frames import frame_rows, is_frame  # narwhals: only for a frame

        if is_frame(path):
            TextFormat.of(na_values=na_values, skip_rows=skip_rows).check_unneeded("a frame")
            rows = frame_rows(
                path,
                target=target,
                features=features,
                categories=as_categories(categories),
                missing=missing,
            )
            return Dataset.settled(*rows)
    return scan(
        path,
        target=target,
        features=features,
        categories=categories,
        missing=missing,
        delimiter=delimiter,
        decimal=decimal,
        thousands=thousands,
        na_values=na_values,
        encoding=encoding,
        comment=comment,
        skip_rows=skip_rows,
    ).read()


def scan(
    path: AnyPath | Sequence[AnyPath],
    *,
    target: str,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    missing: Missing = "error",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    na_values: Any = None,
    encoding: str | None = None,
    comment: str | None = None,
    skip_rows: int = 0,
) -> Scan:
    r"""Open files whose rows are read in batches, again for each pass over them.

    Takes what :func:`read` takes and raises what it raises: names and types are checked here,
    on the first file; the other files and all values when they are read. How a file is laid out
    is settled when it is first looked into; one that changes after that is refused.

    Returns
    -------
    Scan
        The rows, not yet read.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "trees.csv"
    ...     _ = file.write_text("height;girth\n21.3;66\n19.8;61\n")
    ...     trees = scan(file, target="girth")
    ...     [len(y) for X, y in trees.batches()]
    [2]
    """
    check_missing(missing)
    if not are_paths(path):
        raise InvalidData(
            "path",
            got=f"a {type(path).__name__}",
            expected="a file, several, or a folder; for thalweg.read also a frame",
            advice="arrays and tensors need no reading: pass X and y to thalweg.fit",
        )
    asked = as_categories(categories)
    files = FileSet(
        path,
        partial(_with_target, target),
        features=features,
        categories=asked,
        target=target,
        written=TextFormat.of(
            delimiter=delimiter, decimal=decimal, thousands=thousands, na_values=na_values,
            encoding=encoding, comment=comment, skip_rows=skip_rows,
        ),
    )  # fmt: skip
    levels = asked if isinstance(asked, Mapping) else {}
    return Scan(files, files.choice, missing=missing, levels=levels)


def _with_target(
    target: str,
    columns: Sequence[Column],
    wanted: Sequence[str] | None,
    categories: Categories,
    source: str,
) -> ChosenColumns:
    return choose(columns, target=target, features=wanted, categories=categories, source=source)


def scan_features(
    path: AnyPath | Sequence[AnyPath],
    *,
    features: Sequence[str],
    coding: Coding | None = None,
    written: TextFormat | None = None,
) -> Generator[Array]:
    r"""Read the features alone, in batches, from files that may have no target.

    Parameters
    ----------
    path
        As :func:`read` takes it.
    features : sequence of str
        The features' names.
    coding : Coding, optional
        How they are made of the files' columns.
    written : TextFormat, optional
        How texts are written.

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
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "trees.csv"
    ...     _ = file.write_text("height;girth\n21.3;66\n19.8;61\n")
    ...     [X.tolist() for X in scan_features(file, features=["girth"])]
    [[[66.0], [61.0]]]
    """
    coding = Coding(tuple(features), "", {}) if coding is None else coding.narrowed()
    files = FileSet(
        path,
        _without_target,
        features=coding.columns,
        categories=coding.levels,
        target=coding.columns[0],
        written=written or TextFormat(),
    )
    # A prediction for each row: none is dropped.
    advice = "fill them in, or take those rows out"
    missing_filter = MissingFilter(
        files.choice.features, missing="error", source=files.source, advice=advice,
        locate=files.locate,
    )  # fmt: skip
    coded = Coded(coding.columns, "", coding.levels, coding.levels)
    every = range(len(coding.columns))
    for X, _ in through(missing_filter, files.batches(every), coded.codes, has_target=False):
        if not coding.levels:
            yield X
            continue
        for _, part in parts(CodedRows(X, coding)):
            yield part


def _without_target(
    columns: Sequence[Column],
    wanted: Sequence[str] | None,
    categories: Categories,
    source: str,
) -> ChosenColumns:
    features, coded = tuple(wanted or ()), tuple(categories or ())
    found = find_features(columns, features=features, categories=coded, source=source)
    return ChosenColumns(features, "", found, coded)
