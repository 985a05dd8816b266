"""The exact loss and the bound of its error, held against exact rational arithmetic.

Targets far from zero are where a loss made of sums of squares loses its digits.
"""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import exact
import thalweg
import thalweg.diagnosis.landscape
import thalweg.summary.refinement
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import take
from thalweg.errors import ThalwegWarning
from thalweg.loss_surface.surface import surface
from thalweg.summary.exact import exact_loss, exact_solution, exact_triangle, solve
from thalweg.summary.solution import ROUNDED, Solution
from thalweg.summary.summary import Summary

Array = NDArray[np.float64]

RELATIVE = 1e-10  # what a loss may be off by, for certain, where the rows are at hand
FAR = {"1e15 ± 1": (1e15, 1.0), "1.7e9 ± 1e-6": (1.7e9, 1e-6), "1e8 ± 1": (1e8, 1.0)}


def far_from_zero(name: str) -> tuple[Array, Array]:
    offset, size = FAR[name]
    x = np.arange(20.0)[:, np.newaxis]
    return x, offset + size * np.where(np.arange(20) % 2, 1.0, -1.0)


def off_by(solution: Solution, truth: Fraction) -> float:
    """Give the loss's error as a part of its bound."""
    error = abs(Fraction(solution.loss) - truth)
    return float(error / Fraction(solution.loss_error)) if error else 0.0


@pytest.mark.parametrize("name", FAR)
def test_the_rows_keep_the_digits_of_a_target_far_from_zero(name: str) -> None:
    X, y = far_from_zero(name)
    _, truth = exact.least_squares(X, y)
    for rows in ((X, y), Dataset(X, y), (X.astype(int), y), (np.asfortranarray(X), y)):
        solution = solve(rows)
        assert exact.digits(solution.loss, truth) >= 15.6
        assert off_by(solution, truth) <= 1.0
        assert solution.loss_error <= RELATIVE * solution.loss
        assert exact_loss(take(rows, copy=False)) == (solution.loss, solution.loss_error)


@pytest.mark.parametrize("name", ["1e15 ± 1", "1.7e9 ± 1e-6"])
def test_without_the_rows_the_number_says_that_it_is_none(name: str) -> None:
    X, y = far_from_zero(name)
    summary = Summary.of((X, y))
    solution = summary.solve()
    _, truth = exact.least_squares(X, y)
    assert 0.0 < solution.loss <= solution.loss_error
    assert off_by(solution, truth) <= 1.0
    assert summary.triangle()[-1, -1] ** 2 / 20 <= solution.loss_error
    assert exact_loss(summary) == (solution.loss, solution.loss_error)
    parameters = solution.parameters
    error = abs(Fraction(summary.loss(parameters)) - exact.loss(X, y, parameters))
    assert error <= summary.loss_error(parameters)


def test_what_cancels_to_nothing_by_chance_is_not_called_zero() -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(-50, 50, size=(1000, 4)).astype(float)
    y = 1e15 + np.round(4.0 * rng.normal(size=1000))
    for rows in (slice(None, k) for k in range(900, 1000)):
        solution = Summary.of((X[rows], y[rows])).solve()
        assert 0.0 < solution.loss <= solution.loss_error
    nothing = Summary.of((X, np.zeros(1000))).solve()
    assert (nothing.loss, nothing.loss_error) == (0.0, 0.0)


