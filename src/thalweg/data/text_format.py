"""How a table in text is written: delimiter, marks in numbers, spellings of missing values, bytes.

One definition for readers, command line, run files and exports. Not here: finding what is left
open (:mod:`thalweg.data.layout`), reading (:mod:`thalweg.data.delimited`).
"""

from __future__ import annotations

import codecs
import re
from numbers import Real
from typing import Any, NamedTuple

from thalweg.errors import InvalidSetting

MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN", "-NaN", "-nan",
    "<NA>", "N/A", "NA", "NULL", "NaN", "NaT", "None", "n/a", "nan", "null",
)  # fmt: skip
"""What counts as missing in a cell: pandas' list, and its missing time."""

_WHOLE_OR_DECIMAL = re.compile(r"[+-]?\d+(\.\d*)?")

THOUSANDS = (",", ".", " ", "'", "_", "\u00a0", "\u202f", "\u2019")


class TextFormat(NamedTuple):
    """How a table in text is written; what is None is found.

    Attributes
    ----------
    delimiter : str or None
        What separates the columns: one character.
    decimal : str
        The decimal mark, ``.`` or ``,``.
    thousands : str or None
        What separates groups of three digits, one of :data:`THOUSANDS`.
    na_values : tuple of str
        What counts as missing besides :data:`MISSING`.
    encoding : str or None
        Python's name of the encoding; None is UTF-8, or UTF-16 where the text begins so.
    comment : str or None
        The character from which on a line is a comment.
    skip_rows : int
        Lines above the table.
    """

    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    na_values: tuple[str, ...] = ()
    encoding: str | None = None
    comment: str | None = None
    skip_rows: int = 0

    @classmethod
    def of(
        cls,
        *,
        delimiter: Any = None,
        decimal: Any = ".",
        thousands: Any = None,
        na_values: Any = None,
        encoding: Any = None,
        comment: Any = None,
        skip_rows: Any = 0,
    ) -> TextFormat:
        """Check each part, and that they do not contradict each other.

        Raises
        ------
        InvalidSetting
        """
        if delimiter is not None and not (_is_character(delimiter) and delimiter <= "~"):
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
        if thousands is not None and (thousands not in THOUSANDS or thousands == decimal):
            others = ", ".join(repr(mark) for mark in THOUSANDS if mark != decimal)
            raise InvalidSetting(
                "thousands",
                got=repr(thousands),
                expected=f"another mark than the decimal one, which is {decimal!r}",
                advice=f"choose one of {others}",
            )
        if comment is not None and not (
            _is_character(comment) and comment <= "~" and comment not in (delimiter, decimal)
        ):
            raise InvalidSetting(
                "comment",
                got=repr(comment),
                expected="a single character that is not between columns or in numbers",
                advice="try '#'",
            )
        if type(skip_rows) is not int or skip_rows < 0:
            raise InvalidSetting(
                "skip_rows",
                got=repr(skip_rows),
                expected="how many lines stand above the table: a whole number of at least 0",
                advice="leave it out where the table begins at once",
            )
        return cls(
            delimiter, decimal, thousands, _spellings(na_values), _codec(encoding), comment,
            skip_rows,
        )  # fmt: skip

    @property
    def missing(self) -> tuple[str, ...]:
        """All that counts as missing."""
        return (*MISSING, *self.na_values)

    def check_unneeded(self, name: str) -> None:
        """Refuse, beside a table that is no text, what its numbers would be other ones with.

        Raises
        ------
        InvalidSetting
        """
        if self.na_values:
            value = self.na_values[0]
            value = value if _WHOLE_OR_DECIMAL.fullmatch(value) else repr(value)
            raise InvalidSetting(
                "na_values",
                got=f"a setting beside {name}, which is no plain text",
                expected="nothing: what is missing there has no value",
                advice="make these values missing first, as in "
                f"frame.replace({value}, None), and pass the frame",
            )
        if self.skip_rows:
            raise InvalidSetting(
                "skip_rows",
                got=f"a setting beside {name}, which is no plain text",
                expected="nothing: the table begins at once",
                advice="take the rows above the table out of it, or save it as CSV",
            )

    def changed(self) -> dict[str, Any]:
        """Give the keywords that differ from the defaults."""
        defaults = TextFormat()
        return {k: v for k, v in self._asdict().items() if v != getattr(defaults, k)}


def _is_character(value: object) -> bool:
    return isinstance(value, str) and len(value) == 1 and value not in '"\r\n'


def _spellings(na_values: Any) -> tuple[str, ...]:
    """Take one spelling or several; of a number all the ways in which it is usually written."""
    if na_values is None:
        return ()
    given = [na_values] if isinstance(na_values, str | Real) else na_values
    found: list[str] = []
    try:
        for value in given:
            if isinstance(value, str):
                found.append(value.strip())
                if not _WHOLE_OR_DECIMAL.fullmatch(found[-1]):
                    continue
            number = float(value)
            found += [str(value).strip(), repr(number), f"{number:g}"]
    except (TypeError, ValueError, OverflowError):
        raise InvalidSetting(
            "na_values",
            got=repr(na_values),
            expected="what stands for a missing value: texts or numbers",
            advice="try ['?', '-']",
        ) from None
    return tuple(dict.fromkeys(found))


def _codec(encoding: Any) -> str | None:
    """Give Python's own name of an encoding of text; None for UTF-8."""
    if encoding is None:
        return None
    try:
        codec = codecs.lookup(encoding)
        "a".encode(codec.name)  # refuses those that are not of text
    except (LookupError, TypeError, ValueError):
        raise InvalidSetting(
            "encoding",
            got=repr(encoding),
            expected="the name of an encoding",
            advice="try 'latin-1', 'cp1252' or 'utf-16'",
        ) from None
    return None if codec.name in ("utf-8", "utf-8-sig") else codec.name
