"""Tables in text: CSV, TSV and their kin, read in pieces of whole rows by PyArrow's parser.

PyArrow's own streaming reader parses on one thread. Here the bytes are cut into pieces at line
ends, and each piece is parsed on all threads; memory stays that of a few pieces.
Not here: which columns are wanted (:mod:`thalweg.data.columns`), other formats
(:mod:`thalweg.data.files`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv

from thalweg.data.arrow import arrow_columns
from thalweg.data.columns import Column
from thalweg.errors import InvalidSetting, UnreadableFile

HEAD = 1 << 20  # bytes that names, delimiter and types are found from
PIECE = 4 << 20  # bytes parsed at once, by several threads
BLOCK = 1 << 20  # bytes parsed by one thread
LONGEST_ROW = 64 << 20  # beyond this a quotation mark was never closed
SAMPLE = 100  # rows that tell delimiters apart

DELIMITERS = (",", ";", "\t", "|")
_NUMBER, _NUMBER_POINT, _NUMBER_COMMA = (
    re.compile(rf"\s*[+-]?(\d+({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?\s*")
    for mark in ("[.,]", "[.]", ",")
)
_NUMBERS = {".": _NUMBER_POINT, ",": _NUMBER_COMMA}
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")
_MISSING = frozenset(pa.csv.ConvertOptions().null_values)


class Layout(NamedTuple):
    """How a text is to be read as a table."""

    delimiter: str
    names: tuple[str, ...]
    has_header: bool
    body: int
    """Bytes before the first row of values."""


class Piece(NamedTuple):
    """Whole rows of text, and whether there is a quotation mark in them."""

    content: memoryview
    quoted: bool


@dataclass(frozen=True)
class Delimited:
    """A table in a file of delimited text.

    Parameters
    ----------
    name : str
        What the file is called in errors.
    open : callable
        Opens the file's bytes, decompressed, from their beginning.
    layout : Layout
        As :func:`find_layout` finds it.
    decimal : str
        The decimal mark, ``.`` or ``,``.
    expected_rows : int, optional
        About how many rows there are.
    """

    name: str
    open: Callable[[], IO[bytes]]
    layout: Layout
    decimal: str = "."
    expected_rows: int | None = None

    def columns(self) -> list[Column]:
        """Describe the columns by what their first megabyte holds.

        Raises
        ------
        UnreadableFile
            If there are no rows, or they do not all have as many cells as there are columns.
        """
        with self.open() as file:
            piece = next(_pieces(file, HEAD, self.layout.body, self.name), None)
        if piece is None:
            raise UnreadableFile(
                self.name,
                got="a header and no rows",
                expected="rows of values below the header",
                advice="check the filter or the program that wrote the file",
            )
        convert = pa.csv.ConvertOptions(strings_can_be_null=True, decimal_point=self.decimal)
        table = self._parse(piece, before=0, convert=convert)
        found = arrow_columns(table.schema)
        return [
            self._described(name, column, table.column(j))
            for j, (name, column) in enumerate(zip(self.layout.names, found, strict=True))
        ]

    def tables(self, positions: Sequence[int]) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give the columns at ``positions`` as numbers, piece by piece, in the order named.

        Raises
        ------
        UnreadableFile
            At the first row with too few or too many cells, or a cell that is no number.
        """
        wanted = [str(position) for position in positions]
        convert = pa.csv.ConvertOptions(
            include_columns=wanted,
            column_types=dict.fromkeys(wanted, pa.float64()),
            decimal_point=self.decimal,
        )
        before = 0
        with self.open() as file:
            for piece in _pieces(file, PIECE, self.layout.body, self.name):
                table = self._parse(piece, before=before, convert=convert)
                before += table.num_rows
                yield table, tuple(range(len(wanted)))

    def _parse(self, piece: Piece, *, before: int, convert: pa.csv.ConvertOptions) -> pa.Table:
        """Parse whole rows; ``before`` is how many have come before them."""
        # Types must be found from all the rows of a piece, numbers can be parsed block by block.
        block = BLOCK if convert.column_types else len(piece.content) + 1
        try:
            return self._read(piece, convert, block, use_threads=True)
        except pa.ArrowInvalid as error:
            raise self._fault(piece, before, convert) from error

    def _read(
        self,
        piece: Piece,
        convert: pa.csv.ConvertOptions,
        block: int,
        *,
        use_threads: bool,
        handler: Callable[[Any], str] | None = None,
    ) -> pa.Table:
        return pa.csv.read_csv(
            pa.BufferReader(piece.content),
            read_options=pa.csv.ReadOptions(
                # Positions for names: headers may repeat themselves.
                column_names=[str(j) for j in range(len(self.layout.names))],
                block_size=block,
                use_threads=use_threads,
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=self.layout.delimiter,
                newlines_in_values=piece.quoted,
                invalid_row_handler=handler,
            ),
            convert_options=convert,
        )

    def _fault(self, piece: Piece, before: int, convert: pa.csv.ConvertOptions) -> UnreadableFile:
        """Read a piece again, slowly, to say what is wrong with it and where."""
        ragged: list[Any] = []

        def note(row: Any) -> str:
            ragged.append(row)
            return "error"

        block = len(piece.content) + 1
        try:
            self._read(piece, convert, block, use_threads=False, handler=note)
            reason = "rows that cannot be parsed"
        except pa.ArrowInvalid as error:
            reason = str(error)
        if ragged:
            return self._ragged(ragged[0], before)
        cell = re.search(r"CSV column #(\d+): Row #(\d+): .* invalid value '(.*)'", reason, re.S)
        if cell is None:
            return self._unreadable(reason, "check the file in an editor")
        column, row, value = int(cell[1]), before + int(cell[2]) - 1, cell[3]
        name = self.layout.names[column]
        advice = "correct that cell, or leave it empty to have it count as missing"
        if self._has_decimal_comma(value):
            advice = "for a decimal comma use {read.decimal}"
        return self._unreadable(
            f"{value!r} in column {name!r}, row {row} (counted from 0)", advice, "numbers there"
        )

    def _ragged(self, row: Any, before: int) -> UnreadableFile:
        plural = "" if row.actual_columns == 1 else "s"
        where = "" if row.number is None else f" in row {before + row.number - 1} (counted from 0)"
        advice = f"put quotation marks around cells that contain {self.layout.delimiter!r}"
        if row.actual_columns == 2 * row.expected_columns and self.layout.delimiter == ",":
            advice = (
                "if the commas are decimal marks, separate the columns by semicolons and "
                "use {read.decimal}"
            )
        return self._unreadable(
            f"{row.actual_columns} cell{plural}{where}",
            advice,
            f"{row.expected_columns} cells in each row",
        )

    def _described(self, name: str, column: Column, values: pa.ChunkedArray) -> Column:
        """Say what a column holds; of text, the first cell that is the reason for it."""
        if column.numeric or column.kind not in ("text", "binary"):
            return column._replace(name=name)
        cells = [str(value) for value in values.to_pylist() if value is not None]
        number = _NUMBERS[self.decimal]
        cell = next((cell for cell in cells if not number.fullmatch(cell)), cells[0])
        return Column(name, f"text, such as {cell[:30]!r}", False, self._has_decimal_comma(cell))

    def _has_decimal_comma(self, cell: str) -> bool:
        """Tell whether a cell would be a number if its comma were the decimal mark."""
        return self.decimal == "." and _DECIMAL_COMMA.fullmatch(cell) is not None

    def _unreadable(
        self, got: str, advice: str, expected: str = "a table of delimited text"
    ) -> UnreadableFile:
        return UnreadableFile(
            self.name, got=got, expected=expected, advice=advice, suggest={"read.decimal": ","}
        )


