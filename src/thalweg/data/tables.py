"""Tables in files of each kind: what their columns are, and their values part by part.

CSV and TSV (also compressed), Parquet, Arrow and Feather are told apart by their first bytes, not
by their names. Not here: how text becomes a table (:mod:`thalweg.data.delimited`), which
columns are wanted and in what batches (:mod:`thalweg.data.files`).
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, cast

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from thalweg.data.arrow import arrow_columns, batch_rows
from thalweg.data.columns import Column
from thalweg.data.delimited import HEAD, Delimited, find_layout
from thalweg.errors import ThalwegError, UnreadableFile

# Bytes of a Parquet column that are read ahead (0 would read all of it), and of all together.
COLUMN_BUFFER = 1 << 18
LEAST_BUFFER = 1 << 12
BUFFERS = 1 << 25

RUN_FILE = b"thalweg"  # the key in a Parquet file's metadata that makes it a run file
WRITE_AGAIN = "check that it is whole, or write it again"
PARQUET, ARROW_FILE, ARROW_STREAM, FEATHER_1 = b"PAR1", b"ARROW1", b"\xff" * 4, b"FEA1"
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
}


class Table(Protocol):
    """A file of one kind: what its columns are, and their values part by part."""

    @property
    def name(self) -> str:
        """What the file is called in errors."""
        ...

    @property
    def expected_rows(self) -> int | None:
        """About how many rows there are, where that can be told without reading them."""
        ...

    def columns(self) -> list[Column]:
        """Describe the columns."""
        ...

    def tables(self, positions: Sequence[int]) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give Arrow tables, and where in them the wanted columns stand, in their order."""
        ...


