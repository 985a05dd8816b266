"""RMSprop: steps divided by the root of a moving average of squared gradients, centred or not.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from thalweg.kinds import POSITIVE_OR_ZERO, Flag, Number, Span
from thalweg.optimizers.rule import (
    EPS,
    LR,
    MAXIMIZE,
    MOMENTUM,
    WEIGHT_DECAY,
    Coefficients,
    Pair,
    Slots,
    State,
    optimizer,
)

__all__ = ["RMSprop"]

ALPHA = Number(
    "How much of the moving averages is kept at each step.",
    range=POSITIVE_OR_ZERO,
    span=Span(0.0, 0.999),
)
CENTERED = Flag("Divides by the gradients' spread about their mean, not about zero.")


@optimizer(
    slots=(
        State("square_avg"),
        State("momentum_buffer", kept_if="momentum"),
        State("grad_avg", kept_if="centered"),
    )
)
class RMSprop(NamedTuple):
    """Steps divided by the root of a moving average of squared gradients, centred or not."""

    lr: Annotated[float, LR] = 1e-2
    alpha: Annotated[float, ALPHA] = 0.99
    eps: Annotated[float, EPS] = 1e-8
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    momentum: Annotated[float, MOMENTUM] = 0.0
    centered: Annotated[bool, CENTERED] = False
    maximize: Annotated[bool, MAXIMIZE] = False

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        centered = 1.0 * self.centered
        return (1.0 - 2.0 * self.maximize, 1.0 - self.alpha, centered, 0.0, 0.0, 0.0), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, gain, centered, _, _, _ = coefficients
        gradient = sign * gradient + self.weight_decay * parameter
        square_avg = self.alpha * slots[0] + gain * (gradient * gradient)
        grad_avg = slots[2] + gain * (gradient - slots[2])
        scale = math.sqrt(square_avg - centered * (grad_avg * grad_avg)) + self.eps
        momentum_buffer = self.momentum * slots[1] + gradient / scale
        return parameter - self.lr * momentum_buffer, (square_avg, momentum_buffer, grad_avg)
