"""Cells of text as numbers: what a column of them holds, and the numbers.

Arrow's parser reads plain numbers; this is for all the others: marks between thousands, spellings
of missing values with blanks around them, true and false. Not here: the parser
(:mod:`thalweg.data.delimited`), which columns are fitted (:mod:`thalweg.data.columns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from thalweg.data.columns import FLAGS, Column, Marks
from thalweg.data.text_format import THOUSANDS, TextFormat

TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_EXPONENT = r"([eE][+-]?\d+)?"
_OTHER = r"[+-]?(inf(inity)?|Inf(inity)?|INF(INITY)?|NAN)"
_MONTH = r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\pL*\.?"
_DAYS = "|".join(
    (
        r"\d{4}[-/.]\d\d?[-/.]\d\d?",
        r"\d\d?/\d\d?/(\d\d|\d{4})",
        r"\d\d?[-.]\d\d?[-.]\d{4}",
        rf"{_MONTH}[- ]\d\d?,?[- ]\d{{4}}",
        rf"\d\d?\.?[- ]{_MONTH}[- ](\d\d|\d{{4}})",
    )
)
_TIME = r"\d\d?(:\d\d){1,2}([.,]\d+)?( ?[AaPp][Mm])?( ?(Z|UTC|GMT|[+-]\d\d:?(\d\d)?))?"
_DATE = rf"^({_DAYS})((T|,? ){_TIME})?$"
"""A day as it is written in the world, and a time of it: numbers and names of months in English."""
SHOWN = 30  # characters of a cell in an error


class BadCell(Exception):
    """A cell that is no number: its place, and what it holds."""

    def __init__(self, row: int, value: str) -> None:
        super().__init__(value)
        self.row, self.value = row, value


def _pattern(marks: Marks) -> str:
    """Match a number, as RE2's expressions are written."""
    point = re.escape(marks.decimal)
    whole = r"\d+"
    if marks.thousands is not None:
        whole = rf"(\d+|\d{{1,3}}({re.escape(marks.thousands)}\d{{3}})+)"
    return rf"^([+-]?({whole}({point}\d*)?|{point}\d+){_EXPONENT}|{_OTHER})$"


PLAIN = Marks(".", None)
# How numbers are written in the world.
WRITTEN = tuple(
    Marks(decimal, thousands)
    for thousands in (None, *THOUSANDS)
    for decimal in (".", ",")
    if decimal != thousands
)


def marks_of(written: TextFormat) -> Marks:
    """Give the marks in numbers that a text is read with."""
    return Marks(written.decimal, written.thousands)


def are_plain(written: TextFormat) -> bool:
    """Tell whether Arrow's parser reads all the numbers that it takes as they are meant."""
    pattern = re.compile(_pattern(marks_of(written)))
    return written.thousands is None and not any(map(pattern.search, written.na_values))


def columns_of(names: Iterable[str], table: pa.Table, written: TextFormat) -> list[Column]:
    """Describe the columns of a table whose cells are all text."""
    cells = [_present(column.combine_chunks(), written).drop_null() for column in table.columns]
    columns = [_described(*one, written) for one in zip(names, cells, strict=True)]
    if not any(column.is_text for column in columns):
        return columns
    marks = marks_of(written)
    return [
        column._replace(marks=fitting(values, marks))
        if column.is_text or column.numeric
        else column
        for column, values in zip(columns, cells, strict=True)
    ]


def _described(name: str, values: Any, written: TextFormat) -> Column:
    if not len(values):
        return Column(name, "empty", True)
    odd = _first_odd(values, marks_of(written))
    if odd is None:
        return Column(name, "number", True)
    if pc.all(pc.is_in(values, value_set=pa.array(TRUE + FALSE))).as_py():
        return Column(name, FLAGS, True)
    if _are_dates(values):
        return Column(name, "date", False)
    numbers = values.filter(pc.not_equal(values, odd))
    is_word = not any(map(str.isdigit, odd))  # no number in somebody else's way of writing
    alone = is_word and len(numbers) > 0 and _first_odd(numbers, marks_of(written)) is None
    kind = f"text, such as {odd[:SHOWN]!r}"
    return Column(name, kind, False, is_text=True, stray=odd if alone else None)


def _are_dates(values: Any) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, _DATE)).as_py())


def fitting(values: Any, own: Marks) -> frozenset[Marks]:
    """Give the other marks with which all the cells are numbers."""
    return frozenset(
        marks for marks in WRITTEN if marks != own and _first_odd(values, marks) is None
    )


def _first_odd(values: Any, marks: Marks) -> str | None:
    """Find the first cell that is no number with these marks."""
    if marks == PLAIN:
        try:  # quicker, where it goes well
            values.cast(pa.float64())
        except pa.ArrowInvalid:
            pass
        else:
            return None
    matches = pc.match_substring_regex(values, _pattern(marks))
    odd = pc.index(matches, False).as_py()
    return None if odd < 0 else str(values[odd].as_py())


def _present(cells: Any, written: TextFormat) -> Any:
    """Take the blanks off; nulls for what is missing."""
    trimmed = pc.utf8_trim_whitespace(cells)
    missing = pc.is_in(trimmed, value_set=pa.array([*written.missing, None], pa.string()))
    return pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)


def texts(cells: Any, written: TextFormat) -> Any:
    """Give the texts of a column, nulls for what is missing."""
    return _present(cells, written)


def numbers(cells: Any, written: TextFormat) -> Any:
    """Give the numbers of a column as float64, nulls for what is missing.

    Raises
    ------
    BadCell
        At the first cell that is no number.
    """
    cells = _present(cells, written)
    matches = pc.match_substring_regex(cells, _pattern(marks_of(written)))
    odd = pc.index(matches, False).as_py()
    if odd >= 0:
        raise BadCell(odd, str(cells[odd].as_py()))
    if written.thousands is not None:
        cells = pc.replace_substring(cells, written.thousands, "")
    if written.decimal != ".":
        cells = pc.replace_substring(cells, written.decimal, ".")
    return cells.cast(pa.float64())


def flags(cells: Any, written: TextFormat) -> Any:
    """Give a column of true and false as 1 and 0 in float64, nulls for what is missing.

    Raises
    ------
    BadCell
        At the first cell that is neither.
    """
    cells = _present(cells, written)
    known = pc.is_in(cells, value_set=pa.array([*TRUE, *FALSE, None], pa.string()))
    odd = pc.index(known, False).as_py()
    if odd >= 0:
        raise BadCell(odd, str(cells[odd].as_py()))
    found = pc.is_in(cells, value_set=pa.array(TRUE))
    return pc.if_else(pc.is_null(cells), pa.scalar(None, pa.float64()), found.cast(pa.float64()))
