"""Rows in frames: pandas, Polars, PyArrow and their kin, through narwhals.

Not here: arrays and tensors (:mod:`thalweg.data.array_likes`), PyTorch's datasets
(:mod:`thalweg.data.torch_datasets`), files (:mod:`thalweg.data.files`), which columns can be
fitted (:mod:`thalweg.data.columns`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import DuplicateError

from thalweg.arrays import Array
from thalweg.data.array_likes import as_features
from thalweg.data.arrow import as_numbers
from thalweg.data.columns import FLAGS, Column, choose, find_features
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
    choice = choose(_columns(table), target=str(target), features=wanted, source="frame")
    *positions, last = choice.positions
    X = np.empty((len(table), len(positions)))
    for j, position in enumerate(positions):
        X[:, j] = _values(table[:, position])
    missing_filter = MissingFilter(
        (*choice.features, choice.target), missing=missing, source="frame"
    )
    rows = list(missing_filter.through([(X, _values(table[:, last]))]))
    missing_filter.warn_of_dropped()
    X, y = rows[0]
    return NamedRows(X, y, choice.features, choice.target)


def named_arrays(
    X: Any, y: Any, *, target: str | None = None, features: Sequence[str] | None = None
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

    Returns
    -------
    NamedRows

    Raises
    ------
    InvalidData
        On columns that are not numbers.

    Examples
    --------
    >>> named_arrays(pa.table({"height": [21.3, 19.8]}), [66, 61])[1:]
    ([66, 61], ('height',), 'y')
    """
    column, values = _beside(y)
    if target is not None:
        column = column._replace(name=target)
    table = _table_of(X)
    if table is None:
        return NamedRows(X, values, features, column.name)
    columns = [*_columns(table), column]
    choice = choose(columns, target=column.name, features=features, source="X and y")
    taken = [_values(table[:, position]) for position in choice.positions[:-1]]
    return NamedRows(np.column_stack(taken), values, choice.features, choice.target)


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
    numeric = _is_numeric(series)
    name = "y" if series.name in (None, "") else str(series.name)
    return Column(name, _kind(series.dtype), numeric), _values(series) if numeric else series


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
    return [
        Column(str(label), _kind(dtype), _is_numeric(table[:, j]), is_text=_is_text(dtype))
        for j, (label, dtype) in enumerate(table.schema.items())
    ]


def _values(column: nw.Series[Any]) -> Array:
    """Give a column of numbers as float64, missing values as NaN."""
    if column.dtype == nw.Object:
        values = [math.nan if value is None else float(value) for value in column.to_list()]
        return np.array(values, np.float64)
    kind = type(getattr(column.to_native(), "dtype", None)).__name__
    if column.implementation.is_pyarrow() or kind == "ArrowDtype" or column.dtype == nw.Decimal:
        return np.asarray(as_numbers(column.to_arrow()), np.float64)
    return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _is_numeric(column: nw.Series[Any]) -> bool:
    """Tell numbers, also where they are objects of Python's; true and false are 1 and 0."""
    if column.dtype == nw.Object:
        return all(
            value is None or isinstance(value, Decimal) or is_number(value)
            for value in column.to_list()
        )
    return bool(column.dtype.is_numeric() or column.dtype == nw.Boolean)


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
