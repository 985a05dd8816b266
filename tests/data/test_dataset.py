"""Datasets: what is taken, what is refused, and the whole sentence that refuses it."""

import copy
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from thalweg import Dataset, errors, salammbo
from thalweg.data.names import parameter_names

X = [[1.0, 10.0], [2.0, 20.0], [3.5, 31.0]]
y = [2.0, 4.0, 6.5]


@pytest.mark.parametrize(
    ("given", "target"),
    [
        (X, y),
        (np.array(X, dtype=np.float32), np.array(y, dtype=np.float32)),
        (np.array(X, order="F"), np.array(y)[:, None]),
        (np.array(X)[::-1][::-1], np.repeat(y, 2)[::2]),
        (np.array(X, dtype=object), np.array(y, dtype=object)),
        ([[Fraction(1), 10], [2, 20], [Fraction(7, 2), 31]], y),
        (torch.tensor(X, requires_grad=True), torch.tensor(y)[:, None]),
    ],
    ids=["lists", "float32", "fortran, column", "strided", "objects", "fractions", "tensors"],
)
def test_what_holds_numbers_is_taken(given: Any, target: Any) -> None:
    data = Dataset(given, target)
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.y, y)
    assert data.X.dtype == data.y.dtype == np.float64
    assert data.X.flags.c_contiguous


def test_integers_are_taken() -> None:
    data = Dataset(np.array([[1], [2]], dtype=np.uint8), np.array([3, 4], dtype=np.int16))
    assert data.X.tolist() == [[1.0], [2.0]]


def test_one_column_may_be_flat() -> None:
    assert Dataset([1.0, 2.0, 3.0], y).X.shape == (3, 1)


def test_the_rows_are_copied_and_read_only() -> None:
    mine = np.array(X)
    mine.flags.writeable = False
    data = Dataset(mine, y)
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 9.0
    changeable = np.array(X)
    kept = Dataset(changeable, y)
    changeable[0, 0] = 99.0
    assert kept.X[0, 0] == 1.0


