"""A command line as a test runs it: in a process of its own, or in this one.

Not here: tests.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from thalweg.cli import main as cli


class Said(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


def call(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "thalweg", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def run(*arguments: str | Path) -> Said:
    """Run a command line in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline=""), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = exit_.code
    out.seek(0)
    return Said(code or 0, out.read(), err.getvalue())
