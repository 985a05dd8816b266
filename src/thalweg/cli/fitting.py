"""``thalweg fit``, ``solve`` and ``predict``: numbers from files.

Not here: reading the files (:mod:`thalweg.cli.rows`), how the answers look
(:mod:`thalweg.cli.answers`).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

import thalweg
from thalweg.cli.answers import say_json, say_run, write_report
from thalweg.cli.app import DIVERGED, INTERRUPTED, app, errors
from thalweg.cli.options import (
    DataPath,
    Decimal,
    Delimiter,
    Features,
    Json,
    Missing,
    Out,
    RunPath,
    Target,
)
from thalweg.cli.rows import character, paths_of, rows_of, scan_of
from thalweg.errors import InvalidSetting
from thalweg.progress import Bar

if TYPE_CHECKING:
    from thalweg.runs.run import Run


@app.command()
def fit(
    context: typer.Context,
    data: DataPath,
    target: Target,
    features: Features = None,
    missing: Missing = "error",
    delimiter: Delimiter = None,
    decimal: Decimal = ".",
    optimizer: Annotated[str, typer.Option(help="PyTorch's name.")] = "nadam",
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.01,
    epochs: Annotated[int, typer.Option(help="Passes over the rows.")] = 250,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows a step; all of them if left out.", show_default=False)
    ] = None,
    shuffle: Annotated[bool, typer.Option("--shuffle", help="A new order each epoch.")] = False,
    drop_last: Annotated[
        bool, typer.Option("--drop-last", help="Leave out a short last batch.")
    ] = False,
    loss: Annotated[str, typer.Option(help="mse, l1 or huber.")] = "mse",
    delta: Annotated[float, typer.Option(help="Where the Huber loss turns straight.")] = 1.0,
    standardize: Annotated[
        bool, typer.Option("--standardize", help="Walk in standardised features.")
    ] = False,
    intercept: Annotated[bool, typer.Option(help="Whether there is a bias.")] = True,
    seed: Annotated[int, typer.Option(help="Of the start and the shuffling.")] = 0,
    engine: Annotated[str, typer.Option(help="auto, compiled or reference.")] = "auto",
    tolerance: Annotated[
        float | None, typer.Option(help="Stop early; see --tolerance-on.", show_default=False)
    ] = None,
    tolerance_on: Annotated[str, typer.Option(help="gradient_norm or loss.")] = "gradient_norm",
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
    out: Out = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report to this page.", show_default=False)
    ] = None,
    json_: Json = False,
) -> None:
    """Fit a linear regression by gradient descent.

    Files of more than 64 MB together are not held in memory but scanned: once for batch descent
    on mse, else once an epoch; --shuffle and PyTorch's own engine need all the rows in memory.
    """
    from thalweg.diagnosis.diagnosis import message
    from thalweg.optimizers import RULES

    in_memory = shuffle or engine == "reference" or optimizer.lower() not in RULES
    with Bar(errors) as bar:
        rows = rows_of(
            scan_of(data, target, features, missing, delimiter, decimal), bar, in_memory=in_memory
        )
        run = thalweg.fit(
            rows,
            progress=bar.epochs,
            checkpoint=checkpoint,
            every=every,
            resume=resume,
            optimizer=optimizer,
            lr=lr,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            drop_last=drop_last,
            loss=loss,
            delta=delta,
            standardize=standardize,
            intercept=intercept,
            seed=seed,
            engine=engine,
            tolerance=tolerance,
            tolerance_on=tolerance_on,
            **_settings(set_ or [], _options_of(context)),
        )
    if out is not None:
        run.save(out)
    if report is not None:
        write_report({run.settings.optimizer: run}, report)
    solution = run.summary.solve(intercept=intercept)
    say_run(run, solution, json_)
    ended = message(run)
    if run.outcome is thalweg.Outcome.STOPPED:
        kept = checkpoint or resume
        go_on = f"go on with --resume {kept}" if kept else "nothing is kept without --checkpoint"
        ended = f"stopped: interrupted after {run.epochs:,} of {epochs:,} epochs; {go_on}"
    errors.print(ended, markup=False, soft_wrap=True)
    if run.outcome is thalweg.Outcome.DIVERGED:
        raise typer.Exit(DIVERGED)
    if run.outcome is thalweg.Outcome.STOPPED:
        raise typer.Exit(INTERRUPTED)


@app.command()
def solve(
    data: DataPath,
    target: Target,
    features: Features = None,
    missing: Missing = "error",
    delimiter: Delimiter = None,
    decimal: Decimal = ".",
    intercept: Annotated[bool, typer.Option(help="Whether there is a bias.")] = True,
    json_: Json = False,
) -> None:
    """Give the exact least-squares answer; the rows are scanned, not held in memory."""
    from thalweg.data.names import parameter_names

    scan = scan_of(data, target, features, missing, delimiter, decimal)
    with Bar(errors) as bar:
        scan.watcher = bar.rows
        solution = thalweg.solve(scan, intercept=intercept)
    names = parameter_names(scan.features, intercept=intercept)
    values = dict(zip(names, solution.parameters.tolist(), strict=True))
    if json_:
        say_json({"parameters": values, "loss": solution.loss, "rows": scan.summary.n})
        return
    for name, value in values.items():
        typer.echo(f"{name}\t{value!r}")
    typer.echo(f"loss\t{solution.loss!r}")


@app.command()
def predict(
    run: RunPath,
    data: DataPath,
    delimiter: Delimiter = None,
    decimal: Decimal = ".",
    out: Out = None,
) -> None:
    """Predict with a run, for each row of files that have its features: a CSV of one column."""
    from thalweg.atomic import write_atomically

    fitted = thalweg.load(run)
    if out is None:
        with Bar(errors) as bar:
            _predict(fitted, data, delimiter, decimal, sys.stdout.buffer, bar)
        sys.stdout.buffer.flush()
        return
    with write_atomically(out) as file, Bar(errors) as bar:
        _predict(fitted, data, delimiter, decimal, file, bar)


def _predict(
    fitted: Run, data: list[Path], delimiter: str | None, decimal: str, file: IO[bytes], bar: Bar
) -> None:
    """Write the predictions batch by batch: neither they nor the rows are ever all in memory."""
    import csv
    import io

    import pyarrow as pa
    import pyarrow.csv

    from thalweg.data.files import scan_features

    batches = scan_features(
        paths_of(data), features=fitted.features, delimiter=character(delimiter), decimal=decimal
    )
    done, options = 0, pa.csv.WriteOptions(include_header=False)
    with closing(batches):
        for X in batches:
            if not done:
                header = io.StringIO()
                csv.writer(header, lineterminator="\n").writerow([fitted.target])
                file.write(header.getvalue().encode())
            pa.csv.write_csv(pa.table({"": fitted.predict(X)}), file, options)
            done += len(X)
            bar.rows(done, None)


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
