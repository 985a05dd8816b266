"""Which files a path stands for: itself, those of a folder, those of a list.

Not here: what is in them (:mod:`thalweg.data.tables`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from thalweg.errors import UnreadableFile

AnyPath: TypeAlias = str | os.PathLike[str]

LARGE = 1 << 26  # bytes: beyond them files are scanned for each pass, not held in memory


def are_paths(given: object) -> bool:
    """Tell whether something is a path or a list of them.

    Examples
    --------
    >>> are_paths("trees.csv"), are_paths(["a.csv", "b.csv"]), are_paths([1.0, 2.0])
    (True, True, False)
    """
    several = given if isinstance(given, list | tuple) else [given]
    return all(isinstance(path, str | os.PathLike) for path in several)


def list_files(path: AnyPath | Sequence[AnyPath]) -> list[Path]:
    """List the files that a path, or several, stand for.

    A folder stands for the files in it and below, in the order of their names, without those
    whose names begin with a dot or an underscore.
    """
    if not isinstance(path, str | os.PathLike):
        return _some([file for each in path for file in list_files(each)], "path", "an empty list")
    root = Path(path)
    if not root.is_dir():
        if root.is_file():
            return [root]
        got = "a device or a pipe" if root.exists() else "no such file"
        raise UnreadableFile(
            str(root), got=got, expected="a file or a folder", advice="check the name"
        )
    inside = [
        file
        for file in sorted(root.rglob("*"))
        if file.is_file() and is_taken(file.relative_to(root))
    ]
    return _some(inside, str(root), "a folder without files")


def is_taken(file: Path) -> bool:
    """Tell whether a file of a folder is one of those it stands for, by its name from there.

    Examples
    --------
    >>> is_taken(Path("may/1.csv")), is_taken(Path("_old/1.csv")), is_taken(Path(".out.csv"))
    (True, False, False)
    """
    return not any(part.startswith((".", "_")) for part in file.parts)


def _some(files: list[Path], argument: str, got: str) -> list[Path]:
    if files:
        return files
    raise UnreadableFile(argument, got=got, expected="at least one file", advice="check the name")
