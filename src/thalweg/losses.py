"""The losses: each one's value for one residual, beside its derivative.

A loss is a NamedTuple of its settings, with PyTorch's name and definition; over a batch it is
the mean. Not here: sums over rows (:mod:`thalweg.descent.fit`), the squared loss of a whole dataset
from its summary (:mod:`thalweg.summary`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from thalweg.distinct import distinct
from thalweg.errors import InvalidSetting, nearest
from thalweg.kinds import POSITIVE, Number

if TYPE_CHECKING:
    from torch import nn

    from thalweg.arrays import Array


DELTA_DEFAULT = 1.0  # PyTorch's


@distinct
class MSE(NamedTuple):
    """The squared residual, ``torch.nn.MSELoss``."""


def _mse(loss: MSE, residual: float) -> tuple[float, float]:
    return residual * residual, 2.0 * residual


@distinct
class L1(NamedTuple):
    """The absolute residual, ``torch.nn.L1Loss``; its slope at zero is zero."""


def _l1(loss: L1, residual: float) -> tuple[float, float]:
    slope = 1.0 if residual > 0.0 else 0.0
    slope = -1.0 if residual < 0.0 else slope
    return abs(residual), slope


@distinct
class Huber(NamedTuple):
    """Squared up to ``delta``, straight beyond: ``torch.nn.HuberLoss``."""

    delta: float = DELTA_DEFAULT


def _huber(loss: Huber, residual: float) -> tuple[float, float]:
    inner = residual if residual < loss.delta else loss.delta
    inner = inner if inner > -loss.delta else -loss.delta
    return inner * (residual - 0.5 * inner), inner


Loss: TypeAlias = MSE | L1 | Huber

LOSSES: dict[str, type[Loss]] = {"mse": MSE, "l1": L1, "huber": Huber}
"""Each loss by the name that :func:`thalweg.fit` takes."""


class LossName(NamedTuple):
    """What people call a mean loss, and which power of the target's unit it has."""

    label: str
    power: int


NAMES: dict[str, LossName] = {
    "mse": LossName("mean squared error", 2),
    "l1": LossName("mean absolute error", 1),
    "huber": LossName("Huber loss", 2),
}
"""Each loss's words, by the name that :func:`thalweg.fit` takes."""

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
    >>> import numpy as np
    >>> mean_loss(Huber(delta=1.0), np.array([0.5, -3.0]))
    1.3125
    """
    if isinstance(loss, Huber):
        inner = residuals.clip(-loss.delta, loss.delta)
        return float((inner * (residuals - 0.5 * inner)).mean())
    return float((residuals**2 if isinstance(loss, MSE) else abs(residuals)).mean())


def torch_class(loss: Loss) -> str:
    """Name the class of ``torch.nn`` that has the mean of this loss.

    Examples
    --------
    >>> torch_class(L1())
    'L1Loss'
    """
    return f"{type(loss).__name__}Loss"


def torch_module(loss: Loss) -> nn.Module:
    """Make PyTorch's module of the mean of this loss."""
    from torch import nn

    module: nn.Module = getattr(nn, torch_class(loss))(**loss._asdict())
    return module


DELTA = Number(
    "Where the Huber loss turns from a parabola into a line, in units of the target.",
    f"PyTorch's default is {DELTA_DEFAULT}",
    range=POSITIVE,
)


# Words that users bring from elsewhere.
_SYNONYMS = {
    "mae": "l1",
    "mean_absolute_error": "l1",
    "absolute_error": "l1",
    "absolute": "l1",
    "squared_error": "mse",
    "mean_squared_error": "mse",
    "squared": "mse",
    "l2": "mse",
    "rmse": "mse",
    "smooth_l1": "huber",
}


def make_loss(loss: object, delta: object = None) -> Loss:
    """Make a loss from its name, or take one as it is, checked.

    Parameters
    ----------
    loss : str, type, Loss or torch.nn.Module
        ``"mse"``, ``"l1"``, ``"huber"``; PyTorch's class, its name (``"MSELoss"`` …) or an instance
        that takes the mean; or a :data:`Loss`.
    delta : float, optional
        Where the Huber loss turns from a parabola into a line, in units of the target; 1 where
        nothing says it.

    Raises
    ------
    InvalidSetting
        On a name that is none of these, on a ``delta`` that is not above 0, or one beside a loss
        that has none or another.

    Examples
    --------
    >>> make_loss("HuberLoss", delta=2)
    Huber(delta=2.0)
    """
    if delta is None and isinstance(loss, str) and loss in LOSSES:
        return LOSSES[loss]()
    word = loss if isinstance(loss, str) else _class_of(loss).__name__
    chosen = LOSSES.get(word.lower().removesuffix("loss"))
    if chosen is None or getattr(loss, "reduction", "mean") != "mean":
        meant = _SYNONYMS.get(word.lower())
        close = f"did you mean {meant!r}?" if meant else nearest(word, LOSSES)
        advice = close if chosen is None else "pass it with reduction='mean'"
        if not isinstance(loss, str | type):
            advice = advice if chosen is not None else "pass for example 'mse'"
        raise InvalidSetting("loss", got=repr(loss), expected="the name of a loss", advice=advice)
    own = None if isinstance(loss, str | type) else getattr(loss, "delta", None)
    if own is not None:
        own = DELTA.take("delta", own)
    if delta is None:
        return Huber(own) if own is not None and chosen is Huber else chosen()
    given = DELTA.take("delta", delta)
    if (chosen is not Huber and given != DELTA_DEFAULT) or (own is not None and own != given):
        raise InvalidSetting(
            "delta",
            got=f"{delta!r} with loss={loss!r}",
            expected="loss='huber', which alone has one"
            if own is None
            else "the loss's own, or none",
            advice="leave {delta} out",
            suggest={"delta": ...},
        )
    return Huber(given) if chosen is Huber else chosen()


def _class_of(loss: object) -> type:
    return loss if isinstance(loss, type) else type(loss)
