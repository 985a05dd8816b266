"""What a page gets to take along: the explanation, a report, a run file, a PyTorch script.

Thin words around the library. Not here: pictures, which the browser draws.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import thalweg
from thalweg.data.dataset import Dataset
from thalweg.runs.run import Run


def explanation(rows: Dataset, run: Run) -> dict[str, Any]:
    """Say why a run went the way it did, and which settings to try."""
    found = thalweg.explain(rows, run)
    return {"text": found.text, "recommended": found.recommended}


def report(runs: Sequence[Run], names: Sequence[str]) -> bytes:
    """Give the report page on the runs."""
    from thalweg.pages.report import report_page  # templates: only for a report

    return report_page(dict(zip(names, runs, strict=True))).encode()


def run_file(runs: Sequence[Run], names: Sequence[str]) -> bytes:
    """Give the first run as a run file."""
    with tempfile.TemporaryDirectory(prefix="thalweg-lab-") as folder:
        path = Path(folder) / "run.parquet"
        runs[0].save(path)
        return path.read_bytes()


def pytorch_script(runs: Sequence[Run], names: Sequence[str]) -> bytes:
    """Give the PyTorch script that makes the first run again."""
    from thalweg.export import to_pytorch

    return to_pytorch(runs[0]).encode()


Make: TypeAlias = Callable[[Sequence[Run], Sequence[str]], bytes]


class Download(NamedTuple):
    """A file that is made of runs: how, of what kind, and how its name ends."""

    make: Make
    media_type: str
    suffix: str


DOWNLOADS = {
    "report": Download(report, "text/html", "html"),
    "run": Download(run_file, "application/vnd.apache.parquet", "parquet"),
    "pytorch": Download(pytorch_script, "text/x-python", "py"),
}
"""The first run is the current one; a run file and a script hold that one alone."""
