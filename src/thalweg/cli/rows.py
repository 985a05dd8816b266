"""The rows that a command line names: scanned, or read where they are few.

Not here: the reading itself (:mod:`thalweg.data`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import thalweg
from thalweg.data.paths import LARGE

if TYPE_CHECKING:
    from thalweg.data.scanning import Scan
    from thalweg.data.source import Source
    from thalweg.progress import Bar


def _columns(features: str | None) -> list[str] | None:
    return None if features is None else [name.strip() for name in features.split(",")]


def paths_of(paths: list[Path]) -> Path | list[Path]:
    """Take one path as itself: it may be a folder."""
    return paths[0] if len(paths) == 1 else paths


def character(delimiter: str | None) -> str | None:
    """Take a tab as a shell hands it on."""
    return "\t" if delimiter == r"\t" else delimiter


def scan_of(
    paths: list[Path], target: str, features: str | None, missing: str,
    delimiter: str | None, decimal: str,
) -> Scan:  # fmt: skip
    """Open files for scanning."""
    return thalweg.scan(
        paths_of(paths),
        target=target,
        features=_columns(features),
        missing=missing,  # type: ignore[arg-type]  # any other word is refused there
        delimiter=character(delimiter),
        decimal=decimal,
    )


def rows_of(scan: Scan, bar: Bar, *, in_memory: bool = False) -> Source:
    """Read small files into memory; leave larger ones to be scanned, unless all is needed."""
    scan.watcher = bar.rows
    return scan.read() if in_memory or scan.size <= LARGE else scan
