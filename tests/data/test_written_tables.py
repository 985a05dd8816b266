"""Tables as people's programs write them, generated: each is read as what was written, to the bit.

The values are kept beside the text that is made of them; nothing of the reader is used in that.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from thalweg.data.files import read

MISSING = (
    "",
    "NA",
    "N/A",
    "nan",
    "NaN",
    "NULL",
    "null",
    "None",
    "<NA>",
    "NaT",
    " NA ",
    "  ",
    "#N/A",
)
ODD_MISSING = ("?", "-", ".", "-999", "missing")
WORDS = ("north", "south", '5" pipe', "a,b", "x;y", "don't", 'say "so"', "two\nlines", "été", "{}")
ENCODINGS = {None: "utf-8", "latin-1": "latin-1", "utf-16": "utf-16", "cp1252": "cp1252"}


class Written(NamedTuple):
    """A table's bytes, how they are asked for, and the rows that they mean (NaN: missing)."""

    content: bytes
    asked: dict[str, Any]
    names: list[str]
    rows: np.ndarray[Any, Any]


def number(rng: random.Random, decimal: str, thousands: str | None) -> tuple[str, float]:
    """Write a number in one of the usual ways; what it means is Python's own reading of it."""
    kind = rng.randrange(5)
    if kind == 0:
        text = str(rng.randrange(-(10**6), 10**9))
    elif kind == 1:
        text = f"{rng.uniform(-1e6, 1e6):.{rng.randrange(1, 12)}f}"
    elif kind == 2:
        text = repr(rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300))
    elif kind == 3:
        text = f"+{rng.uniform(0, 10):.3f}"
    else:
        text = f"{rng.uniform(-1e3, 1e3):.17g}"
    value = float(text)
    if thousands is not None and "e" not in text and rng.random() < 0.7:
        sign = text[0] if text[0] in "+-" else ""
        whole, point, rest = text.lstrip("+-").partition(".")
        text = sign + f"{int(whole):,}".replace(",", thousands) + point.replace(".", decimal) + rest
    else:
        text = text.replace(".", decimal)
    return text, value


def quoted(cell: str) -> str:
    """Write a cell between quotation marks."""
    return '"' + cell.replace('"', '""') + '"'


def table(rng: random.Random) -> Written:
    """Make a table in some dialect."""
    asked: dict[str, Any] = {}
    delimiter = rng.choice([",", ";", "\t", "|"])
    decimal = rng.choice([".", "."] if delimiter == "," else [".", ","])
    thousands = rng.choice([None, None, None, *({",", ".", " ", "'"} - {decimal})])
    if decimal == ",":
        asked["decimal"] = ","
    if thousands is not None:
        asked["thousands"] = thousands
    odd = rng.choice(ODD_MISSING) if rng.random() < 0.3 else None
    if odd is not None:
        asked["na_values"] = odd if rng.random() < 0.5 else [odd, "unused"]
    end = rng.choice(["\n", "\r\n", "\r"]) if rng.random() < 0.5 else "\n"
    comment = "#" if rng.random() < 0.15 else None
    columns, n = rng.randrange(2, 5), rng.randrange(1, 30)
    names = [f"{rng.choice(['x', 'Größe', 'cost (€)', 'a b'])}{j}" for j in range(columns)]
    has_text = rng.random() < 0.4
    every = rng.random() < 0.2  # quotation marks round every cell
    blank_lines, padded, trailing = rng.random() < 0.2, rng.random() < 0.2, rng.random() < 0.1

    def written(cell: str) -> str:
        special = {delimiter, '"', "\n", "\r", "#"}
        if every or special & set(cell):
            inches = cell.startswith("5") and not every and delimiter not in cell
            return cell if inches else quoted(cell)
        return f" {cell} " if padded and delimiter != "\t" else cell

    lines = [delimiter.join(map(written, names + ["words"] * has_text)) + delimiter * trailing]
    rows = []
    for _ in range(n):
        values, cells = [], []
        for _ in range(columns):
            cell, value = number(rng, decimal, thousands)
            if rng.random() < 0.08:
                cell, value = rng.choice([*MISSING, *([odd] if odd else [])]), float("nan")
            values.append(value)
            cells.append(written(cell))
        if has_text:
            cells.append(written(rng.choice(WORDS)))
        rows.append(values)
        lines.append(delimiter.join(cells) + delimiter * trailing)
        if blank_lines and rng.random() < 0.2:
            lines.append("")
        if comment and rng.random() < 0.3:
            lines.append(f'{comment} said "so", 1;2')
    if comment:
        asked["comment"] = comment
    above = ["made by a program", "on 1,2;3"][: rng.randrange(3)] if rng.random() < 0.2 else []
    if above:
        asked["skip_rows"] = len(above)
    text = end.join([*above, *lines]) + end * rng.randrange(2)
    text = text if end == "\n" else text.replace("two\nlines", f"two{end}lines")
    encoding = rng.choice([None, None, None, *ENCODINGS])
    if encoding == "latin-1":
        text = text.replace("€", "E")
        names = [name.replace("€", "E") for name in names]
    if encoding not in (None, "utf-16"):
        asked["encoding"] = encoding
    content = text.encode(ENCODINGS[encoding])
    if encoding is None and rng.random() < 0.2:
        content = b"\xef\xbb\xbf" + content
    if rng.random() < 0.2:
        module: Any = rng.choice([gzip, bz2, lzma])
        content = module.compress(content)
        content += b"\0" * 512 * (module is gzip and rng.random() < 0.5)
    return Written(content, asked, names, np.array(rows))


def check(made: Written, path: Path) -> None:
    """Read a table and hold it against its values."""
    path.write_bytes(made.content)
    whole = ~np.isnan(made.rows).any(axis=1)
    if not whole.any():
        return
    *features, target = made.names
    with np.errstate(all="ignore"):
        data = read(path, target=target, features=features, missing="drop", **made.asked)
    expected = made.rows[whole]
    np.testing.assert_array_equal(data.X, expected[:, :-1], err_msg=f"{made}")
    np.testing.assert_array_equal(data.y, expected[:, -1], err_msg=f"{made}")


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")
def test_tables_as_they_are_written(tmp_path: Path) -> None:
    for seed in range(400):
        check(table(random.Random(seed)), tmp_path / "t.csv")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")
def test_many_tables_as_they_are_written(tmp_path: Path) -> None:
    for seed in range(400, 20_000):
        check(table(random.Random(seed)), tmp_path / "t.csv")
