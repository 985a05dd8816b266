"""Which files a path stands for: itself, those of a folder, those of a list.

Not here: what is in them (:mod:`thalweg.data.tables`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from thalweg.errors import UnreadableFile

AnyPath: TypeAlias = str | os.PathLike[str]

_PATTERN = re.compile(r"[*?\[]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# What stands in folders beside data, by its name and by its suffix.
_BESIDE = frozenset({"readme", "license", "licence", "copying", "changelog", "changes", "notice"})
_OTHERS = frozenset(
    [
        ".md", ".rst", ".html", ".htm", ".pdf", ".doc", ".docx", ".tex", ".py", ".r", ".jl", ".sql",
        ".sh", ".ipynb", ".log", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".yml", ".yaml", ".toml",
        ".md5", ".sha1", ".sha256", ".crc",
    ]
)  # fmt: skip

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

    A folder stands for the files in it and below that hold rows by their names
    (:func:`is_taken`), in the order of these; a pattern as of a shell, where no file is called so,
    for those that match it; ``~`` for the user's own folder.
    """
    if not isinstance(path, str | os.PathLike):
        return _some([file for each in path for file in list_files(each)], "path", "an empty list")
    said = os.fspath(path)
    if _ADDRESS.match(said):
        raise UnreadableFile(
            said,
            got="an address",
            expected="files on this machine",
            advice="fetch them first",
        )
    root = expanded(path)
    if root.is_dir():
        inside = [
            file
            for file in sorted(root.rglob("*"))
            if file.is_file() and is_taken(file.relative_to(root))
        ]
        return _some(inside, said, "a folder without files of rows")
    if root.is_file():
        return [root]
    if root.exists():
        got = "a device or a pipe"
    elif _PATTERN.search(str(root)):
        matching = Path(root.anchor).glob(str(root)[len(root.anchor) :])
        files = [file for file in sorted(matching) if file.is_file()]
        return _some(files, said, "a pattern of no file")
    else:
        got = "no such file"
    raise UnreadableFile(said, got=got, expected="a file or a folder", advice="check the name")


def expanded(path: AnyPath) -> Path:
    """Give a path with the user's own folder in place of ``~``."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # a user who is not known
        return Path(path)


def is_taken(file: Path) -> bool:
    """Tell whether a file of a folder is one of those it stands for, by its name from there.

    Names that begin with a dot or an underscore are not, nor what people lay beside their data:
    a README, a licence, a program, a picture.

    Examples
    --------
    >>> is_taken(Path("may/1.csv")), is_taken(Path("_old/1.csv")), is_taken(Path(".out.csv"))
    (True, False, False)
    >>> is_taken(Path("README.txt")), is_taken(Path("plot.png")), is_taken(Path("part-0000"))
    (False, False, True)
    """
    if any(part.startswith((".", "_")) for part in file.parts):
        return False
    return file.stem.lower() not in _BESIDE and file.suffix.lower() not in _OTHERS


def _some(files: list[Path], argument: str, got: str) -> list[Path]:
    if files:
        return files
    raise UnreadableFile(argument, got=got, expected="at least one file", advice="check the name")
