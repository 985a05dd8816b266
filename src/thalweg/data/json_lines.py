"""Tables in JSON lines: an object a line, read block by block by PyArrow.

Not here: which columns are wanted (:mod:`thalweg.data.columns`), other formats
(:mod:`thalweg.data.tables`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.json
from pyarrow import types

from thalweg.data.arrow import arrow_columns
from thalweg.data.columns import Column
from thalweg.data.reading import Dialect
from thalweg.errors import UnreadableFile

BLOCK = 1 << 22  # bytes parsed at once


@dataclass(frozen=True)
class JsonLines:
    """A table in a file of JSON lines.

    A name that an object lacks is a missing value; names that come up after the first block are
    left aside.

    Parameters
    ----------
    name : str
        What the file is called in errors.
    open : callable
        Opens the file's bytes, decompressed, from their beginning.
    dialect : Dialect
        What the file turned out to be.
    expected_rows : int, optional
        About how many rows there are.
    """

    name: str
    open: Callable[[], IO[bytes]]
    dialect: Dialect
    expected_rows: int | None = None

    def columns(self) -> list[Column]:
        """Describe the columns by what the first block holds."""
        return arrow_columns(self._schema())

    def tables(
        self, positions: Sequence[int], words: Collection[int] = ()
    ) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give the columns at ``positions``, block by block, numbers as float64."""
        schema = self._schema()
        wanted = [
            schema.field(position) if position in words else _as_read(schema.field(position))
            for position in positions
        ]
        parse = pa.json.ParseOptions(
            explicit_schema=pa.schema(wanted), unexpected_field_behavior="ignore"
        )
        with self._reader(parse) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch]), tuple(range(len(wanted)))

    def _schema(self) -> pa.Schema:
        with self._reader() as reader:
            return reader.schema

    @contextmanager
    def _reader(self, parse: Any = None) -> Iterator[Any]:
        read = pa.json.ReadOptions(block_size=BLOCK)
        with self.open() as file:
            try:
                with pa.json.open_json(file, read_options=read, parse_options=parse) as reader:
                    yield reader
            except pa.ArrowInvalid as error:
                first = " ".join(str(error).split("\n")[0].split())
                expected = "an object in each line"
                advice = (
                    "write one row a line, as pandas does with to_json(orient='records', "
                    "lines=True)"
                )
                if " changed from " in first:
                    expected = "values of one kind in each column"
                    advice = "write all of that column as texts, or all as numbers"
                raise UnreadableFile(
                    self.name,
                    got=f"JSON that cannot be read ({first[:200]})",
                    expected=expected,
                    advice=advice,
                ) from error


def _as_read(field: pa.Field) -> pa.Field:
    """Give a field as it is asked for: a whole number may be followed by others."""
    plain = types.is_integer(field.type) or types.is_null(field.type)
    return pa.field(field.name, pa.float64() if plain else field.type)
