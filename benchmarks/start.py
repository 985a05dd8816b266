"""A new process: how long until the first result, with kernels already on disk."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.measure import Comparison, Row

CODE = "import thalweg; thalweg.fit(thalweg.salammbo(), seed=4321)"
MARK, AIM = 1.5, 0.6  # seconds


def comparisons() -> Iterator[Row]:
    """Measure whole processes; the "other side" is the mark itself."""
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", CODE], check=True)
        seconds.append(time.perf_counter() - start)
    nothing = Comparison(
        work="first result in a new process, warm cache",
        against=f"{MARK} s",
        ours=lambda: None,
        theirs=lambda: None,
        at_least=1.0,
        aim=MARK / AIM,
        agree=lambda ours, theirs: None,
    )
    yield Row(nothing, statistics.median(seconds[1:]), MARK, (len(seconds) - 1, 1))
