"""The losses: each one's value for one residual, beside its derivative.

A loss is a NamedTuple of its settings, with PyTorch's name and definition; over a batch it is
the mean. Not here: sums over rows (:mod:`thalweg.descent.fit`), the squared loss of a whole dataset
from its summary (:mod:`thalweg.summary`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from thalweg.arrays import Array
from thalweg.checks import is_number
from thalweg.errors import InvalidSetting, nearest, sentence


class MSE(NamedTuple):
    """The squared residual, ``torch.nn.MSELoss``."""


def _mse(loss: MSE, residual: float) -> tuple[float, float]:
    return residual * residual, 2.0 * residual


class L1(NamedTuple):
    """The absolute residual, ``torch.nn.L1Loss``; its slope at zero is zero."""


def _l1(loss: L1, residual: float) -> tuple[float, float]:
    slope = 1.0 if residual > 0.0 else 0.0
    slope = -1.0 if residual < 0.0 else slope
    return abs(residual), slope


class Huber(NamedTuple):
    """Squared up to ``delta``, straight beyond: ``torch.nn.HuberLoss``."""

    delta: float = 1.0


def _huber(loss: Huber, residual: float) -> tuple[float, float]:
    inner = residual if residual < loss.delta else loss.delta
    inner = inner if inner > -loss.delta else -loss.delta
    return inner * (residual - 0.5 * inner), inner


Loss: TypeAlias = MSE | L1 | Huber

LOSSES: dict[str, type[Loss]] = {"mse": MSE, "l1": L1, "huber": Huber}
"""Each loss by the name that :func:`thalweg.fit` takes."""


class LossName(NamedTuple):
    """What people and PyTorch call a mean loss, and which power of the target's unit it has."""

    label: str
    power: int
    torch: str


NAMES: dict[str, LossName] = {
    "mse": LossName("mean squared error", 2, "MSELoss"),
    "l1": LossName("mean absolute error", 1, "L1Loss"),
    "huber": LossName("Huber loss", 2, "HuberLoss"),
}
"""Each loss's names, by the name that :func:`thalweg.fit` takes."""

VALUE_AND_SLOPE: dict[type[Loss], Callable[..., tuple[float, float]]] = {
    MSE: _mse,
    L1: _l1,
    Huber: _huber,
}
"""Each loss's ``(loss, residual) -> value, slope``, for residual = prediction − target."""


def value_and_slope(loss: Loss, residual: float) -> tuple[float, float]:
    """Give the loss of one residual (prediction − target) and its derivative by the prediction.

    Examples
    --------
    >>> value_and_slope(Huber(delta=1.0), 3.0)
    (2.5, 1.0)
    """
    return VALUE_AND_SLOPE[type(loss)](loss, residual)


def mean_loss(loss: Loss, residuals: Array) -> float:
    """Give the mean of a loss over residuals (prediction − target), shape (n,).

    Examples
    --------
    >>> mean_loss(Huber(delta=1.0), np.array([0.5, -3.0]))
    1.3125
    """
    if isinstance(loss, Huber):
        inner = np.clip(residuals, -loss.delta, loss.delta)
        return float(np.mean(inner * (residuals - 0.5 * inner)))
    return float(np.mean(residuals**2 if isinstance(loss, MSE) else np.abs(residuals)))


def make_loss(loss: object, delta: object = 1.0) -> Loss:
    """Make a loss from its name, or take one as it is, checked.

    Parameters
    ----------
    loss : str, type or Loss
        ``"mse"``, ``"l1"``, ``"huber"``, or PyTorch's class or its name (``"MSELoss"`` …).
    delta : float
        Where the Huber loss turns from a parabola into a line, in units of the target; unused by
        the others and by an instance, which has its own.

    Raises
    ------
    InvalidSetting
        On a name that is none of these, or on a ``delta`` that is not above 0.

    Examples
    --------
    >>> make_loss("HuberLoss", delta=2)
    Huber(delta=2.0)
    """
    if isinstance(loss, MSE | L1):
        return loss
    if isinstance(loss, Huber):
        return Huber(_checked_delta(loss.delta))
    word = loss.__name__ if isinstance(loss, type) else loss
    if isinstance(word, str) and word.lower().removesuffix("loss") in LOSSES:
        chosen = LOSSES[word.lower().removesuffix("loss")]
        return Huber(_checked_delta(delta)) if chosen is Huber else chosen()
    advice = nearest(word, LOSSES) if isinstance(word, str) else "pass for example 'mse'"
    raise InvalidSetting(
        sentence("loss", got=repr(loss), expected="the name of a loss", advice=advice)
    )


def _checked_delta(delta: object) -> float:
    if is_number(delta) and 0.0 < float(delta) < math.inf:
        return float(delta)
    raise InvalidSetting(
        sentence(
            "delta",
            got=repr(delta),
            expected="a number above 0",
            advice="PyTorch's default is 1.0",
        )
    )
