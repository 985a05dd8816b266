"""The loss over a plane, held against brute force over the rows and exact arithmetic."""

import inspect
from fractions import Fraction
from math import log10
from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg import Dataset, Summary, surface
from thalweg.arrays import Array
from thalweg.data.names import parameter_names
from thalweg.errors import InvalidData, InvalidSetting
from thalweg.loss_surface.plane import KEYWORDS
from thalweg.loss_surface.surface import CURVATURE, MAIN, Surface

AWAY = 1e-10  # relative, where the loss is well above its minimum: the promise
BIAS, WEIGHT = (-1000.0, 1000.0), (0.0, 0.15)


def some_data(d: int, n: int = 40, seed: int = 5) -> Dataset:
    """Make correlated columns of several scales, none centred on zero."""
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3.0) * 10.0 ** rng.integers(-1, 3, d)
    y = X @ rng.normal(size=d) + 20.0 + rng.normal(size=n)
    return Dataset(X, y, features=[f"f{j}" for j in range(d)], target="t")


def brute_force(data: Dataset, points: Array, *, intercept: bool = True) -> Array:
    """Give the mean squared error at points (…, p), from the rows."""
    columns = np.column_stack([np.ones((len(data), int(intercept))), data.X])
    residuals = np.asarray(points) @ columns.T - data.y
    return np.asarray((residuals**2).mean(axis=-1))


def grid_points(plane: Surface) -> Array:
    """Give the parameters at each point of the grid, shape (m, m, p)."""
    return plane.lift(np.stack(np.meshgrid(*plane.axes), axis=-1))


def some_path(data: Dataset, p: int, k: int = 30, seed: int = 2) -> Array:
    rng = np.random.default_rng(seed)
    end = np.linalg.lstsq(np.column_stack([np.ones(len(data)), data.X])[:, -p:], data.y)[0]
    return np.asarray(end + rng.normal(size=(k, p)).cumsum(axis=0)[::-1] * np.arange(p, 0, -1))


# --- The lesson's grid ---------------------------------------------------------------------------


def test_the_lessons_grid_as_the_notebook_draws_it() -> None:
    data = thalweg.salammbo()
    plane = surface(data, bias=BIAS, weight=WEIGHT, points=100)
    bias, weight = np.meshgrid(np.linspace(*BIAS, 100), np.linspace(*WEIGHT, 100))
    loss = brute_force(data, np.stack([bias, weight], axis=-1))
    np.testing.assert_allclose(plane.log10_loss, np.log10(loss), rtol=AWAY, atol=0)
    np.testing.assert_allclose(10**plane.log10_loss, loss, rtol=AWAY)
    np.testing.assert_allclose(plane.loss, loss, rtol=AWAY)
    np.testing.assert_allclose(plane.axes[0], bias[0], atol=1e-12)
    np.testing.assert_allclose(plane.axes[1], weight[:, 0], atol=1e-16)
    assert plane.along == ("bias", "weight")


def test_against_exact_arithmetic() -> None:
    data = thalweg.salammbo()
    plane = surface(data, bias=BIAS, weight=WEIGHT, points=7)
    x = [Fraction(v) for v in data.X[:, 0]]
    y = [Fraction(v) for v in data.y]
    for i, weight in enumerate(plane.axes[1]):
        for j, bias in enumerate(plane.axes[0]):
            terms = [
                (Fraction(bias) + Fraction(weight) * a - b) ** 2 for a, b in zip(x, y, strict=True)
            ]
            exact = float(sum(terms, Fraction()) / len(terms))
            assert plane.log10_loss[i, j] == pytest.approx(log10(exact), rel=1e-13)


def test_far_offsets_keep_the_digits() -> None:
    data = some_data(1)
    shifted = Dataset(data.X + 1e6, data.y)
    solution = thalweg.solve(shifted).parameters
    plane = surface(shifted, points=21)
    away = plane.loss > 1.5 * brute_force(shifted, solution)
    # Brute force itself is off by the rounding of its residuals: some 1e-16 · |bias| / |residual|.
    np.testing.assert_allclose(
        plane.loss[away], brute_force(shifted, grid_points(plane))[away], rtol=1e-8
    )


def test_the_order_of_keywords_does_not_turn_the_axes() -> None:
    data = thalweg.salammbo()
    turned = surface(data, weight=WEIGHT, bias=BIAS, points=5)
    np.testing.assert_array_equal(
        turned.log10_loss, surface(data, bias=BIAS, weight=WEIGHT, points=5).log10_loss
    )


