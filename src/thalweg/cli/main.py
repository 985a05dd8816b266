"""The command line: thin words around the library.

Results go to stdout, everything else to stderr: progress, and one line for each warning. Exit
codes: 0; 1 where a pipe's reader has gone; 2 for the user's mistakes and for places where nothing
can be written, with one sentence; 3 for a fit that diverged; 130 when interrupted. Not here:
anything worth calling from Python. What a command needs is imported when it runs, so that
``--help`` is quick.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, TextIO

import typer

import thalweg
from thalweg.cli import fitting, lab, lesson, runs, warm_up  # noqa: F401  # each adds its commands
from thalweg.cli.app import INTERRUPTED, MISTAKE, app, errors, say
from thalweg.cli.options import names_as_words
from thalweg.cli.shell import joined, quoted
from thalweg.errors import ThalwegError, ThalwegWarning, UnwritableFile, as_keyword
from thalweg.progress import announcing

__all__ = ["app", "main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and turn the library's errors into a sentence and an exit code."""
    try:
        with _warnings_in_a_line(), _stdout_written(), announcing(_say_waiting):
            app(arguments)
    except ThalwegError as error:
        _say(f"thalweg: {error.worded(_as_option)}", style="red")
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        _say("thalweg: interrupted")
        sys.exit(INTERRUPTED)


def _say_waiting(what: str) -> None:
    """Tell a person why nothing happens; a program does not ask."""
    if errors.is_terminal:
        _say(f"thalweg: {what}", style="dim")


def _say(sentence: str, style: str | None = None) -> None:
    """Say a last sentence on stderr, which may be full too: the exit code is left then."""
    try:
        say(sentence, style)
        sys.stderr.flush()
    except OSError:
        _give_up(sys.stderr)


def _give_up(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere: Python writes it again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _as_option(name: str, value: object) -> str:
    """Write a setting as it is typed here; as Python passes it, where no command takes it.

    Examples
    --------
    >>> _as_option("features", ["a", "b c"]), _as_option("read.missing", "drop")
    ("--features 'a,b c'", '--missing drop')
    >>> _as_option("features", ["a", "b,c"])
    '--features a --features b,c'
    >>> _as_option("read.na_values", ["-", "a,b"])
    "--na-values '-' --na-values a,b"
    >>> _as_option("start", 0), _as_option("drop_last", ...)
    ('start=0', '--drop-last')
    """
    if isinstance(value, dict):
        return " ".join(_as_option(each, one) for each, one in value.items())
    option = _options_by_name().get(name.rpartition(".")[2])
    if value is ...:
        return option or name
    if option is None:
        return as_keyword(name, value)
    if isinstance(value, list) and option == "--na-values":  # each is taken as it is
        return " ".join(f"{option} {_quoted(word)}" for word in value)
    if isinstance(value, list):
        return joined(names_as_words(value, option))
    return option if value is True else f"{option} {_quoted(str(value))}"


def _quoted(word: str) -> str:
    """Quote a word for a shell; also one of marks alone, which might be the sentence's own."""
    safe = quoted(word)
    return f"'{word}'" if safe == word and not any(map(str.isalnum, word)) else safe


def _options_by_name() -> dict[str, str]:
    """Give the options of all commands by the name of the setting that they stand for."""
    commands = typer.main.get_command(app).commands.values()  # type: ignore[attr-defined] # a group
    return {
        str(parameter.name).rstrip("_"): parameter.opts[0]
        for command in commands
        for parameter in command.params
        if parameter.opts[0].startswith("--")
    }


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show the library's own warnings as it shows its errors."""

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int,
        file: TextIO | None = None, line: str | None = None,
    ) -> None:  # fmt: skip
        if issubclass(category, ThalwegWarning):
            say(f"thalweg: {message}", style="yellow")
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ThalwegWarning)
        usual, warnings.showwarning = warnings.showwarning, show
        yield


@contextmanager
def _stdout_written() -> Iterator[None]:
    """Bring what was said to where stdout goes, and say so where it cannot be brought there."""
    try:
        try:
            yield
        except SystemExit:  # how a command ends
            sys.stdout.flush()
            raise
    except OSError as error:
        # A failed write has a number and no name; those to files are told by who writes them.
        if error.errno is None or error.filename is not None or isinstance(error, ThalwegError):
            raise
        _give_up(sys.stdout)
        if isinstance(error, BrokenPipeError):
            sys.exit(1)
        raise UnwritableFile(
            "standard output",
            got=str(error.strerror).lower(),
            expected="a place where an answer can be written",
            advice="make room there, or send the answer elsewhere",
        ) from error


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
