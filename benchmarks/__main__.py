"""Measure every claim and write ``benchmarks/RESULTS.md``: ``make bench``."""

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


def main() -> None:
    """Run what was asked for by name, or everything; write the table where it is everything."""
    asked = sys.argv[1:]
    chosen = [s for s in SUBJECTS if not asked or s.__name__.rpartition(".")[2] in asked]
    lines = list(_table(chosen))
    if not asked:
        RESULTS.write_text("\n".join([*_head(), *lines, ""]), encoding="utf-8")
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


def _head() -> list[str]:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return [
        "# Results of `make bench`",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {cpu}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, {versions}.",
        "",
        "Medians of several runs, both sides by turns in one process. The ratio is theirs / ours;",
        "*reached* says which mark it passes.",
        "",
    ]


if __name__ == "__main__":
    main()