def test_a_single_weight_also_by_its_features_name() -> None:
    data = thalweg.salammbo()
    by_feature = surface(data, bias=BIAS, characters=WEIGHT, points=5)
    assert by_feature.along == ("bias", "weight")
    np.testing.assert_array_equal(
        by_feature.log10_loss, surface(data, bias=BIAS, weight=WEIGHT, points=5).log10_loss
    )


def test_pairs_datasets_and_summaries_are_one() -> None:
    data = thalweg.salammbo()
    grids = [
        surface(source, bias=BIAS, weight=WEIGHT, points=6).log10_loss
        for source in (data, (data.X, data.y), Summary.of(data))
    ]
    np.testing.assert_array_equal(grids[0], grids[1])
    np.testing.assert_array_equal(grids[0], grids[2])


def test_rows_repeated_change_nothing() -> None:
    data = some_data(2)
    once, often = (
        surface((np.tile(data.X, (k, 1)), np.tile(data.y, k)), along="curvature", points=9)
        for k in (1, 50)
    )
    np.testing.assert_allclose(once.log10_loss, often.log10_loss, rtol=1e-10)


def test_scaling_the_target_moves_the_logarithm() -> None:
    data = some_data(1)
    plane = surface(data, bias=(-5, 5), weight=(-2, 2), points=9)
    scaled = surface((data.X, 1000 * data.y), bias=(-5000, 5000), weight=(-2000, 2000), points=9)
    np.testing.assert_allclose(scaled.log10_loss, plane.log10_loss + 6, rtol=1e-12)


# --- Exact fits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 5])
def test_exact_fits_are_never_negative_and_have_a_logarithm(d: int) -> None:
    X = np.random.default_rng(d).integers(-9, 9, (30, d)).astype(float)
    data = Dataset(X, X @ np.arange(1.0, d + 1) + 3.0)
    names = parameter_names(data.features)[:2]
    exact = np.arange(1.0, d + 1) if d > 1 else np.array([1.0])
    centre = dict(zip(names, [3.0, *exact], strict=False))
    ranges = {name: (value - 2.0, value + 2.0) for name, value in centre.items()}
    plane = surface(data, points=101, **ranges)  # type: ignore[arg-type]  # names are data
    assert (plane.loss >= 0).all()
    assert np.isfinite(plane.log10_loss).all()
    assert plane.log10_loss.min() >= log10(plane.floor)
    assert plane.log10_loss.argmin() == 50 * 101 + 50
    assert plane.log10_loss.min() < -25
    np.testing.assert_allclose(
        np.delete(plane.loss, 5100),
        np.delete(brute_force(data, grid_points(plane)), 5100),
        rtol=AWAY,
    )


def test_a_target_of_zeros() -> None:
    plane = surface(([[1.0], [2.0], [4.0]], [0.0, 0.0, 0.0]), points=3)
    assert plane.loss[1, 1] == 0
    assert plane.log10_loss[1, 1] == pytest.approx(log10(np.finfo(float).tiny))
    assert np.isfinite(plane.log10_loss).all()


# --- Any plane, any number of features -----------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["names", "curvature", "path"])
@pytest.mark.parametrize("d", [2, 3, 12])
def test_planes_against_brute_force(d: int, kind: str, intercept: bool) -> None:
    data = some_data(d)
    names = parameter_names(data.features, intercept=intercept)
    path = some_path(data, len(names))
    along: Any = (names[-1], names[0]) if kind == "names" else kind
    plane = surface(data, along=along, path=path, points=15, intercept=intercept)
    loss = brute_force(data, grid_points(plane), intercept=intercept)
    np.testing.assert_allclose(10**plane.log10_loss, loss, rtol=AWAY)
    np.testing.assert_allclose(plane.loss, loss, rtol=AWAY)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-14)


def test_named_axes_show_the_parameters_values() -> None:
    data = some_data(3)
    plane = surface(data, f2=(-1.0, 4.0), f0=(2.0, 3.0), points=6)
    assert plane.along == ("f0", "f2")
    point = grid_points(plane)[2, 4]
    np.testing.assert_allclose(point[[1, 3]], [plane.axes[0][4], plane.axes[1][2]])
    np.testing.assert_allclose(point[[0, 2]], thalweg.solve(data).parameters[[0, 2]])


