"""Adadelta: steps in the ratio of past updates to past gradients, so that units cancel.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from thalweg.kinds import Number, Range, Span
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

__all__ = ["Adadelta"]

RHO = Number(
    "How much of both averages is kept each step.",
    range=Range(0.0, 1.0, with_maximum=True),
    span=Span(0.0, 1.0),
)


@optimizer(slots=(State("square_avg"), State("acc_delta")))
class Adadelta(NamedTuple):
    """Steps in the ratio of past updates to past gradients, so that units cancel."""

    lr: Annotated[float, LR] = 1.0
    rho: Annotated[float, RHO] = 0.9
    eps: Annotated[float, EPS] = 1e-6
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    maximize: Annotated[bool, MAXIMIZE] = False

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        return (1.0 - 2.0 * self.maximize, 1.0 - self.rho, 0.0, 0.0, 0.0, 0.0), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, gain, _, _, _, _ = coefficients
        gradient = sign * gradient + self.weight_decay * parameter
        square_avg = self.rho * slots[0] + gain * (gradient * gradient)
        delta = math.sqrt(slots[1] + self.eps) / math.sqrt(square_avg + self.eps) * gradient
        acc_delta = self.rho * slots[1] + gain * (delta * delta)
        return parameter - self.lr * delta, (square_avg, acc_delta)
