"""The descent over rows in files: read anew for each epoch, a few blocks in memory at once.

Each block goes through the compiled engine's own kernel, which takes up the sums of an epoch,
and a batch that a block's border cuts in two, where the block before left them. So the walk is
that of the same rows in memory, to the bit, wherever the blocks begin and end. Batch descent on
the squared error needs no rows, but only their summary: one pass, once.

Not here: the arithmetic (:mod:`thalweg.descent.mini_batch`), the reading
(:mod:`thalweg.data.scanning`).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from thalweg.arrays import Array
from thalweg.data.source import Rows, Source
from thalweg.descent import compiled
from thalweg.descent.kernel import OUT_OF_EPOCHS, Limits
from thalweg.descent.mini_batch import Walk, rows_kernel, start_kernel
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.errors import InvalidSetting, UnreadableFile, sentence
from thalweg.optimizers.rule import canonical
from thalweg.runs.run import Outcome
from thalweg.settings import Settings
from thalweg.summary.scaling import Scaling
from thalweg.summary.summary import Summary


class Streamed:
    """The rows of a scan as a plan takes them, in the coordinates that the descent walks in."""

    def __init__(self, scan: Source, summary: Summary, scaling: Scaling | None) -> None:
        self.features = scan.features
        self.target = scan.target
        self.name = scan.name
        self.summary = summary
        self._scan = scan
        self._scaling = scaling

    @classmethod
    def of(cls, scan: Source, scaling: Scaling | None) -> Streamed:
        """Take a scan, whose rows are summed up now unless they were before."""
        summary = scan.summary if scaling is None else scan.summary.rescaled(*scaling)
        return cls(scan, summary, scaling)

    def __len__(self) -> int:
        return self.summary.n

    def blocks(self) -> Generator[Rows]:
        """Read all the rows once, as a dataset in memory keeps them.

        Raises
        ------
        UnreadableFile
            If there are more rows or fewer than when they were summed up.
        """
        seen = 0
        with closing(self._scan.batches()) as batches:
            for X, y in batches:
                seen += len(y)
                if self._scaling is not None:
                    X = (X - self._scaling.means) / self._scaling.scales
                X = np.ascontiguousarray(X)
                X.flags.writeable = y.flags.writeable = False
                if seen <= len(self):
                    yield X, y
        if seen != len(self):
            raise UnreadableFile(
                sentence(
                    self._scan.source,
                    got=f"{seen:,} rows in this pass",
                    expected=f"{len(self):,}, as in the first",
                    advice="leave the files as they are while they are fitted",
                )
            )


def check(plan: Plan, settings: Settings) -> None:
    """Refuse a plan that needs all the rows at hand."""
    name, batches = _streamed(plan).name, plan.batches
    advice = "read the rows into memory with thalweg.read"
    if settings.engine == "reference":
        raise InvalidSetting(
            sentence(
                "engine",
                got=f"'reference' for {name!r}, which is scanned",
                expected="'compiled', which alone walks rows that are not in memory",
                advice=advice,
            )
        )
    if batches.sampler is not None:
        raise InvalidSetting(
            sentence(
                "batch_sampler",
                got=f"batches of {name!r}, which is scanned",
                expected="batches that follow one another, as a file is read",
                advice=advice + ", or pass batch_size",
            )
        )
    if batches.shuffle and not compiled.needs_no_rows(plan):
        raise InvalidSetting(
            sentence(
                "shuffle",
                got=f"True for {name!r}, which is scanned",
                expected="False: a new order each epoch needs all the rows at hand",
                advice=advice + ", or shuffle the file itself once",
            )
        )


def descend(plan: Plan) -> Trace:
    """Walk a plan whose rows are :class:`Streamed`.

    Parameters
    ----------
    plan : Plan
        One that :func:`thalweg.descent.compiled.applies` to.

    Returns
    -------
    Trace
        That of the same rows in memory.
    """
    if compiled.needs_no_rows(plan):
        return compiled.descend(plan)
    walk = _Walk(plan)
    outcome, epochs = Outcome.OUT_OF_EPOCHS, 0
    while epochs < plan.epochs and outcome is Outcome.OUT_OF_EPOCHS:
        outcome = walk.epoch(epochs)
        epochs += 1
    return walk.trace(epochs, outcome)


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged: a pass over the rows."""
    if plan.loss_limit is not None and not math.isnan(plan.loss_limit):
        return plan.loss_limit
    data = _streamed(plan)
    w, _ = compiled.beginning(plan)
    if plan.intercept:
        w = np.roll(w, -1)
    kernel = start_kernel(type(plan.loss))
    total = 0.0
    for X, y in data.blocks():
        total += kernel(plan.loss, X, y, w, plan.intercept)[0] * len(y)
    return DIVERGENCE * max(total / len(data), _variance(data))


class Segment(NamedTuple):
    """Rows of a block that one call of the kernel takes."""

    low: int
    high: int
    steps: int  # the batches that end in them
    part: bool  # they end none: they belong to a batch that goes on in the next block


