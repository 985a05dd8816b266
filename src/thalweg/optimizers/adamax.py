"""Adamax: Adam with the largest recent gradient in place of the squared average.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from thalweg.optimizers.rule import (
    BETAS,
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

__all__ = ["Adamax"]


@optimizer(slots=(State("exp_avg"), State("exp_inf")))
class Adamax(NamedTuple):
    """Adam with the largest recent gradient in place of the squared average."""

    lr: Annotated[float, LR] = 2e-3
    betas: Annotated[Pair, BETAS] = (0.9, 0.999)
    eps: Annotated[float, EPS] = 1e-8
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    maximize: Annotated[bool, MAXIMIZE] = False

    def bases(self) -> Pair:
        """Give the numbers whose powers the schedule needs."""
        return self.betas

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        step_size = self.lr / (1.0 - powers[0])
        return (1.0 - 2.0 * self.maximize, step_size, 0.0, 0.0, 0.0, 0.0), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, step_size, _, _, _, _ = coefficients
        beta1, beta2 = self.betas
        gradient = sign * gradient + self.weight_decay * parameter
        exp_avg = slots[0] + (1.0 - beta1) * (gradient - slots[0])
        held, fresh = beta2 * slots[1], abs(gradient) + self.eps
        exp_inf = fresh if fresh > held else held
        return parameter - step_size * exp_avg / exp_inf, (exp_avg, exp_inf)
