"""Adam: moving averages of the gradient and of its square, both corrected for their start.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from thalweg.optimizers.rule import (
    AMSGRAD,
    BETAS,
    DECOUPLED,
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

__all__ = ["Adam"]


@optimizer(
    slots=(State("exp_avg"), State("exp_avg_sq"), State("max_exp_avg_sq", kept_if="amsgrad"))
)
class Adam(NamedTuple):
    """Moving averages of the gradient and of its square, both corrected for their start."""

    lr: Annotated[float, LR] = 1e-3
    betas: Annotated[Pair, BETAS] = (0.9, 0.999)
    eps: Annotated[float, EPS] = 1e-8
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    amsgrad: Annotated[bool, AMSGRAD] = False
    maximize: Annotated[bool, MAXIMIZE] = False
    decoupled_weight_decay: Annotated[bool, DECOUPLED] = False

    def bases(self) -> Pair:
        """Give the numbers whose powers the schedule needs."""
        return self.betas

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        decoupled = 1.0 * self.decoupled_weight_decay
        shrink = 1.0 - self.lr * self.weight_decay * decoupled
        decay = self.weight_decay * (1.0 - decoupled)
        # With the bias correction c out of the root, √(v / c) + eps is (√v + eps √c) / √c.
        root = math.sqrt(1.0 - powers[1])
        step_size = self.lr * (root / (1.0 - powers[0]))
        sign = 1.0 - 2.0 * self.maximize
        return (sign, shrink, decay, 1.0 * self.amsgrad, step_size, self.eps * root), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, shrink, decay, amsgrad, step_size, floor = coefficients
        beta1, beta2 = self.betas
        gradient = sign * gradient + decay * parameter
        exp_avg = slots[0] + (1.0 - beta1) * (gradient - slots[0])
        exp_avg_sq = beta2 * slots[1] + (1.0 - beta2) * (gradient * gradient)
        held = amsgrad * slots[2]
        max_exp_avg_sq = exp_avg_sq if exp_avg_sq > held else held
        step = step_size * exp_avg / (math.sqrt(max_exp_avg_sq) + floor)
        return shrink * parameter - step, (exp_avg, exp_avg_sq, max_exp_avg_sq)
