"""The curvature, held against exact arithmetic and finite differences."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from thalweg.conditioning.curvature import (
    Curvature,
    curvature,
    curvature_of,
    dependencies,
    distances,
    mean_squared_error,
    principal_axes,
)
from thalweg.summary.summary import Summary

ROUNDING = 1e-13  # relative, of float64 after a few dozen operations


def triangle_of(X: np.ndarray, y: np.ndarray, *, intercept: bool = True) -> np.ndarray:
    return Summary.of((X, y)).triangle(intercept=intercept)


def spectrum(X: np.ndarray, y: np.ndarray, *, intercept: bool = True) -> Curvature:
    triangle = triangle_of(X, y, intercept=intercept)
    names = [f"p{j}" for j in range(len(triangle) - 1)]
    return curvature(triangle[:-1, :-1], len(X), names)


def exact_pair(x: list[int]) -> tuple[Decimal, Decimal]:
    """Give the two curvatures of one integer feature with intercept, to 60 digits."""
    n = Fraction(len(x))
    a, b, c = Fraction(2), 2 * sum(map(Fraction, x)) / n, 2 * sum(Fraction(v) ** 2 for v in x) / n
    with localcontext() as context:
        context.prec = 60

        def decimal(f: Fraction) -> Decimal:
            return Decimal(f.numerator) / Decimal(f.denominator)

        half = decimal(a + c) / 2
        root = (half * half - decimal(a * c - b * b)).sqrt()
        largest = half + root
        return largest, decimal(a * c - b * b) / largest  # the other root, without cancellation


@pytest.mark.parametrize(
    "x",
    [
        [36961, 43621, 15694, 36231, 29945, 40588, 75255, 37709],
        [1, 2, 3],
        [10**7 + k for k in range(9)],
        [-5, 0, 5, 10**9],
    ],
)
def test_both_curvatures_have_all_their_digits_whatever_the_scale(x: list[int]) -> None:
    found = spectrum(np.array(x, dtype=float)[:, None], np.arange(len(x), dtype=float))
    largest, smallest = exact_pair(x)
    assert found.values[0] == pytest.approx(float(largest), rel=ROUNDING)
    # The smallest loses what the condition of the columns scaled to one length costs.
    assert found.values[1] == pytest.approx(float(smallest), rel=1e-8)


def test_badly_scaled_columns_keep_their_small_curvatures() -> None:
    mpmath = pytest.importorskip("mpmath", reason="comes with PyTorch")
    rng = np.random.default_rng(5)
    triangle = np.triu(rng.normal(size=(5, 5)) + 2.0 * np.eye(5)) * [1.0, 1e7, 1e-5, 1e12, 1e-3]
    found = curvature(triangle, 10, list("abcde"))
    mpmath.mp.dps = 60
    singular = mpmath.svd_r(mpmath.matrix(triangle.tolist()), compute_uv=False)
    exact = [float(2 * s**2 / 10) for s in singular]
    np.testing.assert_allclose(found.values, exact, rtol=ROUNDING)


def test_the_curvature_is_that_of_finite_differences_of_the_loss() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(30, 3)) * [1.0, 20.0, 0.1] + 3.0, rng.normal(size=30)
    found, at, loss = spectrum(X, y), rng.normal(size=4), Summary.of((X, y)).loss
    for value, direction in zip(found.values, found.directions, strict=True):
        step = direction / math.sqrt(value)
        second = loss(at + step) - 2.0 * loss(at) + loss(at - step)
        assert second == pytest.approx(1.0, rel=1e-9)


def test_directions_are_orthonormal_eigenvectors_of_the_hessian() -> None:
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(40, 4)) + 1.0, rng.normal(size=40)
    found, hessian = spectrum(X, y), Summary.of((X, y)).hessian()
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(5), atol=ROUNDING)
    np.testing.assert_allclose(
        hessian @ found.directions.T, found.directions.T * found.values, atol=1e-12
    )
    assert (found.directions[np.arange(5), np.abs(found.directions).argmax(axis=1)] > 0).all()
    assert (np.diff(found.values) <= 0).all()


def test_the_curvature_of_a_constant_standardised_feature_is_zero() -> None:
    X = np.column_stack([np.full(6, 7.3), np.arange(6.0)])
    summary, _, _ = Summary.of((X, np.arange(6.0) ** 2)).standardized()
    found = curvature_of(summary, intercept=True)
    assert found.rank == 2
    assert found.values[2] == 0.0


def test_dependent_columns_are_found_with_what_they_are_made_of() -> None:
    rng = np.random.default_rng(4)
    a, b, c = rng.normal(size=(3, 50)) * np.array([[1.0], [1e6], [1e-6]])
    X = np.column_stack([a, b, a, c, 2.0 * a - b, np.zeros(50), np.full(50, 3.0)])
    triangle = triangle_of(X, rng.normal(size=50))[:-1, :-1]
    assert dependencies(triangle) == {3: (1,), 5: (1, 2), 6: (), 7: (0,)}


def test_nearly_dependent_columns_are_not_called_dependent() -> None:
    rng = np.random.default_rng(4)
    a = rng.normal(size=50)
    X = np.column_stack([a, a + 1e-9 * rng.normal(size=50)])
    found = spectrum(X, rng.normal(size=50))
    assert found.rank == 3
    assert found.condition_number > 1e17


def test_the_loss_from_the_triangle_is_the_loss_of_the_rows() -> None:
    rng = np.random.default_rng(6)
    X, y, points = rng.normal(size=(20, 2)), rng.normal(size=20), rng.normal(size=(7, 3))
    want = [np.mean((w[0] + X @ w[1:] - y) ** 2) for w in points]
    np.testing.assert_allclose(mean_squared_error(triangle_of(X, y), 20, points), want, rtol=1e-12)


def test_the_excess_along_the_directions_adds_up_to_the_loss() -> None:
    rng = np.random.default_rng(7)
    X, y, points = rng.normal(size=(20, 2)) + 2.0, rng.normal(size=20), rng.normal(size=(5, 3))
    summary, found = Summary.of((X, y)), spectrum(X, y)
    exact = summary.solve()
    away = distances(found, points, exact.parameters)
    above = [summary.loss(w) - exact.loss for w in points]
    np.testing.assert_allclose(0.5 * (found.values * away**2).sum(axis=1), above, rtol=1e-10)


def test_principal_axes_end_where_the_loss_has_risen_by_what_was_asked() -> None:
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(20, 2)) * [1.0, 50.0], rng.normal(size=20)
    summary, found = Summary.of((X, y)), spectrum(X, y)
    exact = summary.solve()
    axes = principal_axes(found, exact.parameters, rise=0.3)
    assert len(axes) == 3
    for axis in axes:
        for end in (axis.start, axis.end):
            assert summary.loss(end) - exact.loss == pytest.approx(0.3, rel=1e-9)


def test_principal_axes_leave_out_what_the_data_leave_open() -> None:
    x = np.arange(5.0)
    found = spectrum(np.column_stack([x, x]), x**2)
    assert len(principal_axes(found, np.zeros(3), rise=1.0)) == 2
