"""Where results may go: beside what is read, never over it, and each to a place of its own.

Asked before the work, which may take hours. Not here: the writing (:mod:`thalweg.atomic`), which
files a path stands for (:mod:`thalweg.data.paths`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from thalweg.atomic import check_writable
from thalweg.data.paths import AnyPath, is_taken, list_files
from thalweg.errors import UnreadableFile, UnwritableFile

OTHER, OUTSIDE = "name another file", "name a file outside of that folder"


def check_outputs(outputs: Iterable[AnyPath | None], inputs: Iterable[AnyPath]) -> None:
    """Refuse places where no result can go, however they are spelled.

    Parameters
    ----------
    outputs : iterable of path-like or None
        Where results shall go; None goes nowhere.
    inputs : iterable of path-like
        The files and folders that are read. Those that are not there are left to their reader.

    Raises
    ------
    UnwritableFile
        On an output that cannot be written, that is an input or would be read with a folder, or
        that is another output.

    Examples
    --------
    >>> check_outputs(["run.parquet", "./run.parquet"], [])
    Traceback (most recent call last):
    thalweg.errors.UnwritableFile: run.parquet: got the same file as run.parquet, ...
    """
    read, written = [Path(path) for path in inputs], list[Path]()
    for output in (Path(path) for path in outputs if path is not None):
        check_writable(output)
        for other in written:
            if same_file(output, other):
                raise _taken(output, f"the same file as {other}, which is written too", OTHER)
        for path in read:
            if _within(output, path):
                raise _taken(output, f"a file in {path}, which is read with all in it", OUTSIDE)
            for file in _files(path) if output.exists() else ():
                if same_file(output, file):
                    raise _taken(output, f"the same file as {file}, which is read", OTHER)
        written.append(output)


def kept_run(checkpoint: Path | None, resume: Path | None) -> tuple[Path | None, list[Path]]:
    """Say where a fit keeps the run so far, and which run it only reads.

    What is gone on with is kept on where no other place is named: the one input that is written.
    """
    if checkpoint is None or resume is None:
        return checkpoint or resume, []
    return checkpoint, [] if same_file(checkpoint, resume) else [resume]


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two names are of one file: one that is there, or the one that would be made."""
    first, second = _identity(one), _identity(other)
    return first is not None and first == second


def _identity(path: Path) -> tuple[int, int, str] | None:
    """Give the file's own number; of a file still to be made that of its folder, and the name."""
    with suppress(OSError, ValueError):
        real = Path(os.path.realpath(path))
        if real.exists():
            found = real.stat()
            return found.st_dev, found.st_ino, ""
        folder = real.parent.stat()
        return folder.st_dev, folder.st_ino, real.name
    return None


def _within(output: Path, folder: Path) -> bool:
    """Tell whether a folder that is read would have an output among its files."""
    if not folder.is_dir():
        return False
    # A link is itself in the folder, wherever it points.
    return any(
        same_file(parent, folder) and is_taken(place.relative_to(parent))
        for place in (Path(os.path.realpath(output)), _link(output))
        for parent in place.parents
    )


def _link(path: Path) -> Path:
    """Resolve all of a path but its last name."""
    return Path(os.path.realpath(path.parent), path.name)


def _files(path: Path) -> Iterator[Path]:
    with suppress(UnreadableFile):  # its reader says it better
        yield from list_files(path)


def _taken(output: Path, got: str, advice: str) -> UnwritableFile:
    expected = "a place of its own for what is written"
    return UnwritableFile(str(output), got=got, expected=expected, advice=advice)
