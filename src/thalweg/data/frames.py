"""Rows in frames: pandas, Polars, PyArrow and their kin, through narwhals.

Not here: arrays and tensors (:mod:`thalweg.data.array_likes`), PyTorch's datasets
(:mod:`thalweg.data.torch_datasets`), files (:mod:`thalweg.data.files`), which columns can be
fitted (:mod:`thalweg.data.columns`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import DuplicateError

from thalweg.arrays import Array
from thalweg.data.array_likes import as_features, check_finite
from thalweg.data.arrow import arrow_columns, as_numbers
from thalweg.data.categories import Categories, Coded, Coding, no_columns
from thalweg.data.columns import FLAGS, ChosenColumns, Column, choose, find_features
from thalweg.data.missing import Missing, MissingFilter
from thalweg.errors import InvalidData
from thalweg.kinds import is_number
from thalweg.numbers import counted


class NamedRows(NamedTuple):
    """What a :class:`thalweg.Dataset` is made of: the values, and the names that came with them."""

    X: Any
    y: Any
    features: Sequence[str] | None
    target: str
    coding: Coding | None = None  # then X holds the numbers of levels


def is_frame(data: object) -> bool:
    """Tell whether :func:`frame_rows` takes this.

    Examples
    --------
    >>> is_frame(pa.table({"x": [1, 2]})), is_frame([[1], [2]])
    (True, False)
    """
    if isinstance(data, pa.RecordBatch):
        return True
    try:
        return isinstance(nw.from_native(data, pass_through=True), nw.DataFrame | nw.LazyFrame)
    except DuplicateError:
        return True


def frame_rows(
    frame: Any,
    *,
    target: str,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    missing: Missing = "error",
) -> NamedRows:
    """Take the rows of a frame.

    Parameters
    ----------
    frame : frame
        pandas, Polars (lazy too), PyArrow, or whatever narwhals knows; n rows. A pandas index is
        no column.
    target : str
        The target's name. A name that is no text is called as it prints.
    features : sequence of str, optional
        The features' names, as they print; every column but the target when left out.
    categories : "all", sequence of str or mapping, optional
        Which of them are categories.
    missing : {"error", "drop"}
        Rows with a missing value (null or NaN) are refused, or dropped with a warning.

    Returns
    -------
    NamedRows

    Raises
    ------
    InvalidData
        On columns that are not numbers, missing or infinite values, no rows.
    InvalidSetting
        On names that the frame does not have.

    Examples
    --------
    >>> trees = pa.table({"height": [21.3, 19.8], "girth": [66, 61]})
    >>> frame_rows(trees, target="girth").features
    ('height',)
    """
    table = _collected(frame)
    wanted = features if features is None or isinstance(features, str) else [*map(str, features)]
    choice = choose(
        _columns(table),
        target=str(target),
        features=wanted,
        categories=categories,
        source="frame",
    )
    last = choice.positions[-1]
    coded = _coded(choice, categories)
    X = _features(table, choice, coded)
    missing_filter = MissingFilter(
        (*choice.features, choice.target), missing=missing, source="frame"
    )
    rows = list(missing_filter.through([(X, _values(table[:, last]))]))
    missing_filter.warn_of_dropped()
    X, y = rows[0]
    return _named(X, y, choice, coded)


def named_arrays(
    X: Any,
    y: Any,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
) -> NamedRows:
    """Take features and a target beside them, of which one at least has names of its own.

    Parameters
    ----------
    X : frame, series or array-like
        The n rows; a frame as in :func:`frame_rows`.
    y : series, frame of one column, or array-like
        The n targets, named after the series or column if that has a name.
    target : str, optional
        What to call the target instead.
    features : sequence of str, optional
        Which columns of a frame are the features, all of them when left out; of an array, what
        to call its columns.
    categories : "all", sequence of str or mapping, optional
        Which columns of a frame are categories.

    Returns
    -------
    NamedRows

    Raises
    ------
    InvalidData
        On columns that are not numbers.

    Examples
    --------
    >>> named_arrays(pa.table({"height": [21.3, 19.8]}), [66, 61])[1:4]
    ([66, 61], ('height',), 'y')
    """
    column, values = _beside(y)
    if target is not None:
        column = column._replace(name=target)
    table = _table_of(X)
    if table is None:
        if categories is not None:
            raise no_columns(X)
        return NamedRows(X, values, features, column.name)
    columns = [*_columns(table), column]
    choice = choose(
        columns, target=column.name, features=features, categories=categories, source="X and y"
    )
    coded = _coded(choice, categories)
    taken = _features(table, choice, coded)
    if coded.codes:
        check_finite(taken)
    return _named(taken, values, choice, coded)


def _coded(choice: ChosenColumns, categories: Categories) -> Coded:
    levels = categories if isinstance(categories, Mapping) else {}
    return Coded(choice.features, choice.target, choice.categories, levels)


def _features(table: nw.DataFrame[Any], choice: ChosenColumns, coded: Coded) -> Array:
    """Give the features' values, shape (n, c), with numbers for the words of categories."""
    X = np.empty((len(table), len(choice.features)))  # each column is written below
    for j, position in enumerate(choice.positions[:-1]):
        column = table[:, position]
        X[:, j] = coded.codes[j].of(_words(column)) if j in coded.codes else _values(column)
    return X


