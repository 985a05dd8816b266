"""The one door for data: whatever users pass becomes a source of rows here.

Arrays, tensors, frames, series, files, PyTorch's datasets. Not here: how each is read
(:mod:`thalweg.data.array_likes`, :mod:`thalweg.data.frames`, :mod:`thalweg.data.files`,
:mod:`thalweg.data.torch_datasets`).
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

from thalweg.data.array_likes import as_features, check_finite, check_width, has_names, is_table
from thalweg.data.categories import Categories, Coding, as_categories
from thalweg.data.compact import CodedRows, SparseRows, Table, is_sparse
from thalweg.data.dataset import Dataset
from thalweg.data.paths import LARGE, are_paths
from thalweg.data.source import Source
from thalweg.errors import InvalidData, InvalidSetting
from thalweg.numbers import counted

Data: TypeAlias = Any
"""What every function takes as data: see :func:`take`."""

NAMES_SHOWN = 10


def take(
    data: Data,
    y: Any = None,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    intercept: bool | None = None,
    copy: bool = True,
) -> Source:
    """Make a source of rows of whatever stands for rows.

    Parameters
    ----------
    data : array-like, frame, path, Dataset, Scan or pair
        The features, with ``y`` beside them: an array or tensor of shape (n, d) or (n,), a frame
        or a series. Or features and target together: a pair ``(X, y)``, a frame of pandas,
        Polars, Arrow or their kin, files or a folder of them, a :class:`thalweg.Dataset`, a
        scan, a dataset of PyTorch's. Files of more than 64 MB together are scanned, others read.
    y : array-like or series, optional
        The target, shape (n,), where ``data`` are the features alone.
    target : str, optional
        Which column of a frame or file is the target; beside ``y``, what to call it.
    features : sequence of str, optional
        Which columns are the features, in this order; of arrays, what to call them.
    categories : "all", sequence of str or mapping, optional
        Which of them are categories: see :func:`thalweg.read`.
    intercept : bool, optional
        Whether there will be one, which stands for the first level of each category; left out,
        features are taken as they are made already.
    copy : bool
        False for whoever goes through the rows once and keeps none: arrays are then looked at
        where they are, not checked for finite values.

    Raises
    ------
    InvalidData
        On what stands for no rows, or cannot be fitted.
    InvalidSetting
        On a target that is not said, or said twice; on names that there are not.
    UnreadableFile
        On files that are missing, damaged or no tables.

    Examples
    --------
    >>> take([[1.0], [2.0]], [3.0, 4.0], features=["hours"], target="pages")
    Dataset(2 rows, features=('hours',), target='pages')
    """
    target, names = _as_name(target), _as_names(features)
    asked = as_categories(categories)
    rows = _taken(data, y, target, names, asked, copy=copy)
    return rows if intercept is None else rows.for_intercept(intercept)


def _taken(
    data: Data,
    y: Any,
    target: str | None,
    names: tuple[str, ...] | None,
    categories: Categories,
    *,
    copy: bool,
) -> Source:
    if _is_source(data):
        return _of_source(data, y, target, names, categories)
    if are_paths(data) and data:  # an empty list may stand for rows
        return _of_paths(data, y, target, names, categories)
    if y is None and _is_torch_dataset(data):
        from thalweg.data.torch_datasets import from_dataset

        data, y = from_dataset(data)
    elif y is None and _is_pair(data):
        if target is not None:
            raise InvalidSetting(
                "target",
                got=f"{target!r} beside a pair (X, y)",
                expected="a target named once",
                advice="leave it out, or pass X and y by themselves to name the target",
            )
        data, y = data
    if y is None:
        return _of_table(data, target, names, categories)
    if isinstance(y, str):
        raise _not_values(y)
    return _of_two(data, y, target, names, categories, copy=copy)


def take_features(X: Any, features: tuple[str, ...], coding: Coding | None = None) -> Table:
    """Take the rows to predict for, by the columns' names where they have some.

    Parameters
    ----------
    X : array-like, frame, series or Dataset
        The m rows; other columns of a frame are left aside.
    features : tuple of str
        The d names.
    coding : Coding, optional
        How they are made of a frame's columns, which may hold the features themselves too.

    Returns
    -------
    ndarray, or what makes a few of its rows at a time, shape (m, d)

    Raises
    ------
    InvalidData
        On another number of columns, on what is no number, or no finite one.
    InvalidSetting
        On a frame without some of the features.

    Examples
    --------
    >>> import pyarrow
    >>> take_features(pyarrow.table({"b": [1, 2], "y": [0, 0], "a": [3, 4]}), ("a", "b"))
    array([[3., 1.],
           [4., 2.]])
    """
    if isinstance(X, Dataset):
        return X.recoded(features, coding)
    if is_sparse(X):
        sparse = SparseRows.of(X)
        check_width(sparse, len(features))
        return sparse
    if has_names(X):
        from thalweg.data.frames import column_names, columns_coded, columns_named

        if coding is not None and is_table(X) and not {*features} <= {*column_names(X)}:
            narrow = coding.narrowed()
            return CodedRows(columns_coded(X, narrow), narrow)
        if len(features) > 1 and not is_table(X):
            raise InvalidData(
                "X",
                got=f"a {type(X).__name__}",
                expected=f"the columns of {counted(len(features), 'feature')}",
                advice="pass a frame, of one row too, such as frame.iloc[[0]]",
            )
        values = columns_named(X, features)
    else:
        values = as_features(X, len(features))
    check_finite(values)
    return values


def _of_source(
    source: Source,
    y: Any,
    target: str | None,
    features: tuple[str, ...] | None,
    categories: Categories,
) -> Source:
    if y is not None:
        raise InvalidData(
            "y",
            got=f"values beside a {type(source).__name__}",
            expected=f"nothing: its target is {source.target!r}",
            advice="leave y out",
        )
    if categories is not None:
        raise InvalidSetting(
            "categories",
            got=f"a setting beside a {type(source).__name__}",
            expected="nothing: its features are made",
            advice="say it where it is made, as in thalweg.read or thalweg.scan",
        )
    if target not in (None, source.target):
        raise InvalidSetting(
            "target",
            got=f"{target!r} beside a {type(source).__name__}",
            expected=f"{source.target!r}, which is its target",
            advice="leave it out",
        )
    return source if features is None else source.select(features)


def _of_paths(
    path: Any,
    y: Any,
    target: str | None,
    features: tuple[str, ...] | None,
    categories: Categories,
) -> Source:
    if isinstance(y, str):
        raise _not_values(y)
    if y is not None:
        raise InvalidData(
            "y",
            got="values beside a file",
            expected="a column of the file",
            advice="name the target's column with target=",
        )
    if target is None:
        raise InvalidSetting(
            "target",
            got="None for a file",
            expected="the name of the column to predict",
            advice="name it with target=",
        )
    from thalweg.data.files import scan  # PyArrow: only where files are read

    rows = scan(path, target=target, features=features, categories=categories)
    return rows.read() if rows.size <= LARGE else rows


def _of_table(
    data: Any, target: str | None, features: tuple[str, ...] | None, categories: Categories
) -> Source:
    """Take a frame, whose target is a column."""
    if not is_table(data):
        raise _alone(data, target)
    from thalweg.data.frames import column_names, frame_rows  # narwhals: only where frames come

    if target is None:
        names = [repr(name) for name in column_names(data)]
        shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
        raise InvalidSetting(
            "target",
            got=f"None for a {type(data).__name__}",
            expected="the name of the column to predict",
            advice=f"name it with target=; there are {shown}",
        )
    rows = frame_rows(data, target=target, features=features, categories=categories)
    return Dataset.settled(*rows)


def _of_two(
    X: Any,
    y: Any,
    target: str | None,
    features: tuple[str, ...] | None,
    categories: Categories,
    *,
    copy: bool,
) -> Dataset:
    """Take features and target that come apart, with the names that they have."""
    if copy or has_names(X) or has_names(y) or categories is not None:
        return Dataset(X, y, features=features, target=target, categories=categories)
    return Dataset.borrow(X, y, features=features, target="y" if target is None else target)


def _as_name(target: Any) -> str | None:
    """Take one name; one that is no text, as a frame's columns may have, as it prints."""
    if target is None or isinstance(target, Hashable):
        return None if target is None else str(target)
    raise InvalidSetting(
        "target",
        got=repr(target),
        expected="the name of one column",
        advice="pass the name by itself, such as 'y'",
    )


