"""The program itself: its name, its exit codes, where it writes what is not a result.

Not here: the commands.
"""

from __future__ import annotations

import typer
from rich.console import Console

from thalweg.errors import on_a_line

MISTAKE, DIVERGED, INTERRUPTED = 2, 3, 130

app = typer.Typer(
    name="thalweg",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Fit linear regressions by gradient descent, keep all that the descent did, and show it.",
)
errors = Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(sentence: str, style: str | None = None) -> None:
    """Say one line on standard error: what it quotes of files and their columns is text."""
    errors.print(on_a_line(sentence), style=style, soft_wrap=True)
