"""Files that appear whole or not at all: temporary file, sync, rename.

Whatever Thalweg leaves on disk (counts, runs, reports, summaries) is written through here, so
that a full disk, an error or a power cut leaves what stood there before.
Not here: what the bytes mean, what else is read or written (:mod:`thalweg.data.outputs`).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from thalweg.errors import UnwritableFile
from thalweg.regular import other_kind


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    r"""Open a file for writing that takes its place only when the block ends without an error.

    The bytes go to a temporary file in the same folder, with the permissions of any new file;
    at the end it is synced, renamed over ``path``, and the folder is synced. A symbolic link
    is followed: the file it points at is replaced, the link stays.

    Parameters
    ----------
    path : path-like
        Where the file shall stand.

    Yields
    ------
    binary file
        Open for writing. Closing it early is harmless.

    Raises
    ------
    UnwritableFile
        Where no file can be made, or the disk is full. What stood at ``path`` is untouched, as
        it is when the block itself raises.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_atomically(Path(folder) / "counts.csv") as file:
    ...         _ = file.write(b"characters,A\n")
    ...     print((Path(folder) / "counts.csv").read_text(), end="")
    characters,A
    """
    target, temporary, descriptor = _open_beside(path)
    try:
        yield from _fill(descriptor, path)
        try:
            temporary.replace(target)
        except OSError as error:
            raise _unwritable(path, _reason(error)) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a place where :func:`write_atomically` could not begin, by beginning there.

    Raises
    ------
    UnwritableFile
        Where no file can be made. Nothing is left behind.
    """
    _, temporary, descriptor = _open_beside(path)
    os.close(descriptor)
    temporary.unlink()


def _open_beside(path: str | os.PathLike[str]) -> tuple[Path, Path, int]:
    """Make the temporary file: where it shall go, where it is, its descriptor."""
    try:
        target = Path(os.path.realpath(path))
        with suppress(FileNotFoundError):  # a new file
            if kind := other_kind(target):
                raise _unwritable(path, f"the name of {kind}")
        # A short name of its own: the target's may already be as long as a name can be.
        temporary = target.with_name(f".thalweg-{secrets.token_hex(8)}.tmp")
        # 0o666 less the umask: what any new file gets. O_EXCL: never somebody else's file.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temporary, flags, 0o666)
    except UnwritableFile:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unwritable(path, _reason(error)) from error
    return target, temporary, descriptor


def _fill(descriptor: int, path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Hand out the open file once, then bring its bytes to the disk and close it."""
    try:
        # closefd=False: the descriptor outlives a writer that closes its file, to be synced.
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            yield file
        os.fsync(descriptor)
    except OSError as error:
        # A failed write has a number and no name; anything else is the block's own affair.
        if error.errno is None or error.filename is not None:
            raise
        raise _unwritable(path, _reason(error)) from error
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring the renaming itself to the disk, where folders can be opened."""
    if os.name != "posix":
        return
    # The file stands whole already; some network file systems cannot sync a folder.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _unwritable(path: str | os.PathLike[str], got: str) -> UnwritableFile:
    return UnwritableFile(
        os.fspath(path),
        got=got,
        expected="a place where a file can be written",
        advice="name a file in a folder that exists and that you may write to",
    )
