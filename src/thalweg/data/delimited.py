"""Tables in text: CSV, TSV and their kin, read in pieces of whole rows by PyArrow's parser.

PyArrow's own streaming reader parses on one thread. Here the bytes are cut into pieces at line
ends, and each piece is parsed on all threads; memory stays that of a few pieces. Plain numbers are
Arrow's; a piece in which it finds others is read again as text, by :mod:`thalweg.data.cells`.
Not here: how a text is laid out (:mod:`thalweg.data.layout`), which columns are wanted
(:mod:`thalweg.data.columns`), other formats (:mod:`thalweg.data.tables`).
"""

from __future__ import annotations

import bisect
import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from thalweg.data.cells import (
    BadCell,
    are_plain,
    columns_of,
    fitting,
    flags,
    marks_of,
    numbers,
    texts,
)  # fmt: skip
from thalweg.data.columns import FLAGS, Column, advise_marks
from thalweg.data.layout import Layout
from thalweg.data.reading import Dialect
from thalweg.data.text_format import TextFormat
from thalweg.data.text_stream import as_text
from thalweg.errors import UnreadableFile

HEAD = 1 << 20  # bytes that names, delimiter and types are found from
PIECE = 4 << 20  # bytes parsed at once, by several threads
BLOCK = 1 << 20  # bytes parsed by one thread
LONGEST_ROW = 64 << 20  # beyond this a quotation mark was never closed


class Piece(NamedTuple):
    """Whole rows of text."""

    content: memoryview
    start: int
    """Bytes of the text before them."""
    holds_line_ends: bool
    """Whether a cell in them does."""


