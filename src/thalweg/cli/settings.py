"""The command line's options for the settings of a fit, made of their one definition.

Not here: which settings there are (:mod:`thalweg.settings`), options of the command line's own
(:mod:`thalweg.cli.options`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from thalweg.kinds import Choice, Flag, Kind, Number, Whole
from thalweg.settings import DEFAULTS, MEANINGS, kind_of

NOT_OFFERED = ("batch_sampler",)
"""What no option can say: rows written out."""

C = TypeVar("C", bound=Callable[..., Any])


def with_settings(command: C) -> C:
    """Give a command an option for each setting, in place of its ``**settings``."""
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    own = [p.replace(annotation=hints[p.name]) for p in signature.parameters.values()]
    split = [p.name for p in own].index("settings")
    offered = [_option(name) for name in DEFAULTS if name not in NOT_OFFERED]
    # All by keyword: an option without a default may stand beside those that have one.
    changed: Any = command
    changed.__signature__ = signature.replace(
        parameters=[
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for p in (*own[:split], *offered, *own[split + 1 :])
        ]
    )
    del hints["settings"]
    changed.__annotations__ = {**hints, **{p.name: p.annotation for p in offered}}
    return command


def _option(name: str) -> inspect.Parameter:
    default = DEFAULTS[name]
    kind = None if name == "optimizer" else kind_of(name)
    # A flag that is off has no other form: it is left out.
    forms = [f"--{name.replace('_', '-')}"] if isinstance(kind, Flag) and not default else []
    option = typer.Option(*forms, help=_help(name, kind), show_default=default is not None)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[_type(kind), option],
    )


def _help(name: str, kind: Kind | None) -> str:
    if isinstance(kind, Choice):
        return f"{MEANINGS[name]} One of {', '.join(kind.choices)}."
    return MEANINGS[name]


def _type(kind: Kind | None) -> Any:
    plain: Any = str  # an optimiser, a choice
    if isinstance(kind, Flag):
        plain = bool
    elif isinstance(kind, Whole):
        plain = int
    elif isinstance(kind, Number):
        plain = float
    return plain | None if kind is not None and kind.optional else plain


def as_keywords(given: dict[str, Any]) -> dict[str, Any]:
    """Turn what was typed into keywords of ``fit``: a word of digits may be a number."""
    return {
        name: int(value)
        if isinstance(value, str)
        and value.lstrip("-").isdigit()
        and name != "optimizer"
        and isinstance(kind_of(name), Choice)
        else value
        for name, value in given.items()
    }


def as_words(settings: Mapping[str, Any]) -> list[str]:
    """Write keywords of ``fit`` as they are typed.

    Examples
    --------
    >>> as_words({"optimizer": "adam", "intercept": False, "shuffle": True, "betas": (0.5, 0.9)})
    ['--optimizer', 'adam', '--no-intercept', '--shuffle', '--set', 'betas=(0.5, 0.9)']
    """
    words: list[str] = []
    for name, value in settings.items():
        option = name.replace("_", "-")
        if name not in DEFAULTS or name in NOT_OFFERED:
            words += ["--set", f"{name}={value!r}"]
        elif value is True or value is False:
            words += [f"--{'' if value else 'no-'}{option}"] if value != DEFAULTS[name] else []
        else:
            words += [f"--{option}", str(value)]
    return words
