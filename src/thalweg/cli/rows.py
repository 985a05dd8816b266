"""The rows that a command line names: scanned, or read where they are few.

Not here: the reading itself (:mod:`thalweg.data`).
"""

from __future__ import annotations

import atexit
import csv
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import thalweg
from thalweg.data.paths import LARGE
from thalweg.errors import InvalidSetting

if TYPE_CHECKING:
    from thalweg.data.scanning import Scan
    from thalweg.data.source import Source
    from thalweg.data.text_format import TextFormat
    from thalweg.progress import Bar


def _columns(features: list[str] | None, option: str = "--features") -> list[str] | None:
    """Take names that are separated by commas, or come one by one and may hold some."""
    if not features:
        return None
    if len(features) > 1 or "," not in features[0]:
        return features
    try:
        names = next(csv.reader(features, skipinitialspace=True))
    except csv.Error as error:  # a line break that no quotes are around
        raise InvalidSetting(
            option,
            got=repr(features[0]),
            expected="names that commas separate, or one name",
            advice=f"repeat {option} with one name each, or put the name in double quotes",
        ) from error
    # What is quoted is taken as it is.
    return names if '"' in features[0] else [name.strip(" ") for name in names]


def paths_of(paths: list[str]) -> str | list[str]:
    """Take one path as itself: it may be a folder; and standard input as a file."""
    taken = [_standard_input() if path == "-" else path for path in paths]
    return taken[0] if len(taken) == 1 else taken


def _standard_input() -> str:
    """Keep what comes in a file, which can be read more than once, until the program ends."""
    folder = tempfile.TemporaryDirectory(prefix="thalweg-")
    atexit.register(folder.cleanup)
    file = Path(folder.name, "standard input")
    with file.open("wb") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
    return str(file)


def scan_of(
    paths: list[str],
    target: str,
    features: list[str] | None,
    categories: list[str] | None,
    missing: str,
    written: TextFormat,
) -> Scan:
    """Open files for scanning."""
    return thalweg.scan(
        paths_of(paths),
        target=target,
        features=_columns(features),
        categories="all" if categories == ["all"] else _columns(categories, "--categories"),
        missing=missing,  # type: ignore[arg-type]  # any other word is refused there
        **written._asdict(),
    )


def rows_of(scan: Scan, bar: Bar, *, in_memory: bool = False) -> Source:
    """Read small files into memory; leave larger ones to be scanned, unless all is needed."""
    scan.watcher = bar.rows
    return scan.read() if in_memory or scan.size <= LARGE else scan
