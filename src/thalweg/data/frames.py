"""Rows in frames: pandas, Polars, PyArrow and their kin, through narwhals.

Not here: arrays and tensors (:mod:`thalweg.data.array_likes`), PyTorch's datasets
(:mod:`thalweg.data.torch_datasets`), files (:mod:`thalweg.data.files`), which columns can be
fitted (:mod:`thalweg.data.columns`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from narwhals.exceptions import DuplicateError

from thalweg.data.columns import Column, choose
from thalweg.data.dataset import Dataset
from thalweg.data.missing import Missing, MissingFilter
from thalweg.errors import InvalidData


def is_frame(data: object) -> bool:
    """Tell whether :func:`from_frame` takes this.

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


def from_frame(
    frame: Any,
    *,
    target: str,
    features: Sequence[str] | None = None,
    missing: Missing = "error",
    name: str = "",
) -> Dataset:
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
    name : str
        What the rows are, for titles.

    Returns
    -------
    Dataset
        ``X``, shape (n, d), and ``y``, shape (n,), named after their columns.

    Raises
    ------
    InvalidData
        On columns that are not numbers, missing or infinite values, no rows.
    InvalidSetting
        On names that the frame does not have.

    Examples
    --------
    >>> trees = pa.table({"height": [21.3, 19.8], "girth": [66, 61]})
    >>> from_frame(trees, target="girth")
    Dataset(2 rows, features=('height',), target='girth')
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
    return Dataset(X, y, features=choice.features, target=choice.target, name=name)


def from_pair(
    X: Any, y: Any, *, target: str | None = None, features: Sequence[str] | None = None
) -> Dataset:
    """Take features and a target beside them, of which one at least has names of its own.

    Parameters
    ----------
    X : frame, series or array-like
        The n rows; a frame as in :func:`from_frame`.
    y : series, frame of one column, or array-like
        The n targets, named after the series or column if that has a name.
    target : str, optional
        What to call the target instead.
    features : sequence of str, optional
        Which columns of a frame are the features, all of them when left out; of an array, what
        to call its columns.

    Returns
    -------
    Dataset
        ``X``, shape (n, d), and ``y``, shape (n,), named after their columns.

    Raises
    ------
    InvalidData
        On columns that are not numbers, values that are not finite, shapes that do not fit.

    Examples
    --------
    >>> from_pair(pa.table({"height": [21.3, 19.8]}), [66, 61])
    Dataset(2 rows, features=('height',), target='y')
    """
    column, values = _beside(y)
    if target is not None:
        column = column._replace(name=target)
    table = _table_of(X)
    if table is None:
        return Dataset(X, values, features=features, target=column.name)
    columns = [*_columns(table), column]
    choice = choose(columns, target=column.name, features=features, source="X and y")
    taken = [_values(table[:, position]) for position in choice.positions[:-1]]
    return Dataset(np.column_stack(taken), values, features=choice.features, target=choice.target)


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
            got=f"{native.shape[1]} columns",
            expected="one, the target",
            advice="choose one of them",
        )
    numeric = series.dtype.is_numeric()
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
        Column(str(label), _kind(dtype), dtype.is_numeric())
        for label, dtype in table.schema.items()
    ]


def _values(column: nw.Series[Any]) -> Any:
    """Give a numeric column as float64, missing values as NaN."""
    return np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _kind(dtype: Any) -> str:
    """Say what a column of narwhals' types holds, in the words of :mod:`thalweg.data.arrow`."""
    if dtype == nw.Boolean:
        return "true or false"
    if dtype == nw.Categorical or dtype == nw.Enum:
        return "category"
    if dtype == nw.Date or dtype == nw.Datetime:
        return "date"
    if dtype == nw.Duration or dtype == nw.Time:
        return "time"
    return "text" if dtype == nw.String else str(dtype).lower()
