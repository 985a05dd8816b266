"""SGD: stochastic gradient descent, plain, with momentum or with Nesterov's.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from thalweg.errors import InvalidSetting
from thalweg.kinds import ANY, Flag, Number, Span
from thalweg.optimizers.rule import (
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

__all__ = ["SGD"]

DAMPENING = Number(
    "How much of each new gradient the momentum leaves out.", range=ANY, span=Span(0.0, 1.0)
)
NESTEROV = Flag("Takes the gradient's part a step ahead, after Nesterov.")


def _without_momentum(rule: SGD) -> SGD | PlainSGD:
    if rule.momentum == 0.0:
        return PlainSGD(rule.lr, rule.weight_decay, rule.maximize)
    return rule


def _check_nesterov(rule: SGD) -> None:
    if not rule.nesterov:
        return
    for name, value, expected in (
        ("momentum", rule.momentum, "a number above 0 with nesterov=True"),
        ("dampening", rule.dampening, "0 with nesterov=True"),
    ):
        if (value == 0.0) == (name == "momentum"):
            raise InvalidSetting(
                name,
                got=repr(value),
                expected=expected,
                advice="Nesterov's momentum needs a momentum and no dampening",
            )


@optimizer(
    slots=(State("momentum_buffer", kept_if="momentum"),),
    # PyTorch's SGD counts no steps: that there was one shows in the buffer.
    step=State("step", kept=False),
    canonical=_without_momentum,
    check=_check_nesterov,
)
class SGD(NamedTuple):
    """Stochastic gradient descent, plain, with momentum or with Nesterov's."""

    lr: Annotated[float, LR] = 1e-3
    momentum: Annotated[float, MOMENTUM] = 0.0
    dampening: Annotated[float, DAMPENING] = 0.0
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    nesterov: Annotated[bool, NESTEROV] = False
    maximize: Annotated[bool, MAXIMIZE] = False

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        # The step is lr · (buffer), or lr · (gradient + momentum · buffer) with Nesterov: linear in
        # gradient, parameter and old buffer. Their factors are made here to keep the update short.
        # The first gradient fills the buffer whole: dampening starts with the second.
        dampened = 1.0 if step > 1.0 and self.momentum != 0.0 else 0.0
        gain = 1.0 - self.dampening * dampened
        of_buffer = self.momentum if self.nesterov else 1.0
        of_gradient = (1.0 if self.nesterov else 0.0) + of_buffer * gain
        sign = 1.0 - 2.0 * self.maximize
        push = self.lr * of_gradient * sign
        shrink = 1.0 - self.lr * of_gradient * self.weight_decay
        carry = self.lr * of_buffer * self.momentum
        return (push, shrink, carry, gain * sign, gain * self.weight_decay, 0.0), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        push, shrink, carry, gain, decay, _ = coefficients
        momentum_buffer = gain * gradient + (decay * parameter + self.momentum * slots[0])
        return (shrink * parameter - carry * slots[0]) - push * gradient, (momentum_buffer,)


@optimizer(step=State("step", kept=False))
class PlainSGD(NamedTuple):
    """SGD without momentum, which remembers nothing: the canonical form of such an SGD."""

    lr: Annotated[float, LR] = 1e-3
    weight_decay: Annotated[float, WEIGHT_DECAY] = 0.0
    maximize: Annotated[bool, MAXIMIZE] = False

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        shrink = 1.0 - self.lr * self.weight_decay
        return (self.lr * (1.0 - 2.0 * self.maximize), shrink, 0.0, 0.0, 0.0, 0.0), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        push, shrink, _, _, _, _ = coefficients
        return shrink * parameter - push * gradient, slots