def find_layout(
    head: bytes, *, name: str, target: str, delimiter: str | None, complete: bool
) -> Layout:
    r"""Find the delimiter and the header from the first bytes of a text.

    The delimiter is the one that cuts the first rows most evenly into the most numbers. The
    first row is a header unless it holds a number and not the target's name.

    Parameters
    ----------
    head : bytes
        The first megabyte, decompressed.
    name : str
        What the file is called in errors.
    target : str
        The target's name.
    delimiter : str, optional
        The delimiter, if it is known.
    complete : bool
        Whether ``head`` is all there is.

    Raises
    ------
    UnreadableFile
        If this is no text in UTF-8, or no table.

    Examples
    --------
    >>> head = "length;mass\n1,5;2\n".encode()
    >>> find_layout(head, name="fish.csv", target="mass", delimiter=None, complete=True)
    Layout(delimiter=';', names=('length', 'mass'), has_header=True, body=12)
    """
    text = _decoded(head, name, complete=complete)
    layouts = [
        _tried(text, candidate, target) for candidate in ([delimiter] if delimiter else DELIMITERS)
    ]
    _, delimiter, cells, lines = max(layouts, key=lambda layout: layout[0])
    has_header = target in cells or not any(map(_NUMBER.fullmatch, cells))
    names = cells if has_header else [f"column{j}" for j in range(1, len(cells) + 1)]
    above = islice(io.StringIO(text, newline=""), lines if has_header else 0)
    marked = len(b"\xef\xbb\xbf") if head.startswith(b"\xef\xbb\xbf") else 0
    return Layout(
        delimiter, tuple(names), has_header, marked + sum(len(line.encode()) for line in above)
    )