def segments(before: int, rows: int, batch_size: int, used: int) -> Iterator[Segment]:
    """Cut a block where its last whole batch ends.

    Parameters
    ----------
    before : int
        The epoch's rows before the block.
    rows : int
        Those in it.
    batch_size : int
    used : int
        The rows of an epoch that belong to a batch; the last batch may be short.

    Examples
    --------
    >>> list(segments(3, 10, 4, used=100))
    [Segment(low=0, high=9, steps=3, part=False), Segment(low=9, high=10, steps=1, part=True)]
    """
    end = min(before + rows, used)
    whole = end if end == used else end // batch_size * batch_size
    if whole > before:
        steps = -(-whole // batch_size) - before // batch_size
        yield Segment(0, whole - before, steps, part=False)
    if end > max(whole, before):
        yield Segment(max(whole, before) - before, end - before, 1, part=True)


class _Walk:
    """Where a walk over streamed rows stands, and its next epoch."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.data = _streamed(plan)
        self.rule: Any = canonical(plan.rule)
        start, self.generator = compiled.beginning(plan)
        self.steps_per_epoch = plan.batches.steps_per_epoch(len(self.data))
        self.arrays = compiled.make_arrays(plan, self.rule, self.steps_per_epoch, start)
        self.turned = compiled.turned(plan, start, self.arrays)
        self.kernel = rows_kernel(type(self.rule), type(plan.loss))
        self.every = plan.record_every or self.steps_per_epoch
        self.made = 0  # steps
        self.limit = math.nan if plan.loss_limit is None else plan.loss_limit

    def epoch(self, number: int) -> Outcome:
        """Walk over all the rows once."""
        plan, before, outcome = self.plan, 0, OUT_OF_EPOCHS
        size = plan.batches.batch_size or len(self.data)
        used = self.steps_per_epoch * size if plan.batches.drop_last else len(self.data)
        size = min(size, len(self.data))
        sums, record = np.zeros(3), np.empty((2, 1))
        for X, y in self.data.blocks():
            for segment in segments(before, len(y), size, used):
                outcome = self._call(X, y, segment, size, sums, record)
            before += len(y)
        self.arrays.record[:, number] = record[:, 0]
        return self._judged(compiled.OUTCOMES[outcome], float(record[0, 0]))

    def _call(
        self, X: Array, y: Array, segment: Segment, size: int, sums: Array, record: Array
    ) -> int:
        low, high, steps, part = segment
        phase = self.plan.steps_before + self.made
        walk = Walk(
            self.plan.intercept, size, steps, False, 0, 0,
            compiled.NO_ROWS, compiled.NO_ROWS, compiled.NO_TWISTERS, sums, part,
        )  # fmt: skip
        limits = Limits(
            1, self.every, self.every - phase % self.every, self.plan.gradient_tolerance,
            self.plan.loss_tolerance, math.inf,
        )  # fmt: skip
        written = self._points() - 1
        arrays = self.turned._replace(path=self.turned.path[written:], record=record)
        outcome: int
        outcome, *_ = self.kernel(
            self.rule, self.plan.loss, X[low:high], y[low:high], walk, limits, arrays
        )
        self.made += 0 if part else steps
        return outcome

    def _points(self) -> int:
        """Count the points recorded so far, the start included, an end that is not due left out."""
        phase = self.plan.steps_before % self.every
        return 1 + (phase + self.made) // self.every

    def _judged(self, outcome: Outcome, loss: float) -> Outcome:
        """Add to the kernel's classification whether the loss left its bounds."""
        if math.isnan(self.limit) and loss > DIVERGENCE * (1.0 - 1e-9) * _variance(self.data):
            self.limit = loss_limit(self.plan)
        return Outcome.DIVERGED if loss > self.limit else outcome

    def trace(self, epochs: int, outcome: Outcome) -> Trace:
        """Say what was done in so many epochs."""
        due = (self.plan.steps_before + self.made) % self.every == 0
        points = self._points() + (0 if due else 1)  # the end is always recorded
        arrays = self.arrays
        compiled.turn_back(self.plan, self.turned, arrays)
        return Trace(
            path=arrays.path[:points],
            steps=compiled.steps_of_points(self.plan, self.steps_per_epoch, epochs, points),
            loss=arrays.record[0, :epochs],
            gradient_norm=arrays.record[1, :epochs],
            outcome=outcome,
            optimizer_state=compiled.exported_state(self.rule, arrays),
            generator=self.generator,
            loss_limit=self.limit,
        )


def _variance(data: Streamed) -> float:
    about_mean = data.summary.triangle()[1:, -1]
    return float(about_mean @ about_mean) / len(data)


def _streamed(plan: Plan) -> Streamed:
    if not isinstance(plan.data, Streamed):
        raise TypeError("rows in memory are walked by compiled.descend")
    return plan.data
