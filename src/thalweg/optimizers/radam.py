"""RAdam: Adam that scales its steps only once the squared average is worth trusting.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from thalweg.optimizers.rule import (
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

__all__ = ["RAdam"]


@optimizer(slots=(State("exp_avg"), State("exp_avg_sq")))
class RAdam(NamedTuple):
    """Adam that scales its steps only once the squared average is worth trusting."""

    lr: Annotated[float, LR] = 1e-3
    betas: Annotated[Pair, BETAS] = (0.9, 0.999)
    eps: Annotated[float, EPS] = 1e-8
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    decoupled_weight_decay: Annotated[bool, DECOUPLED] = False
    maximize: Annotated[bool, MAXIMIZE] = False

    def bases(self) -> Pair:
        """Give the numbers whose powers the schedule needs."""
        return self.betas

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        correction = 1.0 - powers[1]
        rho_inf = 2.0 / (1.0 - self.betas[1]) - 1.0
        rho = rho_inf - 2.0 * step * powers[1] / correction
        trusted = rho > 5.0
        above = rho if trusted else 5.0  # keeps the root real where it is not used
        rectified = (above - 4.0) * (above - 2.0) * rho_inf
        rectified = rectified / ((rho_inf - 4.0) * (rho_inf - 2.0) * above) * correction
        step_size = self.lr * ((math.sqrt(rectified) if trusted else 1.0) / (1.0 - powers[0]))
        # Untrusted, the step is plain momentum: the scale is 0 · √v + 1.
        of_root, floor = (1.0, self.eps) if trusted else (0.0, 1.0)
        decoupled = 1.0 * self.decoupled_weight_decay
        shrink = 1.0 - self.lr * self.weight_decay * decoupled
        decay = self.weight_decay * (1.0 - decoupled)
        return (1.0 - 2.0 * self.maximize, shrink, decay, step_size, of_root, floor), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, shrink, decay, step_size, of_root, floor = coefficients
        beta1, beta2 = self.betas
        gradient = sign * gradient + decay * parameter
        exp_avg = slots[0] + (1.0 - beta1) * (gradient - slots[0])
        exp_avg_sq = beta2 * slots[1] + (1.0 - beta2) * (gradient * gradient)
        scale = of_root * math.sqrt(exp_avg_sq) + floor
        return shrink * parameter - step_size * exp_avg / scale, (exp_avg, exp_avg_sq)
