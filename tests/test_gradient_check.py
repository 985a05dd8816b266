"""The gradient three ways against exact rational arithmetic."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import thalweg
from thalweg import errors
from thalweg.arrays import Array


def exact_gradient(data: thalweg.Dataset, w: Array, *, intercept: bool) -> list[float]:
    """The gradient of the mean squared error in rational arithmetic, rounded once."""
    rows = [[Fraction(1)] * intercept + [Fraction(v) for v in row] for row in data.X.tolist()]
    at = [Fraction(v) for v in w.tolist()]
    errors_ = [
        sum(a * b for a, b in zip(row, at, strict=True)) - Fraction(target)
        for row, target in zip(rows, data.y.tolist(), strict=True)
    ]
    return [
        float(
            Fraction(2, len(rows)) * sum(e * row[j] for e, row in zip(errors_, rows, strict=True))
        )
        for j in range(len(at))
    ]


@pytest.mark.parametrize("intercept", [True, False])
def test_all_three_are_the_exact_gradient(intercept: bool, three_features: thalweg.Dataset) -> None:
    w = np.array([1.0, -0.5, 0.25, 3.0][: 3 + intercept])
    at = thalweg.gradients(three_features, parameters=w, intercept=intercept)
    expected = exact_gradient(three_features, w, intercept=intercept)
    np.testing.assert_allclose(at.by_hand, expected, rtol=1e-13)
    np.testing.assert_allclose(at.by_autograd, expected, rtol=1e-13)
    np.testing.assert_allclose(at.by_differences, expected, rtol=1e-10)
    assert at.largest_difference < 1e-10
    assert at.names == ("bias", "length", "depth", "slope")[1 - intercept :]


COLUMNS_OF_ZEROS = [
    ([[0.0], [0.0], [0.0]], [1.0, 2.0, 4.0], [0.5, 3.0]),
    ([[0.0, 1.0], [0.0, 2.0], [0.0, 5.0]], [1.0, 2.0, 4.0], [0.0, 0.0, 0.0]),
    ([[1.0], [2.0], [5.0]], [0.0, 0.0, 0.0], [0.0, 0.0]),
    ([[1.0], [2.0], [5.0]], [0.0, 0.0, 0.0], [3.0, 0.0]),
    ([[1e8, 1.0], [2e8, 3.0]], [0.0, 0.0], [0.0, 0.0, 1.0]),
    ([[0.0], [0.0]], [0.0, 0.0], [0.0, 0.0]),
    ([[1e-300], [2e-300]], [3.0, 4.0], [0.0, 0.0]),
    ([[1.0], [2.0]], [3e120, -4e120], [0.0, 0.0]),
]


@pytest.mark.parametrize(("X", "y", "w"), COLUMNS_OF_ZEROS)
@pytest.mark.parametrize("intercept", [True, False])
def test_columns_and_targets_of_zeros_have_a_gradient(
    X: list[list[float]], y: list[float], w: list[float], intercept: bool
) -> None:
    data, at = thalweg.Dataset(X, y), np.array(w[1 - intercept :])
    found = thalweg.gradients(data, parameters=at, intercept=intercept)
    expected = exact_gradient(data, at, intercept=intercept)
    size = np.abs(expected).max()
    for way in (found.by_hand, found.by_autograd, found.by_differences):
        np.testing.assert_allclose(way, expected, rtol=1e-10, atol=1e-10 * size)
    assert found.largest_difference <= 1e-9


def test_the_rows_come_through_the_door_of_all_data() -> None:
    X, y = np.array([[1.0, 5.0], [2.0, 3.0], [4.0, 4.0]]), np.array([3.0, 5.0, 9.0])
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "mass": y})
    at = thalweg.gradients(frame, parameters=[1.0, 2.0], target="mass", features=["b"])
    data = thalweg.Dataset(X[:, [1]], y)
    expected = exact_gradient(data, np.array([1.0, 2.0]), intercept=True)
    np.testing.assert_allclose(at.by_hand, expected, rtol=1e-13)
    again = thalweg.gradients(X[:, 1], y, parameters=[1.0, 2.0])
    np.testing.assert_array_equal(at.by_hand, again.by_hand)


def test_the_loss_is_the_mean_squared_error(three_features: thalweg.Dataset) -> None:
    w = np.array([1.0, -0.5, 0.25, 3.0])
    predicted = w[0] + three_features.X @ w[1:]
    expected = np.mean((predicted - three_features.y) ** 2)
    assert thalweg.gradients(three_features, parameters=w).loss == pytest.approx(
        expected, rel=1e-14
    )


def test_float32_leaves_few_digits_near_the_solution() -> None:
    """The lesson's case: a sum of large terms that nearly cancel."""
    end = [0.2014901340007782, 0.06847291439771652]
    single = thalweg.gradients(thalweg.salammbo(), parameters=end, dtype="float32")
    double = thalweg.gradients(thalweg.salammbo(), parameters=end)
    assert double.largest_difference < 1e-9
    assert single.largest_difference > 1e-2
    assert single.dtype == "float32"


def test_at_the_solution_the_difference_is_absolute() -> None:
    at = thalweg.gradients([[1.0], [2.0], [4.0]], [3.0, 5.0, 9.0], parameters=[1.0, 2.0])
    assert at.by_hand.tolist() == [0.0, 0.0]
    assert at.largest_difference < 1e-12


def test_a_wrong_number_of_parameters_is_refused() -> None:
    with pytest.raises(errors.InvalidData) as caught:
        thalweg.gradients(thalweg.salammbo(), parameters=[1.0, 2.0, 3.0])
    assert str(caught.value) == (
        "parameters: got [1.0, 2.0, 3.0], expected 2 finite numbers, [bias, weights…]; give one "
        "value for each parameter"
    )


def test_a_wrong_precision_is_refused() -> None:
    with pytest.raises(errors.InvalidSetting) as caught:
        thalweg.gradients(thalweg.salammbo(), parameters=[1.0, 2.0], dtype="half")
    assert str(caught.value) == (
        "dtype: got 'half', expected one of 'float32', 'float64'; choose one of them"
    )