def test_curvature_directions_are_the_hessians_extreme_eigenvectors() -> None:
    data = some_data(4)
    plane = surface(data, along="curvature")
    columns = np.column_stack([np.ones(len(data)), data.X])
    values, vectors = np.linalg.eigh(columns.T @ columns)
    assert plane.along == CURVATURE
    assert abs(plane.directions[0] @ vectors[:, -1]) == pytest.approx(1, abs=1e-12)
    assert abs(plane.directions[1] @ vectors[:, 0]) == pytest.approx(1, abs=1e-9)
    rise = plane.loss_at(plane.origin + plane.directions) - plane.loss_at(plane.origin)
    np.testing.assert_allclose(rise, values[[-1, 0]] / len(data), rtol=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
def test_of_dependent_columns_the_flattest_direction_is_one_that_the_data_determine(
    intercept: bool,
) -> None:
    x = np.array([1.0, 2.0, 4.0, 7.0, 8.0])
    X = np.column_stack([x, 2.0 * x, np.cos(x)])
    y = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    with pytest.warns(thalweg.errors.ThalwegWarning):
        plane = surface(X, y, along="curvature", intercept=intercept, points=5)
    columns = np.column_stack([np.ones((5, int(intercept))), X])
    values, vectors = np.linalg.eigh(columns.T @ columns)
    assert values[0] < 1e-12 * values[-1] < 1e-3 * values[1]  # one direction is left open
    for direction, number in zip(plane.directions, (-1, 1), strict=True):
        assert abs(direction @ vectors[:, number]) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("used", [1, 0])
def test_where_the_data_determine_no_two_directions_the_loss_is_level_along_the_second(
    used: int,
) -> None:
    X = np.outer([1.0, 2.0, 4.0], used * np.array([1.0, 2.0, -2.0]))
    with pytest.warns(thalweg.errors.ThalwegWarning):
        plane = surface(X, [2.0, 3.0, 1.0], along="curvature", intercept=False, points=5)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-14)
    np.testing.assert_allclose(plane.log10_loss, plane.log10_loss[[0]].repeat(5, 0), atol=1e-12)
    if used:
        np.testing.assert_allclose(abs(plane.directions[0]), np.array([1, 2, 2]) / 3, atol=1e-14)


def test_main_directions_hold_as_much_as_any_plane_can() -> None:
    data = some_data(4)
    path = some_path(data, 5)
    plane = surface(data, path=path)
    assert plane.along == MAIN
    np.testing.assert_array_equal(plane.origin, path[-1])
    spread = np.linalg.svd(path - path[-1], compute_uv=False) ** 2
    assert plane.held(path) == pytest.approx(spread[:2].sum() / spread.sum(), rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 40])
def test_a_path_of_few_points_still_has_two_directions(k: int) -> None:
    data = some_data(4)
    path = some_path(data, 5, k=k)
    plane = surface(data, along="path", path=path)
    np.testing.assert_allclose(plane.directions @ plane.directions.T, np.eye(2), atol=1e-14)
    assert plane.held(path) == pytest.approx(1.0) or k > 3


def test_several_paths_share_a_plane() -> None:
    data = some_data(3)
    first, second = some_path(data, 4, seed=1), some_path(data, 4, seed=2)
    plane = surface(data, along="path", path=[first, second])
    moves = np.concatenate([first - first[-1], second - second[-1]])
    _, _, right = np.linalg.svd(moves)
    np.testing.assert_allclose(np.abs(plane.directions @ right[:2].T), np.eye(2), atol=1e-10)


# --- Points beside the plane ---------------------------------------------------------------------


def test_held_is_one_in_the_plane_and_nothing_across_it() -> None:
    data = some_data(3)
    plane = surface(data, along=("bias", "f1"))
    rng = np.random.default_rng(0)
    inside = plane.lift(rng.normal(size=(20, 2)) * 10)
    assert plane.held(inside) == pytest.approx(1.0, abs=1e-15)
    assert plane.contains(inside)
    across = plane.origin + np.outer(np.arange(5.0), [0, 1, 0, 0])
    assert plane.held(across) == 0.0
    assert not plane.contains(across)
    half = plane.origin + np.outer(np.arange(5.0), [3, 4, 0, 0])
    assert plane.held(half) == pytest.approx(9 / 25)


