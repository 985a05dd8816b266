"""Which rows each step sees, in the DataLoader's own words; whether it sees all is asked here.

Not here: the settings that say so (:mod:`thalweg.settings`), the order in which shuffled rows come
(:mod:`thalweg.torch_random`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InvalidSetting
from thalweg.numbers import counted

if TYPE_CHECKING:
    from thalweg.settings import Settings

RowNumbers: TypeAlias = NDArray[np.int64]


class Batches(NamedTuple):
    """Which rows each step of an epoch sees, in the DataLoader's own words.

    ``batch_size=None`` is all the rows at once. ``sampler`` is a ``batch_sampler`` written out:
    the row numbers of each batch, the same every epoch; the other fields are then unused.
    """

    batch_size: int | None = None
    shuffle: bool = False
    drop_last: bool = False
    sampler: tuple[RowNumbers, ...] | None = None

    def sees_all(self, n: int) -> bool:
        """Tell whether each step sees all of ``n`` rows: batch descent."""
        return self.sampler is None and (self.batch_size is None or self.batch_size >= n)

    def steps_per_epoch(self, n: int) -> int:
        """Count the updates of one epoch over ``n`` rows."""
        if self.sampler is not None:
            return len(self.sampler)
        if self.batch_size is None:
            return 1
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def batches_of(settings: Settings, n: int) -> Batches:
    """Say which rows each step sees of n, as an engine takes it.

    Raises
    ------
    InvalidSetting
        On batches that n rows do not fill.
    """
    if settings.batch_sampler is not None:
        worst = max(max(batch) for batch in settings.batch_sampler)
        least = min(min(batch) for batch in settings.batch_sampler)
        if least < 0 or worst >= n:
            raise InvalidSetting(
                "batch_sampler",
                got=f"row {least if least < 0 else worst}",
                expected=f"row numbers from 0 to {n - 1}",
                advice="rows are counted from 0",
            )
        rows = tuple(np.array(batch, dtype=np.int64) for batch in settings.batch_sampler)
        return Batches(sampler=rows)
    if settings.drop_last and settings.batch_size is not None and settings.batch_size > n:
        raise InvalidSetting(
            "batch_size",
            got=f"{settings.batch_size} for {counted(n, 'row')}, with drop_last",
            expected=f"at most {n}, or no step would be left",
            advice="lower {batch_size}, or leave {drop_last} out",
            suggest={"batch_size": ..., "drop_last": ...},
        )
    return Batches(settings.batch_size, settings.shuffle, settings.drop_last)
