"""Rprop: steps that lengthen while the gradient keeps its sign and shorten when it turns.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from thalweg.kinds import POSITIVE_OR_ZERO, Range, Span, TwoNumbers
from thalweg.optimizers.rule import LR, MAXIMIZE, Coefficients, Pair, Slots, State, optimizer

__all__ = ["Rprop"]

ETAS = TwoNumbers(
    "The factors by which a step shrinks when the gradient turns, and grows when it does not.",
    ranges=(Range(0.0, 1.0, with_minimum=False), Range(1.0, with_minimum=False)),
    spans=(Span(0.01, 0.99), Span(1.01, 3.0)),
)
STEP_SIZES = TwoNumbers(
    "The shortest and the longest step allowed.",
    ranges=(POSITIVE_OR_ZERO, POSITIVE_OR_ZERO),
    spans=(Span(1e-9, 1e3, logarithmic=True), Span(1e-9, 1e3, logarithmic=True)),
)


@optimizer(slots=(State("prev"), State("step_size", initial="lr")))
class Rprop(NamedTuple):
    """Steps that lengthen while the gradient keeps its sign and shorten when it turns.

    A gradient that is zero makes no step. PyTorch's may be a rounding away from it, where terms
    cancel, and then makes a whole one.
    """

    lr: Annotated[float, LR] = 1e-2
    etas: Annotated[Pair, ETAS] = (0.5, 1.2)
    step_sizes: Annotated[Pair, STEP_SIZES] = (1e-06, 50.0)
    maximize: Annotated[bool, MAXIMIZE] = False

    def schedule(
        self, step: float, bases: Pair, powers: Pair, scalars: Pair
    ) -> tuple[Coefficients, Pair]:
        """Give what a step needs that is the same for all parameters."""
        return (1.0 - 2.0 * self.maximize, 0.0, 0.0, 0.0, 0.0, 0.0), scalars

    def update(
        self, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
    ) -> tuple[float, Slots]:
        """Make the step of one parameter."""
        gradient = coefficients[0] * gradient
        agreement = gradient * slots[0]
        factor = self.etas[1] if agreement > 0.0 else 1.0
        factor = self.etas[0] if agreement < 0.0 else factor
        length = slots[1] * factor
        length = length if length > self.step_sizes[0] else self.step_sizes[0]
        length = length if length < self.step_sizes[1] else self.step_sizes[1]
        kept = 0.0 if agreement < 0.0 else gradient
        direction = 1.0 if kept > 0.0 else 0.0
        direction = -1.0 if kept < 0.0 else direction
        return parameter - direction * length, (kept, length)