def test_a_parallel_path_moves_in_the_plane_without_lying_in_it() -> None:
    data = some_data(3)
    plane = surface(data, along=("bias", "f1"))
    beside = plane.lift(np.random.default_rng(0).normal(size=(9, 2)))
    beside[:, 1] += 1.0
    assert plane.held(beside) == pytest.approx(1.0)
    assert not plane.contains(beside)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_held_survives_tiny_and_huge_moves(scale: float) -> None:
    plane = surface(some_data(3), along=("bias", "f1"))
    path = np.outer(np.arange(5.0)[::-1] * scale, [3, 4, 0, 0])
    assert plane.held(path) == pytest.approx(9 / 25)


def test_a_path_that_stands_still_is_held() -> None:
    plane = surface(some_data(3), along=("bias", "f1"))
    assert plane.held(np.ones((4, 4))) == 1.0


def test_two_parameters_hold_every_path() -> None:
    plane = surface(some_data(1))
    path = some_path(some_data(1), 2)
    assert plane.held(path) == pytest.approx(1.0, abs=1e-15)
    assert plane.contains(path)


def test_losses_at_points_and_below_them() -> None:
    data = some_data(4)
    path = some_path(data, 5)
    plane = surface(data, along=("f0", "f3"), path=path)
    flat = plane.project(path)
    np.testing.assert_allclose(flat, path[:, [1, 4]], rtol=1e-12)
    below = path.copy()
    below[:, [0, 2, 3]] = plane.origin[[0, 2, 3]]
    np.testing.assert_allclose(plane.lift(flat), below, rtol=1e-12)
    np.testing.assert_allclose(plane.loss_at(path), brute_force(data, path), rtol=AWAY)
    np.testing.assert_allclose(plane.loss_below(path), brute_force(data, below), rtol=AWAY)


# --- How far to look -----------------------------------------------------------------------------


def test_automatic_ranges_contain_path_and_solution() -> None:
    kinds: list[tuple[Dataset, Any]] = [
        (some_data(1), None),
        (some_data(3), "curvature"),
        (some_data(3), "path"),
    ]
    for data, along in kinds:
        path = some_path(data, len(data.features) + 1)
        plane = surface(data, along=along, path=path)
        seen = plane.project(np.vstack([path, thalweg.solve(data).parameters]))
        for axis in (0, 1):
            assert plane.axes[axis][0] < seen[:, axis].min()
            assert plane.axes[axis][-1] > seen[:, axis].max()


def test_without_a_path_the_axis_ends_where_predictions_err_by_the_targets_deviation() -> None:
    data = some_data(1)
    solution = thalweg.solve(data).parameters
    plane = surface(data)
    for axis in (0, 1):
        end = solution.copy()
        end[axis] = plane.axes[axis][-1]
        change = brute_force(data, end) - brute_force(data, solution)
        assert change == pytest.approx(data.y.var(), rel=1e-9)
        assert plane.axes[axis][0] + plane.axes[axis][-1] == pytest.approx(2 * solution[axis])


def test_what_diverges_does_not_widen_the_axes() -> None:
    data = some_data(1)
    solution = thalweg.solve(data).parameters
    steps = solution + np.outer((-3.0) ** np.arange(400), [1.0, 0.1])
    plane = surface(data, path=np.vstack([steps, [[np.inf, np.nan]]]))
    assert np.ptp(plane.axes[0]) < 1e4
    assert plane.axes[0][0] < steps[0, 0] < plane.axes[0][-1]


def test_a_flat_direction_has_a_finite_range() -> None:
    X = np.column_stack([np.arange(5.0), np.zeros(5)])
    with pytest.warns(thalweg.errors.ThalwegWarning):
        plane = surface((X, [0.0, 2.0, 2.0, 4.0, 4.0]), along=("x1", "x2"), points=5)
    assert np.isfinite(plane.log10_loss).all()
    np.testing.assert_allclose(np.ptp(plane.log10_loss, axis=0), 0, atol=1e-9)


def test_ranges_without_names() -> None:
    plane = surface(some_data(3), along="curvature", ranges=((-1, 2), (-3, 4)), points=8)
    assert [(axis[0], axis[-1]) for axis in plane.axes] == [(-1, 2), (-3, 4)]


def test_through_another_point() -> None:
    data = some_data(3)
    plane = surface(data, along=("f0", "f1"), through=[1.0, 2.0, 3.0, 4.0], points=5)
    np.testing.assert_array_equal(grid_points(plane)[..., [0, 3]], np.full((5, 5, 2), [1.0, 4.0]))


