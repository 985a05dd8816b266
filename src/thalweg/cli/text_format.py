"""The command line's options for how a table in text is written, in place of one parameter.

Not here: what they mean (:mod:`thalweg.data.text_format`), which files are read
(:mod:`thalweg.cli.rows`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, cast, get_type_hints

import typer

from thalweg.data.text_format import TextFormat

Delimiter = Annotated[
    str | None,
    typer.Option(help=r"What separates the columns of a text, such as ';' or '\t'; found.",
                 show_default=False),
]  # fmt: skip
Decimal = Annotated[str, typer.Option(help="The decimal mark in a text: '.' or ','.")]
Thousands = Annotated[
    str | None,
    typer.Option(help="What stands between groups of three digits in a text.", show_default=False),
]
NaValues = Annotated[
    list[str] | None,
    typer.Option("--na-values", help="What counts as missing in a text, besides NA and the like; "
                 "may be repeated.", show_default=False),
]  # fmt: skip
Encoding = Annotated[
    str | None, typer.Option(help="The encoding of a text, such as latin-1.", show_default="utf-8")
]
Comment = Annotated[
    str | None, typer.Option(help="What a comment in a text begins with.", show_default=False)
]
SkipRows = Annotated[int, typer.Option(help="Lines of a text above the table.")]

_OPTIONS: dict[str, tuple[Any, Any]] = {
    "delimiter": (Delimiter, None),
    "decimal": (Decimal, "."),
    "thousands": (Thousands, None),
    "na_values": (NaValues, None),
    "encoding": (Encoding, None),
    "comment": (Comment, None),
    "skip_rows": (SkipRows, 0),
}

C = TypeVar("C", bound=Callable[..., Any])


def with_text_format(command: C) -> C:
    """Give a command these options in place of its parameter ``written``."""

    @functools.wraps(command)
    def run(*args: Any, **given: Any) -> Any:
        asked = {name: given.pop(name) for name in _OPTIONS}
        if asked["delimiter"] == r"\t":  # a tab as a shell hands it on
            asked["delimiter"] = "\t"
        return command(*args, written=TextFormat.of(**asked), **given)

    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name != "written":
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
            continue
        parameters += [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option
            )
            for name, (option, default) in _OPTIONS.items()
        ]
    changed: Any = run
    changed.__signature__ = inspect.Signature(
        [one if one.kind is inspect.Parameter.VAR_KEYWORD
         else one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    )  # fmt: skip
    changed.__annotations__ = {one.name: one.annotation for one in parameters}
    del changed.__wrapped__  # inspect would look behind the new signature
    return cast("C", changed)


def format_as_words(written: TextFormat) -> list[str]:
    """Write a format as it is typed.

    Examples
    --------
    >>> format_as_words(TextFormat(decimal=",", na_values=("?", "-")))
    ['--decimal', ',', '--na-values', '?', '--na-values', '-']
    """
    words: list[str] = []
    for name, value in written.changed().items():
        for one in value if isinstance(value, tuple) else (value,):
            words += [f"--{name.replace('_', '-')}", str(one)]
    return words
