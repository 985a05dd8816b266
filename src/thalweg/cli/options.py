"""Options that several commands take, said once.

Not here: what is done with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.")]
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
