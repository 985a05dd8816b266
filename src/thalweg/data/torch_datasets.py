"""Rows in a ``Dataset`` of PyTorch's: the pairs ``(x, y)`` that it gives, one for each row.

Not here: tensors by themselves (:mod:`thalweg.data.array_likes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

import numpy as np

from thalweg.arrays import Array
from thalweg.data.array_likes import as_arrays
from thalweg.errors import InvalidData


def from_dataset(dataset: Any) -> tuple[Array, Array]:
    """Take all the rows of a ``torch.utils.data.Dataset``, with an index or without.

    Parameters
    ----------
    dataset : Dataset
        Whose items are pairs: x of shape (d,) or a number, y a number or of shape (1,). A
        ``TensorDataset`` is taken whole, not row by row.

    Returns
    -------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)

    Raises
    ------
    InvalidData
        If an item is no such pair, or if its values cannot be fitted.

    Examples
    --------
    >>> X, y = from_dataset([([1.0, 2.0], 3.0), ([4.0, 5.0], 9.0)])
    >>> X.shape, y.tolist()
    ((2, 2), [3.0, 9.0])
    """
    tensors = getattr(dataset, "tensors", None)
    if tensors is not None:
        _check_pair(tensors, f"a TensorDataset of {len(tensors)} tensors")
        return as_arrays(*tensors)
    features, targets = [], []
    for row, item in enumerate(_items(dataset)):
        pair = isinstance(item, tuple | list) and len(item) == 2
        _check_pair(item if pair else (), f"{_described(item)} as row {row}")
        features.append(_plain(item[0]))
        targets.append(_plain(item[1]))
    widths = sorted({len(x) for x in features})
    if len(widths) != 1:
        got = f"rows of {' and '.join(map(str, widths))} features" if widths else "no rows"
        raise _unusable(got, "rows of the same features, one at least")
    return as_arrays(features, targets)


def _items(dataset: Any) -> Iterable[Any]:
    """Give the items; by index where there is one, as PyTorch's own loaders do."""
    if isinstance(dataset, Sized) and hasattr(dataset, "__getitem__"):
        return (dataset[row] for row in range(len(dataset)))
    items: Iterable[Any] = iter(dataset)
    return items


def _plain(value: Any) -> Any:
    """Flatten what stands for a row or for a target: a number, or what holds some."""
    if hasattr(value, "detach"):
        return value.detach().cpu().reshape(-1).tolist()
    return np.atleast_1d(np.asarray(value)).ravel().tolist()


def _check_pair(pair: Any, got: str) -> None:
    if len(pair) != 2:
        raise _unusable(got, "pairs (x, y)")


def _described(item: Any) -> str:
    if isinstance(item, tuple | list):
        return f"a {type(item).__name__} of {len(item)}"
    return f"a {type(item).__name__}"


def _unusable(got: str, expected: str) -> InvalidData:
    advice = "give its features and its target as a pair (X, y) of tensors"
    return InvalidData("data", got=got, expected=expected, advice=advice)
