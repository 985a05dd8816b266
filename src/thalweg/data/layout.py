"""What a text says of itself as a table: delimiter, header, where the columns stand.

Not here: the cells (:mod:`thalweg.data.delimited`, :mod:`thalweg.data.cells`).
"""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import NamedTuple

from thalweg.data.text_format import MISSING, TextFormat
from thalweg.errors import UnreadableFile

SAMPLE = 100  # rows that tell delimiters apart

DELIMITERS = (",", ";", "\t", "|")
LAST_RESORT = " "  # as R's write.table has it: only where nothing else separates columns
_NUMBER = re.compile(r"\s*[+-]?([\d]+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?\s*")
_MARK = b"\xef\xbb\xbf"  # of UTF-8, that some programs begin a text with
_WINDOWS = re.compile(rb"[\x80-\x9f]")  # letters and signs in cp1252, control codes in latin-1
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")  # no text has them; a few have an escape
_SPACE = re.compile(r"\s*")


class Layout(NamedTuple):
    """How a text is to be read as a table."""

    delimiter: str
    names: tuple[str, ...]
    cells: tuple[int, ...]
    """Which cell of a row each column is."""
    width: int
    """The cells of a row; more than the columns where some hold nothing, or names of rows."""
    has_header: bool
    body: int
    """Bytes before the first row of values."""


class _Trial(NamedTuple):
    """A text cut with a delimiter: how well that goes, the first row, the shape of all."""

    score: tuple[bool, float, float, int]
    delimiter: str
    first: list[str]
    lines: int  # that the first row ends after
    cells: tuple[int, ...]  # that are columns
    width: int


def find_layout(
    head: bytes, *, name: str, target: str, written: TextFormat, complete: bool
) -> Layout:
    r"""Find the delimiter and the header from the first bytes of a text.

    The delimiter is the one that cuts the first rows most evenly into the most numbers. The
    first row is a header unless it holds a number and not the target's name. Rows may have a
    cell more than the header: names of the rows in front, as R writes them, or nothing at the
    end; both are left out.

    Parameters
    ----------
    head : bytes
        The first megabyte, decompressed, in UTF-8.
    name : str
        What the file is called in errors.
    target : str
        The target's name.
    written : TextFormat
        What is known.
    complete : bool
        Whether ``head`` is all there is.

    Raises
    ------
    UnreadableFile
        If this is no text in UTF-8, or no table.

    Examples
    --------
    >>> head = "length;mass\n1,5;2\n".encode()
    >>> found = find_layout(
    ...     head, name="fish.csv", target="mass", written=TextFormat(), complete=True
    ... )
    >>> found.delimiter, found.names, found.has_header, found.body
    (';', ('length', 'mass'), True, 12)
    """
    text = _decoded(head, name, complete=complete)
    above = "".join(islice(io.StringIO(text, newline=""), written.skip_rows))
    table = text[len(above) :]
    if not table.strip():
        raise _no_table(name, "no line below those that are skipped")
    candidates = (written.delimiter,) if written.delimiter else DELIMITERS
    best = max((_tried(table, each, target) for each in candidates), key=lambda one: one.score)
    if len(best.first) == 1 and not written.delimiter:
        last = _tried(table, LAST_RESORT, target)
        best = last if last.score[1] > best.score[1] else best
    has_header = target in best.first or not any(map(_NUMBER.fullmatch, best.first))
    names = _names(best, has_header=has_header)
    above += "".join(islice(io.StringIO(table, newline=""), best.lines if has_header else 0))
    marked = len(_MARK) if head.startswith(_MARK) else 0
    return Layout(
        best.delimiter, names, best.cells, best.width, has_header, marked + len(above.encode())
    )


def is_aligned(head: bytes, written: TextFormat) -> bool:
    r"""Tell whether blanks line the columns up: several between two cells, or in front.

    Examples
    --------
    >>> is_aligned(b"  x    y\n 10  2.5\n  9  3.0\n", TextFormat())
    True
    >>> is_aligned(b"x y\n10 2.5\n", TextFormat()), is_aligned(b"x,  y\n10,2.5\n", TextFormat())
    (False, False)
    """
    whole = io.StringIO(head[: head.rfind(b"\n") + 1].decode(errors="replace"))
    skipped = written.skip_rows
    lines = [line for line in islice(whole, skipped, skipped + SAMPLE) if line.strip()]
    text = "".join(lines)
    if written.delimiter is not None or any(mark in text for mark in (*DELIMITERS, '"')):
        return False
    widths = {len(line.split()) for line in lines[1:]}
    return (
        len(widths) == 1
        and max(widths) > 1
        and any(line[0] == " " or "  " in line.strip() for line in lines)
    )


