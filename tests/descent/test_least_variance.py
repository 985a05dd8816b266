"""The bound of the target's variance that spares a pass over the rows: never above it."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.descent.mini_batch import least_variance


@pytest.mark.parametrize("n", [1, 2, 63, 64])
def test_of_few_rows_it_is_the_variance(n: int) -> None:
    y = np.random.default_rng(n).normal(size=n) + 3.0
    assert least_variance(y) == pytest.approx(np.var(y), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("n", [65, 100, 10_000])
def test_of_many_rows_it_is_no_more_than_the_variance(n: int) -> None:
    y = np.append(np.tile([-1.0, 1.0], 32), np.zeros(n - 64))  # all the spread comes first
    assert least_variance(y) == pytest.approx(np.var(y), rel=1e-12)
    assert least_variance(y + 5.0) <= np.var(y) * (1.0 + 1e-12)
