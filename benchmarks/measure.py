"""How a claim is measured: both sides by turns in one process, medians, and their ratio.

Not here: what is compared (a module per subject beside this one).
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

SECONDS_A_SIDE = 2.0  # enough repetitions to fill this, within the two limits below
FEWEST, MOST = 5, 20_000
FEWEST_TURNS, MOST_TURNS = 7, 50


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Parameters
    ----------
    work : str
        What both sides do.
    against : str
        Who the other side is.
    ours, theirs : callable
        Each does the whole work once; results are returned, so that ``agree`` can hold them
        against each other.
    at_least, aim : float
        The ratio theirs / ours that must hold, and the one hoped for.
    agree : callable
        Raises where the two results are not the same answer. Called once, before timing.
    """

    work: str
    against: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    at_least: float
    aim: float
    agree: Callable[[object, object], None]


@dataclass(frozen=True)
class Row:
    """What came out: median seconds of each side, and how often each was run."""

    comparison: Comparison
    ours: float
    theirs: float
    runs: tuple[int, int]

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.theirs / self.ours

    @property
    def verdict(self) -> str:
        """Which of the two marks is reached."""
        if self.ratio >= self.comparison.aim:
            return "aim"
        return "yes" if self.ratio >= self.comparison.at_least else "no"


def run(comparison: Comparison) -> Row:
    """Measure one comparison, alternating the sides so that noise falls on both."""
    comparison.agree(comparison.ours(), comparison.theirs())
    comparison.ours(), comparison.theirs()  # warm
    many = _many(comparison.ours), _many(comparison.theirs)
    turns = min(MOST_TURNS, max(FEWEST_TURNS, min(many)))
    ours: list[float] = []
    theirs: list[float] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(turns):
            ours += _time(comparison.ours, max(1, many[0] // turns))
            theirs += _time(comparison.theirs, max(1, many[1] // turns))
    finally:
        gc.enable()
    return Row(
        comparison, statistics.median(ours), statistics.median(theirs), (len(ours), len(theirs))
    )


def _many(work: Callable[[], object]) -> int:
    (once,) = _time(work, 1)
    return min(MOST, max(FEWEST, int(SECONDS_A_SIDE / once)))


def _time(work: Callable[[], object], times: int) -> list[float]:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def in_words(seconds: float) -> str:
    """Write a duration with a fitting unit.

    Examples
    --------
    >>> in_words(1.25e-5), in_words(0.0312), in_words(2.0)
    ('12.5 µs', '31.2 ms', '2 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