@pytest.mark.parametrize(
    ("given", "target", "said"),
    [
        (
            X,
            [1.0, 2.0],
            "X and y: got shapes (3, 2) and (2,), expected (n, d) and (n,) with the same n; "
            "give y one value for each row of X; nothing is broadcast",
        ),
        (
            X,
            np.ones((3, 3)),
            "X and y: got shapes (3, 2) and (3, 3), expected (n, d) and (n,) with the same n; "
            "give y one value for each row of X; nothing is broadcast",
        ),
        (
            np.ones((3, 2, 1)),
            y,
            "X and y: got shapes (3, 2, 1) and (3,), expected (n, d) and (n,) with the same n; "
            "give y one value for each row of X; nothing is broadcast",
        ),
        (
            np.ones((0, 2)),
            [],
            "X: got an empty array of shape (0, 2), expected at least one row and one feature; "
            "check the filter or the file that the rows come from",
        ),
        (
            [[1.0], [2.0, 3.0]],
            [1.0, 2.0],
            "X: got rows of different lengths, expected an array of real numbers; "
            "convert it first, for example with numpy.asarray(values, dtype=float)",
        ),
        (
            [["a"], ["b"]],
            [1.0, 2.0],
            "X: got an array of dtype <U1, expected an array of real numbers; turn words into "
            "numbers first, or pass X as a frame, which takes columns of words as categories",
        ),
        (
            [["1"], ["2"]],
            [1.0, 2.0],
            "X: got an array of dtype <U1, expected an array of real numbers; "
            "convert it first, for example with numpy.asarray(values, dtype=float)",
        ),
        (
            "new.csv",
            [1.0, 2.0],
            "X: got 'new.csv', expected an array of real numbers, or a frame; read the file "
            "first, as pandas.read_csv does, and pass the frame",
        ),
        *(
            (
                values,
                [1.0, 2.0],
                "X: got values under names, expected an array of real numbers, or a frame; make a "
                f"frame of them: pandas.DataFrame({made})",
            )
            for values, made in [
                ({"x": [1.0, 2.0]}, "X"),
                ([{"x": 1.0}, {"x": 2.0}], "X"),
                ({"x": 1.0}, "[X]"),
            ]
        ),
        (
            np.array([[1.0], ["2"]], dtype=object),
            [1.0, 2.0],
            "X: got an object array holding '2', expected an array of real numbers; "
            "convert it first, for example with numpy.asarray(values, dtype=float)",
        ),
        (
            [[1.0], [2.0]],
            [True, False],
            "y: got an array of dtype bool, expected an array of real numbers; "
            "convert it first, for example with numpy.asarray(values, dtype=float)",
        ),
        (
            [[1.0], [2.0]],
            [1j, 2.0],
            "y: got an array of dtype complex128, expected an array of real numbers; "
            "convert it first, for example with numpy.asarray(values, dtype=float)",
        ),
        (
            np.ma.masked_array([[1.0], [2.0]], mask=[[True], [False]]),
            [1.0, 2.0],
            "X: got a masked array with masked values, expected a value in each place; fill them "
            "with values.filled(0.0), or whatever stands for them, or leave out their rows",
        ),
        (
            [[1.0, 2.0], [3.0, np.nan], [np.inf, 4.0]],
            y,
            "X: got nan at row 1, column 1 (2 such values in all), expected finite numbers; "
            "drop those rows or fill them in first",
        ),
        (
            X,
            [1.0, -np.inf, 2.0],
            "y: got -inf at row 1 (1 such values in all), expected finite numbers; "
            "drop those rows or fill them in first",
        ),
        (
            [[1.0], [None]],
            [1.0, 2.0],
            "X: got nan at row 1, column 0 (1 such values in all), expected finite numbers; "
            "drop those rows or fill them in first",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(given: Any, target: Any, said: str) -> None:
    with pytest.raises(errors.InvalidData) as caught:
        Dataset(given, target)
    assert str(caught.value) == said


def test_names_are_checked() -> None:
    with pytest.raises(errors.InvalidData) as caught:
        Dataset(X, y, features=["a", "a"])
    assert str(caught.value) == (
        "features: got ('a', 'a') with target 'y', expected 2 different names, one for each "
        "column of X, none the target's; name each column of X once"
    )


def test_units_are_checked() -> None:
    with pytest.raises(errors.InvalidData) as caught:
        Dataset(X, y, features=["length", "width"], units={"lenght": "m"})
    assert str(caught.value) == (
        "units: got 'lenght', expected the name of a column; did you mean 'length'?"
    )


@pytest.mark.parametrize(
    ("target", "d", "features"),
    [("x", 1, ("x_2",)), ("x2", 3, ("x1", "x2_2", "x3")), ("y", 2, ("x1", "x2"))],
)
def test_default_names_leave_the_target_its_own(
    target: str, d: int, features: tuple[str, ...]
) -> None:
    data = Dataset(np.ones((3, d)), y, target=target)
    assert (data.features, data.target) == (features, target)


def test_a_dataset_is_a_source_of_one_block() -> None:
    data = Dataset(X, y, name="trees")
    ((rows, targets),) = data.batches()
    assert (rows is data.X, data.read() is data) == (True, True)
    assert np.shares_memory(targets, data.y)
    assert len(targets) == 3
    assert (data.n, data.source, Dataset(X, y).source) == (3, "trees", "data")


def test_features_are_selected_by_name_with_all_that_is_known_of_them() -> None:
    data = Dataset(X, y, features=["a", "b"], target="t", units={"a": "m", "t": "s"}, name="n")
    chosen = data.select(["b"])
    np.testing.assert_array_equal(chosen.X, np.array(X)[:, [1]])
    assert (chosen.features, chosen.target, chosen.units, chosen.name) == (
        ("b",), "t", {"t": "s"}, "n"
    )  # fmt: skip
    assert data.select(["b", "a"]).X[0].tolist() == [*reversed(data.X[0].tolist())]
    with pytest.raises(errors.InvalidSetting) as caught:
        data.select(["c"])
    assert str(caught.value) == (
        "features: got 'c', expected a column of n; choose one of 'a', 'b', 't'"
    )


def test_labels_bear_units() -> None:
    data = Dataset(X, y, features=["length", "width"], units={"length": "m"})
    assert (data.label("length"), data.label("width")) == ("length (m)", "width")


def test_parameters_are_named_in_the_order_of_a_path() -> None:
    assert parameter_names(["a", "b"]) == ("bias", "a", "b")
    assert parameter_names(["a", "b"], intercept=False) == ("a", "b")


def test_the_chapters_are_those_that_the_notebook_prints(shared: Any) -> None:
    notebook = (shared / "lesson" / "notebook.md").read_text()
    typed = notebook.split("X = torch.Tensor(")[1].split(")")[0]
    counts = [float(word.strip("[] \n")) for word in typed.split(",")]
    typed = notebook.split("y = torch.Tensor(")[1].split(")")[0]
    letters = [float(word.strip("[] \n")) for word in typed.split(",")]
    data = salammbo()
    assert data.X[:, 0].tolist() == counts
    assert data.y.tolist() == letters


def pickled(data: Dataset) -> Any:
    return pickle.loads(pickle.dumps(data))  # noqa: S301  # our own


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_is_read_only_too(copied: Any) -> None:
    data = Dataset([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.5])
    before = data.summary.to_bytes()
    again = copied(data)
    for values in (again.X, again.y):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1.0
    assert again.summary.to_bytes() == before
