"""How the rows of files were read: what was said of it, and what was found.

It goes with the rows into the run and its file, so that whoever has that can read them again. Not
here: reading (:mod:`thalweg.data.files`), finding (:mod:`thalweg.data.tables`,
:mod:`thalweg.data.layout`).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from thalweg.checks import is_text
from thalweg.data.text_format import TextFormat

Kind: TypeAlias = Literal["text", "parquet", "arrow file", "arrow stream", "json lines", "excel"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}
"""How a file may be compressed, by its first bytes."""


class Dialect(NamedTuple):
    """What a file turned out to be.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    compression : str or None
        One of :data:`COMPRESSIONS`.
    encoding : str or None
        Of a text, by Python's name; None is UTF-8, perhaps with a mark in front.
    delimiter : str
        What separates the columns of a text.
    has_header : bool
        Whether its first row names them; else they are called by their numbers, ``column1`` ….
    in_front : int
        Cells of a row in front of the first column: names of rows.
    aligned : bool
        Whether blanks line the columns up, several between two cells or some in front.
    """

    kind: Kind
    compression: str | None = None
    encoding: str | None = None
    delimiter: str = ","
    has_header: bool = True
    in_front: int = 0
    aligned: bool = False


class Reading(NamedTuple):
    """How the rows of files were read.

    Attributes
    ----------
    paths : tuple of str
        The files, from the root on.
    missing : str
        What a missing value meant, ``"error"`` or ``"drop"``.
    written : TextFormat
        What was said of texts.
    dialect : Dialect or None
        What the files turned out to be; None where they are not all alike.
    """

    paths: tuple[str, ...]
    missing: str
    written: TextFormat
    dialect: Dialect | None

    def described(self) -> dict[str, Any]:
        """Give all of it as plain data: dicts, lists, texts, numbers, truth values, None."""
        return {
            "paths": list(self.paths),
            "missing": self.missing,
            "written": {**self.written._asdict(), "na_values": list(self.written.na_values)},
            "dialect": None if self.dialect is None else self.dialect._asdict(),
        }

    @classmethod
    def of(cls, described: dict[str, Any]) -> Reading:
        """Take back what :meth:`described` gave.

        Raises
        ------
        ValueError
            On anything else.

        Examples
        --------
        >>> reading = Reading(("/a.csv",), "drop", TextFormat(decimal=","), Dialect("text"))
        >>> Reading.of(reading.described()) == reading
        True
        """
        written, found = TextFormat.of(**described["written"]), described["dialect"]
        dialect = None if found is None else Dialect(**found)
        reading = cls(tuple(described["paths"]), described["missing"], written, dialect)
        whole = (
            all(map(is_text, reading.paths))
            and reading.missing in ("error", "drop")
            and (dialect is None or _is_whole(dialect))
        )
        if not whole:
            raise ValueError("a reading that is none")
        return reading


def _is_whole(dialect: Dialect) -> bool:
    plain = TextFormat.of(delimiter=dialect.delimiter, encoding=dialect.encoding)
    return (
        dialect.kind in KINDS
        and dialect.compression in (None, *COMPRESSIONS.values())
        and (plain.delimiter, plain.encoding) == (dialect.delimiter, dialect.encoding)
        and isinstance(dialect.has_header, bool)
        and isinstance(dialect.aligned, bool)
        and type(dialect.in_front) is int
        and dialect.in_front in (0, 1)
    )
