"""How answers look: a table for people, JSON for programs, files written whole or not at all.

Not here: working them out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table

from thalweg.cli.app import say
from thalweg.data.names import unique_names
from thalweg.errors import on_a_line
from thalweg.numbers import number

if TYPE_CHECKING:
    from thalweg.arrays import Array
    from thalweg.runs.run import Run
    from thalweg.summary.solution import Solution


WIDE = 100_000  # columns


def say_run(run: Run, solution: Solution, as_json: bool) -> None:
    """Say where a run ended, beside the exact answer."""
    is_squared = run.settings.loss == "mse"
    last = run.loss[-1].item()
    squared = last if is_squared else math.inf
    if all(map(math.isfinite, run.parameters)):
        squared = run.summary.loss(run.parameters, intercept=run.settings.intercept)
    if as_json:
        exact = as_object(run.features, solution.parameters, intercept=solution.intercept)
        say_json(
            {
                **as_object(run.features, run.parameters, intercept=run.settings.intercept),
                "loss": squared if is_squared else last,
                "rows": run.summary.n,
                "mean_squared_error": squared,
                "epochs": run.epochs,
                "outcome": run.outcome.name.lower(),
                "exact": {**exact, "loss": solution.loss},
                "settings": {k: v for k, v in run.settings.keywords().items() if v is not None},
            }
        )
        return
    table = Table(box=None, pad_edge=False)
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:  # nothing is cut where a program or a file takes it
        console.width = WIDE
    for heading in ("", "by descent", "exact solution"):
        table.add_column(heading, justify="right" if heading else "left")
    # The loss keeps its name, also beside a column that is called so.
    loss, *names = unique_names(("loss" if is_squared else "mean squared error", *run.names))
    for name, ended, exact in zip(names, run.parameters, solution.parameters, strict=True):
        table.add_row(on_a_line(name), number(ended, 8), number(exact, 8))
    table.add_row(loss, number(squared, 8), number(solution.loss, 8))
    if not is_squared:  # the exact solution is not of that loss
        table.add_row(f"{run.settings.loss} loss of the last epoch", number(last, 8), "")
    console.print(table)


def as_object(features: Sequence[str], parameters: Array, *, intercept: bool) -> dict[str, object]:
    """Give parameters as JSON has them: the weights by column, the bias or null apart."""
    values: list[float] = parameters.tolist()
    return {
        "bias": values[0] if intercept else None,
        "weights": dict(
            zip(features, values[int(intercept) :], strict=True)
        ),  # unique: a dataset's
    }


def say_json(answer: dict[str, object]) -> None:
    """Write one JSON object; what is not finite has no number in JSON and becomes null."""
    from thalweg.plain import plain  # NumPy: only for an answer

    typer.echo(json.dumps(plain(answer), indent=2))


def write(text: str, out: Path | None) -> None:
    """Write to a file, whole or not at all, or to stdout."""
    from thalweg.atomic import write_atomically

    if out is None:
        typer.echo(text, nl=False)
        return
    with write_atomically(out) as file:
        file.write(text.encode())


def write_report(runs: dict[str, Run], out: Path) -> None:
    """Write the page about some runs, and say where it is."""
    from thalweg.pages.report import report_page

    write(report_page(runs), out)
    say(f"The report is {out.resolve()}")