def _names(best: _Trial, *, has_header: bool) -> tuple[str, ...]:
    """Name the columns as the header does, or by their numbers."""
    if not has_header:
        return tuple(f"column{j}" for j in range(1, len(best.cells) + 1))
    skipped = best.cells[0] if best.cells and best.width > len(best.first) else 0
    return tuple(best.first[cell - skipped] for cell in best.cells)


def _tried(text: str, delimiter: str, target: str) -> _Trial:
    """Cut the first rows with a delimiter."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    lines = 0
    try:
        for row in reader:
            if not row or (len(row) == 1 and _SPACE.fullmatch(row[0])):
                continue
            lines = lines or reader.line_num
            rows.append([cell.strip() for cell in row])
            if len(rows) == SAMPLE:
                break
    except csv.Error:  # a cell without end
        pass
    first = rows[0] if rows else [""]
    below = rows[1:] or rows
    columns, width = _shape(first, below, quoted=_all_quoted(text), comma=delimiter == ",")
    whole = [row for row in rows if len(row) == width]
    even = (len(whole) + (width != len(first))) / max(1, len(rows))
    cells = [cell for row in below for cell in row]
    numbers = sum(cell in MISSING or bool(_NUMBER.fullmatch(cell)) for cell in cells)
    wide = min(len(first), 2)  # one column is what any wrong delimiter gives
    score = (wide > 1 and target in first, wide * even, numbers / max(1, len(cells)), len(first))
    return _Trial(score, delimiter, first, lines, columns, width)


def _shape(
    first: list[str], below: list[list[str]], *, quoted: bool, comma: bool
) -> tuple[tuple[int, ...], int]:
    """Say which cells of a row are columns, and how many there are, from the first rows."""
    usual = len(first)
    widths = {len(row) for row in below}
    if widths == {usual + 1} and all(not row[-1] for row in below):
        return tuple(range(usual)), usual + 1
    if widths == {usual + 1} and _are_names([row[0] for row in below], quoted=quoted, comma=comma):
        return tuple(range(1, usual + 1)), usual + 1
    if usual > 1 and not first[-1] and widths == {usual - 1}:
        return tuple(range(usual - 1)), usual - 1
    if usual > 1 and widths == {usual} and not first[-1] and all(not row[-1] for row in below):
        return tuple(range(usual - 1)), usual
    return tuple(range(usual)), usual


def _are_names(cells: list[str], *, quoted: bool, comma: bool) -> bool:
    """Tell names of rows from numbers: a comma too many may also be a decimal mark."""
    if len(set(cells)) < len(cells):
        return False
    if quoted or not any(map(_NUMBER.fullmatch, cells)):
        return True
    # As R counts rows, and as pandas does.
    counted = ([str(k) for k in range(first, first + len(cells))] for first in (1, 0))
    return not comma and cells in counted


def _all_quoted(text: str) -> bool:
    """Tell whether each of the first rows begins with a quotation mark."""
    lines = [line for line in islice(io.StringIO(text), SAMPLE) if line.strip()]
    return all(line.startswith('"') for line in lines)


def _decoded(head: bytes, name: str, *, complete: bool) -> str:
    """Decode the first bytes, up to the last line end where more follow."""
    if not complete:
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _CONTROL.search(head):
            raise _binary(head, name) from None
        raise UnreadableFile(
            name,
            got=f"a byte that is not UTF-8 at position {error.start:,}",
            expected="CSV or TSV in UTF-8, Parquet, Arrow or Feather",
            advice="for a text of Western Europe use {read.encoding}, or export it as one of them",
            suggest={"read.encoding": "cp1252" if _WINDOWS.search(head) else "latin-1"},
        ) from None
    if _CONTROL.search(head):
        raise _binary(head, name)
    if not text.strip():
        raise _no_table(name, "an empty file")
    return text


def _binary(head: bytes, name: str) -> UnreadableFile:
    """Refuse bytes that no text in UTF-8 has; one of two bytes a letter by its encoding."""
    for encoding, zeros in (("utf-16-le", head[1:200:2]), ("utf-16-be", head[:200:2])):
        if zeros and zeros.count(0) > 0.9 * len(zeros):
            return UnreadableFile(
                name,
                got="a text of two bytes a letter, without the mark that tells their order",
                expected="CSV or TSV in UTF-8, Parquet, Arrow or Feather",
                advice="use {read.encoding}",
                suggest={"read.encoding": encoding},
            )
    return _no_table(name, "binary content")


def _no_table(name: str, got: str) -> UnreadableFile:
    empty = got == "an empty file"
    return UnreadableFile(
        name,
        got=got,
        expected="CSV or TSV in UTF-8, Parquet, Arrow or Feather",
        advice="check the program that wrote it" if empty else "export the table as one of them",
    )
