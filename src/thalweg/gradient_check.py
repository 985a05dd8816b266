"""The gradient of the loss three ways, side by side: by hand, by autograd, by differences.

Not here: descending along it (:mod:`thalweg.descent.fit`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array, design_matrix
from thalweg.checks import check_choice, check_flag, check_parameters
from thalweg.data.categories import Categories
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.data.names import parameter_names
from thalweg.errors import MissingExtra
from thalweg.kinds import PRECISIONS

# Central differences of a loss that is a parabola have no truncation error: only rounding, which
# falls with the step. A step of this share of a parameter balances it.
_STEP = 2.0**-10


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradient of the mean squared error at one point, worked out three ways.

    Attributes
    ----------
    names : tuple of str
        The parameters', in the order ``[bias, weights…]``.
    parameters : ndarray, shape (p,)
        Where.
    loss : float
        The mean squared error there, in squared units of the target.
    by_hand : ndarray, shape (p,)
        By the equations, in ``dtype``: squared units of the target per unit of each parameter.
    by_autograd : ndarray, shape (p,)
        By PyTorch, in ``dtype``.
    by_differences : ndarray, shape (p,)
        By central differences of the loss, in float64.
    dtype : str
        The precision of the first two ways. Near the solution, float32 leaves few digits: the
        gradient is there a small sum of large terms.
    """

    names: tuple[str, ...]
    parameters: Array
    loss: float
    by_hand: Array
    by_autograd: Array
    by_differences: Array
    dtype: str

    @property
    def largest_difference(self) -> float:
        """The largest relative difference between any two of the three, over the parameters.

        Relative to the gradient's norm: a component that nearly cancels has no digits of its own.
        """
        ways = np.stack([self.by_hand, self.by_autograd, self.by_differences])
        spread = float(np.max(ways.max(axis=0) - ways.min(axis=0)))
        norm = math.hypot(*self.by_hand)
        return spread / norm if norm else spread


def gradients(
    data: Data,
    y: Any = None,
    *,
    parameters: ArrayLike,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    intercept: bool = True,
    dtype: str = "float64",
) -> Gradients:
    r"""Work out the gradient of the mean squared error by hand, by autograd and by differences.

    .. math:: \nabla L = \frac{2}{n} [1, X]^\top ([1, X] w - y)

    Parameters
    ----------
    data : array-like, frame, path, Dataset, Scan or pair
        The n rows, with or without their target; those of a scan are read into memory.
    y, target, features, categories
        As :func:`thalweg.fit` takes them.
    parameters : array-like, shape (p,)
        Where: ``[bias, weights…]``.
    intercept : bool
        Whether there is a bias; without one, p = d.
    dtype : str
        The precision of the equations and of autograd, ``"float32"`` or ``"float64"``; the
        differences are always taken in float64.

    Raises
    ------
    InvalidData
        If ``parameters`` has not one finite value per parameter.
    MissingExtra
        If PyTorch is not installed.

    Examples
    --------
    >>> import thalweg
    >>> at = thalweg.gradients([[1.0], [2.0]], [2.0, 3.0], parameters=[0.0, 1.0])
    >>> at.by_hand
    array([-2., -3.])
    >>> at.largest_difference < 1e-9
    True
    """
    check_choice("dtype", dtype, PRECISIONS)
    intercept = check_flag("intercept", intercept)
    rows = take(
        data, y, target=target, features=features, categories=categories, intercept=intercept
    ).read()
    w = check_parameters("parameters", parameters, rows.X.shape[1] + intercept)
    loss, by_autograd = _by_autograd(rows, w, intercept, dtype)
    return Gradients(
        names=parameter_names(rows.features, intercept=intercept),
        parameters=w,
        loss=loss,
        by_hand=_by_hand(rows, w, intercept, dtype),
        by_autograd=by_autograd,
        by_differences=_by_differences(design_matrix(rows.X, intercept=intercept), rows.y, w),
        dtype=dtype,
    )


def _by_hand(rows: Dataset, w: Array, intercept: bool, dtype: str) -> Array:
    """Evaluate the equations: −2/n Σ (y − ŷ) for the bias, −2/n Σ (y − ŷ) x for a weight."""
    X, y, at = (values.astype(dtype) for values in (rows.X, rows.y, w))
    predicted = X @ at[1:] + at[0] if intercept else X @ at
    residual = y - predicted
    slopes = -2.0 / len(y) * (residual @ X)
    if intercept:
        slopes = np.concatenate([[-2.0 / len(y) * residual.sum()], slopes])
    by_hand: Array = slopes.astype(np.float64)
    return by_hand


def _by_autograd(rows: Dataset, w: Array, intercept: bool, dtype: str) -> tuple[float, Array]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("The gradient by autograd", "torch") from error
    X, y, at = (torch.tensor(values, dtype=getattr(torch, dtype)) for values in (rows.X, rows.y, w))
    at.requires_grad_()
    bias = at[:1] if intercept else None
    predicted = torch.nn.functional.linear(X, at[None, int(intercept) :], bias)
    loss = torch.nn.functional.mse_loss(predicted, y[:, None])
    (gradient,) = torch.autograd.grad(loss, at)
    by_autograd: Array = gradient.double().numpy()
    return loss.item(), by_autograd


def _by_differences(design: Array, y: Array, w: Array) -> Array:
    gradient = np.zeros_like(w)
    aimed_at = max(_root_mean_square(y), _root_mean_square(design @ w - y))
    for j in range(len(w)):
        h = _STEP * _size_of_parameter(w[j], aimed_at, _root_mean_square(design[:, j]))
        ahead, behind = w.copy(), w.copy()
        ahead[j] += h
        behind[j] -= h
        # Differences of the residuals first: the two losses nearly cancel.
        e_ahead, e_behind = design @ ahead - y, design @ behind - y
        gradient[j] = np.mean((e_ahead - e_behind) * (e_ahead + e_behind)) / (ahead[j] - behind[j])
    return gradient


def _size_of_parameter(value: float, aimed_at: float, column: float) -> float:
    """Say how large a parameter is, or would be if its column alone had to make up the target."""
    size = max(abs(value), aimed_at / column if column else 0.0)
    # A column or a target of zeros says nothing: any step is as good.
    return size if 0.0 < size < np.inf else 1.0


def _root_mean_square(values: Array) -> float:
    largest = float(np.abs(values).max())
    if not 0.0 < largest < np.inf:
        return largest
    return largest * float(np.sqrt(np.mean((values / largest) ** 2)))
