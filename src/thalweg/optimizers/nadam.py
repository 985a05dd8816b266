"""NAdam: Adam with Nesterov's momentum, which itself warms up over the steps.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

from thalweg.kinds import POSITIVE_OR_ZERO, Number, Span
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

__all__ = ["NAdam"]

MOMENTUM_DECAY = Number(
    "How fast the momentum warms up to its full strength.",
    range=POSITIVE_OR_ZERO,
    span=Span(1e-5, 1.0, logarithmic=True),
)


@optimizer(
    slots=(State("exp_avg"), State("exp_avg_sq")), scalars=(State("mu_product", initial=1.0),)
)
class NAdam(NamedTuple):
    """Adam with Nesterov's momentum, which itself warms up over the steps."""

    lr: Annotated[float, LR] = 2e-3
    betas: Annotated[Pair, BETAS] = (0.9, 0.999)
    eps: Annotated[float, EPS] = 1e-8
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    momentum_decay: Annotated[float, MOMENTUM_DECAY] = 4e-3
    decoupled_weight_decay: Annotated[bool, DECOUPLED] = False
    maximize: Annotated[bool, MAXIMIZE] = False

    def bases(self) -> Pair:
        """Give the numbers whose powers the schedule needs."""
        return (self.betas[1], 0.96**self.momentum_decay)

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        # powers[1] is 0.96 ** (momentum_decay · step): how far the momentum still is from beta1.
        mu = self.betas[0] * (1.0 - 0.5 * powers[1])
        mu_next = self.betas[0] * (1.0 - 0.5 * (powers[1] * bases[1]))
        mu_product = scalars[0] * mu
        # With the bias correction c out of the root, √(v / c) + eps is (√v + eps √c) / √c; and the
        # two quotients lr (1 - mu) / rest and lr mu_next / rest_next share one division.
        root = math.sqrt(1.0 - powers[0])
        rest, rest_next = 1.0 - mu_product, 1.0 - mu_product * mu_next
        share = root / (rest * rest_next)
        of_gradient = self.lr * (share * rest_next * (1.0 - mu))
        of_average = self.lr * (share * rest * mu_next)
        decoupled = 1.0 * self.decoupled_weight_decay
        shrink = 1.0 - self.lr * self.weight_decay * decoupled
        decay = self.weight_decay * (1.0 - decoupled)
        sign = 1.0 - 2.0 * self.maximize
        coefficients = (sign, shrink, decay, of_gradient, of_average, self.eps * root)
        return coefficients, (mu_product, scalars[1])

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, shrink, decay, of_gradient, of_average, floor = coefficients
        beta1, beta2 = self.betas
        gradient = sign * gradient + decay * parameter
        exp_avg = slots[0] + (1.0 - beta1) * (gradient - slots[0])
        exp_avg_sq = beta2 * slots[1] + (1.0 - beta2) * (gradient * gradient)
        step = (of_gradient * gradient + of_average * exp_avg) / (math.sqrt(exp_avg_sq) + floor)
        return shrink * parameter - step, (exp_avg, exp_avg_sq)
