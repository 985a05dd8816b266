"""The summary and the exact solution, held against exact rational arithmetic and NumPy."""

from __future__ import annotations

import hashlib
import itertools
import json
import struct
import tracemalloc
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import exact
import thalweg.data.identity
import thalweg.summary.blocks
import thalweg.summary.gram
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import take
from thalweg.errors import InvalidData, ThalwegWarning, UnreadableFile
from thalweg.numbers import counted
from thalweg.summary.encoding import MAGIC, VERSION
from thalweg.summary.exact import exact_loss, solve
from thalweg.summary.gram import gram_of
from thalweg.summary.solution import Solution
from thalweg.summary.summary import Summary

Array = NDArray[np.float64]

ALL_DIGITS = 15.6  # correctly rounded, or next to it
GRAM_ERROR = 1e-29  # of the product of the columns' norms
SPLIT_ERROR = 1e-15  # of R, normwise, for any cut of the rows
WORKING_PRECISION = 1e-13  # where the oracle is NumPy in float64


def rows(n: int, d: int, seed: int = 0) -> tuple[Array, Array]:
    """Rows that are not centred on zero and have features of different sizes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(3.0, 1.0, size=(n, d)) * np.geomspace(0.1, 10.0, d)
    y = 4.0 + X @ np.linspace(-2.0, 3.0, d) + rng.normal(0.0, 0.5, n)
    return X, y


def digits_of(data: tuple[Array, Array], *, intercept: bool = True) -> tuple[float, float]:
    """Count the correct digits of the worst parameter and of the loss."""
    solution = solve(data, intercept=intercept)
    parameters, mean_square = exact.least_squares(*data, intercept=intercept)
    return (
        min(map(exact.digits, solution.parameters, parameters)),
        exact.digits(solution.loss, mean_square),
    )


def relative_norm(difference: Array, whole: Array) -> float:
    return float(np.linalg.norm(difference) / np.linalg.norm(whole))


# --- Accuracy -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["longley", "norris", "pontius", "wampler1", "wampler4", "noint1"])
def test_all_digits_of_the_reference_sets(shared: Path, name: str) -> None:
    reference = json.loads((shared / "nist" / f"{name}.json").read_text())
    X, y = np.array(reference["x"]), np.array(reference["y"])
    if reference["kind"] == "poly":
        X = exact.powers(X, reference["degree"])
    parameters, loss = digits_of((X, y), intercept=reference["intercept"])
    assert parameters >= ALL_DIGITS
    assert loss >= ALL_DIGITS
    certified = reference["coefficients"]
    solution = solve((X, y), intercept=reference["intercept"])
    np.testing.assert_allclose(solution.parameters, certified, rtol=1e-12)


def polynomial(low: float, high: float, degree: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(degree)
    x = rng.uniform(low, high, size=82)
    return exact.powers(x, degree), np.sin(x) + rng.normal(0.0, 0.01, 82)


def shifted(offset: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 3)) + offset
    return X, X @ [1.0, -2.0, 3.0] + rng.normal(size=60)


def nearly_dependent(distance: float) -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    X = rng.normal(2.0, 1.0, size=(60, 3))
    X[:, 2] = X[:, 0] + X[:, 1] + distance * rng.normal(size=60)
    return X, X.sum(axis=1) + rng.normal(size=60)


def scaled() -> tuple[Array, Array]:
    X, y = rows(60, 5)
    return X * [1.0, 1e-12, 1e12, 1e-30, 1e7], y


# With the condition number κ of [1, X], columns scaled to norm one: the digits that hold without
# the rows, 30 - 2 log₁₀ κ, less one for parameters that are small beside others.
HARD: dict[str, tuple[Callable[[], tuple[Array, Array]], float]] = {
    "like Filip": (lambda: polynomial(-9.0, -3.0, 10), 10.0),  # κ = 3e9
    "tenth degree on [0, 1]": (lambda: polynomial(0.0, 1.0, 10), 14.0),  # 1.5e7
    "tenth degree on [1, 2]": (lambda: polynomial(1.0, 2.0, 10), 6.5),  # 2e11
    "badly scaled": (scaled, ALL_DIGITS),
    "offset 1e4": (lambda: shifted(1e4), ALL_DIGITS),
    "offset 1e8": (lambda: shifted(1e8), 12.0),  # 4e8
    "offset 1e10": (lambda: shifted(1e10), 8.0),  # 4e10
    "nearly dependent, 1e-5": (lambda: nearly_dependent(1e-5), ALL_DIGITS),
    "nearly dependent, 1e-8": (lambda: nearly_dependent(1e-8), 12.0),  # 5e8
    "nearly dependent, 1e-10": (lambda: nearly_dependent(1e-10), 8.0),  # 5e10
}


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", HARD)
def test_hard_columns_keep_all_digits(name: str, intercept: bool) -> None:
    parameters, loss = digits_of(HARD[name][0](), intercept=intercept)
    assert parameters >= ALL_DIGITS
    assert loss >= ALL_DIGITS


@pytest.mark.parametrize("name", HARD)
def test_without_the_rows_hard_columns_keep_what_the_docstring_says(name: str) -> None:
    make, floor = HARD[name]
    X, y = make()
    solution = Summary.of((X, y)).solve()
    parameters, loss = exact.least_squares(X, y)
    assert min(map(exact.digits, solution.parameters, parameters)) >= floor
    assert exact.digits(solution.loss, loss) >= floor


def blocks_of(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (thalweg.data.identity, thalweg.summary.blocks, thalweg.summary.gram):
        monkeypatch.setattr(module, "BLOCK_ROWS", rows)


def test_refinement_goes_through_all_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks_of(512, monkeypatch)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1700, 2)) + 1e9
    y = (X @ [1.0, 2.0] + rng.normal(size=1700)).astype(np.float64)
    parameters, loss = digits_of((np.asfortranarray(X), y))
    assert parameters >= ALL_DIGITS
    assert loss >= ALL_DIGITS


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("n", "d"), [(5, 1), (9, 4), (513, 2), (700, 7)])
def test_common_data_keep_all_digits(n: int, d: int, intercept: bool) -> None:
    parameters, loss = digits_of(rows(n, d), intercept=intercept)
    assert parameters >= ALL_DIGITS
    assert loss >= ALL_DIGITS


def heavy_tails(rng: np.random.Generator, n: int) -> Array:
    return rng.standard_cauchy(size=(n, 2))


def one_outlier(rng: np.random.Generator, n: int) -> Array:
    X = rng.normal(size=(n, 2))
    X[n // 2] = 1e9
    return X


def tiny_beside_huge(rng: np.random.Generator, n: int) -> Array:
    return rng.normal(1.0, 1.0, size=(n, 2)) * [1e-60, 1e60]


def mixed_magnitudes(rng: np.random.Generator, n: int) -> Array:
    return rng.normal(size=(n, 2)) * 10.0 ** rng.integers(-70, 60, size=(n, 2))


@pytest.mark.parametrize("make", [heavy_tails, one_outlier, tiny_beside_huge, mixed_magnitudes])
@pytest.mark.parametrize("n", [1, 7, 512, 1111])
def test_the_gram_matrix_is_that_of_rational_arithmetic(
    make: Callable[[np.random.Generator, int], Array], n: int
) -> None:
    rng = np.random.default_rng(n)
    X, y = make(rng, n), rng.normal(size=n)
    high, low = gram_of(X, y)
    columns = [[Fraction(v) for v in column] for column in np.column_stack([np.ones(n), X, y]).T]
    for i, j in itertools.product(range(4), repeat=2):
        truth = sum(a * b for a, b in zip(columns[i], columns[j], strict=True))
        error = abs(Fraction(high[i, j]) + Fraction(low[i, j]) - truth)
        assert error <= GRAM_ERROR * np.sqrt(high[i, i]) * np.sqrt(high[j, j])


@pytest.mark.parametrize("intercept", [True, False])
def test_loss_gradient_and_hessian_anywhere(intercept: bool) -> None:
    X, y = rows(40, 3)
    summary = Summary.of((X, y))
    rng = np.random.default_rng(1)
    for size in (1e-3, 1.0, 1e6):
        w = rng.normal(2.0, size, size=3 + intercept)
        loss = summary.loss(w, intercept=intercept)
        assert exact.digits(loss, exact.loss(X, y, w, intercept=intercept)) >= ALL_DIGITS
        gradient = summary.gradient(w, intercept=intercept)
        truth = exact.gradient(X, y, w, intercept=intercept)
        assert min(map(exact.digits, gradient, truth)) >= 15.0
    columns = np.column_stack([np.ones(40), X]) if intercept else X
    np.testing.assert_allclose(
        summary.hessian(intercept=intercept), 2 / 40 * columns.T @ columns, rtol=WORKING_PRECISION
    )


def test_the_loss_near_the_minimum_of_hard_columns() -> None:
    X, y = polynomial(-9.0, -3.0, 10)
    summary = Summary.of((X, y))
    solution = summary.solve()
    loss = summary.loss(solution.parameters)
    assert exact.digits(loss, exact.loss(X, y, solution.parameters)) >= 10.0
    assert loss >= solution.loss * (1 - 1e-12)


# --- Exact fits -----------------------------------------------------------------------------------


def test_an_exact_fit_has_no_loss_and_no_negative_one_around_it() -> None:
    rng = np.random.default_rng(5)
    X = rng.integers(-50, 50, size=(200, 3)).astype(float)
    parameters = np.array([7.0, 3.0, -4.0, 0.5])
    y = parameters[0] + X @ parameters[1:]
    summary = Summary.of((X, y))
    solution = summary.solve()
    assert solution.loss <= solution.loss_error <= 1e-24 * np.mean(y**2)
    assert (solve((X, y)).loss, exact_loss(take((X, y)))[0]) == (0.0, 0.0)
    np.testing.assert_array_equal(solution.parameters, parameters)
    assert summary.loss(parameters) <= 1e-29 * np.mean(y**2)
    for step in (1e-16, 1e-12, 1e-8, 1e-3):
        for _ in range(50):
            near = parameters + step * rng.normal(size=4)
            loss = summary.loss(near)
            assert loss >= 0.0
            truth = exact.loss(X, y, near)
            assert abs(Fraction(loss) - truth) <= 1e-12 * truth + 1e-29 * np.mean(y**2)


@pytest.mark.parametrize("noise", [1e-3, 1e-7, 1e-11])
def test_nearly_exact_fits_have_their_loss(noise: float) -> None:
    X, y = rows(300, 4)
    y = 4.0 + X @ [1.0, 2.0, 3.0, 4.0] + noise * np.random.default_rng(2).normal(size=300)
    _, truth = exact.least_squares(X, y)
    assert abs(Fraction(solve((X, y)).loss) - truth) <= 1e-29 * np.mean(y**2) + 1e-15 * truth


# --- Any cut of the rows --------------------------------------------------------------------------


def cuts(n: int, seed: int) -> list[slice]:
    rng = np.random.default_rng(seed)
    edges = [0, *sorted(rng.choice(np.arange(1, n), size=rng.integers(1, 12), replace=False)), n]
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["like Filip", "offset 1e8", "badly scaled"])
def test_any_cut_and_any_order_give_the_same_answer(name: str, seed: int) -> None:
    X, y = HARD[name][0]()
    whole = Summary.of((X, y))
    parts = [Summary.of((X[cut], y[cut])) for cut in cuts(len(y), seed)]
    np.random.default_rng(seed).shuffle(parts)
    while len(parts) > 1:  # as a tree
        parts = [
            pair[0].merge(pair[1]) if len(pair) == 2 else pair[0]
            for pair in (parts[i : i + 2] for i in range(0, len(parts), 2))
        ]
    streamed = Summary.of_batches((X[cut], y[cut]) for cut in cuts(len(y), seed + 100))
    for other in (parts[0], streamed):
        assert other.n == whole.n
        difference = other.triangle() - whole.triangle()
        assert relative_norm(difference, whole.triangle()) <= SPLIT_ERROR
        np.testing.assert_allclose(
            other.solve().parameters, whole.solve().parameters, rtol=10.0 ** -HARD[name][1]
        )


def test_merging_changes_neither_summary() -> None:
    X, y = rows(30, 2)
    first, second = Summary.of((X[:10], y[:10])), Summary.of((X[10:], y[10:]))
    before = first.to_bytes(), second.to_bytes()
    first.triangle()
    assert first.merge(second).n == 30
    assert (first.to_bytes(), second.to_bytes()) == before


@pytest.mark.parametrize("processors", [1, 2, 5])
def test_the_bits_do_not_depend_on_the_threads(
    monkeypatch: pytest.MonkeyPatch, processors: int
) -> None:
    X, y = rows(20_000, 3)
    blocks_of(1024, monkeypatch)
    alone = Summary.of((X, y)).to_bytes()
    monkeypatch.setattr(thalweg.summary.gram, "processors", lambda: processors)
    assert Summary.of((X, y)).to_bytes() == alone


def test_blocks_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = rows(5_000, 3)
    whole = Summary.of((X, y)).triangle()
    blocks_of(512, monkeypatch)
    blocks = Summary.of((X, y)).triangle()
    assert relative_norm(blocks - whole, whole) <= SPLIT_ERROR


def test_one_row_at_a_time() -> None:
    X, y = rows(50, 2)
    single = Summary.of_batches((X[i : i + 1], y[i : i + 1]) for i in range(50))
    np.testing.assert_array_equal(single.solve().parameters, Summary.of((X, y)).solve().parameters)


# --- The triangle ---------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
def test_the_triangle_is_that_of_qr(intercept: bool) -> None:
    X, y = rows(90, 4)
    columns = np.column_stack([np.ones(90), X, y] if intercept else [X, y])
    R = np.linalg.qr(columns, mode="r")
    R *= np.sign(np.diag(R))[:, np.newaxis]
    triangle = Summary.of((X, y)).triangle(intercept=intercept)
    np.testing.assert_allclose(triangle, R, rtol=WORKING_PRECISION, atol=1e-12)
    assert (np.tril(triangle, -1) == 0).all()
    assert (np.diag(triangle) >= 0).all()


def test_the_triangle_of_dependent_columns_gives_the_loss() -> None:
    X, y = rows(50, 2)
    X = np.column_stack([X[:, 0], X.sum(axis=1), X[:, 1], np.full(50, 3.0)])
    summary = Summary.of((X, y))
    triangle = summary.triangle()
    assert (triangle[3] == 0).all()
    assert (triangle[4] == 0).all()
    w = np.array([1.0, 2.0, -3.0, 0.5, 4.0])
    residuals = X @ w[1:] + w[0] - y
    for loss in (np.sum((triangle @ [*w, -1.0]) ** 2) / 50, summary.loss(w)):
        np.testing.assert_allclose(loss, np.mean(residuals**2), rtol=WORKING_PRECISION)


def test_nobody_can_write_on_what_a_summary_keeps() -> None:
    summary = Summary.of(rows(9, 2))
    with pytest.raises(ValueError, match="read-only"):
        summary.triangle()[:] = 0.0
    summary.hessian()[:] = 0.0
    assert summary.hessian()[0, 0] == 2.0


# --- Standardising --------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_standardising_is_that_of_the_rows(offset: float) -> None:
    X, y = rows(70, 3)
    X += offset
    summary, means, scales = Summary.of((X, y)).standardized()
    np.testing.assert_allclose(means, X.mean(axis=0), rtol=1e-15)
    np.testing.assert_allclose(scales, X.std(axis=0), rtol=1e-12)
    truth = Summary.of(((X - means) / scales, y)).triangle()
    assert relative_norm(summary.triangle() - truth, truth) <= 1e-14
    assert summary.n == 70


def test_a_constant_feature_becomes_zero() -> None:
    X, y = rows(70, 2)
    X = np.column_stack([X[:, 0], np.full(70, 0.1), X[:, 1], np.zeros(70)])
    summary, means, scales = Summary.of((X, y)).standardized()
    assert means[1] == pytest.approx(0.1, rel=1e-15)
    assert (scales[[1, 3]] == 1.0).all()
    assert (summary.triangle()[:, [2, 4]] == 0).all()
    with pytest.warns(ThalwegWarning):
        weights = summary.solve().weights
    np.testing.assert_allclose(weights[[1, 3]], 0.0, atol=1e-15)
    kept = solve((X[:, [0, 2]], y)).weights * scales[[0, 2]]
    np.testing.assert_allclose(weights[[0, 2]], kept, rtol=1e-12)


# --- Dependent columns ----------------------------------------------------------------------------


def least_norm(X: Array, y: Array, *, intercept: bool = True) -> Array:
    columns = np.column_stack([np.ones(len(y)), X]) if intercept else X
    answer: Array = np.asarray(np.linalg.lstsq(columns, y, rcond=1e-10)[0], dtype=np.float64)
    return answer


DEPENDENT: dict[str, tuple[Callable[[Array], Array], tuple[str, ...]]] = {
    "twice the same": (lambda X: np.column_stack([X, X[:, 1]]), ("x2", "x4")),
    "a sum": (lambda X: np.column_stack([X, X[:, 0] + X[:, 2]]), ("x1", "x3", "x4")),
    "constant": (lambda X: np.column_stack([X, np.full(len(X), 3.0)]), ("bias", "x4")),
    "zero": (lambda X: np.column_stack([X, np.zeros(len(X))]), ("x4",)),
    "another unit": (lambda X: np.column_stack([X, 32 + 1.8 * X[:, 0]]), ("bias", "x1", "x4")),
    "parts of a whole": (
        lambda X: 100 * np.abs(X) / np.abs(X).sum(axis=1, keepdims=True),
        ("bias", "x1", "x2", "x3"),
    ),
    "two at once": (
        lambda X: np.column_stack([X, X[:, 0] - X[:, 1], 0.1 * X[:, 2]]),
        ("x1", "x2", "x3", "x4", "x5"),
    ),
    "a dummy for each class": (
        lambda X: np.column_stack([X[:, 0], *(np.arange(len(X)) % 3 == k for k in range(3))]),
        ("bias", "x2", "x3", "x4"),
    ),
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_dependent_columns_get_the_answer_of_least_norm(name: str) -> None:
    make, names = DEPENDENT[name]
    X, y = rows(80, 3)
    X = make(X)
    with pytest.warns(ThalwegWarning) as caught:
        solution = solve((X, y))
    assert len(caught) == 1
    assert str(caught[0].message) == (
        f"X: got columns that depend on one another: {', '.join(map(repr, names))}, expected "
        "independent columns; of all the best answers the one of smallest norm is given"
    )
    assert solution.dependent == names
    truth = least_norm(X, y)
    assert solution.rank == np.linalg.matrix_rank(np.column_stack([np.ones(80), X]))
    np.testing.assert_allclose(solution.parameters, truth, rtol=1e-9, atol=1e-11)
    residuals = X @ truth[1:] + truth[0] - y
    np.testing.assert_allclose(solution.loss, np.mean(residuals**2), rtol=1e-11)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
@pytest.mark.parametrize(("n", "d"), [(20, 2), (3000, 2), (60, 30), (3000, 30)])
def test_sums_rounded_to_float64_are_found(d: int, n: int, offset: float) -> None:
    for seed in range(5):
        X, y = rows(n, d, seed)
        X += offset
        for made in (X[:, 0] + X[:, 1], X.sum(axis=1), X.mean(axis=1) * 3.7 - 1.3, X[:, 1] / 7):
            with pytest.warns(ThalwegWarning, match="depend on one another"):
                assert solve((np.column_stack([X, made]), y)).rank == d + 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert solve((X, y)).rank == d + 1


def test_without_an_intercept_a_constant_is_a_column_like_others() -> None:
    X, y = rows(40, 2)
    X = np.column_stack([X, np.ones(40)])
    solution = solve((X, y), intercept=False)
    assert solution.dependent == ()
    assert solution.bias == 0.0
    with_bias = solve((X[:, :2], y))
    np.testing.assert_allclose(
        solution.parameters, [*with_bias.weights, with_bias.bias], rtol=1e-15
    )
    with pytest.warns(ThalwegWarning):
        twice = solve((np.column_stack([X, X[:, 0]]), y), intercept=False)
    assert twice.dependent == ("x1", "x4")
    np.testing.assert_allclose(
        twice.parameters, least_norm(np.column_stack([X, X[:, 0]]), y, intercept=False), rtol=1e-10
    )


@pytest.mark.parametrize(("n", "d"), [(1, 1), (2, 5), (7, 30), (30, 30)])
def test_fewer_rows_than_parameters(n: int, d: int) -> None:
    X, y = rows(n, d)
    with pytest.warns(ThalwegWarning) as caught:
        solution = solve((X, y))
    assert str(caught[0].message).startswith(
        f"X: got {counted(n, 'row')} for {d + 1} parameters and columns that depend "
        "on one another: 'bias', "
    )
    assert solution.rank == n
    assert solution.loss <= 1e-26 * np.mean(y**2)
    np.testing.assert_allclose(solution.parameters, least_norm(X, y), rtol=1e-8, atol=1e-10)


def test_a_long_list_of_dependent_columns_is_cut() -> None:
    with pytest.warns(ThalwegWarning, match=r"'x8', 'x9' and 11 more, expected"):
        solve(rows(3, 20))


def test_the_loss_grows_from_the_solution_in_every_direction() -> None:
    X, y = rows(40, 3)
    X = np.column_stack([X, X[:, 0]])
    summary = Summary.of((X, y))
    with pytest.warns(ThalwegWarning):
        solution = summary.solve()
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.normal(size=5) * 1e-3
        assert summary.loss(solution.parameters + step) >= solution.loss * (1 - 1e-14)
    assert np.abs(summary.gradient(solution.parameters)).max() <= 1e-10


# --- What theory says of changed data -------------------------------------------------------------


def test_scaling_shifting_and_permuting() -> None:
    X, y = rows(60, 3)
    plain = solve((X, y))
    factors, shifts = np.array([2.0, -8.0, 0.5]), np.array([1.0, -3.0, 100.0])
    order = [2, 0, 1]
    scaled = solve((X * factors, 4.0 * y))
    np.testing.assert_array_equal(scaled.weights, 4.0 * plain.weights / factors)
    assert scaled.loss == 16.0 * plain.loss
    moved = solve((X + shifts, y))
    np.testing.assert_allclose(moved.weights, plain.weights, rtol=1e-12)
    np.testing.assert_allclose(moved.bias, plain.bias - shifts @ plain.weights, rtol=1e-12)
    permuted = solve((X[:, order], y))
    np.testing.assert_allclose(permuted.weights, plain.weights[order], rtol=1e-15)
    twice = solve((np.vstack([X, X]), np.concatenate([y, y])))
    np.testing.assert_allclose(twice.parameters, plain.parameters, rtol=1e-15)


# --- What comes in --------------------------------------------------------------------------------


def fortran(X: Array) -> Array:
    return np.asfortranarray(X)


def strided(X: Array) -> Array:
    return np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]


def backwards(X: Array) -> Array:
    return X[::-1, ::-1].copy()[::-1, ::-1]


def read_only(X: Array) -> Array:
    X = X.copy()
    X.flags.writeable = False
    return X


def unaligned(X: Array) -> Array:
    store = np.zeros(X.nbytes + 1, dtype=np.uint8)
    view = store[1:].view(np.float64).reshape(X.shape)
    view[:] = X
    assert not view.flags.aligned
    return view


def other_bytes(X: Array) -> Array:
    return X.astype(">f8")


def frame_like(X: Array) -> Array:
    return X.astype(object)


@pytest.mark.parametrize(
    "convert", [fortran, strided, backwards, read_only, unaligned, other_bytes, frame_like]
)
def test_any_layout_gives_the_same_bits(convert: Callable[[Array], Array]) -> None:
    X, y = rows(1200, 3)
    before = X.copy(), y.copy()
    truth = Summary.of((X, y)).to_bytes()
    assert Summary.of((convert(X), convert(y[:, np.newaxis]))).to_bytes() == truth
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint16, np.int64, np.float16])
def test_any_real_type(dtype: type) -> None:
    X: NDArray[Any] = (np.arange(1, 25).reshape(12, 2) % 7).astype(dtype)
    y: NDArray[Any] = (np.arange(12) % 5).astype(dtype)
    truth = Summary.of((X.astype(float), y.astype(float))).to_bytes()
    assert Summary.of((X, y)).to_bytes() == truth
    assert Summary.of((X, y[:, np.newaxis])).to_bytes() == truth
    assert Summary.of((X.tolist(), y.tolist())).to_bytes() == truth


def test_one_feature_without_its_axis() -> None:
    x, y = np.arange(6), np.arange(6) ** 2
    assert Summary.of((x, y)).to_bytes() == Summary.of((x[:, np.newaxis], y)).to_bytes()


def test_names_come_from_a_dataset() -> None:
    X, y = rows(9, 2)
    data = Dataset(X, y, features=["length", "width"], target="area")
    assert repr(Summary.of(data)) == "Summary(9 rows, features=('length', 'width'), target='area')"
    assert repr(data.summary) == repr(Summary.of(data))
    streamed = Summary.of_batches([(X, y)], features=["length", "width"], target="area")
    assert repr(streamed) == repr(Summary.of(data))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_big_rows_are_not_copied(dtype: type) -> None:
    X: NDArray[Any] = np.ones((800_000, 10), dtype=dtype)
    y: NDArray[Any] = np.ones(800_000, dtype=dtype)
    Summary.of((X[:70_000], y[:70_000]))
    tracemalloc.start()
    Summary.of((X, y))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * 8 * X.size  # a copy in float64 takes 8 bytes a value


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [3, 600, 70_000])
def test_values_that_are_not_finite(n: int, value: float) -> None:
    X, y = rows(n, 2)
    X[n - 2, 1] = value
    with pytest.raises(InvalidData) as caught:
        solve((X, y))
    assert str(caught.value) == (
        f"X: got {value} at row {n - 2}, column 1 (1 such values in all), expected finite "
        "numbers; drop those rows or fill them in first"
    )
    with pytest.raises(InvalidData, match=f"y: got {value} at row 0 "):
        solve((rows(n, 2)[0], np.where(np.arange(n) == 0, value, y)))


@pytest.mark.parametrize(("size", "words"), [(1e80, "1e+80"), (1e-90, "1e-90"), (1e-170, "1e-170")])
def test_magnitudes_beyond_what_squares_can_hold(size: float, words: str) -> None:
    X, y = np.ones((4, 2)), np.ones(4)
    X[:, 1] = size
    with pytest.raises(InvalidData) as caught:
        solve((X, y))
    assert str(caught.value) == (
        f"X: got values as large as {words} in column 1, expected columns with a norm between "
        "1e-75 and 1e+75; measure that column in another unit"
    )
    with pytest.raises(InvalidData, match=r"^y: got values as large as "):
        solve((np.ones((4, 2)), size * y))


def test_blocks_that_cannot_be_summed_up() -> None:
    X, y = rows(8, 2)
    broken = X.copy()
    broken[3, 0] = np.nan
    cases = [
        (
            [(X, y), (broken, y)],
            "block 1, X: got nan at row 3, column 0 (1 such values in all), expected finite "
            "numbers; drop those rows or fill them in first",
        ),
        (
            [(X, y), (X[:, :1], y)],
            "block 1: got 1 feature, expected 2, as before; give every block the same columns",
        ),
        (
            [(X, y[:3])],
            "block 0, X and y: got shapes (8, 2) and (3,), expected (n, d) and (n,) with the same "
            "n; give y one value for each row of X; nothing is broadcast",
        ),
        (
            [(X[:0], y[:0])],
            "batches: got no rows, expected at least one block with a row; check the filter or "
            "the files that the rows come from",
        ),
    ]
    for batches, message in cases:
        with pytest.raises(InvalidData) as caught:
            Summary.of_batches(batches)
        assert str(caught.value) == message
    assert Summary.of_batches([(X[:0], y[:0]), (X, y), (X[:0], y[:0])]).n == 8


def test_a_block_of_integers_with_the_wrong_shape() -> None:
    with pytest.raises(InvalidData, match=r"got shapes \(4, 2\) and \(3,\)"):
        solve((np.ones((4, 2), dtype=int), np.ones(3, dtype=int)))


def test_summaries_of_other_columns_do_not_merge() -> None:
    X, y = rows(8, 2)
    other = Summary.of_batches([(X, y)], features=["a", "b"])
    with pytest.raises(InvalidData) as caught:
        Summary.of((X, y)).merge(other)
    assert str(caught.value) == (
        "other: got features ('a', 'b') and target 'y', expected ('x1', 'x2') and 'y'; sum up "
        "the same columns in the same order"
    )


def test_parameters_of_the_wrong_length() -> None:
    summary = Summary.of(rows(8, 2))
    with pytest.raises(InvalidData, match=r"^parameters: got .*expected 3 finite numbers"):
        summary.loss([1.0, 2.0])
    with pytest.raises(InvalidData, match=r"^parameters: got .*expected 2 finite numbers"):
        summary.gradient([1.0, 2.0, 3.0], intercept=False)


# --- As bytes -------------------------------------------------------------------------------------


def test_bytes_bring_back_every_bit() -> None:
    X, y = rows(90, 4)
    summary = Summary.of(Dataset(X, y, features=["é", "b", "c", "d"], target="t"))
    again = Summary.from_bytes(summary.to_bytes())
    assert again.to_bytes() == summary.to_bytes()
    assert repr(again) == repr(summary)
    np.testing.assert_array_equal(again.triangle(), summary.triangle())
    np.testing.assert_array_equal(again.gradient(np.ones(5)), summary.gradient(np.ones(5)))


@pytest.mark.parametrize("offset", [0.0, 1e8, 1e12])
def test_bytes_of_what_algebra_made_of_a_summary(offset: float) -> None:
    X, y = rows(70, 3)
    X = np.column_stack([X + offset, np.full(70, 0.1), X[:, 0] + 1e-12 * y])
    for summary in (Summary.of((X, y)), Summary.of((X, y)).standardized()[0]):
        assert Summary.from_bytes(summary.to_bytes()).to_bytes() == summary.to_bytes()


def test_damaged_bytes_are_refused_at_every_place() -> None:
    content = Summary.of(rows(9, 1)).to_bytes()
    for length in range(len(content)):
        with pytest.raises(UnreadableFile):
            Summary.from_bytes(content[:length])
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 0x10
        with pytest.raises(UnreadableFile):
            Summary.from_bytes(bytes(altered))


def signed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def with_header(header: object, numbers: bytes = bytes(96), version: int = VERSION) -> bytes:
    """Bytes with any header, whose digest is right: what damage alone cannot make."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return signed(MAGIC + struct.pack("<II", version, len(text)) + text + numbers)


