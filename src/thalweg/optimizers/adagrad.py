"""Adagrad: steps divided by the root of the sum of all squared gradients.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from thalweg.kinds import POSITIVE_OR_ZERO, Number, Span
from thalweg.optimizers.rule import (
    EPS,
    LR,
    MAXIMIZE,
    WEIGHT_DECAY,
    Coefficients,
    Pair,
    Slots,
    State,
    optimizer,
)

__all__ = ["Adagrad"]

LR_DECAY = Number(
    "How fast the learning rate falls with the steps made.",
    range=POSITIVE_OR_ZERO,
    span=Span(1e-8, 1.0, logarithmic=True),
)
INITIAL_SUM = Number(
    "Where the sum of squared gradients starts.",
    range=POSITIVE_OR_ZERO,
    span=Span(1e-8, 1e8, logarithmic=True),
)


@optimizer(slots=(State("sum", initial="initial_accumulator_value"),))
class Adagrad(NamedTuple):
    """Steps divided by the root of the sum of all squared gradients."""

    lr: Annotated[float, LR] = 1e-2
    lr_decay: Annotated[float, LR_DECAY] = 0.0
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    initial_accumulator_value: Annotated[float, INITIAL_SUM] = 0.0
    eps: Annotated[float, EPS] = 1e-10
    maximize: Annotated[bool, MAXIMIZE] = False

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        step_size = self.lr / (1.0 + (step - 1.0) * self.lr_decay)
        return (1.0 - 2.0 * self.maximize, step_size, 0.0, 0.0, 0.0, 0.0), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, step_size, _, _, _, _ = coefficients
        gradient = sign * gradient + self.weight_decay * parameter
        total = slots[0] + gradient * gradient
        return parameter - step_size * gradient / (math.sqrt(total) + self.eps), (total,)
