"""Curvature and the learning rates it allows, held against exact arithmetic and actual runs."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg
from thalweg.conditioning.curvature import (
    Curvature,
    curvature,
    dependencies,
    distances,
    mean_squared_error,
    principal_axes,
    stable_factor,
    stable_rate,
    standardise,
    sufficient_rate,
    sufficient_rate_shuffled,
)
from thalweg.diagnosis.diagnosis import stable_learning_rate
from thalweg.optimizers.adam import Adam
from thalweg.optimizers.nadam import NAdam
from thalweg.optimizers.sgd import SGD
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


@pytest.mark.parametrize("intercept", [True, False])
def test_standardising_the_triangle_is_standardising_the_rows(intercept: bool) -> None:
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(25, 3)) * [1.0, 1e4, 1e-4] + [7.0, 1e5, 0.0], rng.normal(size=25)
    shifted = X - X.mean(axis=0) if intercept else X
    scaled = shifted / np.sqrt((shifted**2).mean(axis=0))
    got = standardise(triangle_of(X, y, intercept=intercept), 25, intercept=intercept)
    want = triangle_of(scaled, y, intercept=intercept)
    np.testing.assert_allclose(np.abs(got), np.abs(want), atol=1e-10)


def test_a_constant_feature_is_only_shifted() -> None:
    X = np.column_stack([np.full(6, 7.3), np.arange(6.0)])
    got = standardise(triangle_of(X, np.arange(6.0) ** 2), 6, intercept=True)
    assert np.array_equal(got[:, 1], np.zeros(4))
    found = curvature(got[:-1, :-1], 6, ["bias", "a", "b"])
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


# --- Stability ------------------------------------------------------------------------------------

RULES = [
    SGD(),
    SGD(momentum=0.5),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    SGD(momentum=0.3, nesterov=True),
    SGD(momentum=0.7, dampening=0.4),
    SGD(momentum=0.8, dampening=-0.5),
    SGD(dampening=0.5),  # without momentum PyTorch ignores it
    SGD(weight_decay=3.0),
    SGD(momentum=0.9, weight_decay=3.0),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("intercept", [True, False])
def test_runs_converge_below_the_bound_and_diverge_above_it(rule: SGD, intercept: bool) -> None:
    rng = np.random.default_rng(9)
    X, y = rng.normal(size=(30, 2)) * [1.0, 4.0] + 1.0, rng.normal(size=30) + 5.0
    bound = stable_learning_rate(Summary.of((X, y)), rule, intercept=intercept)
    assert bound is not None
    own = {k: v for k, v in rule._asdict().items() if k not in ("lr", "maximize")}
    ends = [
        thalweg.fit(
            (X, y),
            optimizer="sgd",
            lr=share * bound,
            epochs=4000,
            intercept=intercept,
            start=rng.normal(size=2 + intercept),
            **own,
        )
        for share in (0.99, 1.01)
    ]
    assert ends[0].gradient_norm[-1] < 100.0  # weight decay settles where the gradient is not 0
    assert ends[0].loss[-1] == pytest.approx(ends[0].loss[-2], rel=1e-6)
    assert ends[1].outcome is thalweg.Outcome.DIVERGED


def test_the_bound_of_standardised_features_is_that_of_their_run() -> None:
    rng = np.random.default_rng(10)
    X, y = rng.normal(size=(30, 2)) @ [[1e5, 0], [3e5, 1e-2]] + 1e6, rng.normal(size=30)
    bound = stable_learning_rate(Summary.of((X, y)), SGD(), standardize=True)
    assert bound is not None
    outcomes = [
        thalweg.fit(
            (X, y), optimizer="sgd", lr=share * bound, epochs=3000, standardize=True
        ).outcome
        for share in (0.99, 1.01)
    ]
    assert outcomes == [thalweg.Outcome.OUT_OF_EPOCHS, thalweg.Outcome.DIVERGED]


def test_the_lesson_is_stable_below_5e_10_only() -> None:
    bound = stable_learning_rate(thalweg.salammbo().summary, SGD())
    largest, _ = exact_pair([int(v) for v in thalweg.salammbo().X[:, 0]])
    assert bound == pytest.approx(2.0 / float(largest), rel=1e-12)
    assert bound is not None
    assert 4.8e-10 < bound < 5e-10


@pytest.mark.parametrize("rule", [Adam(), NAdam()])
def test_rules_whose_steps_do_not_scale_with_the_gradient_have_no_bound(rule: Adam) -> None:
    assert stable_factor(rule) is None
    assert stable_learning_rate(thalweg.salammbo().summary, rule) is None


def test_some_settings_are_stable_at_no_rate_and_flat_data_at_any() -> None:
    bowl = Curvature(("bias",), np.array([2.0]), np.eye(1), 1)
    flat = Curvature(("weight",), np.array([0.0]), np.eye(1), 0)
    assert stable_rate(bowl, SGD(maximize=True)) == 0.0
    assert stable_rate(bowl, SGD(momentum=1.0)) == 0.0
    assert stable_rate(bowl, SGD(momentum=0.5, dampening=1.0)) == 0.0
    assert stable_rate(bowl, SGD(maximize=True, weight_decay=3.0)) == 2.0
    assert stable_rate(flat, SGD()) == math.inf
    assert (flat.condition_number, flat.best_rate) == (1.0, math.inf)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch_size=st.integers(1, 5),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_mini_batches_stay_bounded_below_the_sufficient_rate(
    seed: int, batch_size: int, shuffle: bool, drop_last: bool
) -> None:
    rng = np.random.default_rng(seed)
    n = 11
    X, y = rng.normal(size=(n, 2)) * [1.0, 10.0] + rng.normal(size=2), rng.normal(size=n)
    design = np.column_stack([np.ones(n), X])
    if shuffle:
        rate = sufficient_rate_shuffled(design, batch_size, drop_last=drop_last)
    else:
        stop = n - n % batch_size if drop_last else n
        rate = sufficient_rate([design[i : i + batch_size] for i in range(0, stop, batch_size)])
    run = thalweg.fit(
        (X, y),
        optimizer="sgd",
        lr=0.99 * rate,
        epochs=300,
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        start=100.0 * rng.normal(size=3),
    )
    assert run.outcome is thalweg.Outcome.OUT_OF_EPOCHS
    # The distance to the solution never grows by more than the batches' own disagreement.
    assert np.abs(run.path).max() < 1e4


def test_a_single_repeated_row_diverges_right_above_the_sufficient_rate() -> None:
    row = np.array([[1.0, 3.0]])
    rate = sufficient_rate([row])
    assert rate == pytest.approx(0.1)
    for share, outcome in ((0.99, "OUT_OF_EPOCHS"), (1.01, "DIVERGED")):
        run = thalweg.fit(
            (row[:, 1:], [1.0]), optimizer="sgd", lr=share * rate, epochs=2000, start=[5.0, 5.0]
        )
        assert run.outcome.name == outcome


def test_the_shuffled_rate_covers_every_batch_that_can_be_drawn() -> None:
    from itertools import combinations

    rng = np.random.default_rng(11)
    design = np.column_stack([np.ones(7), rng.normal(size=(7, 2)) * 3.0])
    for drop_last, sizes in ((False, (3, 1)), (True, (3,))):
        rate = sufficient_rate_shuffled(design, 3, drop_last=drop_last)
        possible = [design[list(chosen)] for b in sizes for chosen in combinations(range(7), b)]
        assert rate <= sufficient_rate(possible)