def _named(X: Array, y: Any, choice: ChosenColumns, coded: Coded) -> NamedRows:
    if not coded.codes:
        return NamedRows(X, y, choice.features, choice.target)
    coded.see(X)
    coding = coded.coding()
    return NamedRows(coded.recoded(X, coding), y, coding.features, choice.target, coding)


def columns_coded(frame: Any, coding: Coding) -> Array:
    """Give the columns that features are made of, shape (m, c), with the numbers of levels.

    Raises
    ------
    InvalidData, InvalidSetting
        On columns that there are not, that hold no numbers, or other words.
    """
    table = _collected(frame)
    columns = _columns(table)
    positions = find_features(
        columns, features=coding.columns, categories=coding.levels, source="frame"
    )
    choice = ChosenColumns(coding.columns, "", (*positions, -1), tuple(coding.levels))
    taken = _features(table, choice, _coded(choice, coding.levels))
    check_finite(taken)
    return taken


def columns_named(frame: Any, features: Sequence[str]) -> Array:
    """Give the columns of these names, shape (m, d); a series without a name is the only one.

    Raises
    ------
    InvalidData, InvalidSetting
        On columns that there are not, or that hold no numbers.
    """
    table = _table_of(frame)
    if table is None:
        return as_features(frame, len(features))
    if len(features) == 1 and len(table.columns) == 1 and not is_frame(frame):
        return _values(table[:, 0])[:, np.newaxis]
    positions = find_features(_columns(table), features=features, source="frame")
    return np.column_stack([_values(table[:, position]) for position in positions])


def column_names(frame: Any) -> list[str]:
    """Name the columns of a frame, as they print."""
    return [column.name for column in _columns(_collected(frame))]


def _beside(y: Any) -> tuple[Column, Any]:
    """Describe a target that comes without a frame of its own, and give its values."""
    try:
        native = nw.from_native(y, allow_series=True, eager_only=True)
    except TypeError:  # an array, a list, a tensor: Dataset checks it
        return Column("y", "", True), y
    series = native[:, 0] if isinstance(native, nw.DataFrame) and native.shape[1] == 1 else native
    if not isinstance(series, nw.Series):
        raise InvalidData(
            "y",
            got=counted(native.shape[1], "column"),
            expected="one, the target",
            advice="choose one of them",
        )
    column = _column("y" if series.name in (None, "") else str(series.name), series)
    return column, _values(series) if column.numeric else series


def _table_of(X: Any) -> nw.DataFrame[Any] | None:
    """Look at a frame or a series through narwhals; None for an array."""
    if is_frame(X):
        return _collected(X)
    try:
        series = nw.from_native(X, series_only=True)
    except TypeError:
        return None
    named = series.alias("x") if series.name in (None, "") else series
    table: nw.DataFrame[Any] = named.to_frame()
    return table


def _collected(frame: Any) -> nw.DataFrame[Any]:
    """Look at a frame through narwhals; a lazy one is computed."""
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    try:
        table = nw.from_native(frame)
    except DuplicateError as error:
        labels = [str(label) for label in getattr(frame, "column_names", frame.columns)]
        several = sorted({label for label in labels if labels.count(label) > 1})
        raise InvalidData(
            "frame",
            got=f"several columns called {', '.join(map(repr, several))}",
            expected="a name of its own for each column",
            advice="rename them",
        ) from error
    except TypeError as error:
        raise InvalidData(
            "frame",
            got=type(frame).__name__,
            expected="a pandas, Polars or PyArrow table",
            advice="pass arrays as X and y",
        ) from error
    return table.collect() if isinstance(table, nw.LazyFrame) else table


