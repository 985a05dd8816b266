"""Every optimiser by its name: found in this package's files, made of a user's words.

Not here: what a rule is (:mod:`thalweg.optimizers.rule`), optimisers that only PyTorch can run
(:mod:`thalweg.settings`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from thalweg import optimizers
from thalweg.errors import InvalidSetting, nearest
from thalweg.optimizers.rule import Rule, declared

_OWN_FILES = ("registry", "rule")


def _named() -> Iterator[tuple[str, type[Rule]]]:
    """Find what each file of the package offers in its ``__all__``."""
    for file in iter_modules(optimizers.__path__):
        if file.name not in _OWN_FILES:
            module = import_module(f"{optimizers.__name__}.{file.name}")
            for name in module.__all__:
                yield name.lower(), getattr(module, name)


RULES: dict[str, type[Rule]] = dict(sorted(_named()))
"""Each rule by the name that :func:`thalweg.fit` takes."""


def make_rule(
    name: str | type, lr: object = None, hyperparameters: Mapping[str, object] | None = None
) -> Any:
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

    Returns
    -------
    Rule
        Every value of its kind: a number is a float, a pair a tuple of floats.

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
    known = declared(rule)
    given = dict(hyperparameters or {})
    if lr is not None:
        given["lr"] = lr
    values: dict[str, Any] = {}
    for setting, value in given.items():
        kind = known.settings.get(setting)
        if kind is None:
            raise InvalidSetting(
                setting,
                got=repr(value),
                expected=f"a setting that {rule.__name__} has",
                advice=nearest(setting, known.settings),
            )
        values[setting] = kind.take(setting, value, known.defaults[setting])
    made = rule(**values)
    if known.check is not None:
        known.check(made)
    return made


def _rule_class(name: object) -> type[Rule]:
    word = name.__name__ if isinstance(name, type) else name
    if isinstance(word, str) and word.lower() in RULES:
        return RULES[word.lower()]
    advice = nearest(word, RULES) if isinstance(word, str) else "pass for example 'nadam'"
    raise InvalidSetting(
        "optimizer",
        got=repr(name),
        expected="the name of an optimiser",
        advice=advice,
    )