@dataclass(frozen=True)
class ParquetTable:
    """A table in a Parquet file."""

    path: Path

    @property
    def name(self) -> str:
        """What the file is called in errors."""
        return str(self.path)

    @contextmanager
    def _open(self, columns: int = 1) -> Iterator[pa.parquet.ParquetFile]:
        # pre_buffer would hold whole row groups, an unbuffered column its whole chunk.
        with (
            pa.OSFile(os.fsencode(self.path)) as source,
            pa.parquet.ParquetFile(
                source,
                pre_buffer=False,
                buffer_size=max(LEAST_BUFFER, min(COLUMN_BUFFER, BUFFERS // columns)),
                page_checksum_verification=True,
            ) as file,
        ):
            yield file

    @property
    def expected_rows(self) -> int:
        """What the file says of itself."""
        with self._open() as file:
            return int(file.metadata.num_rows)

    def columns(self) -> list[Column]:
        """Describe the columns by the file's schema; a run's are not rows of anybody's data."""
        with self._open() as file:
            if RUN_FILE in (file.metadata.metadata or {}):
                raise UnreadableFile(
                    self.name,
                    got="a run file, whose rows are the steps of a descent",
                    expected="rows of data",
                    advice="give the file that the run was fitted to, or another table",
                )
            return arrow_columns(file.schema_arrow)

    def tables(self, positions: Sequence[int]) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give batches of rows of the columns at ``positions``."""
        with self._open(len(positions)) as file:
            names = [file.schema_arrow.names[position] for position in positions]
            left = file.metadata.num_rows
            for batch in file.iter_batches(batch_rows(len(names)), columns=names):
                order = tuple(batch.schema.names.index(name) for name in names)
                left -= batch.num_rows
                yield pa.Table.from_batches([batch]), order
            if left:
                got = f"{abs(left):,} rows {'fewer' if left > 0 else 'more'} than it says it holds"
                raise _unreadable(self.name, got, WRITE_AGAIN)


@dataclass(frozen=True)
class ArrowTable:
    """A table in an Arrow file (Feather) or stream.

    Uncompressed batches are not copied but mapped: their pages belong to the system's cache.
    A compressed batch is as large in memory as whoever wrote it made it.
    """

    path: Path
    stream: bool
    expected_rows: int | None = None

    @property
    def name(self) -> str:
        """What the file is called in errors."""
        return str(self.path)

    def _open(self, source: Any, fields: list[int] | None = None) -> Any:
        options = pa.ipc.IpcReadOptions(included_fields=fields)
        opener = pa.ipc.open_stream if self.stream else pa.ipc.open_file
        return opener(source, options=options)

    def columns(self) -> list[Column]:
        """Describe the columns by the file's schema."""
        with pa.memory_map(os.fsencode(self.path)) as source:
            return arrow_columns(self._open(source).schema)

    def tables(self, positions: Sequence[int]) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give the file's batches with the columns at ``positions``."""
        kept = sorted(positions)
        order = tuple(kept.index(position) for position in positions)
        with pa.memory_map(os.fsencode(self.path)) as source:
            if self.stream:
                self._check_end(source)
            reader = self._open(source, kept)
            batches = (
                reader
                if self.stream
                else (reader.get_batch(i) for i in range(reader.num_record_batches))
            )
            for batch in batches:
                batch.validate()  # a damaged length must not be believed
                yield pa.Table.from_batches([batch]), order
            if self.stream and source.tell() < source.size():
                raise _unreadable(self.name, "an Arrow stream that ends too early", WRITE_AGAIN)

    def _check_end(self, source: Any) -> None:
        """Refuse a stream that stops without saying so: it may have been cut between batches."""
        source.seek(max(0, source.size() - len(END_OF_STREAM)))
        if source.read() != END_OF_STREAM:
            raise _unreadable(self.name, "an Arrow stream without its end", WRITE_AGAIN)
        source.seek(0)


def open_table(path: Path, *, target: str, delimiter: str | None, decimal: str) -> Table:
    """Tell what kind of table a file holds; ``target`` helps to find a text's header.

    Raises
    ------
    UnreadableFile
        If it is none of the kinds.
    """
    name = str(path)
    with path.open("rb") as file:
        first = file.read(8)
    if first.startswith(PARQUET):
        return ParquetTable(path)
    if first.startswith((ARROW_FILE, ARROW_STREAM)):
        return ArrowTable(path, stream=first.startswith(ARROW_STREAM))
    if first.startswith(FEATHER_1):
        raise _unreadable(name, "Feather version 1", "write it again as version 2")
    compression = next((c for magic, c in COMPRESSIONS.items() if first.startswith(magic)), None)
    opened = partial(_bytes, path, compression)
    with opened() as stream:
        head = stream.read(HEAD)
        complete = not stream.read(1)
    if compression and head.startswith((PARQUET, ARROW_FILE, ARROW_STREAM)):
        raise _unreadable(name, f"a table inside {compression}", "decompress it first")
    layout = find_layout(head, name=name, target=target, delimiter=delimiter, complete=complete)
    text = path.stat().st_size if compression is None else None
    expected = None if text is None else text * head.count(b"\n") // max(1, len(head))
    return Delimited(name, opened, layout, decimal, expected)


def _bytes(path: Path, compression: str | None) -> IO[bytes]:
    """Open a file's bytes, decompressed as they are read."""
    if compression is None:
        return path.open("rb", buffering=0)
    if compression == "xz":
        return cast("IO[bytes]", lzma.open(path))
    return cast("IO[bytes]", pa.CompressedInputStream(pa.OSFile(os.fsencode(path)), compression))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the libraries below say of a damaged file into one sentence."""
    try:
        yield
    except ThalwegError:
        raise
    # UnicodeDecodeError: names that are damaged. EOFError: how lzma says that a file ends early.
    except (OSError, pa.ArrowException, lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        first_line = " ".join(reason.split("\n")[0].split())
        got = f"a file that cannot be read ({first_line[:200]})"
        raise _unreadable(str(path), got, WRITE_AGAIN) from error


def _unreadable(name: str, got: str, advice: str) -> UnreadableFile:
    return UnreadableFile(
        name, got=got, expected="CSV or TSV in UTF-8, Parquet, Arrow or Feather", advice=advice
    )