@dataclass(frozen=True)
class Delimited:
    """A table in a file of delimited text.

    Parameters
    ----------
    name : str
        What the file is called in errors.
    open : callable
        Opens the text's bytes in UTF-8, from their beginning.
    layout : Layout
        As :func:`thalweg.data.layout.find_layout` finds it.
    written : TextFormat
        The marks in numbers, the spellings of missing values.
    dialect : Dialect
        What the file turned out to be.
    expected_rows : int, optional
        About how many rows there are.
    """

    name: str
    open: Callable[[], IO[bytes]]
    layout: Layout
    written: TextFormat
    dialect: Dialect
    expected_rows: int | None = None
    # Where the pieces of the last pass began: the rows and the bytes before each.
    _begun: list[tuple[int, int]] = field(default_factory=list, compare=False)

    def columns(self) -> list[Column]:
        """Describe the columns by what their first megabyte holds; without rows they are empty.

        Raises
        ------
        UnreadableFile
            If the rows do not all have as many cells as there are columns.
        """
        return self._columns

    @property
    def is_bare(self) -> bool:
        """Whether there is a header and no row."""
        return self._head() is None

    @cached_property
    def _columns(self) -> list[Column]:
        head = self._head()
        if head is None:
            return [Column(name, "empty", True) for name in self.layout.names]
        return columns_of(self.layout.names, head, self.written)

    def _head(self) -> pa.Table | None:
        """Parse the first megabyte as text; None where there are no rows."""
        with self.open() as file:
            piece = next(self._pieces(file, HEAD), None)
        types = {str(cell): pa.string() for cell in self.layout.cells}
        return None if piece is None else self._parse(piece, types, 0)

    def tables(
        self, positions: Sequence[int], words: Collection[int] = ()
    ) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give the columns at ``positions``, piece by piece, in the order named.

        Numbers, true and false come as float64; text, and whatever stands at ``words``, as it is.

        Raises
        ------
        UnreadableFile
            At the first row with too few or too many cells, or a cell that is no number.
        """
        columns = [
            self._columns[position].as_words() if position in words else self._columns[position]
            for position in positions
        ]
        names = [str(self.layout.cells[position]) for position in positions]
        plain = are_plain(self.written)
        types = {
            name: pa.float64() if plain and column.numeric and column.kind != FLAGS else pa.string()
            for name, column in zip(names, columns, strict=True)
        }
        before, order = 0, tuple(range(len(names)))
        self._begun.clear()
        with self.open() as file:
            for piece in self._pieces(file, PIECE):
                self._begun.append((before, piece.start))
                table = self._converted(piece, types, columns, before)
                before += table.num_rows
                yield table, order

    def line_of(self, row: int) -> int:
        """Give the line, counted from 1, in which a row of the last pass begins."""
        k = bisect.bisect_right(self._begun, row, key=lambda begun: begun[0]) - 1
        before, start = self._begun[k]
        with self.open() as file:
            lines = _count_lines(file, start)
            text = as_text(file)
            reader, line = csv.reader(text, delimiter=self.layout.delimiter), 0
            for _ in range(row - before + 1):
                line = reader.line_num
                while self._is_blank(next(reader, [""] * 2)):
                    line = reader.line_num
        return lines + line + 1

    def _is_blank(self, row: list[str]) -> bool:
        return self.layout.width > 1 and len(row) < 2 and not "".join(row).strip(" ")

    def _converted(
        self, piece: Piece, types: dict[str, Any], columns: list[Column], before: int
    ) -> pa.Table:
        """Parse a piece with its numbers, by Arrow where they are plain."""
        try:
            table = self._read(piece, types)
        except pa.ArrowInvalid:
            table = self._parse(piece, dict.fromkeys(types, pa.string()), before)
        made = []
        for name, values, column in zip(types, table.columns, columns, strict=True):
            if values.type != pa.string():
                made.append(values)
                continue
            convert = flags if column.kind == FLAGS else numbers if column.numeric else texts
            try:
                made.append(convert(values.combine_chunks(), self.written))
            except BadCell as bad:
                raise self._bad_cell(column, name, bad, before) from None
        return pa.table(made, [str(j) for j in range(len(made))])

    def _parse(self, piece: Piece, types: dict[str, Any], before: int) -> pa.Table:
        """Parse whole rows as text; ``before`` is how many have come before them."""
        ragged: list[Any] = []
        blank: list[Any] = []

        def note(row: Any) -> str:
            if not row.text.strip(" "):
                blank.append(row)
                return "skip"
            ragged.append(row)
            return "error"

        try:
            return self._read(piece, types, handler=note)
        except pa.ArrowInvalid as error:
            if ragged:
                raise self._ragged(ragged[0], piece, before - len(blank)) from None
            first = " ".join(str(error).split("\n")[0].split())
            raise self._unreadable(first[:200], "check the file in an editor") from error

    def _read(
        self, piece: Piece, types: dict[str, Any], handler: Callable[[Any], str] | None = None
    ) -> pa.Table:
        # The number of a ragged row is told only where one thread counts them.
        block = len(piece.content) + 1 if handler else BLOCK
        return pa.csv.read_csv(
            pa.BufferReader(piece.content),
            read_options=pa.csv.ReadOptions(
                # Positions for names: headers may repeat themselves.
                column_names=[str(j) for j in range(self.layout.width)],
                block_size=block,
                use_threads=handler is None,
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=self.layout.delimiter,
                newlines_in_values=piece.holds_line_ends,
                invalid_row_handler=handler,
            ),
            convert_options=pa.csv.ConvertOptions(
                include_columns=[*types],
                column_types=types,
                decimal_point=self.written.decimal,
                null_values=self.written.missing,
            ),
        )

    def _bad_cell(self, column: Column, cell: str, bad: BadCell, before: int) -> UnreadableFile:
        where = f"{bad.value!r} in column {column.name!r}, line {self.line_of(before + bad.row)}"
        if column.kind == FLAGS:
            return self._unreadable(where, "correct that cell", "true or false there")
        head = self._head()
        cells = pa.array([bad.value, *([] if head is None else head[cell].to_pylist())])
        fits = fitting(texts(cells, self.written).drop_null(), marks_of(self.written))
        settings, advice = advise_marks(fits)
        advice = advice or "correct that cell, or leave it empty to have it count as missing"
        return self._unreadable(where, advice, "numbers there", settings)

    def _ragged(self, row: Any, piece: Piece, before: int) -> UnreadableFile:
        plural = "" if row.actual_columns == 1 else "s"
        where = ""
        if row.number is not None:
            if not self._begun:
                self._begun.append((0, piece.start))
            where = f" in line {self.line_of(before + row.number - 1)}"
        settings: dict[str, Any] = {}
        advice = f"put quotation marks around cells that contain {self.layout.delimiter!r}"
        if row.actual_columns < row.expected_columns:
            advice = "fill that row up, or take it out where it is a note beside the table"
        if row.actual_columns == 2 * row.expected_columns and self.layout.delimiter == ",":
            settings = {"read.decimal": ","}
            advice = (
                "if the commas are decimal marks, separate the columns by semicolons and "
                "use {read.decimal}"
            )
        expected = f"{row.expected_columns} cells in each row"
        return self._unreadable(f"{row.actual_columns} cell{plural}{where}", advice, expected,
                                settings)  # fmt: skip

    def _unreadable(
        self, got: str, advice: str, expected: str = "a table of delimited text",
        settings: dict[str, Any] | None = None,
    ) -> UnreadableFile:  # fmt: skip
        return UnreadableFile(
            self.name, got=got, expected=expected, advice=advice, suggest=settings
        )

    def _pieces(self, file: IO[bytes], size: int) -> Iterator[Piece]:
        """Cut what follows the header into pieces of whole rows of about ``size`` bytes.

        Each piece lies in the same memory as the one before it, which is gone then.
        """
        start = 0
        while part := file.read(self.layout.body - start):
            start += len(part)
        buffer, filled = bytearray(2 * size), 0
        while count := file.readinto(memoryview(buffer)[filled : filled + size]):  # type: ignore[attr-defined] # raw files have it
            filled += count
            end, holds, opened = self._rows_end(buffer, filled)
            if end:
                yield from self._piece(buffer, end, start, holds=holds)
                buffer[: filled - end] = buffer[end:filled]
                filled, start = filled - end, start + end
            elif filled > LONGEST_ROW:
                raise self._never_closed(start + max(opened, 0))
            if len(buffer) < filled + size:
                buffer = buffer + bytes(len(buffer))  # not in place: a piece may be looked at
        if filled:
            end, holds, opened = self._rows_end(buffer, filled)
            if opened >= 0:
                raise self._never_closed(start + opened)
            yield from self._piece(buffer, filled, start, holds=holds)

    def _piece(self, buffer: bytearray, end: int, start: int, *, holds: bool) -> Iterator[Piece]:
        """Show the first ``end`` bytes, unless all that stands in them are blank lines."""
        blank = b" \r\n" if self.layout.delimiter != " " else b"\r\n"
        if self.layout.width == 1 or buffer[:end].strip(blank):
            yield Piece(memoryview(buffer)[:end], start, holds)

    def _rows_end(self, buffer: bytearray, filled: int) -> tuple[int, bool, int]:
        """Find where the last row ends, whether cells hold line ends, the mark that is open."""
        newline = b"\n" if buffer.find(b"\n", 0, filled) >= 0 else b"\r"
        if buffer.find(b'"', 0, filled) < 0:
            return buffer.rfind(newline, 0, filled) + 1, False, -1
        from thalweg.data.row_ends import scan_rows  # Numba: only where there are such marks

        content = np.frombuffer(buffer, np.uint8, filled)
        end, holds, opened = scan_rows(content, ord(self.layout.delimiter), newline[0])
        return int(end), bool(holds), int(opened)

    def _never_closed(self, position: int) -> UnreadableFile:
        with self.open() as file:
            line = _count_lines(file, position) + 1
        return self._unreadable(
            f"a quotation mark in line {line} that is never closed",
            "close it, or write it twice inside quotation marks",
            "rows that end",
        )


def _count_lines(file: IO[bytes], end: int) -> int:
    """Count the lines that end in the first bytes of a text, and stop just behind these."""
    lines, last = 0, b""
    while end > 0 and (chunk := file.read(min(end, HEAD))):
        end -= len(chunk)
        pairs = chunk.count(b"\r\n") + (last == b"\r" and chunk[:1] == b"\n")
        lines += chunk.count(b"\n") + chunk.count(b"\r") - pairs
        last = chunk[-1:]
    return lines