def test_nothing_is_modified() -> None:
    data = some_data(3)
    path = some_path(data, 4)
    before = path.copy()
    path.flags.writeable = False
    surface(data, path=path)
    np.testing.assert_array_equal(path, before)


def exact_log10(value: Fraction) -> float:
    """The logarithm of a number that may be beyond float64."""
    power = value.numerator.bit_length() - value.denominator.bit_length()
    return log10(float(value / Fraction(2) ** power)) + power * log10(2.0)


@pytest.mark.parametrize("far", [1e150, 3e153, 1e154, 1e200, 8e307])
@pytest.mark.parametrize("near", [-1.0, 0.5])
@pytest.mark.parametrize("unit", [1.0, 1e70])
def test_the_widest_ranges_have_finite_axes_and_true_losses(
    far: float, near: float, unit: float
) -> None:
    x, y = [1.0 * unit, 3.0 * unit, 40.0 * unit], [2.0, -1.0, 5.0]
    limits = (near if near > 0 else near * far, far)
    plane = surface(x, y, bias=limits, weight=limits, points=8)
    for axis in plane.axes:
        np.testing.assert_allclose(axis, np.linspace(limits[0] / far, 1.0, 8) * far, rtol=1e-14)
    for i, weight in enumerate(plane.axes[1]):
        for j, bias in enumerate(plane.axes[0]):
            squares = (
                (Fraction(bias) + Fraction(weight) * Fraction(a) - Fraction(b)) ** 2
                for a, b in zip(x, y, strict=True)
            )
            loss = sum(squares, Fraction()) / len(x)
            assert plane.log10_loss[i, j] == pytest.approx(exact_log10(loss), rel=1e-12)


def test_a_residual_beyond_float64_is_no_nan() -> None:
    """Without a bias both coefficients of a residual can be beyond float64, with other signs."""
    X, y = [[300.0, 20.0], [10.0, 500.0], [70.0, 90.0]], [2.0, -1.0, 5.0]
    size = 8e307
    plane = surface(X, y, x1=(-size, size), x2=(-size, size), intercept=False, points=6)
    for i, second in enumerate(plane.axes[1]):
        for j, first in enumerate(plane.axes[0]):
            squares = (
                (Fraction(first) * Fraction(a) + Fraction(second) * Fraction(b) - Fraction(c)) ** 2
                for (a, b), c in zip(X, y, strict=True)
            )
            loss = sum(squares, Fraction()) / len(y)
            assert plane.log10_loss[i, j] == pytest.approx(exact_log10(loss), rel=1e-12)


def named(*features: str) -> Dataset:
    """Rows whose columns are called so."""
    return Dataset(*drawn(len(features)), features=features, target="t")


