"""Options that several commands take, said once.

Not here: what is done with them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file.")]
DataPath = Annotated[
    list[str],
    typer.Argument(help="CSV, TSV, Parquet, Arrow, Feather, JSON lines or Excel: files, patterns, "
                   "a folder, or - for standard input.", show_default=False),
]  # fmt: skip
Target = Annotated[str, typer.Option("--target", "-y", help="The column to predict.")]
Features = Annotated[
    list[str] | None,
    typer.Option(
        "--features", "-x",
        help="The columns to predict from, as a,b,c, or repeated with one name each; all others "
        "if left out.", show_default=False,
    ),
]  # fmt: skip
Categories = Annotated[
    list[str] | None,
    typer.Option(
        "--categories",
        help="Columns whose words become features of zeros and ones, as a,b,c, or repeated with "
        "one name each; 'all' for all columns of words.", show_default=False,
    ),
]  # fmt: skip
Missing = Annotated[
    str, typer.Option(help="Rows with missing values: 'error' stops, 'drop' leaves them out.")
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON, for a program to read.")]
# What a list of names by commas takes for more than a part of a name.
_MARKS = re.compile(r'[,"\r\n]|^ | $')
RunPath = Annotated[Path, typer.Argument(help="A run file.", show_default=False)]


def names_as_words(names: list[str], option: str = "--features") -> list[str]:
    """Write names of columns as they are typed.

    Examples
    --------
    >>> names_as_words(["a", "b"]), names_as_words(["a", "b,c"]), names_as_words(["b,c"])
    (['--features', 'a,b'], ['--features', 'a', '--features', 'b,c'], ['--features', '"b,c"'])
    """
    if len(names) == 1 and "," in names[0]:
        doubled = names[0].replace('"', '""')
        return [option, f'"{doubled}"']
    if len(names) > 1 and any(map(_MARKS.search, names)):
        return [word for name in names for word in (option, name)]
    return [option, ",".join(names)]