def _tried(
    text: str, delimiter: str, target: str
) -> tuple[tuple[bool, float, float, int], str, list[str], int]:
    """Cut the first rows with a delimiter: how well that goes, the first row, lines it takes."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[list[str]] = []
    lines = 0
    try:
        for row in reader:
            if not row:
                continue
            lines = lines or reader.line_num
            rows.append([cell.strip() for cell in row])
            if len(rows) == SAMPLE:
                break
    except csv.Error:  # a cell without end
        pass
    first = rows[0] if rows else [""]
    below = rows[1:] or rows
    even = sum(len(row) == len(first) for row in rows) / max(1, len(rows))
    cells = [cell for row in below for cell in row]
    numbers = sum(cell in _MISSING or bool(_NUMBER.fullmatch(cell)) for cell in cells)
    wide = min(len(first), 2)  # one column is what any wrong delimiter gives
    return (
        (wide > 1 and target in first, wide * even, numbers / max(1, len(cells)), len(first)),
        delimiter,
        first,
        lines,
    )


def _decoded(head: bytes, name: str, *, complete: bool) -> str:
    """Decode the first bytes, up to the last line end where more follow."""
    if not complete:
        head = head[: max(head.rfind(b"\n"), head.rfind(b"\r")) + 1] or head
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"a byte that is not UTF-8 at position {error.start:,}"
    else:
        if "\0" not in text:
            if text.strip():
                return text
            got = "an empty file"
        else:
            got = "binary content"
    empty = got == "an empty file"
    raise UnreadableFile(
        name,
        got=got,
        expected="CSV or TSV in UTF-8, Parquet, Arrow or Feather",
        advice="check the program that wrote it" if empty else "export the table as one of them",
    )


def check_format(delimiter: str | None, decimal: str) -> None:
    """Refuse delimiters and decimal marks that are none."""
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n' or delimiter > "~"):
        raise InvalidSetting(
            "delimiter",
            got=repr(delimiter),
            expected="a single character",
            advice=r"name the one between the columns, such as ';' or '\t'",
        )
    if decimal not in (".", ","):
        raise InvalidSetting(
            "decimal",
            got=repr(decimal),
            expected="'.' or ','",
            advice="leave it out for a decimal point",
        )


def _pieces(file: IO[bytes], size: int, skip: int, name: str) -> Iterator[Piece]:
    """Cut a stream after ``skip`` bytes into pieces of whole rows of about ``size`` bytes.

    Each piece lies in the same memory as the one before it, which is gone then.
    """
    file.read(skip)
    buffer, filled = bytearray(2 * size), 0
    while count := file.readinto(memoryview(buffer)[filled : filled + size]):  # type: ignore[attr-defined] # raw files have it
        filled += count
        end = _last_row_end(buffer, filled)
        if end:
            yield from _piece(buffer, end)
            buffer[: filled - end] = buffer[end:filled]
            filled -= end
        elif filled > LONGEST_ROW:
            raise UnreadableFile(
                name,
                got=f"a row of more than {LONGEST_ROW >> 20} MB",
                expected="rows that end",
                advice="look for a quotation mark that is never closed",
            )
        if len(buffer) < filled + size:
            buffer = buffer + bytes(len(buffer))  # not in place: a piece may still be looked at
    yield from _piece(buffer, filled)


def _piece(buffer: bytearray, end: int) -> Iterator[Piece]:
    """Show the first ``end`` bytes, unless there is nothing to be seen in them."""
    if end and not (buffer[:1].isspace() and buffer[:end].isspace()):
        yield Piece(memoryview(buffer)[:end], quoted=buffer.find(b'"', 0, end) >= 0)


def _last_row_end(content: bytearray, filled: int) -> int:
    """Find where the last line ends that is not inside quotation marks; 0 if nowhere.

    A cell may hold line ends between quotation marks. Whole rows have an even number of them,
    as a mark inside a cell is written twice.
    """
    newline = b"\n" if content.find(b"\n", 0, filled) >= 0 else b"\r"
    end = content.rfind(newline, 0, filled) + 1
    marks = content.count(b'"', 0, end)
    while end and marks % 2:
        last = content.rfind(b'"', 0, end)
        end, before = content.rfind(newline, 0, last) + 1, end
        marks -= content.count(b'"', end, before)
    return end
