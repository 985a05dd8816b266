"""Which optimiser a user's words mean: a rule of ours, or a class that only PyTorch can run.

Not here: what a rule is (:mod:`thalweg.optimizers.rule`), the other settings of a fit
(:mod:`thalweg.settings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from thalweg.errors import InvalidSetting, nearest
from thalweg.kinds import Flag, Kind, Number, Whole
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import LR, Rule, declared

# Words that users bring from elsewhere, and ours for the same thing.
_SYNONYMS = {
    "learning_rate": "lr",
    "eta0": "lr",
    "learning_rate_init": "lr",
    "max_iter": "epochs",
    "n_epochs": "epochs",
    "num_epochs": "epochs",
    "random_state": "seed",
    "fit_intercept": "intercept",
    "bias": "intercept",
    "tol": "tolerance",
    "solver": "optimizer",
    "criterion": "loss",
}
_NO_SCHEDULE = "the rate is constant; for another from here on go on with start=run and its lr"
_NO_PENALTY = "lasso and elastic net are out of scope; weight_decay shrinks as ridge does"
_OF_READING = "give it to thalweg.read(data, target=…, {}=…), and fit what that gives"
_READING = {
    name: name
    for name in (
        "missing", "delimiter", "decimal", "thousands", "na_values", "encoding", "comment",
        "skip_rows",
    )
} | {"sep": "delimiter", "skiprows": "skip_rows"}  # fmt: skip
_ELSEWHERE = {
    "scheduler": _NO_SCHEDULE,
    "schedule": _NO_SCHEDULE,
    "lr_scheduler": _NO_SCHEDULE,
    "penalty": _NO_PENALTY,
    "l1_ratio": _NO_PENALTY,
    **{asked: _OF_READING.format(name) for asked, name in _READING.items()},
}


class _Never(Flag):
    """A flag of PyTorch's whose True has no place in a fit on the processor."""

    expected = "False"

    def normal(self, value: Any) -> bool | None:
        """Give False."""
        return False if super().normal(value) is False else None


# How PyTorch computes a step, not what the step is: these settle the reference engine.
TORCH_FLAGS: dict[str, Kind] = {
    "foreach": Flag("", "say True or False, or leave it out", optional=True),
    "fused": Flag("", "say True or False, or leave it out", optional=True),
    "capturable": _Never("", "leave it out: it is for CUDA's graphs"),
    "differentiable": _Never("", "leave it out: no gradient is taken through a descent"),
}
TORCH_ONLY = {"adafactor": "Adafactor", "muon": "Muon"}
"""Optimisers of ``torch.optim`` that only PyTorch can run, by the names that ``fit`` takes."""
_REFUSED = {
    "lbfgs": "it asks for the loss many times in one step, through a closure",
    "sparseadam": "it takes sparse gradients only, and a regression's are dense",
}


class TorchRule(NamedTuple):
    """An optimiser of PyTorch's that only PyTorch can run.

    ``torch_class`` is the class, or None for the one of that name in ``torch.optim``;
    ``settings`` are those given beside the learning rate, as pairs of name and value.
    """

    name: str
    lr: float
    torch_class: type | None = None
    settings: tuple[tuple[str, Any], ...] = ()


def choose_rule(
    optimizer: object, lr: object, given: Mapping[str, Any], beside: Sequence[str] = ()
) -> Rule | TorchRule:
    """Find the rule that a name or a class of ``torch.optim`` means, with its settings checked.

    A rule of ours where there is one; PyTorch's own class, for the reference engine, where
    there is none or a setting of PyTorch's implementation is given. ``beside`` is what can be
    said beside the rule's own settings, for advice.

    Examples
    --------
    >>> choose_rule("Adam", 0.1, {"foreach": True})
    TorchRule(name='Adam', lr=0.1, torch_class=None, settings=(('foreach', True),))
    """
    if isinstance(optimizer, TorchRule):  # as another run had it
        return optimizer
    rate = LR.take("lr", lr)
    if not given and isinstance(optimizer, str) and optimizer in RULES:
        return RULES[optimizer](rate)  # type: ignore[call-arg]  # a NamedTuple's first field
    name, torch_class = _named(optimizer)
    builtin = torch_class is None or torch_class.__module__.startswith("torch.optim")
    rule = RULES.get(name) if builtin else None
    if rule is not None:
        plain = given
        if given:
            check_names(given, rule, beside)
            plain = {k: v for k, v in given.items() if k not in TORCH_FLAGS}
        made: Rule = make_rule(name, rate, plain)
        if len(plain) == len(given):
            return made
        return TorchRule(rule.__name__, rate, torch_class, _frozen(given))
    if torch_class is None and name not in TORCH_ONLY:
        raise _no_optimizer(optimizer)
    class_name = torch_class.__name__ if torch_class else TORCH_ONLY[name]
    return TorchRule(class_name, rate, torch_class, _frozen(given))


