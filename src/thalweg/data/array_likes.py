"""Arrays, lists and tensors, made into float64 arrays that can be fitted.

Not here: names (:mod:`thalweg.data.dataset`), frames (:mod:`thalweg.data.frames`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.arrays import Array
from thalweg.errors import InvalidData
from thalweg.kinds import is_number


def is_table(data: object) -> bool:
    """Tell a frame by what its type has: asking its library would import that."""
    return hasattr(type(data), "columns") or hasattr(type(data), "schema")


def has_names(data: object) -> bool:
    """Tell whether values come with names of their own: a frame or a series."""
    return is_table(data) or type(data).__name__ == "Series"


def as_pair(data: object) -> tuple[Any, Any]:
    """Take apart a pair ``(X, y)``, and nothing else."""
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0], data[1]
    raise InvalidData(
        "data",
        got=type(data).__name__,
        expected="a pair (X, y)",
        advice="put the features first, the target second",
    )


def as_arrays(X: object, y: object) -> tuple[Array, Array]:
    """Turn a pair into float64 arrays of shapes (n, d) and (n,), copying only where it must.

    Values are not looked at: see :func:`check_finite`.
    """
    features, target = _as_float64("X", X), _as_float64("y", y)
    if features.ndim == 1:
        features = features[:, np.newaxis]
    if target.ndim == 2 and target.shape[1] == 1:
        target = target[:, 0]
    if features.ndim != 2 or target.ndim != 1 or len(features) != len(target):
        raise InvalidData(
            "X and y",
            got=f"shapes {np.shape(features)} and {np.shape(target)}",
            expected="(n, d) and (n,) with the same n",
            advice="give y one value for each row of X; nothing is broadcast",
        )
    if features.size == 0:
        raise InvalidData(
            "X",
            got=f"an empty array of shape {features.shape}",
            expected="at least one row and one feature",
            advice="check the filter or the file that the rows come from",
        )
    return features, target


def as_real_arrays(X: Any, y: Any) -> tuple[Any, Any]:
    """Check the shapes, (n, d) and (n,), without a copy of a big array of another real type."""
    if not all(type(part) is np.ndarray and part.dtype.kind in "iuf" for part in (X, y)):
        return as_arrays(X, y)
    if X.dtype == y.dtype == np.float64:
        return as_arrays(X, y)
    stand_ins = (np.broadcast_to(0.0, np.shape(part)) for part in (X, y))
    as_arrays(*stand_ins)
    return (X[:, np.newaxis] if X.ndim == 1 else X), (y[:, 0] if y.ndim == 2 else y)


def as_features(X: object, d: int) -> Array:
    """Turn rows to predict for into a float64 array of shape (m, d)."""
    features = _as_float64("X", X)
    check_width(features, d)
    return features


def check_width(X: Any, d: int) -> None:
    """Refuse rows to predict for that have not ``d`` columns."""
    if len(X.shape) != 2 or X.shape[1] != d:
        flat = len(X.shape) == 1 and X.shape[0] % d == 0
        raise InvalidData(
            "X",
            got=f"shape {X.shape}",
            expected=f"(m, {d}), a row per prediction",
            advice=f"reshape it, with X.reshape(-1, {d})"
            if flat
            else "give the columns of the fit in their order, or a frame that has them by name",
        )


def check_finite(X: Array, y: Array | None = None) -> None:
    """Refuse NaN and infinite values, saying where the first one stands."""
    for argument, values in (("X", X), ("y", y)):
        if values is None or np.isfinite(values).all():
            continue
        bad = ~np.isfinite(values)
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise not_finite(argument, values[first], first, int(bad.sum()))


def not_finite(argument: str, value: float, place: tuple[int, ...], count: int) -> InvalidData:
    """Refuse a value by where it stands: in a row and, where there are some, a column."""
    where = f"row {place[0]}" + (f", column {place[1]}" if len(place) > 1 else "")
    return InvalidData(
        argument,
        got=f"{value} at {where} ({count:,} such values in all)",
        expected="finite numbers",
        advice="drop those rows or fill them in first",
    )


def _as_float64(argument: str, values: object) -> Array:
    """Convert without a copy where possible; refuse what is not made of real numbers."""
    if np.ma.is_masked(values):
        raise InvalidData(
            argument,
            got="a masked array with masked values",
            expected="a value in each place",
            advice="fill them with values.filled(0.0), or whatever stands for them, or leave out "
            "their rows",
        )
    if isinstance(values, str | os.PathLike | Mapping):
        raise _no_rows(argument, values)
    if hasattr(values, "tocsr"):  # X is taken elsewhere where it is one
        raise _not_numbers(argument, "a sparse matrix", "values.toarray()")
    if hasattr(values, "detach"):
        values = _from_tensor(argument, values)
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise _not_numbers(argument, "rows of different lengths") from error
    if array.dtype.kind in "iuf":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind == "O":
        odd = next((v for v in array.flat if not (v is None or is_number(v))), None)
        if odd is None:
            try:
                return array.astype(np.float64)
            except OverflowError as error:
                raise _not_numbers(argument, "a whole number beyond float64") from error
        if isinstance(odd, Mapping):
            raise _no_rows(argument, values)
        raise _no_numbers(argument, f"an object array holding {odd!r}", array)
    if array.size == 0:
        return np.empty(array.shape)
    raise _no_numbers(argument, f"an array of dtype {array.dtype}", array)


def _no_rows(argument: str, values: Any) -> InvalidData:
    """Refuse what a frame has to be made of first: a file's name, values under names."""
    got, advice = repr(values), "read the file first, as pandas.read_csv does, and pass the frame"
    if not isinstance(values, str | os.PathLike):
        one = isinstance(values, Mapping) and not any(map(np.ndim, values.values()))
        held = f"[{argument}]" if one else argument
        got, advice = "values under names", f"make a frame of them: pandas.DataFrame({held})"
    return InvalidData(
        argument, got=got, expected="an array of real numbers, or a frame", advice=advice
    )


def _no_numbers(argument: str, got: str, array: Any) -> InvalidData:
    """Refuse an array; words that are no written numbers with what helps there."""
    if array.dtype.kind in "OU" and any(isinstance(value, str) for value in array.flat):
        try:
            array.astype(np.float64)
        except (ValueError, TypeError):
            return InvalidData(
                argument,
                got=got,
                expected="an array of real numbers",
                advice="turn words into numbers first, or pass X as a frame, which takes columns "
                "of words as categories",
            )
    return _not_numbers(argument, got)


def _from_tensor(argument: str, tensor: Any) -> Any:
    """Take a PyTorch tensor from its graph and its device, in a precision that NumPy has."""
    strided = str(getattr(tensor, "layout", "torch.strided")) == "torch.strided"
    if not strided or getattr(tensor, "is_meta", False):
        raise InvalidData(
            argument,
            got="a tensor without values, on the meta device"
            if strided
            else f"a tensor of layout {tensor.layout}",
            expected="a dense tensor of real numbers",
            advice="make it on a device that holds values" if strided else "call to_dense()",
        )
    tensor = tensor.detach().cpu()
    return tensor.double() if tensor.is_floating_point() else tensor  # bfloat16 has no other way


def _not_numbers(
    argument: str, got: str, how: str = "numpy.asarray(values, dtype=float)"
) -> InvalidData:
    return InvalidData(
        argument,
        got=got,
        expected="an array of real numbers",
        advice=f"convert it first, for example with {how}",
    )
