"""Files that appear whole or not at all: temporary file, sync, rename.

Whatever Thalweg leaves on disk (counts, runs, reports, summaries) is written through here, so
that a full disk, an error or a power cut leaves what stood there before.
Not here: what the bytes mean, what else is read or written (:mod:`thalweg.data.outputs`).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from thalweg.errors import UnwritableFile
from thalweg.regular import other_kind

_POSIX = os.name == "posix"
if _POSIX:
    import fcntl

_TEMPORARY = re.compile(r"\.thalweg-[0-9a-f]{16}\.tmp")


@contextmanager
def write_atomically(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    r"""Open a file for writing that takes its place only when the block ends without an error.

    The bytes go to a temporary file in the same folder, with the permissions of the file that
    stands there, or of any new one; at the end it is synced, renamed over ``path``, and the folder
    is synced. A symbolic link is followed: the file it points at is replaced, the link stays. What
    a killed process left unfinished in the folder is removed.

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
    with _beside(path) as (target, temporary, descriptor):
        yield from _fill(descriptor, path)
        try:
            with suppress(FileNotFoundError):  # a new file
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            temporary.replace(target)
        except OSError as error:
            raise _unwritable(path, error) from error
    _sync_folder(target.parent)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a place where :func:`write_atomically` could not begin, by beginning there.

    Raises
    ------
    UnwritableFile
        Where no file can be made. Nothing is left behind.
    """
    with _beside(path) as (_, _, descriptor):
        os.close(descriptor)


@contextmanager
def _beside(path: str | os.PathLike[str]) -> Iterator[tuple[Path, Path, int]]:
    """Give where a file shall go, a temporary file beside it, and that one's open descriptor.

    Where it was not renamed, the temporary file goes in the end.
    """
    try:
        target = Path(os.path.realpath(path))
        mode = 0o666  # less the umask: what any new file gets
        with suppress(FileNotFoundError):
            if kind := other_kind(target):
                raise OSError(0, f"the name of {kind}")
            mode = 0o600  # until it is whole; then that of the file it replaces
        _sweep(target.parent)
        temporary, descriptor = _new_file(target.parent, mode)
        # Locked until the file has its name; Windows renames none that is open.
        lock = os.dup(descriptor) if _POSIX else None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unwritable(path, error) from error
    try:
        yield target, temporary, descriptor
    finally:
        if lock is not None:
            os.close(lock)
        temporary.unlink(missing_ok=True)


def _new_file(folder: Path, mode: int) -> tuple[Path, int]:
    """Make a file, locked for as long as it is open: its path, its descriptor."""
    # O_EXCL: never somebody else's file.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        # A short name of its own: the target's may already be as long as a name can be.
        path = folder / f".thalweg-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(path, flags, mode)
        if _POSIX:
            with suppress(OSError):  # a file system without locks is not swept
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # swept in the moment before it was locked


def _sweep(folder: Path) -> None:
    """Remove the temporary files of processes that were killed: those that nobody holds locked."""
    if not _POSIX:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_unlocked(Path(entry.path))


def _remove_unlocked(path: Path) -> None:
    with suppress(OSError):  # locked, gone, or another user's
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)


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
        raise _unwritable(path, error) from error
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Bring the renaming itself to the disk, where folders can be opened."""
    if not _POSIX:
        return
    # The file stands whole already; some network file systems cannot sync a folder.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unwritable(path: str | os.PathLike[str], error: Exception) -> UnwritableFile:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    return UnwritableFile(
        os.fspath(path),
        got=(getattr(error, "strerror", None) or str(error)).lower(),
        expected="a place where a file can be written",
        advice="make room there, or name a file on another disk"
        if full
        else "name a file in a folder that exists and that you may write to",
    )