def header_of(**changed: object) -> dict[str, object]:
    return {"n": 1, "weights": None, "features": ["x"], "target": "y"} | changed


def numbers_of(*high: float) -> bytes:
    return np.array([*high, *[0.0] * 6], dtype="<f8").tobytes()


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "bytes that are not a summary"),
    "text": ("thalweg summary", "a value of type str"),
    "cut": (Summary.of(rows(9, 1)).to_bytes()[:-1], "a summary that was cut short or altered"),
    "newer": (with_header(header_of(), version=VERSION + 1), f"a summary of version {VERSION + 1}"),
    "older": (with_header(header_of(), version=1), "a summary of version 1"),
    "no JSON": (with_header(b"\xff{"), "a summary whose header is no JSON"),
    "deep JSON": (with_header(b"[" * 100_000), "a summary whose header is no JSON"),
    "a list": (with_header([1]), "a summary with other fields in its header"),
    "a field less": (with_header({"n": 1}), "a summary with other fields in its header"),
    "weights": (with_header(header_of(weights=2.0)), "a summary with other fields in its header"),
    "no rows": (with_header(header_of(n=0)), "a summary with a number of rows that cannot be"),
    "fewer": (with_header(header_of(n=-1)), "a summary with a number of rows that cannot be"),
    "half": (with_header(header_of(n=1.5)), "a summary with a number of rows that cannot be"),
    "true": (with_header(header_of(n=True)), "a summary with a number of rows that cannot be"),
    "huge": (with_header(header_of(n=10**400)), "a summary with a number of rows that cannot be"),
    "no features": (with_header(header_of(features=[])), "a summary without features"),
    "a word": (with_header(header_of(features="x")), "a summary without features"),
    "numbers": (
        with_header(header_of(features=[1])),
        "a summary whose columns have no names of their own",
    ),
    "twice": (
        with_header(header_of(features=["x", "x"])),
        "a summary whose columns have no names of their own",
    ),
    "the target's": (
        with_header(header_of(features=["y"])),
        "a summary whose columns have no names of their own",
    ),
    "wide": (
        with_header(header_of(features=[f"x{j}" for j in range(100_000)])),
        "a summary with 96 bytes of numbers for 100,000 features",
    ),
    "short": (
        with_header(header_of(), bytes(80)),
        "a summary with 80 bytes of numbers for 1 features",
    ),
    "NaN": (
        with_header(header_of(), numbers_of(1.0, 2.0, np.nan, 4.0, 5.0, 6.0)),
        "a summary with numbers that are not finite",
    ),
    "a negative square": (
        with_header(header_of(), numbers_of(1.0, 2.0, 3.0, -4.0, 5.0, 6.0)),
        "a summary whose numbers are no sums of squares and products",
    ),
    "no product": (
        with_header(header_of(), numbers_of(1.0, 2.0, 1e30, 4.0, 5.0, 6.0)),
        "a summary whose numbers are no sums of squares and products",
    ),
    "too large": (
        with_header(header_of(), numbers_of(1.0, 2.0, 3.0, 4.0, 5.0, 1e170)),
        "a summary whose numbers are no sums of squares and products",
    ),
    "an infinite one": (
        with_header(header_of(), numbers_of(1.0, 2.0, 3.0, 4.0, 5.0, np.inf)),
        "a summary with numbers that are not finite",
    ),
    "other rows": (
        with_header(header_of(), numbers_of(2.0, 2.0, 3.0, 4.0, 5.0, 6.0)),
        "a summary whose numbers are no sums of squares and products",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_each_refusal_of_bytes_says_why(name: str) -> None:
    content, got = REFUSED[name]
    with pytest.raises(UnreadableFile) as caught:
        Summary.from_bytes(content)
    advice = "update thalweg" if name == "newer" else "sum the rows up again"
    assert str(caught.value) == (
        f"content: got {got}, expected the bytes of a summary, version {VERSION}; {advice}"
    )


def test_a_header_that_lies_about_its_length_takes_no_memory() -> None:
    for length in (0, 10, 2**31, 2**32 - 1):
        content = MAGIC + struct.pack("<II", VERSION, length) + b'{"n": 1}' + bytes(40)
        tracemalloc.start()
        with pytest.raises(UnreadableFile):
            Summary.from_bytes(signed(content))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 100_000


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_will_do(kind: Callable[[bytes], Any]) -> None:
    content = Summary.of(rows(9, 1)).to_bytes()
    assert Summary.from_bytes(kind(content)).to_bytes() == content


@pytest.mark.parametrize(("features", "target"), [(["a", "a"], "y"), (["a", "b"], "b")])
def test_columns_have_names_of_their_own(features: list[str], target: str) -> None:
    with pytest.raises(InvalidData) as caught:
        Summary.of_batches([rows(8, 2)], features=features, target=target)
    assert str(caught.value) == (
        f"features: got {tuple(features)!r} with target {target!r}, expected 2 different names, "
        "none the target's; name each column once"
    )


def test_a_solution_is_what_a_path_ends_in() -> None:
    solution = solve(rows(20, 2))
    assert isinstance(solution, Solution)
    np.testing.assert_array_equal(solution.parameters, [solution.bias, *solution.weights])
    without = solve(rows(20, 2), intercept=False)
    np.testing.assert_array_equal(without.parameters, without.weights)


def test_a_solution_says_its_parameters_by_their_names() -> None:
    X = [[1.0, 2.0], [2.0, 1.0], [4.0, 4.0], [5.0, 0.0]]
    data = thalweg.Dataset(X, [3.0, 4.0, 6.5, 9.0], features=["bias", "b"])
    assert repr(thalweg.solve(data)) == (
        "Solution(bias=1.73121, bias_2=1.42775, b=-0.222543, loss=0.058526, rank=3)"
    )
    shown = thalweg.solve(data)._repr_html_()
    assert all(name in shown for name in (">bias<", ">bias_2<", ">b<", ">loss<"))
    wide = thalweg.solve(np.eye(30), np.arange(30.0), intercept=False)
    assert " and 20 more, loss=" in repr(wide)
    assert "and 19 more" in wide._repr_html_()


def test_nothing_that_is_given_out_can_change_an_answer() -> None:
    data = thalweg.Dataset([[1.0], [2.0], [4.0]], [1.0, 3.0, 4.0])
    summary, expected = data.summary, repr(thalweg.solve([[1.0], [2.0], [4.0]], [1.0, 3.0, 4.0]))
    for intercept in (True, False):
        for part in summary.matrix(intercept=intercept):
            part[:] = 0.0
        summary.hessian(intercept=intercept)[:] = 0.0
        summary.gradient([0.0] * (1 + intercept), intercept=intercept)[:] = 0.0
        for fixed in (summary.triangle(intercept=intercept), summary.solution().weights):
            with pytest.raises(ValueError, match="read-only"):
                fixed[...] = 0.0
    assert repr(thalweg.solve(data)) == expected
    assert summary.solve(intercept=False).loss == pytest.approx(17 / 63, rel=1e-15)


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")
@pytest.mark.parametrize(
    ("X", "expected"),
    [
        ([[1.7e18, 0.1, 0.2], [1.8e18, 0.3, 0.1]],
         [-1.032258064516129, 1.225806451612903e-18, 3.406451612903226, -1.961290322580645]),
        *(([[e, 2 * e], [2 * e, e]], [1.5, 0.5 / e, -0.5 / e])
          for e in (1e-12, 1e-15, 1e-16, 1e-17, 1e-20, 1e-24)),
        ([[1e-20, 2e-20, 0.0], [2e-20, 4e-20, 1e-20]], [1 / 6, 1e20 / 6, 1e20 / 3, 1e20 / 6]),
    ],
)  # fmt: skip
def test_the_smallest_answer_of_columns_of_any_scale(X: Any, expected: list[float]) -> None:
    """Each expected one is exact, worked out in fractions by hand; all of them fit exactly."""
    for found in (solve(X, [1.0, 2.0]), Summary.of((X, [1.0, 2.0])).solve()):
        np.testing.assert_allclose(found.parameters, expected, rtol=1e-13)
        assert 0.0 <= found.loss <= 1e-29
