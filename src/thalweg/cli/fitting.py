"""``thalweg fit``, ``solve`` and ``predict``: numbers from files.

Not here: reading the files (:mod:`thalweg.cli.rows`), how the answers look
(:mod:`thalweg.cli.answers`).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

import thalweg
from thalweg.cli.answers import as_object, say_json, say_run, write_report
from thalweg.cli.app import DIVERGED, INTERRUPTED, app, errors, say
from thalweg.cli.options import (
    Categories,
    DataPath,
    Features,
    Json,
    Missing,
    Out,
    RunPath,
    Target,
)
from thalweg.cli.rows import paths_of, rows_of, scan_of
from thalweg.cli.settings import as_keywords, with_settings
from thalweg.cli.shell import quoted
from thalweg.cli.text_format import with_text_format
from thalweg.data.text_format import TextFormat
from thalweg.errors import InvalidSetting, on_a_line
from thalweg.numbers import counted
from thalweg.progress import Bar

if TYPE_CHECKING:
    from thalweg.runs.run import Run

_QUOTED = re.compile('[",\r\n]|^\ufeff|^$')


@app.command()
@with_text_format
@with_settings
def fit(
    context: typer.Context,
    data: DataPath,
    target: Target,
    *,
    features: Features = None,
    categories: Categories = None,
    missing: Missing = "error",
    written: TextFormat,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the optimiser, as momentum=0.9; may be repeated."),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Keep the run so far in this file.", show_default=False)
    ] = None,
    every: Annotated[float, typer.Option(help="Seconds between checkpoints.")] = 60.0,
    resume: Annotated[
        Path | None, typer.Option(help="Go on from this checkpoint.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the run to this file.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report to this page.", show_default=False)
    ] = None,
    json_: Json = False,
    **settings: Any,
) -> None:
    """Fit a linear regression by gradient descent.

    Files of more than 64 MB together are not held in memory but scanned: once for batch descent
    on mse, else once an epoch; --shuffle and PyTorch's own engine need all the rows in memory.
    """
    from thalweg.data.outputs import check_outputs, kept_run
    from thalweg.diagnosis.diagnosis import message
    from thalweg.settings import Settings

    kept, read = kept_run(checkpoint, resume)
    check_outputs([kept, out, report], [*data, *read])
    asked = as_keywords(settings) | _settings(set_ or [], _options_of(context))
    checked = Settings.of(**asked)
    in_memory = checked.shuffle or checked.engine == "reference"
    with Bar(errors) as bar:
        scan = scan_of(data, target, features, categories, missing, written)
        rows = rows_of(scan, bar, in_memory=in_memory)
        run = thalweg.fit(
            rows,
            progress=bar.epochs,
            checkpoint=checkpoint,
            every=every,
            resume=resume,
            **asked,
        )
    if "-" in data and run.reading is not None:  # what came on standard input is in no file
        run = replace(run, reading=run.reading._replace(paths=()))
    try:
        if out is not None:
            run.save(out)
        if report is not None:
            write_report({run.settings.optimizer: run}, report)
    finally:  # what is worked out is said, also where a disk is full
        say_run(run, run.solution, json_)
    ended = message(run)
    if run.outcome is thalweg.Outcome.STOPPED:
        go_on = (
            f"go on with --resume {quoted(str(kept))}"
            if kept
            else "nothing is kept without --checkpoint"
        )
        walked = f"{run.epochs:,} of {counted(run.asked.epochs, 'epoch')}"
        ended = f"stopped: interrupted after {walked}; {go_on}"
    say(ended)
    if run.outcome is thalweg.Outcome.DIVERGED:
        raise typer.Exit(DIVERGED)
    if run.outcome is thalweg.Outcome.STOPPED:
        raise typer.Exit(INTERRUPTED)


@app.command()
@with_text_format
def solve(
    data: DataPath,
    target: Target,
    *,
    features: Features = None,
    categories: Categories = None,
    missing: Missing = "error",
    written: TextFormat,
    intercept: Annotated[bool, typer.Option(help="Whether there is a bias.")] = True,
    json_: Json = False,
) -> None:
    """Give the exact least-squares answer; the rows are scanned, not held in memory."""
    from thalweg.data.names import parameter_names, unique_names

    scan = scan_of(data, target, features, categories, missing, written)
    with Bar(errors) as bar:
        scan.watcher = bar.rows
        rows = scan.for_intercept(intercept)
        solution = thalweg.solve(rows, intercept=intercept)
    if json_:
        answer = as_object(rows.features, solution.parameters, intercept=intercept)
        say_json({**answer, "loss": solution.loss, "rows": rows.n})
        return
    _, *names = unique_names(("loss", *parameter_names(rows.features, intercept=intercept)))
    for name, value in zip(names, solution.parameters.tolist(), strict=True):
        typer.echo(f"{on_a_line(name)}\t{value!r}")
    typer.echo(f"loss\t{solution.loss!r}")


@app.command()
@with_text_format
def predict(
    run: RunPath,
    data: DataPath,
    *,
    written: TextFormat,
    out: Out = None,
) -> None:
    """Predict with a run, for each row of files that have its features: a CSV of one column."""
    from thalweg.atomic import write_atomically
    from thalweg.data.outputs import check_outputs

    check_outputs([out], [run, *data])
    fitted = thalweg.load(run)
    if out is None:
        with Bar(errors) as bar:
            _predict(fitted, data, written, sys.stdout.buffer, bar)
        sys.stdout.buffer.flush()
        return
    with write_atomically(out) as file, Bar(errors) as bar:
        _predict(fitted, data, written, file, bar)


def _predict(fitted: Run, data: list[str], written: TextFormat, file: IO[bytes], bar: Bar) -> None:
    """Write the predictions batch by batch: neither they nor the rows are ever all in memory."""
    import pyarrow as pa
    import pyarrow.csv

    from thalweg.data.files import scan_features

    batches = scan_features(
        paths_of(data), features=fitted.features, coding=fitted.coding, written=written
    )
    done, options = 0, pa.csv.WriteOptions(include_header=False)
    with closing(batches):
        for X in batches:
            if not done:
                shown = on_a_line(fitted.target) if file.isatty() else fitted.target
                file.write(_header(shown).encode())
            pa.csv.write_csv(pa.table({"": fitted.predict(X)}), file, options)
            done += len(X)
            bar.rows(done, None)


def _header(name: str) -> str:
    r"""Write a column's name as CSV, in quotes where a reader would take it for more than text.

    Before Python 3.13 ``csv.writer`` leaves a ``\r`` bare, and it never quotes a mark of byte
    order, which readers take off the head of a file.
    """
    doubled = name.replace('"', '""')
    return f'"{doubled}"\n' if _QUOTED.search(name) else f"{name}\n"


def _settings(given: list[str], options: Mapping[str, str]) -> dict[str, Any]:
    """Read ``--set momentum=0.9`` as Python would; what it does not know stays a word.

    What the command says itself is refused: ``options`` gives its option for it.
    """
    settings: dict[str, Any] = {}
    for item in given:
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise _no_setting(item, "name=value", "try --set momentum=0.9")
        if name in settings:
            raise _no_setting(item, f"one value for {name}", "leave out the other")
        if name in options:
            raise _no_setting(item, "a setting that has no option of its own", options[name])
        try:
            settings[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[name] = value
    return settings


def _options_of(context: typer.Context) -> dict[str, str]:
    """Say what to use for each thing that the command says to ``thalweg.fit`` itself."""
    said = dict.fromkeys(("data", "progress"), "leave it out")
    for parameter in context.command.params:
        if parameter.name is not None and parameter.opts[0].startswith("--"):
            said[parameter.name.rstrip("_")] = f"use {parameter.opts[0]}"
    return said


def _no_setting(item: str, expected: str, advice: str) -> InvalidSetting:
    return InvalidSetting("--set", got=repr(item), expected=expected, advice=advice)
