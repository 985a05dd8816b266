"""The descent over rows in files: read anew for each epoch, a few blocks in memory at once.

Each block goes through the compiled engine's own kernel, which goes on where the block before
ended, in the middle of a batch too. So the walk is that of the same rows in memory, to the bit,
wherever the blocks begin and end. Batch descent on
the squared error needs no rows, but only their summary: one pass, once.

Not here: the arithmetic (:mod:`thalweg.descent.mini_batch`), the reading
(:mod:`thalweg.data.scanning`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

import numpy as np

from thalweg.arrays import Array
from thalweg.data.source import Rows, Source
from thalweg.descent import compiled
from thalweg.descent.kernel import ROW
from thalweg.descent.plan import Plan
from thalweg.errors import InvalidSetting, UnreadableFile
from thalweg.numbers import counted
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
                    X = self._scaling.rows(X, self._scan.summary)
                X = np.ascontiguousarray(X)
                X.flags.writeable = y.flags.writeable = False
                if seen <= len(self):
                    yield X, y
        if seen != len(self):
            raise UnreadableFile(
                self._scan.source,
                got=f"{counted(seen, 'row')} in this pass",
                expected=f"{len(self):,}, as in the first",
                advice="leave the files as they are while they are fitted",
            )


def check(plan: Plan, settings: Settings) -> None:
    """Refuse a plan that needs all the rows at hand."""
    name, batches = _streamed(plan).name, plan.batches
    advice = "read the rows into memory with thalweg.read"
    if settings.engine == "reference":
        raise InvalidSetting(
            "engine",
            got=f"'reference' for {name!r}, which is scanned",
            expected="'compiled', which alone walks rows that are not in memory",
            advice=advice,
        )
    if batches.sampler is not None:
        raise InvalidSetting(
            "batch_sampler",
            got=f"batches of {name!r}, which is scanned",
            expected="batches that follow one another, as a file is read",
            advice=advice + ", or pass batch_size",
        )
    if batches.shuffle and not compiled.needs_no_rows(plan):
        raise InvalidSetting(
            "shuffle",
            got=f"True for {name!r}, which is scanned",
            expected="False: a new order each epoch needs all the rows at hand",
            advice=advice + ", or shuffle the file itself once",
        )


def begin(plan: Plan) -> compiled.Walk:
    """Begin the walk of a plan whose rows are :class:`Streamed`: that of the same in memory."""
    return compiled.FullBatch(plan) if compiled.needs_no_rows(plan) else StreamedWalk(plan)


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged: a pass over the rows."""
    return compiled.limit_of(plan, _streamed(plan).blocks())


class StreamedWalk(compiled.MiniBatch):
    """Descent over rows that are read block by block, anew for each epoch."""

    def __init__(self, plan: Plan) -> None:
        self.data = _streamed(plan)
        super().__init__(plan)
        self.first = 0  # the epoch's rows before the block
        self.block: Rows | None = None
        self.blocks = in_fours(self.data.blocks())

    def go_on(self, budget: int) -> None:
        """Walk on in this epoch: the next one takes another pass."""
        super().go_on(min(budget, self.epoch.rows - self.arrays.cursor.item(ROW)))
        if self.arrays.cursor.item(ROW) == 0:
            for _ in self.blocks:  # rows that no batch takes, and whether there are as many
                pass
            self.first, self.block, self.blocks = 0, None, in_fours(self.data.blocks())

    def _rows(self) -> tuple[Array, Array, int]:
        row = self.arrays.cursor.item(ROW)
        if self.block is None:
            self.block = next(self.blocks)
        elif row == self.first + len(self.block[1]):
            self.first, self.block = row, next(self.blocks)
        return *self.block, self.first

    def _loss_limit(self) -> float:
        return loss_limit(self.plan)

    def _variance(self) -> float:
        return self.data.summary.full_batch(True).variance * (1.0 - 1e-9)  # for its own rounding


def in_fours(blocks: Iterator[Rows]) -> Generator[Rows]:
    """Cut blocks anew, so that each begins a multiple of four rows after the first.

    Examples
    --------
    >>> odd = ((np.zeros((n, 1)), np.zeros(n)) for n in (6, 1, 7, 3))
    >>> [len(y) for X, y in in_fours(odd)]
    [4, 4, 4, 4, 1]
    """
    held: list[Rows] = []  # less than four rows together
    for X, y in blocks:
        missing = -sum(len(kept) for _, kept in held) % 4
        if held:
            held.append((X[:missing], y[:missing]))
            X, y = X[missing:], y[missing:]
            if sum(len(kept) for _, kept in held) < 4:
                continue
            yield _joined(held)
        even = len(y) // 4 * 4
        if even:
            yield X[:even], y[:even]
        held = [(X[even:].copy(), y[even:].copy())] if even < len(y) else []
    if held:
        yield _joined(held)


def _joined(blocks: list[Rows]) -> Rows:
    X, y = (np.concatenate(part) for part in zip(*blocks, strict=True))
    X.flags.writeable = y.flags.writeable = False
    return X, y


def _streamed(plan: Plan) -> Streamed:
    if not isinstance(plan.data, Streamed):
        raise TypeError("rows in memory are walked by compiled.begin")
    return plan.data