def random_rows(seed: int) -> tuple[Array, Array, bool]:
    """Rows with anything from no offset to one of 1e16, exact fits and constant targets too."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 5))
    n = int(rng.integers(d + 2, 40))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-3, 4)
    X += 10.0 ** rng.integers(-2, 9) * rng.integers(0, 2)
    y = 10.0 ** rng.integers(0, 17) + 10.0 ** rng.integers(-8, 2) * rng.normal(size=n)
    y += X @ rng.normal(size=d) * rng.integers(0, 2)
    if seed % 5 == 0:
        y = np.full(n, 0.1) * 10.0 ** rng.integers(0, 17)
    if seed % 5 == 1:
        y = 3.0 + X @ np.arange(1.0, d + 1.0)
    return X, y, bool(rng.integers(0, 2))


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_the_loss_is_never_further_off_than_its_bound(first: int) -> None:
    worst_relative = 0.0
    for seed in range(first, first + 50):
        X, y, intercept = random_rows(seed)
        _, truth = exact.least_squares(X, y, intercept=intercept)
        scale = Fraction(float(np.mean(y**2)))
        solution = solve((X, y), intercept=intercept)
        alone = Summary.of((X, y)).solve(intercept=intercept)
        assert off_by(solution, truth) <= 1.0, seed
        assert off_by(alone, truth) <= 1.0, seed
        assert alone.loss_error <= 1e-13 * alone.loss or alone.loss_error <= 1e-7 * scale
        if truth > Fraction(1e-40) * scale:
            worst_relative = max(worst_relative, float(Fraction(solution.loss_error) / truth))
        else:
            assert solution.loss <= 1e-39 * scale
    assert worst_relative <= RELATIVE


@pytest.mark.parametrize("intercept", [True, False])
def test_the_loss_anywhere_is_within_its_bound(intercept: bool) -> None:
    rng = np.random.default_rng(7)
    for seed in range(60):
        X, y, _ = random_rows(seed)
        summary = Summary.of((X, y))
        for size in (0.0, 1e-6, 1.0):
            near = summary.solution(intercept=intercept).parameters
            near = near + size * rng.normal(size=len(near))
            got = summary.loss(near, intercept=intercept)
            error = abs(Fraction(got) - exact.loss(X, y, near, intercept=intercept))
            assert error <= summary.loss_error(near, intercept=intercept)
            assert got >= 0.0


@pytest.mark.parametrize("offset", [0.0, 1e12])
def test_dependent_columns_have_the_loss_of_their_parameters(offset: float) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(2.0, 1.0, size=(30, 2))
    X = np.column_stack([X, X.sum(axis=1)])
    y = offset + X @ [1.0, 2.0, 0.5] + rng.normal(size=30)
    with pytest.warns(ThalwegWarning) as caught:
        solution = solve((X, y))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert off_by(solution, exact.loss(X, y, solution.parameters)) <= 1.0
    assert solution.loss_error <= RELATIVE * solution.loss
    with pytest.warns(ThalwegWarning) as caught:
        alone = Summary.of((X, y)).solve()
    assert caught[0].filename == __file__
    assert off_by(alone, exact.loss(X, y, alone.parameters)) <= 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert exact_solution(take((X, y))).loss == solution.loss


@pytest.mark.parametrize("degree", [6, 8, 10])
def test_passes_that_are_not_made_are_in_the_bound(
    degree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass corrects the answer; what it takes off the loss is known, and not yet taken off."""
    monkeypatch.setattr(thalweg.summary.refinement, "MOST_PASSES", 1)
    rng = np.random.default_rng(degree)
    X = np.stack([np.linspace(-9, -3, 40) ** k for k in range(1, degree + 1)], axis=1)
    exactly = X @ (rng.normal(size=degree) / 10.0 ** np.arange(1, degree + 1))
    y = exactly + 1e-9 * rng.normal(size=40)
    _, truth = exact.least_squares(X, y)
    solution = solve((X, y))
    assert abs(Fraction(solution.loss) / truth - 1) > ROUNDED  # there is something left to take off
    assert off_by(solution, truth) <= 1.0


def test_rows_that_tell_enough_are_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(3.0, 1.0, size=(200, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.normal(size=200)
    data = Dataset(X, y)
    passes: list[object] = []
    monkeypatch.setattr("thalweg.summary.refinement._products", lambda *asked: passes.append(asked))
    solution = solve(data)
    assert passes == []
    assert solution.loss_error <= 1e-15 * solution.loss


def test_surface_and_landscape_take_their_floor_from_the_rows() -> None:
    X, y = far_from_zero("1e15 ± 1")
    _, truth = exact.least_squares(X, y)
    data = Dataset(X, y)
    R, solution = exact_triangle(data)
    assert R[-1, -1] ** 2 / 20 == pytest.approx(float(truth), rel=1e-14)
    assert solution.loss == pytest.approx(float(truth), rel=1e-14)
    assert surface(data).factor[-1, -1] == R[-1, -1]
    found = thalweg.diagnosis.landscape.Landscape.of(data, intercept=True)
    assert found.exact_loss == pytest.approx(float(truth), rel=1e-14)
    assert data.summary.triangle()[-1, -1] != R[-1, -1]  # what a summary keeps stays as it is


def test_files_and_memory_have_the_same_digits(tmp_path: Path) -> None:
    """The passes over the rows go by the same blocks, whatever the batches of the file."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=150_000)
    frame = pd.DataFrame({"a": x, "b": x + 1e-6 * rng.normal(size=len(x))})
    frame["y"] = 1e9 + rng.normal(size=len(x))
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=7_777)
    in_memory = solve(frame, target="y")
    scanned = solve(thalweg.scan(tmp_path / "rows.parquet", target="y"))
    assert (scanned.loss, scanned.loss_error) == (in_memory.loss, in_memory.loss_error)
    np.testing.assert_array_equal(scanned.parameters, in_memory.parameters)
