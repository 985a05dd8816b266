"""Tables in Excel's workbooks, read by calamine: the first sheet.

Not here: which columns are wanted (:mod:`thalweg.data.columns`), other formats
(:mod:`thalweg.data.tables`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from thalweg.data.columns import FLAGS, Column
from thalweg.data.reading import Dialect
from thalweg.data.text_format import TextFormat
from thalweg.errors import MissingExtra, UnreadableFile

try:
    import python_calamine
except ImportError as missing:
    raise MissingExtra("reading Excel's workbooks", "excel") from missing


@dataclass(frozen=True)
class Sheet:
    """The first sheet of a workbook: names in its first row, values below.

    Parameters
    ----------
    name : str
        What the file is called in errors.
    written : TextFormat
        The spellings of missing values, the rows above the table.
    """

    name: str
    written: TextFormat
    dialect = Dialect("excel")

    @property
    def expected_rows(self) -> int:
        """How many rows there are below the names."""
        return len(self._rows) - 1

    @cached_property
    def _rows(self) -> list[list[Any]]:
        try:
            book = python_calamine.CalamineWorkbook.from_path(self.name)
            sheet = book.get_sheet_by_index(0)
            rows: list[list[Any]] = sheet.to_python()
            above = sheet.start[0] if sheet.start else 0  # empty rows, which are cut
        except (python_calamine.CalamineError, IndexError) as error:
            raise UnreadableFile(
                self.name,
                got=f"a workbook that cannot be read ({str(error)[:200]})",
                expected="a table in its first sheet",
                advice="check that it is whole, or save the sheet as CSV",
            ) from error
        rows = rows[max(0, self.written.skip_rows - above) :]
        rows = [row for row in rows if any(cell != "" for cell in row)]
        if len(rows) < 2:
            raise UnreadableFile(
                self.name,
                got="a first sheet without rows below the names",
                expected="a table in the first sheet",
                advice="put the table into the first sheet, or save its sheet as CSV",
            )
        return rows

    def columns(self) -> list[Column]:
        """Describe the columns by their cells."""
        return [
            Column(_as_text(name), kind, numeric, is_text=kind == "text")
            for name, (kind, numeric) in zip(self._rows[0], map(_kind, self._cells), strict=True)
        ]

    def tables(
        self, positions: Sequence[int], words: Collection[int] = ()
    ) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give the columns at ``positions``: numbers as float64; text, and those at ``words``."""
        described = self.columns()
        columns = [
            described[position].as_words() if position in words else described[position]
            for position in positions
        ]
        table = pa.table(
            [
                _values(self._cells[position], column)
                for position, column in zip(positions, columns, strict=True)
            ],
            [str(j) for j in range(len(positions))],
        )
        yield table, tuple(range(len(positions)))

    @cached_property
    def _cells(self) -> list[tuple[Any, ...]]:
        return [
            tuple("" if self._is_missing(cell) else cell for cell in column)
            for column in zip(*self._rows[1:], strict=True)
        ]

    def _is_missing(self, cell: Any) -> bool:
        """Tell a cell that holds nothing, or one of the spellings of that."""
        return not isinstance(cell, bool) and _as_text(cell).strip() in self.written.missing


def _kind(cells: tuple[Any, ...]) -> tuple[str, bool]:
    held = [cell for cell in cells if cell != ""]
    if not held:
        return "empty", True
    if all(isinstance(cell, bool) for cell in held):
        return FLAGS, True
    if all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in held):
        return "number", True
    if any(isinstance(cell, str) for cell in held):
        return "text", False
    return type(held[0]).__name__, False


def _values(cells: tuple[Any, ...], column: Column) -> pa.Array:
    held = [None if cell == "" else cell for cell in cells]
    if column.kind == FLAGS:
        return pa.array(held, pa.bool_())
    if column.numeric:
        return pa.array(held, pa.float64())
    return pa.array([None if cell is None else _as_text(cell) for cell in held])


def _as_text(cell: Any) -> str:
    """Write a cell as a text has it: in a workbook each whole number is a float."""
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell)
