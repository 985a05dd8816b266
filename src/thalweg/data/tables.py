"""Tables in files of each kind: what their columns are, and their values part by part.

CSV and TSV (also compressed), Parquet, Arrow and Feather are told apart by their first bytes, not
by their names. Not here: how text becomes a table (:mod:`thalweg.data.delimited`), which
columns are wanted and in what batches (:mod:`thalweg.data.files`).
"""

from __future__ import annotations

import gzip
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, cast

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from thalweg.data.arrow import arrow_columns, batch_rows
from thalweg.data.columns import Column
from thalweg.data.delimited import HEAD, Delimited
from thalweg.data.layout import find_layout, is_aligned
from thalweg.data.paths import AnyPath, expanded
from thalweg.data.reading import COMPRESSIONS, Dialect
from thalweg.data.text_format import TextFormat
from thalweg.data.text_stream import OtherEncoding, as_utf8, encoding_of
from thalweg.errors import ThalwegError, UnreadableFile

# Bytes of a Parquet column that are read ahead (0 would read all of it), and of all together.
COLUMN_BUFFER = 1 << 18
LEAST_BUFFER = 1 << 12
BUFFERS = 1 << 25

RUN_FILE = b"thalweg"  # the key in a Parquet file's metadata that makes it a run file
WRITE_AGAIN = "check that it is whole, or write it again"
PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff" * 4
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
ZIP = b"PK\x03\x04"
_STATA = ("a Stata file", "load it with pandas.read_stata, and pass the frame")
_PICKLE = ("a pickle", "load it where you trust it, with pandas.read_pickle, and pass the frame")


_JSON_ARRAY = re.compile(rb"\s*\[\s*[{\[]")
SKIPPED = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")  # a frame of Zstandard's or LZ4's without data
OTHER_KINDS = {
    b"FEA1": ("Feather version 1", "write it again as version 2"),
    b"PARE": ("an encrypted Parquet file", "decrypt it first, with PyArrow and its key"),
    ZIP: ("a ZIP archive", "take the table out of it, or compress it with gzip"),
    b"\x93NUMPY": ("an array of NumPy's", "load it with numpy.load, and pass X and y"),
    b"\x89HDF": ("an HDF5 file", "load it with pandas.read_hdf, and pass the frame"),
    b"SQLite f": ("an SQLite database", "load a table with pandas.read_sql, and pass the frame"),
    b"\x80\x02": _PICKLE,
    b"\x80\x03": _PICKLE,
    b"\x80\x04": _PICKLE,
    b"\x80\x05": _PICKLE,
    b"<stata_d": _STATA,
    **{bytes([version, order, 1, 0]): _STATA for version in (113, 114, 115) for order in (1, 2)},
    b"%PDF": ("a PDF document", "export the table from what it was made with"),
    b"\xd0\xcf\x11\xe0": ("a file of an old Excel", "save the sheet as CSV"),
}
"""What other files begin with: what they are, and what to do."""


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

    @property
    def dialect(self) -> Dialect:
        """What the file turned out to be."""
        ...

    def columns(self) -> list[Column]:
        """Describe the columns."""
        ...

    def tables(
        self, positions: Sequence[int], words: Collection[int] = ()
    ) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
        """Give Arrow tables, and where in them the wanted columns stand, in their order.

        Those at ``words`` are wanted as they are written, where a number can be written in
        several ways.
        """
        ...


@dataclass(frozen=True)
class ParquetTable:
    """A table in a Parquet file."""

    path: Path
    dialect = Dialect("parquet")

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

    def tables(
        self, positions: Sequence[int], words: Collection[int] = ()
    ) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
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
    def dialect(self) -> Dialect:
        """What the file turned out to be."""
        return Dialect("arrow stream" if self.stream else "arrow file")

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

    def tables(
        self, positions: Sequence[int], words: Collection[int] = ()
    ) -> Iterator[tuple[pa.Table, tuple[int, ...]]]:
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


