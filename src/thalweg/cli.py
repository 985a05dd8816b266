"""The command line: thin words around the library.

Results go to stdout, everything else to stderr: progress, and one line for each warning. Exit
codes: 0; 2 for the user's mistakes, with one sentence; 3 for a fit that diverged; 130 when
interrupted. Not here: anything worth calling from Python. What a command needs is imported when
it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import ast
import json
import math
import sys
import warnings
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, TYPE_CHECKING, Annotated, TextIO

import typer
from rich.console import Console
from rich.table import Table

import thalweg
from thalweg.errors import InvalidSetting, ThalwegError, ThalwegWarning, sentence

if TYPE_CHECKING:
    from rich.progress import TaskID

    from thalweg.dataset import Dataset
    from thalweg.descent.parts import Progress as Walked
    from thalweg.run import Run
    from thalweg.scanning import Scan
    from thalweg.summary.solution import Solution

MISTAKE, DIVERGED, INTERRUPTED = 2, 3, 130
LARGE = 1 << 26  # bytes: beyond them files are scanned for each pass, not held in memory

app = typer.Typer(
    name="thalweg",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Fit linear regressions by gradient descent, keep all that the descent did, and show it.",
)
errors = Console(stderr=True, highlight=False)

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and turn the library's errors into a sentence and an exit code."""
    try:
        with _warnings_in_a_line():
            app(arguments)
    except ThalwegError as error:
        errors.print(f"thalweg: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        errors.print("thalweg: interrupted", markup=False)
        sys.exit(INTERRUPTED)


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

    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("loading PyTorch", total=None)
        from thalweg import lesson as lesson_

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
    console.print(f"The page is {out.resolve()}", soft_wrap=True)
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
    from thalweg.corpus import count_files, write_counts

    counts = count_files(
        files,
        letter=letter,
        fold_accents=fold_accents,
        alphabetic_only=alphabetic_only,
        split=split,
    )
    write_counts(counts, sys.stdout if out is None else out)


# --- Fitting --------------------------------------------------------------------------------------

DataPath = Annotated[
    list[Path],
    typer.Argument(help="CSV, TSV, Parquet, Arrow or Feather: files, or a folder of them.",
                   show_default=False),
]  # fmt: skip
Target = Annotated[str, typer.Option("--target", "-y", help="The column to predict.")]
Features = Annotated[
    str | None,
    typer.Option(
        "--features", "-x", help="The columns to predict from, a,b,c; all others if left out."
    ),
]
Missing = Annotated[
    str, typer.Option(help="Rows with missing values: 'error' stops, 'drop' leaves them out.")
]
Delimiter = Annotated[
    str | None,
    typer.Option(help=r"What separates the columns of a text, such as ';' or '\t'; found.",
                 show_default=False),
]  # fmt: skip
Decimal = Annotated[str, typer.Option(help="The decimal mark in a text: '.' or ','.")]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON, for a program to read.")]
RunPath = Annotated[Path, typer.Argument(help="A run file.", show_default=False)]


@app.command()
def fit(
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
    from thalweg.descent.parts import fit_in_parts
    from thalweg.diagnosis import message
    from thalweg.optimizers import RULES

    in_memory = shuffle or engine == "reference" or optimizer.lower() not in RULES
    with _Bar() as bar:
        rows = _rows(
            _scan(data, target, features, missing, delimiter, decimal), bar, in_memory=in_memory
        )
        run = fit_in_parts(
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
            **_settings(set_ or []),
        )
    if out is not None:
        run.save(out)
    if report is not None:
        _write_report({run.settings.optimizer: run}, report)
    solution = run.summary.solve(intercept=intercept)
    _say_run(run, solution, json_)
    errors.print(message(run), markup=False, soft_wrap=True)
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
    from thalweg.dataset import parameter_names

    scan = _scan(data, target, features, missing, delimiter, decimal)
    with _Bar() as bar:
        scan.watcher = bar.rows
        solution = thalweg.solve(scan, intercept=intercept)
    names = parameter_names(scan.features, intercept=intercept)
    values = dict(zip(names, solution.parameters.tolist(), strict=True))
    if json_:
        _say_json({"parameters": values, "loss": solution.loss, "rows": scan.summary.n})
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
        with _Bar() as bar:
            _predict(fitted, data, delimiter, decimal, sys.stdout.buffer, bar)
        sys.stdout.buffer.flush()
        return
    with write_atomically(out) as file, _Bar() as bar:
        _predict(fitted, data, delimiter, decimal, file, bar)


def _predict(
    fitted: Run, data: list[Path], delimiter: str | None, decimal: str, file: IO[bytes], bar: _Bar
) -> None:
    """Write the predictions batch by batch: neither they nor the rows are ever all in memory."""
    import csv
    import io

    import pyarrow as pa
    import pyarrow.csv

    from thalweg.files import scan_features

    batches = scan_features(
        _paths(data), features=fitted.features, delimiter=_character(delimiter), decimal=decimal
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


@app.command()
def explain(
    what: Annotated[
        list[Path], typer.Argument(help="A run file, or data with --target.", show_default=False)
    ],
    target: Annotated[
        str | None, typer.Option("--target", "-y", help="The column to predict: explains data.")
    ] = None,
    features: Features = None,
    missing: Missing = "error",
    delimiter: Delimiter = None,
    decimal: Decimal = ".",
    json_: Json = False,
) -> None:
    """Explain why a descent went as it did, and recommend a setting that was tried."""
    if target is None and len(what) > 1:
        raise InvalidSetting(
            sentence(
                "explain",
                got=f"{len(what)} files",
                expected="one run file, or data with --target",
                advice="name the column to predict with --target, or give one run",
            )
        )
    if target is None:
        found = thalweg.explain(thalweg.load(what[0]))
    else:
        with _Bar() as bar:
            scan = _scan(what, target, features, missing, delimiter, decimal)
            found = thalweg.explain(_rows(scan, bar))
    if json_:
        _say_json(
            {
                "text": found.text,
                "recommended": found.recommended,
                "condition_number": found.condition_number,
                "condition_number_standardized": found.condition_number_standardized,
                "stable_learning_rate": found.stable_learning_rate,
            }
        )
        return
    typer.echo(found.text)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run files.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path(
        "report.html"
    ),
) -> None:
    """Write one HTML page about one or several runs."""
    _write_report({path.stem: thalweg.load(path) for path in runs}, out)


@app.command()
def export(
    run: RunPath,
    to: Annotated[str, typer.Option(help="What to write: pytorch.")] = "pytorch",
    out: Out = None,
) -> None:
    """Write a run as a plain PyTorch script that reproduces it."""
    from thalweg.checks import check_choice
    from thalweg.export import to_pytorch

    check_choice("to", to, ("pytorch",))
    _write(to_pytorch(thalweg.load(run)), out)


@app.command()
def lab(
    file: Annotated[Path | None, typer.Argument(help="Data to start with.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Where to listen; 8765, or a free one.", show_default=False)
    ] = None,
    host: Annotated[str, typer.Option(help="Another address asks for a token.")] = "127.0.0.1",
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Open the live page: move a slider, watch the descent move."""
    from thalweg.lab import serve

    serve(file, host=host, port=port, open_browser=not no_open)


# --- What commands share --------------------------------------------------------------------------


def _columns(features: str | None) -> list[str] | None:
    return None if features is None else [name.strip() for name in features.split(",")]


def _paths(paths: list[Path]) -> Path | list[Path]:
    return paths[0] if len(paths) == 1 else paths


def _character(delimiter: str | None) -> str | None:
    """Take a tab as a shell hands it on."""
    return "\t" if delimiter == r"\t" else delimiter


def _scan(
    paths: list[Path], target: str, features: str | None, missing: str,
    delimiter: str | None, decimal: str,
) -> Scan:  # fmt: skip
    return thalweg.scan(
        _paths(paths),
        target=target,
        features=_columns(features),
        missing=missing,  # type: ignore[arg-type]  # any other word is refused there
        delimiter=_character(delimiter),
        decimal=decimal,
    )


def _rows(scan: Scan, bar: _Bar, *, in_memory: bool = False) -> Dataset | Scan:
    """Read small files into memory; leave larger ones to be scanned, unless all is needed."""
    scan.watcher = bar.rows
    return scan.read() if in_memory or scan.size <= LARGE else scan


def _settings(given: list[str]) -> dict[str, object]:
    """Read ``--set momentum=0.9`` as Python would; what it does not know stays a word."""
    settings: dict[str, object] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals:
            raise InvalidSetting(
                sentence(
                    "--set", got=repr(item), expected="name=value", advice="try --set momentum=0.9"
                )
            )
        try:
            settings[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError):
            settings[name.strip()] = value.strip()
    return settings


class _Bar:
    """Progress with rate and time left, in a terminal, on anything longer than a second."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
            TextColumn("{task.fields[said]}"), console=errors, transient=True,
            disable=not errors.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._started = monotonic()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress.live.is_started:  # it would end a line that it never began
            self._progress.stop()

    def epochs(self, at: Walked) -> None:
        """Show how far a fit has come."""
        self._show("fitting", "epochs", at.epochs_done, at.epochs, f"loss {at.loss:.6g}")

    def rows(self, done: int, expected: int | None) -> None:
        """Show how far a file is read; a new pass starts afresh."""
        self._show("reading", "rows", done, expected, "")

    def _show(self, what: str, unit: str, done: int, total: int | None, said: str) -> None:
        now = monotonic()
        task, since = self._tasks.get(what, (None, now))
        if task is None:
            task = self._progress.add_task(what, total=total, rate="", said="")
        elif done < self._progress.tasks[task].completed:
            since = now
            self._progress.reset(task)
        self._tasks[what] = task, since
        rate = f"{done / (now - since):,.0f} {unit}/s" if now > since else ""
        self._progress.update(task, completed=done, total=total, said=said, rate=rate)
        if now - self._started > 1.0:
            self._progress.start()


def _say_run(run: Run, solution: Solution, as_json: bool) -> None:
    parameters = dict(zip(run.names, run.parameters.tolist(), strict=True))
    exact = dict(zip(run.names, solution.parameters.tolist(), strict=True))
    loss = run.loss[-1].item()
    if run.settings.loss == "mse" and math.isfinite(sum(parameters.values())):
        loss = run.summary.loss(run.parameters, intercept=run.settings.intercept)
    if as_json:
        _say_json(
            {
                "parameters": parameters,
                "loss": loss,
                "epochs": run.epochs,
                "outcome": run.outcome.name.lower(),
                "exact": {"parameters": exact, "loss": solution.loss},
                "settings": {k: v for k, v in asdict(run.settings).items() if v is not None},
            }
        )
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("", "by descent", "exact solution"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, value in parameters.items():
        table.add_row(name, f"{value:.8g}", f"{exact[name]:.8g}")
    table.add_row("loss", f"{loss:.8g}", f"{solution.loss:.8g}")
    Console(highlight=False).print(table)


def _say_json(answer: dict[str, object]) -> None:
    """Write one JSON object; what is not finite has no number in JSON and becomes null."""
    typer.echo(json.dumps(_finite(answer), indent=2))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(text: str, out: Path | None) -> None:
    from thalweg.atomic import write_atomically

    if out is None:
        typer.echo(text, nl=False)
        return
    with write_atomically(out) as file:
        file.write(text.encode())


def _write_report(runs: dict[str, Run], out: Path) -> None:
    from thalweg.report import report_page

    _write(report_page(runs), out)
    errors.print(f"The report is {out.resolve()}", markup=False, soft_wrap=True)