def _columns(table: nw.DataFrame[Any]) -> list[Column]:
    return [_column(str(label), table[:, j]) for j, label in enumerate(table.columns)]


def _column(name: str, column: nw.Series[Any]) -> Column:
    """Describe a column: one of Arrow's by its type, of which narwhals does not know all."""
    kind = _arrow_type(column)
    if kind is not None:
        [described] = arrow_columns(pa.schema([(name, kind)]))
        return described
    sparse = _sparse_type(column)
    if sparse is not None:
        return Column(name, str(sparse), sparse.kind in "biuf")
    dtype = column.dtype
    return Column(name, _kind(dtype), _is_numeric(column), is_text=_is_text(dtype))


def _arrow_type(column: nw.Series[Any]) -> pa.DataType | None:
    """Give the type of a column of PyArrow's, or of pandas' that holds one of those."""
    native = column.to_native()
    if column.implementation.is_pyarrow():
        return native.type
    return getattr(getattr(native, "dtype", None), "pyarrow_dtype", None)


def _sparse_type(column: nw.Series[Any]) -> np.dtype[Any] | None:
    """Give what a sparse column of pandas' holds, as ``get_dummies(sparse=True)`` makes them."""
    kind = getattr(column.to_native(), "dtype", None)
    return getattr(kind, "subtype", None) if type(kind).__name__ == "SparseDtype" else None


def _values(column: nw.Series[Any]) -> Array:
    """Give a column of numbers as float64, missing values as NaN."""
    if _sparse_type(column) is not None:
        return np.asarray(column.to_native(), np.float64)
    if _arrow_type(column) is not None or column.dtype == nw.Decimal:
        return np.asarray(as_numbers(column.to_arrow()), np.float64)
    if column.dtype == nw.Object:
        return np.array([*map(_as_float, column.to_list())], np.float64)
    return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _words(column: nw.Series[Any]) -> pa.Array:
    """Give the values of a category, nulls for what is missing."""
    try:
        if column.dtype == nw.Object:
            held = [None if _is_missing(value) else str(value) for value in column.to_list()]
            return pa.array(held, pa.string())
        words = column.to_arrow()
    except UnicodeEncodeError as error:
        raise InvalidData(
            f"column {str(column.name)!r}",
            got="a text with half a character",
            expected="texts of whole characters",
            advice="take the texts in anew, in the encoding that they were written in",
        ) from error
    return words.combine_chunks() if isinstance(words, pa.ChunkedArray) else words


def _is_missing(value: object) -> bool:
    """Tell None, NaN, a decimal's too, and what pandas has in place of a value or a time."""
    if isinstance(value, Decimal):
        return value.is_nan()
    if is_number(value):
        return bool(value != value)  # as NaN alone is, and a whole number has no limit
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _as_float(value: Any) -> float:
    """Take a number of Python's; one that is too large is infinite, as a decimal is."""
    if _is_missing(value):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _is_numeric(column: nw.Series[Any]) -> bool:
    """Tell numbers, also where they are objects of Python's; true and false are 1 and 0."""
    if column.dtype == nw.Object:
        return all(
            _is_missing(value) or isinstance(value, Decimal | bool | np.bool_) or is_number(value)
            for value in column.to_list()
        )
    return bool(column.dtype.is_numeric() or column.dtype == nw.Boolean or _is_empty(column))


def _is_empty(column: nw.Series[Any]) -> bool:
    """Tell a column of no type, in which all is missing: what it would hold is not known."""
    untyped = str(getattr(column.to_native(), "dtype", "")) in ("object", "Null")
    return untyped and column.null_count() == len(column)


def _is_text(dtype: Any) -> bool:
    return bool(dtype == nw.String or dtype == nw.Categorical or dtype == nw.Enum)


def _kind(dtype: Any) -> str:
    """Say what a column of narwhals' types holds, in the words of :mod:`thalweg.data.arrow`."""
    if dtype == nw.Boolean:
        return FLAGS
    if dtype == nw.Categorical or dtype == nw.Enum:
        return "category"
    if dtype == nw.Date or dtype == nw.Datetime:
        return "date"
    if dtype == nw.Duration or dtype == nw.Time:
        return "time"
    return "text" if dtype == nw.String else str(dtype).lower()