def without_runs(files: list[Path], named: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """Leave out run files that only lie in a folder with the data; ``named`` are what was named."""
    kept = [file for file in files if not _is_run(file)] if len(files) > 1 else files
    given = [named] if isinstance(named, str | os.PathLike) else named
    asked = {expanded(each) for each in given}
    return [file for file in files if file in kept or file in asked] or files


def _is_run(path: Path) -> bool:
    with suppress(OSError, pa.ArrowException):
        with path.open("rb") as file:
            if not file.read(4).startswith(PARQUET):
                return False
        return RUN_FILE in (pa.parquet.read_metadata(path).metadata or {})
    return False


def open_table(path: Path, *, target: str, written: TextFormat) -> Table:
    """Tell what kind of table a file holds; ``target`` helps to find a text's header.

    Raises
    ------
    UnreadableFile
        If it is none of the kinds.
    InvalidSetting
        On what is said of a text beside a table that is none, where it would matter.
    """
    name = str(path)
    with path.open("rb") as file:
        first = file.read(8)
    if first.startswith(PARQUET):
        written.check_unneeded(name)
        return ParquetTable(path)
    if first.startswith((ARROW_FILE, ARROW_STREAM)):
        written.check_unneeded(name)
        return ArrowTable(path, stream=first.startswith(ARROW_STREAM))
    if first.startswith(ZIP) and _is_workbook(path):
        from thalweg.data.excel import Sheet

        return Sheet(name, written)
    for magic, (got, advice) in OTHER_KINDS.items():
        if first.startswith(magic):
            raise _unreadable(name, got, advice)
    compression = _compression(path)
    with _bytes(path, compression) as stream:
        first = stream.read(8)
    if compression and first.startswith((PARQUET, ARROW_FILE, ARROW_STREAM)):
        raise _unreadable(name, f"a table inside {compression}", "decompress it first")
    encoding = encoding_of(first, written.encoding)
    opened = partial(_text, path, compression, encoding, written.comment)
    head, complete = _head(opened)
    aligned = is_aligned(head, written)
    if aligned:
        opened = partial(opened, aligned=True)
        head, complete = _head(opened)
    if head.lstrip()[:1] == b"{":
        from thalweg.data.json_lines import JsonLines

        written.check_unneeded(name)
        dialect = Dialect("json lines", compression, encoding)
        return JsonLines(name, opened, dialect, head.count(b"\n") if complete else None)
    if _JSON_ARRAY.match(head):
        raise _unreadable(
            name,
            "an array in JSON",
            # Without that, its numbers are off in their last place.
            "load it with pandas.read_json(…, precise_float=True), and pass the frame; or write "
            "one row a line",
        )
    layout = find_layout(head, name=name, target=target, written=written, complete=complete)
    text = path.stat().st_size if compression is None else None
    expected = None if text is None else text * head.count(b"\n") // max(1, len(head))
    first_cell = layout.cells[0] if layout.cells else 0
    dialect = Dialect(
        "text", compression, encoding, layout.delimiter, layout.has_header, first_cell, aligned
    )
    return Delimited(name, opened, layout, written, dialect, expected)


def _head(opened: Callable[[], IO[bytes]]) -> tuple[bytes, bool]:
    """Give the first bytes of a text, and whether these are all."""
    with opened() as stream:
        return _filled(stream, HEAD), not stream.read(1)


def _filled(stream: IO[bytes], size: int) -> bytes:
    """Read so many bytes, or all there are: a stream may give fewer at a time."""
    parts, left = [], size
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _is_workbook(path: Path) -> bool:
    """Tell a workbook of Excel's or of an open office from other archives."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith(("xl/", "content.xml")) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _compression(path: Path) -> str | None:
    """Tell how a file is compressed, by the first frame that holds anything."""
    position = 0
    with path.open("rb") as file:
        while SKIPPED.match(first := file.read(8)):
            position += 8 + int.from_bytes(first[4:8], "little")
            file.seek(position)
    return next((c for magic, c in COMPRESSIONS.items() if first.startswith(magic)), None)


def _text(
    path: Path,
    compression: str | None,
    encoding: str | None,
    comment: str | None,
    *,
    aligned: bool = False,
) -> IO[bytes]:
    return as_utf8(_bytes(path, compression), encoding, comment, aligned=aligned)


def _bytes(path: Path, compression: str | None) -> IO[bytes]:
    """Open a file's bytes, decompressed as they are read."""
    if compression is None:
        return path.open("rb", buffering=0)
    if compression == "xz":
        return cast("IO[bytes]", lzma.open(path))
    if compression == "gzip":  # Arrow's takes the zeros that tapes are filled up with for a fault
        return cast("IO[bytes]", gzip.open(path))
    return cast("IO[bytes]", pa.CompressedInputStream(pa.OSFile(os.fsencode(path)), compression))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the libraries below say of a damaged file into one sentence."""
    try:
        yield
    except ThalwegError:
        raise
    except OtherEncoding as error:
        raise UnreadableFile(
            str(path),
            got=f"a text that is not in {error}",
            expected="the encoding that was named",
            advice="name its own, as in {read.encoding}, or leave it out for UTF-8",
            suggest={"read.encoding": "latin-1"},
        ) from error
    # UnicodeDecodeError: names that are damaged. EOFError: how lzma says that a file ends early.
    except (
        OSError,
        pa.ArrowException,
        lzma.LZMAError,
        zlib.error,
        EOFError,
        UnicodeDecodeError,
    ) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        first_line = " ".join(reason.split("\n")[0].split())
        got = f"a file that cannot be read ({first_line[:200]})"
        raise _unreadable(str(path), got, WRITE_AGAIN) from error


def _unreadable(name: str, got: str, advice: str) -> UnreadableFile:
    return UnreadableFile(
        name, got=got, expected="CSV or TSV in UTF-8, Parquet, Arrow or Feather", advice=advice
    )
