"""The optimisers' settings: described once, and checked when a rule is made of a user's words.

The description of a setting (its kind, its range, what it does) is what the checks use and what
the live lab draws its controls from. Ranges are PyTorch's. Not here: the rules and their
arithmetic (:mod:`thalweg.optimizers`), the settings of a fit (:mod:`thalweg.settings`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from thalweg.checks import is_number
from thalweg.errors import InvalidSetting, nearest, sentence
from thalweg.optimizers import ASGD, RULES, SGD, Pair, RMSprop, Rule


class Range(NamedTuple):
    """The numbers that a setting can take: from ``minimum`` to ``maximum``."""

    minimum: float = -math.inf
    maximum: float = math.inf
    with_minimum: bool = True
    with_maximum: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether a number lies in the range; infinities and NaN never do."""
        above = value >= self.minimum if self.with_minimum else value > self.minimum
        below = value <= self.maximum if self.with_maximum else value < self.maximum
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        low, high = f"{self.minimum:g}", f"{self.maximum:g}"
        if math.isinf(self.minimum):
            return "a finite number"
        if math.isinf(self.maximum):
            return f"a number {'of at least' if self.with_minimum else 'above'} {low}"
        low += "" if self.with_minimum else " (excluded)"
        high += "" if self.with_maximum else " (excluded)"
        return f"a number from {low} to {high}"


ANY = Range()
POSITIVE_OR_ZERO = Range(0.0)
FRACTION = Range(0.0, 1.0)


class SettingDescription(NamedTuple):
    """One setting of one rule: what it is called, what it may be, what it does.

    ``ranges`` has an entry for each number: none for a flag, two for a pair.
    """

    name: str
    kind: Literal["number", "pair", "flag"]
    default: float | bool | Pair
    ranges: tuple[Range, ...]
    explanation: str


_Described: TypeAlias = tuple[tuple[Range, ...], str]

_BETAS: _Described = (
    (FRACTION, FRACTION),
    "How much of the moving averages of the gradient and of its square is kept at each step.",
)

_SETTINGS: dict[str, _Described] = {
    "lr": ((POSITIVE_OR_ZERO,), "The learning rate: how far a step goes."),
    "weight_decay": ((POSITIVE_OR_ZERO,), "How strongly all parameters are drawn towards zero."),
    "maximize": ((), "Climbs the loss instead of descending it."),
    "eps": ((POSITIVE_OR_ZERO,), "A small number that keeps a division by zero away."),
    "momentum": ((POSITIVE_OR_ZERO,), "How much of the last step is carried into the next."),
    "betas": _BETAS,
    "dampening": ((ANY,), "How much of each new gradient the momentum leaves out."),
    "nesterov": ((), "Takes the gradient's part a step ahead, after Nesterov."),
    "lr_decay": ((POSITIVE_OR_ZERO,), "How fast the learning rate falls with the steps made."),
    "initial_accumulator_value": (
        (POSITIVE_OR_ZERO,),
        "Where the sum of squared gradients starts.",
    ),
    "rho": ((Range(0.0, 1.0, with_maximum=True),), "How much of both averages is kept each step."),
    "centered": ((), "Divides by the gradients' spread about their mean, not about zero."),
    "amsgrad": ((), "Divides by the largest squared average so far, so that steps only shrink."),
    "decoupled_weight_decay": ((), "Decays the parameters apart from the gradient, as AdamW does."),
    "momentum_decay": ((POSITIVE_OR_ZERO,), "How fast the momentum warms up to its full strength."),
    "lambd": ((ANY,), "How strongly each step decays the parameters and later steps shorten."),
    "t0": ((ANY,), "The step after which the parameters are averaged."),
    "etas": (
        (Range(0.0, 1.0, with_minimum=False), Range(1.0, with_minimum=False)),
        "The factors by which a step shrinks when the gradient turns, and grows when it does not.",
    ),
    "step_sizes": (
        (POSITIVE_OR_ZERO, POSITIVE_OR_ZERO),
        "The shortest and the longest step allowed.",
    ),
}

# The one word that two rules use for different things.
_ALPHA: dict[type[Rule], _Described] = {
    RMSprop: ((POSITIVE_OR_ZERO,), "How much of the moving averages is kept at each step."),
    ASGD: ((ANY,), "The power of the step count by which the steps shorten."),
}


