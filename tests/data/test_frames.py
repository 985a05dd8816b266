"""Frames of each library give the same rows, under the same rules as files."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg
from thalweg.data.dataset import Dataset
from thalweg.data.files import read
from thalweg.data.frames import frame_rows, is_frame
from thalweg.errors import InvalidData, InvalidSetting, ThalwegError, ThalwegWarning

Values = dict[str, list[Any]]
LIBRARIES: dict[str, Callable[[Values], Any]] = {
    "pandas": pd.DataFrame,
    "pandas, indexed": lambda values: pd.DataFrame(values, index=range(7, 7 + len(values["x"]))),
    "polars": pl.DataFrame,
    "polars, lazy": pl.LazyFrame,
    "pyarrow": pa.table,
    "pyarrow, batch": pa.RecordBatch.from_pydict,
}
ALL = pytest.mark.parametrize("library", LIBRARIES)


@ALL
def test_each_library_gives_the_same_rows(library: str) -> None:
    frame = LIBRARIES[library]({"x": [1.5, 2, -3], "name": ["a", "b", "c"], "y": [4, 5, 6]})
    assert is_frame(frame)
    data = read(frame, target="y", features=["x"])
    np.testing.assert_array_equal(data.X, [[1.5], [2], [-3]])
    np.testing.assert_array_equal(data.y, [4, 5, 6])
    assert (data.features, data.target) == (("x",), "y")


@ALL
def test_features_default_to_every_column_but_the_target(library: str) -> None:
    frame = LIBRARIES[library]({"x": [1, 2], "y": [3, 4], "z": [5, 6]})
    data = read(frame, target="y")
    assert data.features == ("x", "z")
    np.testing.assert_array_equal(data.X, [[1, 5], [2, 6]])
    data = read(frame, target="y", features=["z", "x"])
    np.testing.assert_array_equal(data.X, [[5, 1], [6, 2]])


@ALL
def test_missing_values_stop_or_are_dropped(library: str) -> None:
    frame = LIBRARIES[library]({"x": [1, None, 3, 4], "y": [1.0, 2.0, float("nan"), 4.0]})
    with pytest.raises(InvalidData) as error:
        read(frame, target="y")
    assert str(error.value) == (
        "frame: got missing values in 2 of 4 rows, in columns 'x' (1), 'y' (1); rows 1, 2 "
        "(counted from 0), expected a value in each cell; fill them in, or use "
        "thalweg.read(…, missing='drop')"
    )
    with pytest.warns(ThalwegWarning) as warned:
        data = read(frame, target="y", missing="drop")
    assert [str(warning.message) for warning in warned] == [
        "frame: 2 of 4 rows with missing values are left out"
    ]
    np.testing.assert_array_equal(data.X, [[1], [4]])
    np.testing.assert_array_equal(data.y, [1, 4])


@ALL
def test_columns_that_are_not_numbers_are_listed(library: str) -> None:
    frame = LIBRARIES[library](
        {
            "x": [1, 2],
            "name": ["a", "b"],
            "ok": [True, False],
            "day": [datetime.datetime(2020, 1, 1), datetime.datetime(2021, 1, 1)],
            "took": [datetime.timedelta(1), datetime.timedelta(2)],
            "y": [1, 2],
        }
    )
    with pytest.raises(InvalidData) as error:
        read(frame, target="y")
    assert str(error.value) == (
        "frame: got columns that are not numbers: 'name' (text), "
        "'day' (date), 'took' (time), expected numbers in each column that is fitted; "
        "leave them out with features=['x', 'ok'], or turn them into numbers first; "
        "words may be taken with categories=['name']"
    )


@ALL
def test_wrong_names(library: str) -> None:
    frame = LIBRARIES[library]({"x": [1], "mass": [2]})
    with pytest.raises(InvalidSetting) as error:
        read(frame, target="mas")
    assert str(error.value) == (
        "target: got 'mas', expected a column of frame; did you mean 'mass'?"
    )


@ALL
def test_no_rows(library: str) -> None:
    values: Values = {"x": [1.0], "y": [2.0]}
    frame = LIBRARIES[library](values)
    nothing = frame.slice(0, 0) if hasattr(frame, "slice") else frame[:0]
    with pytest.raises(InvalidData) as error:
        read(nothing, target="y")
    assert str(error.value) == (
        "frame: got no rows, expected at least one row; "
        "check the filter or the program that wrote them"
    )


def test_every_type_of_number() -> None:
    values = [1, 2, 100]
    frames = [
        pd.DataFrame({kind: pd.array(values, dtype=kind) for kind in PANDAS_KINDS}),
        pl.DataFrame({str(kind): pl.Series(values, dtype=kind) for kind in POLARS_KINDS}),
        pa.table(
            {"d": pa.array([Decimal(v) for v in values]), "y": pa.array(values, pa.float16())}
        ),
    ]
    for frame in frames:
        *_, target = frame.columns if not isinstance(frame, pa.Table) else frame.column_names
        data = read(frame, target=target)
        np.testing.assert_array_equal(data.X, np.repeat([[1], [2], [100]], data.X.shape[1], axis=1))
        np.testing.assert_array_equal(data.y, values)


PANDAS_KINDS = [
    *("int8", "uint64", "float32", "float64", "Int32", "UInt8", "Float32", "Float64"),
    *("int64[pyarrow]", "double[pyarrow]"),
]
POLARS_KINDS: list[Any] = [pl.Int8, pl.UInt64, pl.Int128, pl.Float32, pl.Decimal(10, 2), pl.Float64]


def test_absent_integers_of_pandas_are_missing() -> None:
    for kind in ("Int64", "Float64", "int64[pyarrow]"):
        frame = pd.DataFrame({"x": pd.array([1, None], dtype=kind), "y": [1, 2]})
        with pytest.warns(ThalwegWarning):
            data = read(frame, target="y", missing="drop")
        np.testing.assert_array_equal(data.X, [[1]])


ARROWS = {
    "pyarrow": lambda columns: pa.table(columns),
    "pandas": lambda columns: pd.DataFrame(
        {name: pd.arrays.ArrowExtensionArray(column) for name, column in columns.items()}
    ),
}
OF_ARROW = pytest.mark.parametrize("library", ARROWS)


@OF_ARROW
@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal32(6, 2),
        pa.decimal64(18, 9),
        pa.decimal128(7, -3),
        pa.decimal256(76, 5),
        pa.decimal256(40, -3),
    ],
)
def test_decimals_of_every_width_and_scale(kind: pa.DataType, library: str) -> None:
    """narwhals knows one width, and no scale below zero."""
    column = pa.array([Decimal("-3000"), Decimal("7000")], kind)
    data = read(ARROWS[library]({"x": column, "y": column}), target="y")
    np.testing.assert_array_equal(np.column_stack([data.X, data.y]), [[-3000] * 2, [7000] * 2])
    beside = Dataset(pd.DataFrame({"a": [1, 2]}), cast("Any", pa.chunked_array([column])))
    np.testing.assert_array_equal(beside.y, [-3000, 7000])


EMPTY: dict[str, Any] = {
    "pandas": pd.DataFrame({"x": [None, None], "y": [1, 2]}),
    "pandas, of arrow": pd.DataFrame(
        {"x": pd.arrays.ArrowExtensionArray(pa.nulls(2)), "y": [1, 2]}
    ),
    "polars": pl.DataFrame({"x": [None, None], "y": [1, 2]}),
    "pyarrow": pa.table({"x": pa.nulls(2), "y": [1, 2]}),
}


@pytest.mark.parametrize("library", EMPTY)
def test_a_column_of_no_type_lacks_numbers_as_in_a_file(library: str) -> None:
    with pytest.raises(InvalidData) as error:
        read(EMPTY[library], target="y")
    assert error.value.got == (
        "missing values in 2 of 2 rows, in columns 'x' (2); rows 0, 1 (counted from 0)"
    )


@pytest.mark.parametrize("huge", [10**400, Decimal("1e400")])
def test_numbers_of_pythons_that_float64_cannot_hold_are_infinite(huge: Any) -> None:
    frame = pd.DataFrame({"x": pd.Series([1, -huge], dtype=object), "y": [1, 2]})
    with pytest.raises(InvalidData) as error:
        read(frame, target="y")
    assert error.value.got == "-inf in column 'x', row 1 (counted from 0)"


def test_decimals_that_are_no_number_are_missing() -> None:
    values = [Decimal("NaN"), Decimal("sNaN"), Decimal("0.5")]
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object), "y": [1, 2, 3]})
    with pytest.warns(ThalwegWarning):
        data = read(frame, target="y", missing="drop")
    np.testing.assert_array_equal(data.X, [[0.5]])


def test_categories_and_objects_are_no_numbers() -> None:
    frame = pd.DataFrame(
        {"c": pd.Categorical([1, 2]), "o": pd.Series([1, "a"], dtype=object), "y": [1, 2]}
    )
    with pytest.raises(InvalidData, match=r"'c' \(category\), 'o' \(object\), expected"):
        read(frame, target="y")
    enum = pl.DataFrame({"e": pl.Series(["a"], dtype=pl.Enum(["a"])), "l": [[1.0]], "y": [1]})
    with pytest.raises(InvalidData, match=r"'e' \(category\), 'l' \(list\(float64\)\), expected"):
        read(enum, target="y")


def test_columns_that_are_called_by_numbers() -> None:
    frame = pd.DataFrame(np.arange(6.0).reshape(2, 3))
    data = read(frame, target="2")
    assert data.features == ("0", "1")
    np.testing.assert_array_equal(data.X, [[0, 1], [3, 4]])


def test_columns_that_share_a_name() -> None:
    columns = [pa.array([1]), pa.array([2]), pa.array([3])]
    for frame in (
        pd.DataFrame([[1, 2, 3]], columns=["x", "x", "y"]),
        pa.Table.from_arrays(columns, names=["x", "x", "y"]),
    ):
        assert is_frame(frame)
        with pytest.raises(InvalidData) as error:
            read(frame, target="y")
        assert str(error.value) == (
            "frame: got several columns called 'x', expected a name of its own for each column; "
            "rename them"
        )


def test_what_is_no_frame() -> None:
    for thing in ([1, 2], np.ones((2, 2)), {"x": [1]}, "frame", None, pd.Series([1, 2])):
        assert not is_frame(thing)
        with pytest.raises(InvalidData) as error:
            frame_rows(thing, target="y")
        assert str(error.value) == (
            f"frame: got {type(thing).__name__}, expected a pandas, Polars or PyArrow table; "
            "pass arrays as X and y"
        )


def test_the_frame_is_not_changed() -> None:
    frame = pd.DataFrame({"x": [1.0, np.nan], "y": [1.0, 2.0]})
    before = frame.copy()
    with pytest.warns(ThalwegWarning):
        read(frame, target="y", missing="drop")
    pd.testing.assert_frame_equal(frame, before)


def test_a_target_beside_the_frame() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    for y, name in (
        (pd.Series([5, 6], name="mass"), "mass"),
        (pl.Series("mass", [5, 6]), "mass"),
        (pd.DataFrame({"mass": [5, 6]}), "mass"),
        (pd.Series([5, 6]), "y"),
        (pa.chunked_array([[5], [6]]), "y"),
        ([5, 6], "y"),
        (np.array([[5], [6]]), "y"),
        (torch.tensor([5.0, 6.0]), "y"),
    ):
        data = Dataset(frame, y)
        assert (data.features, data.target) == (("a", "b"), name)
        np.testing.assert_array_equal(data.X, [[1, 3], [2, 4]])
        np.testing.assert_array_equal(data.y, [5, 6])


def test_targets_that_cannot_stand_beside_the_frame() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": [3, 4]})
    cases = [
        (frame, "y: got 2 columns, expected one, the target; choose one of them"),
        (
            pl.Series("c", ["u", "v"]),
            "X and y: got columns that are not numbers: 'c' (text), expected numbers in each "
            "column that is fitted; turn them into numbers first, or name another target",
        ),
        (
            frame["a"],
            "X and y: got 2 columns called 'a', expected a name of its own for each column that "
            "is fitted; rename them, or leave them out with features=['b']",
        ),
        (
            [1, 2, 3],
            "X and y: got shapes (2, 2) and (3,), expected (n, d) and (n,) with the same n; "
            "give y one value for each row of X; nothing is broadcast",
        ),
    ]
    for y, expected in cases:
        with pytest.raises(InvalidData) as error:
            Dataset(frame, cast("Any", y))
        assert str(error.value) == expected


@ALL
def test_read_takes_a_frame_as_it_takes_a_file(library: str) -> None:
    frame = LIBRARIES[library]({"x": [1, 2], "y": [3, 5], "z": [4, 9]})
    data = thalweg.read(frame, target="y", features=["z"])
    assert (data.features, data.target) == (("z",), "y")
    np.testing.assert_array_equal(data.X, [[4], [9]])


@pytest.mark.parametrize("given", [None, np.ones((3, 2)), 7, ["a.csv", 3]])
def test_what_is_neither_a_path_nor_a_frame(given: Any) -> None:
    for take in (thalweg.read, thalweg.scan):
        with pytest.raises(InvalidData) as error:
            take(given, target="y")
        assert str(error.value) == (
            f"path: got a {type(given).__name__}, expected a file, several, or a folder; for "
            "thalweg.read also a frame; arrays and tensors need no reading: pass X and y to "
            "thalweg.fit"
        )


CELLS = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.booleans(),
    st.dates(),
    st.complex_numbers(),
    st.decimals(),
    st.binary(max_size=2),
    st.lists(st.integers(), max_size=2),
)


@settings(deadline=None)
@given(
    st.integers(0, 4).flatmap(
        lambda n: st.dictionaries(
            st.one_of(st.text(max_size=3), st.integers(0, 3), st.sampled_from(["x", "y"])),
            st.one_of(
                st.lists(st.floats(), min_size=n, max_size=n),
                st.lists(CELLS, min_size=n, max_size=n),
            ),
            max_size=4,
        )
    )
)
def test_any_frame_raises_nothing_but_our_own(values: dict[Any, list[Any]]) -> None:
    try:
        data = read(pd.DataFrame(values), target="y")
    except ThalwegError:
        return
    assert np.isfinite(data.X).all()
    assert "y" not in data.features


@pytest.mark.filterwarnings("ignore:.*missing values are left out")
def test_objects_of_pandas_that_are_true_false_numbers_or_missing() -> None:
    columns = {"flag": [True, None, False, True], "size": [1, 2, pd.NA, 3.5]}
    frame = pd.DataFrame(columns, dtype=object).assign(y=[1.0, 2.0, 3.0, 4.0])
    found = read(frame, target="y", missing="drop")
    assert found.X.tolist() == [[1.0, 1.0], [1.0, 3.5]]
    with pytest.raises(InvalidData, match="columns that are not numbers: 'flag' "):
        read(frame.assign(flag=[True, "x", False, True]), target="y", missing="drop")
