"""Files that a page sends: received within limits, read in a process of their own.

A file gets a random name in a folder that is removed with its connection; the name that the page
gives is shown and never used. Not here: reading (:mod:`thalweg.lab.parsing`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from thalweg.data.dataset import Dataset
from thalweg.errors import InvalidData, UnreadableFile
from thalweg.lab.messages import Source

UPLOAD_BYTES = 32 << 20
SECONDS = 30.0
"""To receive a file, and again to read it."""
FILES = 4
"""How many files of one page are kept; an older one gives way."""


class ReadTable(NamedTuple):
    """What was read of a file: the rows, all its columns, and what to know about the reading."""

    rows: Dataset
    columns: list[dict[str, Any]]
    notes: tuple[str, ...]


class Uploads:
    """The files of one page.

    Examples
    --------
    >>> with Uploads() as uploads:
    ...     uploads.names
    []
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(
            prefix="thalweg-lab-", ignore_cleanup_errors=True
        )
        self._files: dict[str, str] = {}  # random name → the name that the page gave

    def __enter__(self) -> Uploads:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    @property
    def names(self) -> list[str]:
        """What the files are called by the page."""
        return list(self._files.values())

    async def receive(self, chunks: AsyncIterator[bytes], name: str) -> str:
        """Keep a file; give what it is called from here on.

        Raises
        ------
        InvalidData
            If it is too large, or takes too long.
        """
        token = secrets.token_hex(16)
        path = self._path(token)
        size = 0
        try:
            with path.open("wb") as file:
                async with asyncio.timeout(SECONDS):
                    async for chunk in chunks:
                        size += len(chunk)
                        if size > UPLOAD_BYTES:
                            raise too_large()
                        await asyncio.to_thread(file.write, chunk)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, TimeoutError):
                raise _too_slow("arrived") from error
            raise
        self._files[token] = name
        while len(self._files) > FILES:
            oldest = next(iter(self._files))
            del self._files[oldest]
            self._path(oldest).unlink(missing_ok=True)
        return token

    def forget(self, token: str) -> None:
        """Remove a file."""
        if self._files.pop(token, None) is not None:
            self._path(token).unlink(missing_ok=True)

    async def columns(self, token: str) -> list[dict[str, Any]]:
        """Say what columns a file has."""
        columns: list[dict[str, Any]] = (await columns_of(self._known(token)))["columns"]
        return columns

    async def count(self, token: str, letter: str) -> dict[str, Any]:
        """Count a letter in the texts of a file."""
        return await _read({"task": "count", "path": str(self._known(token)), "letter": letter})

    async def rows(self, source: Source) -> ReadTable:
        """Read the chosen columns of a file."""
        path = self._known(source.upload)
        return await rows_of(path, source, self._files[source.upload])

    def _known(self, token: str) -> Path:
        if token in self._files:
            return self._path(token)
        raise InvalidData(
            "upload",
            got="a file that is not here any more",
            expected="one of this page's last files",
            advice="drop it on the page again",
        )

    def _path(self, token: str) -> Path:
        return Path(self._folder.name) / token


def too_large() -> InvalidData:
    """Say that a file is larger than a page may send."""
    return InvalidData(
        "the file",
        got=f"more than {UPLOAD_BYTES >> 20} MB",
        expected=f"at most {UPLOAD_BYTES >> 20} MB",
        advice="start with it instead: thalweg lab FILE",
    )


async def columns_of(path: Path) -> dict[str, Any]:
    """Say what columns a file has, as ``{"columns": [{name, kind, numeric}, …]}``."""
    return await _read({"task": "columns", "path": str(path)})


async def rows_of(path: Path, source: Source, name: str) -> ReadTable:
    """Read the chosen columns of a file; those that suggest themselves where none are chosen."""
    with tempfile.TemporaryDirectory(prefix="thalweg-lab-") as folder:
        out = Path(folder) / "rows.npy"
        task = {
            "task": "rows",
            "path": str(path),
            "out": str(out),
            "target": source.target,
            "features": source.features,
            "drop_missing": source.drop_missing,
        }
        read = await _read(task)
        rows = await asyncio.to_thread(np.load, out, allow_pickle=False)
    data = Dataset(
        rows[:, :-1], rows[:, -1], features=read["features"], target=read["target"], name=name
    )
    return ReadTable(data, read["columns"], tuple(read["notes"]))


async def _read(task: dict[str, Any]) -> dict[str, Any]:
    """Have a process do a task, and end it when it takes too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "thalweg.lab.parsing",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            written, _ = await process.communicate(json.dumps(task).encode())
    except TimeoutError as error:
        raise _too_slow("was read") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not written:
        raise UnreadableFile(
            "the file",
            got="one that could not be read",
            expected="CSV or TSV in UTF-8, Parquet, Arrow or Feather",
            advice="check that it is whole, or write it again",
        )
    result: dict[str, Any] = json.loads(written)
    if "error" in result:
        raise InvalidData(result["error"])
    return result


def _too_slow(what: str) -> InvalidData:
    return InvalidData(
        "the file",
        got=f"one that had not {what} after {SECONDS:.0f} seconds",
        expected="less time",
        advice="start with it instead: thalweg lab FILE",
    )
