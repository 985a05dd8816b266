"""Regular files, the only ones that are read whole or replaced.

Whoever opens a pipe by its name may wait for ever, and a device may have no end: what stands at a
path is asked of the path, nothing is opened for it. Not here: writing (:mod:`thalweg.atomic`).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def other_kind(path: str | os.PathLike[str]) -> str:
    """Say what stands at a path where no regular file does; nothing where one does.

    Raises
    ------
    OSError, ValueError
        Where nothing stands, or the name can be none.

    Examples
    --------
    >>> other_kind("/")
    'a folder'
    """
    mode = Path(path).stat().st_mode
    if stat.S_ISREG(mode):
        return ""
    return "a folder" if stat.S_ISDIR(mode) else "a device or a pipe"


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file; anything else is refused without being opened.

    Raises
    ------
    OSError, ValueError
        Where there is no regular file, or it cannot be read.
    """
    if kind := other_kind(path):
        raise OSError(0, kind, os.fspath(path))
    return Path(path).read_bytes()
