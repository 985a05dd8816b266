"""The one scaling of features, held against the definition row by row."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from thalweg.summary.scaling import PIECE_ROWS, Scaling, scaling_of, weighted_scaling
from thalweg.summary.summary import Summary

X = np.random.default_rng(3).normal(size=(25, 3)) * [1.0, 1e4, 1e-4] + [7.0, 1e5, 0.0]
WEIGHTS = np.random.default_rng(4).integers(0, 5, size=25)


def by_definition(x: np.ndarray, weights: list[int], *, intercept: bool) -> tuple[float, float]:
    """Give shift and scale of one column in exact arithmetic."""
    values, n = [Fraction(v) for v in x.tolist()], sum(weights)
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / n if intercept else 0
    square = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True)) / n
    return float(mean), float(square) ** 0.5


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_the_scaling_is_that_of_the_definition(intercept: bool, weights: np.ndarray | None) -> None:
    if weights is None:
        found = scaling_of(Summary.of((X, X[:, 0])), intercept=intercept)
        counts = [1] * 25
    else:
        found = weighted_scaling(X, weights / 7.0, intercept=intercept)
        counts = weights.tolist()
    for j, column in enumerate(X.T):
        mean, scale = by_definition(column, counts, intercept=intercept)
        assert found.means[j] == pytest.approx(mean, rel=1e-13, abs=0.0)
        assert found.scales[j] == pytest.approx(scale, rel=1e-13)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_a_constant_feature_becomes_zero_with_an_intercept_and_one_without(
    weights: np.ndarray | None,
) -> None:
    constant = np.full((25, 1), 0.1)
    summary = Summary.of((constant, constant[:, 0]))

    def scaling(*, intercept: bool) -> Scaling:
        if weights is None:
            return scaling_of(summary, intercept=intercept)
        return weighted_scaling(constant, weights, intercept=intercept)

    assert (scaling(intercept=True).rows(constant, summary) == 0.0).all()
    np.testing.assert_allclose(scaling(intercept=False).rows(constant, summary), 1.0, rtol=1e-15)


def test_a_row_that_counts_for_nothing_does_not_count() -> None:
    rows = np.array([[2.0], [2.0], [9.0]])
    found = weighted_scaling(rows, np.array([1.0, 1.0, 0.0]), intercept=True)
    assert (found.means[0], found.scales[0]) == (2.0, 1.0)


@pytest.mark.parametrize("n", [1, PIECE_ROWS - 1, PIECE_ROWS, PIECE_ROWS + 1, 3 * PIECE_ROWS + 7])
def test_every_row_is_standardised(n: int) -> None:
    rows = np.random.default_rng(n).normal(3.0, 2.0, size=(n, 3))
    rows[:, 1] = 0.1
    summary = Summary.of(rows, rows[:, 0])
    scaling = scaling_of(summary, intercept=True)
    expected = (rows - scaling.means) / scaling.scales
    expected[:, ~summary.varies(scaling.means)] = 0.0
    np.testing.assert_array_equal(scaling.rows(rows, summary), expected)