def make_rule(name: str, lr: object = None, given: Mapping[str, object] | None = None) -> Any:
    """Make a rule from its name, the learning rate and PyTorch's other hyper-parameters.

    Parameters
    ----------
    name : str
        A name of :data:`~thalweg.optimizers.registry.RULES`.
    lr : float, optional
        The learning rate; PyTorch's default for the rule when left out.
    given : mapping of str to object, optional
        The rule's other settings.

    Returns
    -------
    Rule
        Every value of its kind: a number is a float, a pair a tuple of floats.

    Raises
    ------
    InvalidSetting
        On a value out of range.

    Examples
    --------
    >>> make_rule("sgd", lr=0.1, given={"momentum": 0.9})
    SGD(lr=0.1, momentum=0.9, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False)
    """
    known = declared(RULES[name])
    values = {**(given or {}), **({} if lr is None else {"lr": lr})}
    made = RULES[name](
        **{key: known.settings[key].take(key, v, known.defaults[key]) for key, v in values.items()}
    )
    if known.check is not None:
        known.check(made)
    return made


def _named(optimizer: object) -> tuple[str, type | None]:
    """Give the name, in lower case, and the class where one was given."""
    if isinstance(optimizer, str):
        name, torch_class = optimizer.lower(), None
    elif isinstance(optimizer, type):
        name, torch_class = optimizer.__name__.lower(), optimizer
        if not any(base.__module__.startswith("torch.optim") for base in optimizer.__mro__):
            raise _no_optimizer(optimizer.__name__)
    else:
        raise _no_optimizer(optimizer)
    if name in _REFUSED:
        raise InvalidSetting(
            "optimizer",
            got=repr(name),
            expected="one that makes a step from one gradient",
            advice=f"{_REFUSED[name]}; try 'nadam'",
        )
    return name, torch_class


def _frozen(given: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Keep settings whose ranges only PyTorch checks, each as Python's own value."""
    return tuple((name, TORCH_FLAGS.get(name, _PLAIN).take(name, given[name])) for name in given)


class _Plain(Kind):
    """What an optimiser of PyTorch's is told: flags, numbers, words, and tuples of these."""

    expected = "a number, a flag, a word or a tuple of these"

    def normal(self, value: Any) -> Any:
        """Give it as Python's own; a list becomes a tuple."""
        if isinstance(value, list | tuple):
            parts = tuple(part if part is None else self.normal(part) for part in value)
            return parts if parts.count(None) == sum(part is None for part in value) else None
        if isinstance(value, str):
            return str(value)
        kinds: tuple[Kind, ...] = (Flag(""), Whole(""), Number(""))
        return next((n for kind in kinds if (n := kind.normal(value)) is not None), None)


_PLAIN = _Plain("", "look it up in PyTorch's documentation", optional=True)


def check_names(
    given: Iterable[str], rule: type[Rule], beside: Sequence[str], *, function: str = "fit"
) -> None:
    """Refuse settings that neither a function nor the optimiser has, all of them at once."""
    known = [name for name in declared(rule).defaults if name != "lr"] + sorted(TORCH_FLAGS)
    unknown = [name for name in given if name not in known]
    if not unknown:
        return
    valid = [*beside, *known]
    advice = "; ".join(
        f"for {name!r} {_advise(name, valid)}" if len(unknown) > 1 else _advise(name, valid)
        for name in unknown
    )
    raise InvalidSetting(
        function,
        got=f"unknown setting{'s' * (len(unknown) > 1)} {', '.join(map(repr, unknown))}",
        expected=f"its own settings and those of {rule.__name__}",
        advice=advice,
    )


def _advise(name: str, valid: list[str]) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    synonym = _SYNONYMS.get(name)
    return f"did you mean {synonym!r}?" if synonym in valid else nearest(name, valid)


def class_name(optimizer: str) -> str | None:
    """Spell an optimiser as its class in ``torch.optim`` is; None where it is not from there."""
    return RULES[optimizer].__name__ if optimizer in RULES else TORCH_ONLY.get(optimizer)


def _no_optimizer(optimizer: object) -> InvalidSetting:
    return InvalidSetting(
        "optimizer",
        got=repr(optimizer),
        expected="the name or the class of an optimiser of torch.optim",
        advice=nearest(str(optimizer), sorted([*RULES, *TORCH_ONLY])),
    )
