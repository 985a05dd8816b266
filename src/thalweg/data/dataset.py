"""Rows to fit: the features, the target and their names, checked once on the way in.

Not here: reading files (:mod:`thalweg.data.files`), sums over the rows (:mod:`thalweg.summary`).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.checks import is_number
from thalweg.data.names import default_features
from thalweg.errors import InvalidData, nearest

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary


class Dataset:
    """The rows of a regression: features ``X``, target ``y``, and their names.

    Parameters
    ----------
    X : array-like, shape (n, d)
        The features, a row per observation. Shape (n,) is taken as one feature.
    y : array-like, shape (n,) or (n, 1)
        The target.
    features : sequence of str, optional
        The d names; ``x``, or ``x1 … xd``, when left out.
    target : str
        The target's name.
    units : mapping of str to str, optional
        The unit of each named column, for the axes of figures.
    name : str
        What the rows are, for titles.

    Attributes
    ----------
    X : ndarray, shape (n, d), float64
        A read-only copy.
    y : ndarray, shape (n,), float64
        A read-only copy.

    Raises
    ------
    InvalidData
        On shapes that do not fit together, on values that are not finite numbers, on no rows.
        Nothing is ever broadcast.

    Examples
    --------
    >>> Dataset([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.5], features=["hours"], target="pages")
    Dataset(3 rows, features=('hours',), target='pages')
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        features: Sequence[str] | None = None,
        target: str = "y",
        units: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        X, y = as_arrays(X, y)
        check_finite(X, y)
        # Copies, and read-only: the summary kept beside them must stay true.
        self.X: Array = np.array(X, order="C")
        self.y: Array = np.array(y)
        self.X.flags.writeable = False
        self.y.flags.writeable = False
        self.features: tuple[str, ...] = _feature_names(features, self.X.shape[1], target)
        self.target = target
        self.units: dict[str, str] = dict(units or {})
        self.name = name
        unknown = [column for column in self.units if column not in (*self.features, target)]
        if unknown:
            raise InvalidData(
                "units",
                got=repr(unknown[0]),
                expected="the name of a column",
                advice=nearest(unknown[0], (*self.features, target)),
            )

    @classmethod
    def of(cls, data: Data) -> Dataset:
        """Take a ``Dataset`` as it is, or make one from a pair ``(X, y)``.

        ``X`` may be a frame, whose columns name the features. A ``Dataset`` of PyTorch's stands
        for the pairs that it gives.
        """
        if isinstance(data, Dataset):
            return data
        torch_data = sys.modules.get("torch.utils.data")
        if torch_data is not None and isinstance(data, torch_data.Dataset):
            from thalweg.data.torch_datasets import from_dataset

            return cls(*from_dataset(data))
        X, y = as_pair(data)
        if hasattr(type(X), "columns") or hasattr(type(X), "schema"):
            from thalweg.data.frames import from_pair

            return from_pair(X, y)
        return cls(X, y)

    @cached_property
    def summary(self) -> Summary:
        """What one pass over the rows leaves: enough for loss, gradient and exact solution."""
        from thalweg.summary.summary import (
            Summary,  # SciPy's LAPACK: only when something is computed
        )

        return Summary.of(self)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the rows and the columns' names: whether two datasets are the same."""
        digest = hashlib.sha256(repr((self.X.shape, self.features, self.target)).encode())
        for values in (self.X, self.y):
            digest.update(values.astype("<f8", copy=False).data)
        return digest.hexdigest()

    def label(self, column: str) -> str:
        """Name a column with its unit, for an axis."""
        unit = self.units.get(column, "")
        return f"{column} ({unit})" if unit else column

    def __len__(self) -> int:
        return int(self.X.shape[0])

    def __repr__(self) -> str:
        return f"Dataset({len(self):,} rows, features={self.features!r}, target={self.target!r})"

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import dataset_html  # only in a notebook

        return dataset_html(self)


Data: TypeAlias = Dataset | tuple[Any, Any]
"""What every function takes as data: a :class:`Dataset` or a pair ``(X, y)``."""


def as_pair(data: object) -> tuple[Any, Any]:
    """Take apart a pair ``(X, y)``, and nothing else."""
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0], data[1]
    advice = "pass thalweg.Dataset(X, y) or (X, y)"
    if hasattr(type(data), "columns"):
        advice = "say which column is the target, with thalweg.read(frame, target=…)"
    elif hasattr(data, "dataset") and hasattr(data, "batch_size"):  # PyTorch's DataLoader
        advice = "pass loader.dataset, and batch_size= and shuffle= as the loader has them"
    expected = "a Dataset or a pair (X, y)"
    raise InvalidData("data", got=type(data).__name__, expected=expected, advice=advice)


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


def as_features(X: object, d: int) -> Array:
    """Turn rows to predict for into a float64 array of shape (m, d)."""
    features = _as_float64("X", X)
    if features.ndim != 2 or features.shape[1] != d:
        raise InvalidData(
            "X",
            got=f"shape {features.shape}",
            expected=f"(m, {d}), a row per prediction",
            advice=f"reshape it, for example with X.reshape(-1, {d})",
        )
    return features


def check_finite(X: Array, y: Array) -> None:
    """Refuse NaN and infinite values, saying where the first one stands."""
    for argument, values in (("X", X), ("y", y)):
        if np.isfinite(values).all():
            continue
        bad = ~np.isfinite(values)
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f"row {first[0]}" + (f", column {first[1]}" if len(first) > 1 else "")
        raise InvalidData(
            argument,
            got=f"{values[first]} at {where} ({int(bad.sum()):,} such values in all)",
            expected="finite numbers",
            advice="drop those rows or fill them in before fitting",
        )


def _as_float64(argument: str, values: object) -> Array:
    """Convert without a copy where possible; refuse what is not made of real numbers."""
    if np.ma.is_masked(values):
        raise _not_numbers(argument, "a masked array with masked values")
    if hasattr(values, "detach"):
        values = _from_tensor(argument, values)
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise _not_numbers(argument, "rows of different lengths") from error
    if array.dtype.kind in "iuf":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind == "O":
        odd = next((v for v in array.flat if not _is_number(v)), None)
        if odd is None:
            try:
                return array.astype(np.float64)
            except OverflowError as error:
                raise _not_numbers(argument, "a whole number beyond float64") from error
        raise _not_numbers(argument, f"an object array holding {odd!r}")
    if array.size == 0:
        return np.empty(array.shape)
    raise _not_numbers(argument, f"an array of dtype {array.dtype}")


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


def _is_number(value: object) -> bool:
    """Tell a real number, or a missing one, from the rest; a truth value is not a number."""
    return value is None or is_number(value)


def _not_numbers(argument: str, got: str) -> InvalidData:
    return InvalidData(
        argument,
        got=got,
        expected="an array of real numbers",
        advice="convert it first, for example with numpy.asarray(values, dtype=float)",
    )


def _feature_names(features: Sequence[str] | None, d: int, target: str) -> tuple[str, ...]:
    if features is None:
        return default_features(d)
    names = (features,) if isinstance(features, str) else tuple(features)
    if len(names) != d or len(set(names)) != d or target in names:
        raise InvalidData(
            "features",
            got=f"{names!r} with target {target!r}",
            expected=f"{d} different names, one for each column of X, none the target's",
            advice="name each column of X once",
        )
    return names
