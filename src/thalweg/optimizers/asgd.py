"""ASGD: gradient descent whose steps shorten by a power law and whose parameters are averaged.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from thalweg.kinds import ANY, Number, Span
from thalweg.optimizers.rule import (
    LAMBD,
    LR,
    MAXIMIZE,
    WEIGHT_DECAY,
    Coefficients,
    Pair,
    Slots,
    State,
    optimizer,
)

__all__ = ["ASGD"]

ALPHA = Number("The power of the step count by which the steps shorten.", range=ANY)
T0 = Number(
    "The step after which the parameters are averaged.",
    range=ANY,
    span=Span(1.0, 1e8, logarithmic=True),
)


@optimizer(slots=(State("ax"),), scalars=(State("eta", initial="lr"), State("mu", initial=1.0)))
class ASGD(NamedTuple):
    """Gradient descent whose steps shorten by a power law and whose parameters are averaged."""

    lr: Annotated[float, LR] = 1e-2
    lambd: Annotated[float, LAMBD] = 1e-4
    alpha: Annotated[float, ALPHA] = 0.75
    t0: Annotated[float, T0] = 1e6
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    maximize: Annotated[bool, MAXIMIZE] = False

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        eta, mu = scalars
        coefficients = (1.0 - 2.0 * self.maximize, 1.0 - self.lambd * eta, eta, mu, 0.0, 0.0)
        next_eta = self.lr / (1.0 + self.lambd * self.lr * step) ** self.alpha
        since = step - self.t0
        return coefficients, (next_eta, 1.0 / (since if since > 1.0 else 1.0))

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        sign, shrink, eta, mu, _, _ = coefficients
        gradient = sign * gradient + self.weight_decay * parameter
        moved = shrink * parameter - eta * gradient
        ax = moved if mu == 1.0 else slots[0] + (moved - slots[0]) * mu
        return moved, (ax,)
