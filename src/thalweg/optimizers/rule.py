"""What a rule is: how an optimiser's file declares one, and what is known of each.

A rule is a NamedTuple of the settings that the class of the same name in ``torch.optim`` takes,
with PyTorch's defaults, each annotated with its :class:`~thalweg.kinds.Kind`. In its body stand
pure methods, written for Python's floats and compiled for the engines as they are:

``bases() -> bases``
    The two numbers whose powers the schedule needs, such as Adam's betas; left out where it
    needs none.
``schedule(step, bases, powers, scalars) -> coefficients, scalars``
    What a step needs that is the same for all parameters, such as bias corrections: six numbers,
    those not needed 0. ``step`` counts from 1, ``powers`` are ``bases`` to the power ``step``,
    and ``scalars`` are two numbers that the rule carries from one step to the next, such as
    NAdam's product of momenta.
``update(coefficients, parameter, gradient, slots) -> parameter, slots``
    One parameter's step; ``slots`` is what the rule keeps of each parameter. No branch depends
    on the parameter, so a loop over parameters, or over runs, becomes vector code.

:func:`optimizer` adds what the rule remembers, under PyTorch's names. The arithmetic is PyTorch's
to rounding, with two liberties that change no result: flags enter as factors 0 and 1 in place of
branches, and what does not depend on the parameter is worked out once a step, with few divisions,
which wait for one another, and the learning rate last, which alone differs between the runs of a
sweep.

Not here: any rule (a file each, beside this one), walking the steps (:mod:`thalweg.descent`), the
gradients (:mod:`thalweg.losses`).

References
----------
The equations are those of PyTorch 2.13's ``torch.optim``, whose documentation names the papers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, get_type_hints

from thalweg.distinct import distinct
from thalweg.kinds import (
    ANY,
    FRACTION,
    POSITIVE,
    POSITIVE_OR_ZERO,
    Flag,
    Kind,
    Number,
    Span,
    TwoNumbers,
)

Pair: TypeAlias = tuple[float, float]
Slots: TypeAlias = tuple[float, ...]
Coefficients: TypeAlias = tuple[float, float, float, float, float, float]


class Rule(Protocol):
    """What every rule is, as a NamedTuple: settings, the learning rate first."""

    @property
    def lr(self) -> float:
        """The learning rate."""

    @property
    def _replace(self) -> Callable[..., Any]: ...

    def _asdict(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=type)

# --- Settings that several rules share ------------------------------------------------------------

LR = Number("The learning rate: how far a step goes.", "try {lr}", range=POSITIVE, example=0.01)
WEIGHT_DECAY = Number(
    "How strongly all parameters are drawn towards zero.",
    range=POSITIVE_OR_ZERO,
    span=Span(1e-8, 1.0, logarithmic=True),
)
MAXIMIZE = Flag("Climbs the loss instead of descending it.")
EPS = Number(
    "A small number that keeps a division by zero away.",
    range=POSITIVE_OR_ZERO,
    span=Span(1e-12, 1.0, logarithmic=True),
)
MOMENTUM = Number(
    "How much of the last step is carried into the next.",
    range=POSITIVE_OR_ZERO,
    span=Span(0.0, 0.999),
)
BETAS = TwoNumbers(
    "How much of the moving averages of the gradient and of its square is kept at each step.",
    ranges=(FRACTION, FRACTION),
)
AMSGRAD = Flag("Divides by the largest squared average so far, so that steps only shrink.")
DECOUPLED = Flag("Decays the parameters apart from the gradient, as AdamW does.")
LAMBD = Number(
    "How strongly each step decays the parameters and later steps shorten.",
    range=ANY,
    span=Span(1e-8, 1.0, logarithmic=True),
)

# --- What a rule remembers ------------------------------------------------------------------------


class State(NamedTuple):
    """One thing that a rule keeps from step to step, under PyTorch's name.

    Parameters
    ----------
    name : str
    initial : float or str
        Its value before the first step; or the setting that says it.
    kept_if : str, optional
        The setting that must not be 0 or False for PyTorch to keep such a thing.
    kept : bool
        Whether PyTorch keeps such a thing at all.
    """

    name: str
    initial: float | str = 0.0
    kept_if: str | None = None
    kept: bool = True

    def value(self, rule: Rule) -> float:
        """Give the value before a rule's first step."""
        if isinstance(self.initial, str):
            return float(getattr(rule, self.initial))
        return self.initial

    def is_kept(self, rule: Rule) -> bool:
        """Tell whether PyTorch keeps it with these settings."""
        return self.kept and (self.kept_if is None or bool(getattr(rule, self.kept_if)))


class Declared(NamedTuple):
    """What is known of a class of rules."""

    settings: dict[str, Kind]  # in the order of its fields
    defaults: dict[str, Any]
    slots: tuple[State, ...]  # kept of each parameter
    scalars: tuple[State, ...]  # single numbers: the step count, then at most two of its own
    canonical: Callable[[Any], Any] | None
    check: Callable[[Any], None] | None


def optimizer(
    *,
    slots: tuple[State, ...] = (),
    scalars: tuple[State, ...] = (),
    step: State = State("step"),  # noqa: B008  # immutable
    canonical: Callable[[Any], Any] | None = None,
    check: Callable[[Any], None] | None = None,
) -> Callable[[R], R]:
    """Declare a NamedTuple to be a rule.

    Parameters
    ----------
    slots, scalars : tuple of State
        What it keeps of each parameter, three things at most; and in all, two at most.
    step : State
        Its count of steps, the first of its scalars.
    canonical : callable, optional
        Gives the rule that makes the same steps and has an arithmetic of its own.
    check : callable, optional
        Refuses settings that do not go together.
    """

    def declare(rule: Any) -> Any:
        hints = get_type_hints(rule, include_extras=True)
        kinds = {name: hints[name].__metadata__[0] for name in rule._fields}
        rule.__declared__ = Declared(
            kinds, rule._field_defaults, slots, (step, *scalars), canonical, check
        )
        return distinct(rule)

    return declare


def declared(rule: type) -> Declared:
    """Give what a class of rules declared."""
    known: Declared = rule.__declared__  # type: ignore[attr-defined]  # set by optimizer
    return known


def canonical(rule: Any) -> Any:
    """Give the rule that makes the same steps and has an arithmetic of its own.

    Examples
    --------
    >>> from thalweg.optimizers.sgd import SGD
    >>> canonical(SGD(lr=0.1))
    PlainSGD(lr=0.1, weight_decay=0.0, maximize=False)
    >>> canonical(SGD(lr=0.1, momentum=0.9)).momentum
    0.9
    """
    made = declared(type(rule)).canonical
    return rule if made is None else made(rule)
