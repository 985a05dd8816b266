"""``thalweg explain``, ``report`` and ``export``: what is made of a run.

Not here: making one (:mod:`thalweg.cli.fitting`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import thalweg
from thalweg.cli.answers import say_json, write, write_report
from thalweg.cli.app import app, errors
from thalweg.cli.options import Categories, Features, Json, Missing, Out, RunPath
from thalweg.cli.rows import rows_of, scan_of
from thalweg.cli.settings import as_words
from thalweg.cli.shell import joined
from thalweg.cli.text_format import format_as_words, with_text_format
from thalweg.data.text_format import TextFormat
from thalweg.errors import InvalidSetting, printable
from thalweg.progress import Bar


@app.command()
@with_text_format
def explain(
    what: Annotated[
        list[str], typer.Argument(help="A run file, or data with --target.", show_default=False)
    ],
    target: Annotated[
        str | None, typer.Option("--target", "-y", help="The column to predict: explains data.")
    ] = None,
    *,
    features: Features = None,
    categories: Categories = None,
    missing: Missing = "error",
    written: TextFormat,
    json_: Json = False,
) -> None:
    """Explain why a descent went as it did, and recommend a setting that was tried."""
    if target is None and len(what) > 1:
        raise InvalidSetting(
            "explain",
            got=f"{len(what)} files",
            expected="one run file, or data with --target",
            advice="name the column to predict with --target, or give one run",
        )
    if target is None:
        found = thalweg.explain(thalweg.load(what[0]))
    else:
        with Bar(errors) as bar:
            scan = scan_of(what, target, features, categories, missing, written)
            found = thalweg.explain(rows_of(scan, bar))
    if json_:
        say_json(
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
    if target is not None:  # a run does not say in which files its rows are
        read = ["--target", target]
        read += [word for name in features or [] for word in ("--features", name)]
        read += [word for name in categories or [] for word in ("--categories", name)]
        read += ["--missing", missing] if missing != "error" else []
        read += format_as_words(written)
        command = ["thalweg", "fit", *what, *read, *as_words(found.recommended)]
        typer.echo(f"\nAs a command: {joined(command)}")


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run files.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.")] = Path(
        "report.html"
    ),
) -> None:
    """Write one HTML page about one or several runs."""
    from thalweg.data.outputs import check_outputs

    check_outputs([out], runs)
    write_report({name: thalweg.load(path) for name, path in _named(runs).items()}, out)


def _named(paths: list[Path]) -> dict[str, Path]:
    """Call files by what comes before the suffix, or by all of their paths if those are alike."""
    chosen = list(dict.fromkeys(paths))
    stems = {printable(path.stem): path for path in chosen}
    return stems if len(stems) == len(chosen) else {printable(str(path)): path for path in chosen}


@app.command()
def export(
    run: RunPath,
    to: Annotated[str, typer.Option(help="What to write: pytorch.")] = "pytorch",
    out: Out = None,
) -> None:
    """Write a run as a plain PyTorch script that reproduces it."""
    from thalweg.checks import check_choice
    from thalweg.data.outputs import check_outputs
    from thalweg.export import to_pytorch

    check_choice("to", to, ("pytorch",))
    check_outputs([out], [run])
    write(to_pytorch(thalweg.load(run)), out)
