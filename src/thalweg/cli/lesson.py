"""``thalweg lesson`` and ``thalweg count``: where it all begins.

Not here: the lesson (:mod:`thalweg.pages.lesson`), the counting (:mod:`thalweg.data.texts`).
"""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from thalweg.cli.app import app, errors
from thalweg.cli.options import Out
from thalweg.errors import printable


@app.command()
def lesson(
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path(
        "lesson.html"
    ),
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Replay the lesson: letters counted in Salammbô, as one HTML page."""
    from rich.progress import Progress

    from thalweg.atomic import write_atomically
    from thalweg.data.outputs import check_outputs

    check_outputs([out], [])
    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("loading PyTorch", total=None)
        from thalweg.pages import lesson as lesson_

        total = lesson_.steps_of_replay() + 1
        progress.update(task, total=total)
        replayed = lesson_.replay(lambda part: progress.update(task, description=part, advance=1))
        progress.update(task, description="page", advance=1)
        page = lesson_.page(replayed)
        with write_atomically(out) as file:
            file.write(page.encode())
    table = Table(title="Printed in the notebook, and got here", title_justify="left")
    for heading in ("number", "printed", "got here", "agrees"):
        table.add_column(heading, justify="left" if heading == "number" else "right")
    for row in replayed.comparisons:
        if row.section != "data":
            table.add_row(row.what, row.printed, row.shown, row.verdict)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    console.print(table)
    agreed = sum(row.agrees for row in replayed.comparisons)
    console.print(f"{agreed} of {len(replayed.comparisons)} numbers agree, the data's included.")
    console.print(printable(f"The page is {out.resolve()}"), markup=False, soft_wrap=True)
    if open_:
        webbrowser.open(out.resolve().as_uri())


@app.command()
def count(
    files: Annotated[list[str], typer.Argument(help="Texts, a chapter each.", show_default=False)],
    letter: Annotated[str, typer.Option(help="The letter to count.")] = "a",
    fold_accents: Annotated[
        bool, typer.Option("--fold-accents", help="Count à as a, and so on.")
    ] = False,
    alphabetic_only: Annotated[
        bool, typer.Option("--alphabetic-only", help="Count letters, not all characters.")
    ] = False,
    split: Annotated[
        str | None,
        typer.Option(help="Cut one file into chapters at the lines that this regex finds."),
    ] = None,
    out: Out = None,
) -> None:
    """Count a letter in the chapters of a text, as a CSV table."""
    from thalweg.data.outputs import check_outputs
    from thalweg.data.texts import count_files, write_counts

    check_outputs([out], files)
    counts = count_files(
        files,
        letter=letter,
        fold_accents=fold_accents,
        alphabetic_only=alphabetic_only,
        split=split,
    )
    write_counts(counts, sys.stdout if out is None else out)