def describe(rule: type[Rule]) -> tuple[SettingDescription, ...]:
    """Describe every setting of a rule, in the order of its fields.

    Examples
    --------
    >>> describe(SGD)[1]
    SettingDescription(name='momentum', kind='number', default=0.0, ranges=(Range(minimum=0.0,
        maximum=inf, with_minimum=True, with_maximum=False),),
        explanation='How much of the last step is carried into the next.')
    """
    described = []
    for name, default in rule._field_defaults.items():
        ranges, explanation = _ALPHA[rule] if name == "alpha" else _SETTINGS[name]
        kind: Literal["number", "pair", "flag"] = "number"
        if not ranges:
            kind = "flag"
        elif len(ranges) == 2:
            kind = "pair"
        described.append(SettingDescription(name, kind, default, ranges, explanation))
    return tuple(described)


# --- From the user's words to a rule --------------------------------------------------------------


def make_rule(
    name: str | type,
    lr: float | None = None,
    hyperparameters: Mapping[str, object] | None = None,
) -> Rule:
    """Make a rule from its name, the learning rate and PyTorch's other hyper-parameters.

    Parameters
    ----------
    name : str or type
        A name of :data:`RULES`, in any case, or the class of that name, here or in
        ``torch.optim``.
    lr : float, optional
        The learning rate; PyTorch's default for the rule when left out.
    hyperparameters : mapping of str to object, optional
        The rule's other settings.

    Raises
    ------
    InvalidSetting
        On a name or a setting that does not exist, or on a value out of range.

    Examples
    --------
    >>> make_rule("sgd", lr=0.1, hyperparameters={"momentum": 0.9})
    SGD(lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False)
    """
    rule = _rule_class(name)
    settings = dict(hyperparameters or {})
    if lr is not None:
        settings["lr"] = lr
    for setting in settings:
        if setting not in rule._fields:
            raise InvalidSetting(
                sentence(
                    setting,
                    got=repr(settings[setting]),
                    expected=f"a setting that {rule.__name__} has",
                    advice=nearest(setting, rule._fields),
                )
            )
    return check_rule(rule(**settings))  # type: ignore[arg-type]  # values are checked there


def check_rule(rule: Rule) -> Rule:
    """Give back the rule with every value checked and of its kind.

    Raises
    ------
    InvalidSetting
        On a value out of range or not of its kind.
    """
    values: dict[str, Any] = {
        setting.name: _checked(setting, getattr(rule, setting.name))
        for setting in describe(type(rule))
    }
    checked = type(rule)(**values)
    if isinstance(checked, SGD) and checked.nesterov:
        for name, wrong, expected in (
            ("momentum", checked.momentum == 0.0, "a number above 0 with nesterov=True"),
            ("dampening", checked.dampening != 0.0, "0 with nesterov=True"),
        ):
            if wrong:
                raise InvalidSetting(
                    sentence(
                        name,
                        got=repr(values[name]),
                        expected=expected,
                        advice="Nesterov's momentum needs a momentum and no dampening",
                    )
                )
    return checked


def _rule_class(name: object) -> type[Rule]:
    word = name.__name__ if isinstance(name, type) else name
    if isinstance(word, str) and word.lower() in RULES:
        return RULES[word.lower()]
    advice = nearest(word, RULES) if isinstance(word, str) else "pass for example 'nadam'"
    raise InvalidSetting(
        sentence(
            "optimizer",
            got=repr(name),
            expected="the name of an optimiser",
            advice=advice,
        )
    )


def _checked(setting: SettingDescription, value: object) -> float | bool | Pair:
    """Turn one value into its kind, or say what is wrong with it."""
    if setting.kind == "flag":
        if isinstance(value, bool | np.bool_):
            return bool(value)
        raise _wrong(setting, value, "True or False")
    if setting.kind == "number":
        if is_number(value) and setting.ranges[0].holds(float(value)):
            return float(value)
        raise _wrong(setting, value, str(setting.ranges[0]))
    first, second = setting.ranges
    if isinstance(value, tuple | list) and len(value) == 2 and all(map(is_number, value)):
        pair = (float(value[0]), float(value[1]))
        if first.holds(pair[0]) and second.holds(pair[1]):
            return pair
    expected = f"a pair, each {first}" if first == second else f"a pair, {first} and {second}"
    raise _wrong(setting, value, expected)


def _wrong(setting: SettingDescription, value: object, expected: str) -> InvalidSetting:
    return InvalidSetting(
        sentence(
            setting.name,
            got=repr(value),
            expected=expected,
            advice=f"PyTorch's default is {setting.default!r}",
        )
    )