def _as_names(features: Any) -> tuple[str, ...] | None:
    """Take one name or several, in whatever holds them."""
    if features is None or isinstance(features, str):
        return None if features is None else (features,)
    try:
        return tuple(map(str, features))
    except TypeError:
        raise InvalidSetting(
            "features",
            got=repr(features),
            expected="names of columns",
            advice="pass a list of them, such as ['x1', 'x2']",
        ) from None


# Told by what their types have: asking their libraries would import them.


def _is_source(data: Any) -> TypeGuard[Source]:
    return isinstance(data, Dataset) or all(
        hasattr(type(data), name) for name in ("batches", "select", "summary", "digest")
    )


def _is_pair(data: Any) -> bool:
    """Tell a pair from rows written as a list: that is one only if both have a shape."""
    if isinstance(data, tuple):
        return len(data) == 2
    return isinstance(data, list) and len(data) == 2 and all(hasattr(x, "shape") for x in data)


def _is_torch_dataset(data: Any) -> bool:
    torch_data = sys.modules.get("torch.utils.data")
    return torch_data is not None and isinstance(data, torch_data.Dataset)


def _not_values(y: str) -> InvalidData:
    return InvalidData(
        "y",
        got=repr(y),
        expected="the target's values",
        advice="name a column of a frame or file with {target}",
        suggest={"target": y},
    )


def _alone(data: Any, target: str | None) -> InvalidData:
    """Refuse what is no rows, or rows without a target, saying how the target is passed."""
    shape = getattr(data, "shape", None)
    got = type(data).__name__ + ("" if shape is None else f" of shape {tuple(shape)}")
    lacking = f"{got} without {'a target' if target is None else 'y'}"
    advice = "pass the target beside it, as in thalweg.fit(X, y)"
    if hasattr(data, "dataset") and hasattr(data, "batch_size"):  # PyTorch's DataLoader
        advice = "pass loader.dataset, and batch_size= and shuffle= as the loader has them"
    elif isinstance(data, Mapping) or getattr(getattr(data, "dtype", None), "names", None):
        lacking, advice = got, "make a frame of it, as in pandas.DataFrame(data), with target="
    elif hasattr(data, "read"):
        lacking, advice = f"{got}, an open file", "pass the file's name, with target="
    return InvalidData(
        "data",
        got=lacking,
        expected="X and y, a frame or file with target=, or a Dataset",
        advice=advice,
    )
