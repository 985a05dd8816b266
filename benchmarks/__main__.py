"""Measure every claim and write ``benchmarks/RESULTS.md``: ``make bench``.

``python -m benchmarks once`` measures what takes too long for each time (files of up to a hundred
million rows, 9 GB in the temporary folder) and writes the second part of that file.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from benchmarks import descent, files, lab, solve, start, surfaces, sweeps
from benchmarks.measure import Row, in_words, run

SUBJECTS = (descent, sweeps, surfaces, solve, start, files, lab)
RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = (
    "thalweg", "numpy", "numba", "scipy", "pyarrow", "torch", "scikit-learn", "jax", "optax",
)  # fmt: skip


ONCE = "## Measured once"


def main() -> None:
    """Run what was asked for by name, or everything; write the table where it is everything."""
    asked = sys.argv[1:]
    table, once = _written()
    if asked == ["once"]:
        lines = [f"- {line}" for line in files.once()]
        _write(table, "\n".join([ONCE, "", _where(), "", *lines, ""]))
        return
    chosen = [s for s in SUBJECTS if not asked or s.__name__.rpartition(".")[2] in asked]
    lines = list(_table(chosen))
    if not asked:
        _write("\n".join([*_head(), *lines, ""]), once)


def _written() -> tuple[str, str]:
    """Give the two parts of what was last written: what is measured each time, and once."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    table, heading, once = text.partition(ONCE)
    return table.rstrip() + "\n", heading + once


def _write(table: str, once: str) -> None:
    RESULTS.write_text(f"{table}\n{once}" if once else table, encoding="utf-8")
    print(f"\nWritten to {RESULTS}")


def _table(subjects: list[ModuleType]) -> Iterator[str]:
    head = ("work", "against", "ours", "theirs", "ratio", "at least", "aim", "reached")
    for line in (head, ("---",) * len(head)):
        yield _say(line)
    for subject in subjects:
        for comparison in subject.comparisons():
            row = comparison if isinstance(comparison, Row) else run(comparison)
            claim = row.comparison
            yield _say(
                (
                    claim.work, claim.against, in_words(row.ours), in_words(row.theirs),
                    f"{row.ratio:,.3g}", f"{claim.at_least:,g}", f"{claim.aim:,g}", row.verdict,
                )
            )  # fmt: skip


def _say(cells: tuple[str, ...]) -> str:
    line = "| " + " | ".join(cells) + " |"
    print(line, flush=True)
    return line


def _where() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, {versions}."
    )


def _head() -> list[str]:
    return [
        "# Results of `make bench`",
        "",
        _where(),
        "",
        "Medians of several runs, both sides by turns in one process. The ratio is theirs / ours;",
        "*reached* says which mark it passes.",
        "",
    ]


if __name__ == "__main__":
    main()