def drawn(d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(2.0, 1.0, size=(20, d)), rng.normal(5.0, 1.0, size=20)


KEYWORDS_TAKEN = [
    (("bias", "width"), {"bias_2": (0, 1), "width": (2, 3)}, ("bias_2", "width")),
    (("bias", "width"), {"bias": (0, 1), "bias_2": (2, 3)}, ("bias", "bias_2")),
    (("weight", "width"), {"weight": (0, 1), "width": (2, 3)}, ("weight", "width")),
    (("width", "weight"), {"width": (0, 1), "weight": (2, 3)}, ("width", "weight")),
    (("points", "along"), {"points_2": (0, 1), "along_2": (2, 3)}, ("points", "along")),
    (("points", "points_2"), {"points_3": (0, 1), "points_2": (2, 3)}, ("points", "points_2")),
    (("data", "y"), {"data_2": (0, 1), "y_2": (2, 3)}, ("data", "y")),
    (("bias",), {"bias": (0, 1), "weight": (2, 3)}, ("bias", "weight")),
    (("bias",), {"bias": (0, 1), "bias_2": (2, 3)}, ("bias", "weight")),
    (("weight",), {"bias": (0, 1), "weight": (2, 3)}, ("bias", "weight")),
    (("points",), {"bias": (0, 1), "points_2": (2, 3)}, ("bias", "weight")),
    (("path",), {"bias": (0, 1), "path_2": (2, 3)}, ("bias", "weight")),
]


@pytest.mark.parametrize(("features", "ranges", "along"), KEYWORDS_TAKEN)
def test_each_parameter_has_a_keyword_of_its_own(
    features: tuple[str, ...], ranges: dict[str, Any], along: tuple[str, str]
) -> None:
    plane = surface(named(*features), points=5, **ranges)
    assert plane.along == along
    assert [(axis[0], axis[-1]) for axis in plane.axes] == [(0, 1), (2, 3)]
    X, y = drawn(len(features))
    design = np.column_stack([np.ones(len(y)), X])
    for i, second in enumerate(plane.axes[1]):
        for j, first in enumerate(plane.axes[0]):
            w = plane.solution.copy()
            w[[plane.names.index(name) for name in along]] = first, second
            expected = np.log10(np.mean((design @ w - y) ** 2))
            assert plane.log10_loss[i, j] == pytest.approx(expected, rel=1e-9)


def test_the_keywords_that_are_taken_are_those_of_the_function() -> None:
    own = [
        name
        for name, parameter in inspect.signature(surface).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    assert sorted(KEYWORDS) == sorted(own)


# --- What is refused -----------------------------------------------------------------------------

REFUSALS = [
    (
        {"widht": (0, 1)},
        "surface: got a range for 'widht', expected the names of parameters; "
        "choose one of 'bias', 'f0', 'f1', 'f2'",
    ),
    (
        {"f0": (0, 1)},
        "surface: got ranges for 'f0', expected ranges for two parameters; "
        "or name the two in 'along'",
    ),
    (
        {"along": "curvature", "f0": (0, 1)},
        "surface: got along='curvature' and a range for 'f0', expected 'ranges': the axes are no "
        "single parameters; give ranges=((low, high), (low, high)), or leave them out",
    ),
    (
        {"along": "curvatur"},
        "along: got 'curvatur', expected one of 'curvature', 'path'; did you mean 'curvature'?",
    ),
    (
        {"along": "path"},
        "along: got 'path' without a path, expected the path whose directions are meant; "
        "pass path=run",
    ),
    (
        {"along": ("f0", "f9")},
        "along: got ('f0', 'f9'), expected two different parameters, and ranges for no others; "
        "choose one of 'bias', 'f0', 'f1', 'f2'",
    ),
    (
        {"f0": (1, 0), "f1": (0, 1)},
        "f0: got (1, 0), expected a range: two finite numbers, the lower first; try (-1, 1)",
    ),
    (
        {"along": ("f0", "f1"), "ranges": ((0, 1), (0, float("inf")))},
        "f1: got (0, inf), expected a range: two finite numbers, the lower first; try (-1, 1)",
    ),
    (
        {"bias": (-1.7e308, 1.7e308), "f0": (0, 1)},
        "bias: got (-1.7e+308, 1.7e+308), expected a range whose width is a finite number too; "
        "try (-1, 1)",
    ),
    (
        {"f0": (0, 1), "f1": (0, 1), "ranges": ((0, 1), (0, 1))},
        "ranges: got both axes' ranges, and one for 'f0', 'f1' too, expected one or the other; "
        "leave out 'ranges', or the parameters by name",
    ),
    (
        {"ranges": 5},
        "ranges: got 5, expected a range for each of the two axes; try ((-1, 1), (-1, 1))",
    ),
    (
        {"points": 1},
        "points: got 1, expected a whole number from 2 to 10000; try points=100",
    ),
]


@pytest.mark.parametrize(("settings", "expected"), REFUSALS)
def test_refusals_say_what_to_do(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        surface(some_data(3), **settings)  # type: ignore[arg-type]  # wrong on purpose
    assert str(refused.value) == expected


def test_a_single_parameter_is_no_plane() -> None:
    with pytest.raises(InvalidSetting) as refused:
        surface(some_data(1), intercept=False)
    assert str(refused.value) == (
        "surface: got a single parameter, 'weight', expected at least two: a plane; "
        "fit with an intercept"
    )


def test_a_path_of_other_data_is_refused() -> None:
    with pytest.raises(InvalidData) as refused:
        surface(some_data(3), path=np.zeros((5, 2)))
    assert str(refused.value) == (
        "path: got shape (5, 2), expected finite points, shape (k, 4): a column for each "
        "parameter; pass a run on the same data, or its path"
    )


def test_a_surface_says_what_it_is_in_a_line() -> None:
    plane = surface(thalweg.salammbo(), bias=(-1000, 1000), weight=(0, 0.15), points=7)
    assert repr(plane) == "Surface(bias from -1000 to 1000, weight from 0 to 0.15, 7 × 7 points)"
