"""Telling a distance that only fluctuates from one that shrinks."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.diagnosis.classification import _is_still

WAVE = 0.3 * np.sin(np.arange(60.0))


@pytest.mark.parametrize(
    ("moved", "still"),
    [
        (0.02, True),  # hardly a tenth of the way is forward
        (0.05, True),  # a third of it
        (1.0, False),
    ],
)
def test_a_distance_is_still_where_less_than_half_of_its_way_is_forward(
    moved: float, still: bool
) -> None:
    tail = 100.0 - moved * np.arange(60.0) + WAVE
    way = np.abs(np.diff(tail)).sum()
    assert (abs(tail[-1] - tail[0]) / way < 0.5) == still
    centre, spread = abs(float(np.median(tail))), float(np.ptp(tail))
    assert _is_still(tail, centre, spread) is still
