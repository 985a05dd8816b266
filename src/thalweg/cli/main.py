"""The command line: thin words around the library.

Results go to stdout, everything else to stderr: progress, and one line for each warning. Exit
codes: 0; 2 for the user's mistakes, with one sentence; 3 for a fit that diverged; 130 when
interrupted. Not here: anything worth calling from Python. What a command needs is imported when
it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import ast
import re
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, TextIO

import typer

import thalweg
from thalweg.cli import fitting, lab, lesson, runs  # noqa: F401  # each adds its commands
from thalweg.cli.app import INTERRUPTED, MISTAKE, app, errors
from thalweg.errors import ThalwegError, ThalwegWarning

__all__ = ["app", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and turn the library's errors into a sentence and an exit code."""
    try:
        with _warnings_in_a_line():
            app(arguments)
    except ThalwegError as error:
        said = f"thalweg: {_with_options(str(error))}"
        errors.print(said, style="red", markup=False, soft_wrap=True)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        errors.print("thalweg: interrupted", markup=False)
        sys.exit(INTERRUPTED)


# What the library's sentences advise, and the command line calls by the same name.
_ADVISED = re.compile(
    r"\b(pass|with|use|try) "
    r"(decimal|delimiter|engine|epochs|every|features|lr|missing|tolerance|tolerance_on)="
    r"('[^']*'|\[[^\]]*\]|[\w.+-]*\w)"
)


def _with_options(sentence: str) -> str:
    """Write the advice ``pass missing='drop'`` as it is typed here: ``pass --missing drop``.

    Examples
    --------
    >>> _with_options("leave them out with features=['a', 'b c'], or try lr=0.01")
    "leave them out with --features 'a,b c', or try --lr 0.01"
    """

    def typed(advice: re.Match[str]) -> str:
        verb, name, value = advice.groups()
        try:
            meant = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return advice[0]
        names = meant if isinstance(meant, list) else [str(meant)]
        if len(names) > 1 and any("," in name for name in names):
            return advice[0]  # which --features cannot say
        return f"{verb} --{name.replace('_', '-')} {shlex.quote(','.join(names))}"

    return _ADVISED.sub(typed, sentence)


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show the library's own warnings as it shows its errors."""

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, ThalwegWarning):
            errors.print(f"thalweg: {message}", style="yellow", markup=False, soft_wrap=True)
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ThalwegWarning)
        usual, warnings.showwarning = warnings.showwarning, show
        yield


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"thalweg {thalweg.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None: ...
