"""Which of two tries that both fall short is recommended."""

from __future__ import annotations

import math

import pytest

from thalweg.diagnosis.recommendation import Recommendation, _nearer


def ended(loss: float) -> Recommendation:
    return Recommendation(settings={}, change="", run=None, loss=loss, epochs=1, needed=None)


@pytest.mark.parametrize("worse", [2.0, math.inf, math.nan])
def test_the_nearer_of_two_is_the_one_with_the_lower_loss(worse: float) -> None:
    low, high = ended(1.0), ended(worse)
    assert _nearer(low, high) is low
    assert _nearer(high, low) is low
    assert _nearer(None, high) is high
