"""Columns of words are features as pandas makes them, whatever they come in; a run keeps them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

import thalweg
import thalweg.data.dataset
from thalweg.data.categories import MOST_FEATURES, Categories, Codes, Coding
from thalweg.data.compact import CodedRows
from thalweg.data.files import scan_features
from thalweg.errors import InvalidData, InvalidSetting, ThalwegWarning
from thalweg.runs.run import Run

RNG = np.random.default_rng(5)
N = 60
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(50.0, 5.0, N).round(2),
        "region": RNG.choice(["north", "south", "east"], N),
        "code": RNG.integers(8, 12, N),
        "y": RNG.normal(3.0, 1.0, N).round(2),
    }
)
NAMED = ["region", "code"]
OF_SOLUTION = 1e-10  # of parameters of about 1, by LAPACK in float64
OF_PREDICTIONS = 1e-13  # where a sum is in another order


def dummies(frame: pd.DataFrame, columns: list[str], *, drop_first: bool = True) -> pd.DataFrame:
    return pd.get_dummies(
        frame.drop(columns="y"), columns=columns, drop_first=drop_first, dtype=float
    )


def as_dummies(drop_first: bool = True) -> thalweg.Dataset:
    return thalweg.Dataset(dummies(FRAME, NAMED, drop_first=drop_first), FRAME["y"])


def read(frame: Any, categories: Any = "all", **how: Any) -> thalweg.Dataset:
    return thalweg.read(frame, target="y", categories=categories, **how)


def words(values: list[Any], dtype: Any = None) -> pd.DataFrame:
    """Give a frame of one column, with targets beside it."""
    series = pd.Series(values, dtype=dtype)
    return pd.DataFrame({"c": series, "y": np.arange(1.0, len(values) + 1)})


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture(params=[True, False], ids=["a table", "a few rows at a time"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Rows of which the table is made at once, or never without need."""
    if not request.param:
        monkeypatch.setattr(thalweg.data.dataset, "is_small", lambda table: False)
    return bool(request.param)


# --- As pandas does -------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
def test_the_features_and_the_answer_are_those_of_pandas_and_numpy(
    intercept: bool, held: bool
) -> None:
    expected = dummies(FRAME, NAMED, drop_first=intercept)
    data = read(FRAME, NAMED).for_intercept(intercept)
    assert data.is_dense is held
    assert data.features == tuple(expected.columns)
    if intercept:
        design = np.c_[np.ones(N), expected]
        found = thalweg.solve(FRAME, target="y", categories=NAMED).parameters
    else:
        design = expected.to_numpy()
        with pytest.warns(ThalwegWarning, match="depend on one another"):  # two columns of words
            found = thalweg.solve(data, intercept=False).parameters
    least = np.linalg.lstsq(design, FRAME["y"], rcond=None)[0]
    np.testing.assert_allclose(found, least, rtol=0, atol=OF_SOLUTION)
    np.testing.assert_array_equal(data.X, expected)


FITS: list[dict[str, Any]] = [
    {},
    {"batch_size": 7},
    {"batch_size": 7, "shuffle": True},
    {"batch_sampler": [[0, 1, 2], [5]]},
    {"loss": "huber", "delta": 0.5, "standardize": True},
    {"loss": "l1", "batch_size": 9},
    {"standardize": True},
    {"engine": "reference"},
    {"optimizer": "sgd", "lr": 1e-4, "tolerance": 1e-2, "epochs": 500},
]


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("asked", FITS, ids=str)
def test_a_fit_is_that_of_the_dummies_to_the_bit(
    asked: dict[str, Any], intercept: bool, held: bool
) -> None:
    asked = {"epochs": 4, "seed": 3, **asked, "intercept": intercept}
    expected = thalweg.fit(as_dummies(drop_first=intercept), **asked)
    run = thalweg.fit(FRAME, target="y", categories=NAMED, **asked)
    assert (run.names, run.outcome) == (expected.names, expected.outcome)
    assert run.path.tobytes() == expected.path.tobytes()
    assert run.loss.tobytes() == expected.loss.tobytes()


COLUMNS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "object": lambda frame: frame.astype({"region": object}),
    "string": lambda frame: frame.astype({"region": "string"}),
    "category": lambda frame: frame.astype({"region": "category", "code": "category"}),
    "Int64": lambda frame: frame.astype({"code": "Int64"}),
    "Arrow": lambda frame: frame.astype({"region": pd.ArrowDtype(pa.string())}),
    "Polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "Categorical": lambda frame: pl.from_pandas(frame).cast({"region": pl.Categorical}),
    "Enum": lambda frame: pl.from_pandas(frame).cast(
        {"region": pl.Enum(["south", "never", "east", "north"])}
    ),
    "PyArrow": pa.Table.from_pandas,
    "dictionaries of chunks": lambda frame: pa.concat_tables(
        pa.Table.from_pandas(part).set_column(
            1, "region", pa.array(part["region"], pa.string()).dictionary_encode()
        )
        for part in (frame[:9], frame[9:])
    ),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_each_kind_of_column_gives_the_same_rows(kind: str) -> None:
    data = read(COLUMNS[kind](FRAME), NAMED)
    assert (data.features, data.digest) == (as_dummies().features, as_dummies().digest)


def test_features_and_target_may_come_apart() -> None:
    data = thalweg.Dataset(FRAME.drop(columns="y"), FRAME["y"], categories=NAMED)
    assert data.digest == as_dummies().digest
    assert thalweg.Dataset(FRAME[["region"]], FRAME["y"], categories="all").features == (
        "region_north",
        "region_south",
    )


WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    "csv": lambda frame, path: frame.to_csv(path, index=False),
    "parquet": lambda frame, path: frame.to_parquet(path),
    "feather": lambda frame, path: pa.feather.write_feather(frame, str(path)),
    "json": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "xlsx": lambda frame, path: frame.to_excel(path, index=False),
}


@pytest.mark.parametrize("kinds", [*([kind] * 3 for kind in WRITERS), ["csv", "json", "parquet"]])
def test_levels_are_settled_over_all_files(kinds: list[str], tmp_path: Path) -> None:
    """Each with levels of its own, one with its columns in another order."""
    parts = [
        FRAME[:20],
        FRAME[20:40].query("region != 'north'")[["y", "code", "region", "age"]],
        FRAME[40:].replace({"region": {"east": "west"}}),
    ]
    whole = pd.concat(parts)[[*FRAME.columns]]
    expected = thalweg.Dataset(dummies(whole, NAMED), whole["y"])
    for number, (kind, part) in enumerate(zip(kinds, parts, strict=True)):
        if kind == "xlsx":
            pytest.importorskip("openpyxl")
        WRITERS[kind](part.reset_index(drop=True), tmp_path / f"{number}.{kind}")
    rows, scan = read(tmp_path, NAMED), thalweg.scan(tmp_path, target="y", categories=NAMED)
    assert rows.features == scan.features == expected.features
    assert rows.digest == scan.digest == expected.digest
    assert rows.summary.to_bytes() == scan.summary.to_bytes() == expected.summary.to_bytes()
    chosen = ["region_west", "age"]
    assert (
        scan.select(chosen).digest == rows.select(chosen).digest == expected.select(chosen).digest
    )
    assert scan.for_intercept(False).digest == rows.for_intercept(False).digest


@pytest.mark.parametrize("write", [WRITERS["csv"], WRITERS["parquet"]])
def test_numbers_in_one_file_and_words_in_another_are_levels(
    write: Callable[[pd.DataFrame, Path], Any], tmp_path: Path
) -> None:
    write(words([1, 10, 9]), tmp_path / "0")
    write(words(["9", "b", "10"]), tmp_path / "1")
    assert read(tmp_path, ["c"]).features == ("c_10", "c_9", "c_b")
    with pytest.raises(InvalidData, match=r"take them as categories with categories=\['c'\]$"):
        read(tmp_path)


def test_a_whole_number_is_one_level_however_a_file_writes_it(tmp_path: Path) -> None:
    for name, kind in enumerate([int, float, int]):
        words([kind(k) for k in (1, 2, 1)]).to_parquet(tmp_path / str(name))
    rows = read(tmp_path, ["c"])
    assert rows.features == ("c_2",)
    run = thalweg.fit(rows, epochs=2)
    both = [run.predict(words([kind(2), kind(1)])).tolist() for kind in (int, float)]
    assert both[0] == both[1]


# --- Levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (["b", "a", "c"], ["b", "c"]),
        (["10", "9", "1e1", "01", "1"], ["1", "9", "10", "1e1"]),
        (["10", "9", "b"], ["9", "b"]),
        (["nan", "1", "inf"], ["inf", "nan"]),
        (["", " ", "a"], [" ", "a"]),
        (["<b>", "é", "e\u0301", "a\n", "🐟"], ["a\n", "e\u0301", "é", "🐟"]),
        ([3, 2, 10], ["3", "10"]),
        ([1.5, 2.0, 1.5], ["2.0"]),
        ([True, False, True], ["True"]),
        ([Decimal("2.50"), Decimal("1"), Decimal("2.50")], ["2.50"]),
        (["a", 3, 4], ["4", "a"]),
        (["<NA>", 3, "NaT"], ["<NA>", "NaT"]),
        ([*pd.to_datetime(["2020-01-02", "2020-01-01"])], ["2020-01-02 00:00:00"]),
    ],
)
def test_levels_are_called_as_they_print_and_stand_in_order(
    values: list[Any], levels: list[str]
) -> None:
    assert read(words(values), ["c"]).features == tuple(f"c_{level}" for level in levels)


MISSING: dict[str, tuple[list[Any], Any]] = {
    "None": (["a", None, "b", "c"], object),
    "NaN": (["a", np.nan, "b", "c"], object),
    "pd.NA": (["a", pd.NA, "b", "c"], object),
    "string": (["a", pd.NA, "b", "c"], "string"),
    "category": (["a", None, "b", "c"], "category"),
    "mixed": (["b", None, 1, 2], object),
    "mixed with pd.NA": (["b", pd.NA, 1, 2], object),
    "mixed with NaN": (["b", np.float32("nan"), 1, 2], object),
    "mixed with NaT": (["b", pd.NaT, 1, 2], object),
    "Int64": ([1, pd.NA, 2, 3], "Int64"),
    "float": ([1, np.nan, 2, 3], float),
    "boolean": ([True, pd.NA, False, True], "boolean"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing_words_are_missing_values(kind: str) -> None:
    frame = words(*MISSING[kind])
    with pytest.raises(InvalidData) as error:
        read(frame, ["c"])
    assert str(error.value) == (
        "frame: got missing values in 1 of 4 rows, in columns 'c' (1); row 1 (counted from 0), "
        "expected a value in each cell; fill them in, or use thalweg.read(…, missing='drop')"
    )
    with pytest.warns(ThalwegWarning, match="1 of 4 rows with missing values are left out"):
        data = read(frame, ["c"], missing="drop")
    kept = frame.drop(index=1)
    assert data.features == read(kept, ["c"]).features
    assert data.y.tolist() == [1.0, 3.0, 4.0]
    with pytest.raises(InvalidData, match="X: got nan at row 1, column 0"):
        thalweg.Dataset(frame[["c"]], frame["y"], categories=["c"])


def test_a_word_of_rows_that_are_left_out_alone_stops_no_later_pass(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("g,a,y\nu,1,2\nv,,3\nw,2,5\nu,4,4\nw,3,1\n")
    asked: dict[str, Any] = {"target": "y", "categories": ["g"], "missing": "drop"}
    with pytest.warns(ThalwegWarning, match="1 of 5 rows with missing values are left out"):
        rows = thalweg.read(tmp_path / "t.csv", **asked)
    scan = thalweg.scan(tmp_path / "t.csv", **asked)
    with pytest.warns(ThalwegWarning, match="1 of 5 rows with missing values are left out"):
        assert scan.features == rows.features == ("g_w", "a")
    assert scan.digest == rows.digest
    assert scan.read().digest == scan.for_intercept(True).digest == rows.digest
    assert scan.select(["a"]).digest == rows.select(["a"]).digest
    assert scan.for_intercept(False).features == ("g_u", "g_w", "a")
    assert scan.for_intercept(False).digest == rows.for_intercept(False).digest


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")
@pytest.mark.parametrize("values", [[1.0, float("nan"), 2.5], [1.0, None, 2.5], [None] * 3])
@pytest.mark.parametrize("library", [pa.table, pl.DataFrame, pd.DataFrame])
def test_what_is_no_number_or_nothing_at_all_is_no_level(library: Any, values: list[Any]) -> None:
    frame = library({"c": values, "d": [1, 2, 3], "y": [1, 2, 4]})
    if values[0] is None:
        with pytest.raises(InvalidData, match="got missing values in each of the 3 rows"):
            read(frame, ["c"], missing="drop")
    else:
        assert read(frame, ["c"], missing="drop").features == ("c_2.5", "d")


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")
def test_a_level_of_dropped_rows_alone_has_no_feature(tmp_path: Path) -> None:
    rows = text(tmp_path / "rows.csv", "c,d,y\naa,,1\na,1,1\nzz,,1\nb,2,2\n,3,3\nc,3,1\nNA,4,1\n")
    scan = thalweg.scan(rows, target="y", categories="all", missing="drop")
    assert scan.features == read(rows, missing="drop").features == ("c_b", "c_c", "d")
    frame = pd.read_csv(rows)
    assert read(frame, missing="drop").features == ("c_b", "c_c", "d")


@pytest.mark.parametrize(
    ("frame", "target", "features"),
    [
        ({"c": ["a", "b"], "c_b": [1, 2], "y": [1, 2]}, "y", ("c_b", "c_b_2")),
        ({"c": ["a", "b"], "c_b": [1, 2]}, "c_b", ("c_b_2",)),
        ({"a": ["x", "b_c"], "a_b": ["c", "a"], "y": [1, 2]}, "y", ("a_x", "a_b_c")),
        ({"a": ["a", "b_c"], "a_b": ["c", "a"], "y": [1, 2]}, "y", ("a_b_c", "a_b_c_2")),
    ],
)
def test_each_feature_has_a_name_of_its_own(
    frame: dict[str, Any], target: str, features: tuple[str, ...]
) -> None:
    data = thalweg.read(pd.DataFrame(frame), target=target, categories="all")
    assert data.features == features


def test_levels_may_be_given() -> None:
    frame = words(["M", "S", "M"])
    data = read(frame, {"c": ["S", "M", "L"]})
    assert data.features == ("c_M", "c_L")
    assert data.X.tolist() == [[1, 0], [0, 0], [1, 0]]
    assert data.for_intercept(False).features == ("c_S", "c_M", "c_L")
    assert read(words([2, 1]), {"c": [2, 1]}).features == ("c_1",)
    with pytest.raises(InvalidData) as error:
        read(frame, {"c": ["M", "L"]})
    assert str(error.value) == (
        "column 'c': got 'S', expected one of its levels, 'M', 'L'; take those rows out, or fit "
        "again with such rows among the others"
    )


# --- What is refused ------------------------------------------------------------------------------

TABLE = pd.DataFrame({"c": ["a", "b"], "d": [1, 2], "y": [1, 2]})


@pytest.mark.parametrize(
    "names", [["c"], ("c",), {"c"}, "c", np.array(["c"]), pd.Index(["c"]), ["c", "c"], ["c", "d"]]
)
def test_names_come_in_anything_that_holds_them(names: Any) -> None:
    found = read(TABLE, names).features
    assert found == (("c_b", "d_2") if "d" in list(names) else ("c_b", "d"))
    assert read(TABLE, np.array(["c", "d"])).features == ("c_b", "d_2")


EXPECTED = (
    "names of columns, 'all', or a mapping from names to their different levels; try "
    "categories='all' for all columns of words"
)


@pytest.mark.parametrize(
    ("categories", "said"),
    [
        (5, f"got 5, expected {EXPECTED}"),
        ({"c": "ab"}, f"got {{'c': 'ab'}}, expected {EXPECTED}"),
        ({"c": []}, f"got {{'c': []}}, expected {EXPECTED}"),
        ({"c": ["a", "a"]}, f"got {{'c': ['a', 'a']}}, expected {EXPECTED}"),
        ({"c": None}, f"got {{'c': None}}, expected {EXPECTED}"),
        (["cc"], "got 'cc', expected a feature of frame; did you mean 'c'?"),
        ({"q": ["a"]}, "got 'q', expected a feature of frame; choose one of 'c', 'd'"),
        (["c", "y"], "got 'y', expected a feature of frame; choose one of 'c', 'd'"),
    ],
)
def test_wrong_categories_are_refused(categories: Any, said: str) -> None:
    with pytest.raises(InvalidSetting) as error:
        read(TABLE, categories)
    assert str(error.value) == f"categories: {said}"


@pytest.mark.parametrize("categories", [None, [], {}])
def test_a_column_of_words_is_refused_with_what_takes_it(categories: Categories) -> None:
    with pytest.raises(InvalidData) as error:
        read(TABLE, categories)
    assert str(error.value).endswith(
        "take them as categories with categories=['c'], or leave them out with features=['d']"
    )
    assert read(TABLE, ["c"]).features == ("c_b", "d")


def test_advice_keeps_the_categories_that_were_asked_for() -> None:
    frame = TABLE.assign(e=["p", "q"])
    with pytest.raises(InvalidData) as error:
        read(frame, ["e"])
    assert str(error.value).endswith(
        "take them as categories with categories=['c', 'e'], or leave them out with "
        "features=['d', 'e']"
    )
    assert read(frame, ["c", "e"]).features == ("c_b", "d", "e_q")
    assert read(frame, ["e"], features=["d", "e"]).features == ("d", "e_q")


def test_numbers_with_a_decimal_comma_are_no_words(tmp_path: Path) -> None:
    rows = text(tmp_path / "rows.csv", "c;k;y\n1,5;a;1\n2,5;b;2\n")
    with pytest.raises(InvalidData, match="for a decimal comma use thalweg\\.read"):
        read(rows)
    assert read(rows, decimal=",").features == ("c", "k_b")
    assert read(rows, ["c", "k"]).features == ("c_2,5", "k_b")


@pytest.mark.parametrize("values", [[[1], [2]], [{"q": 1}, {"q": 2}], [b"a", b"b"]])
def test_what_is_no_word_is_no_level(values: list[Any]) -> None:
    table = pa.table({"c": values, "y": [1, 2]})
    with pytest.raises(InvalidData) as error:
        read(table, ["c"])
    assert str(error.value) == (
        f"column 'c': got values of type {table['c'].type}, expected words or numbers, that rows "
        "can be told apart by; make texts of them, or leave that column out"
    )


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidData, match="column 'c': got a text with half a character"):
        read(words(["a", "\ud800"], object))


def test_one_level_is_no_feature_beside_an_intercept() -> None:
    with pytest.raises(InvalidData) as error:
        read(words(["a", "a"]))
    assert str(error.value) == (
        "categories: got no feature beside the intercept from 'c' (1 level), expected a column "
        "with two levels at least, or one of numbers; take other columns"
    )
    assert read(pd.DataFrame({"c": ["a", "a"], "d": [1, 2], "y": [1, 2]})).features == ("d",)


def test_more_features_than_can_be_fitted_are_refused_with_what_they_would_take() -> None:
    frame = words([str(k) for k in range(MOST_FEATURES + 2)])
    frame["few"] = ["a", "b"] * (len(frame) // 2)
    with pytest.raises(InvalidData) as error:
        read(frame)
    said = str(error.value)
    assert said.startswith(
        "categories: got 6,002 features, of 'c' (6,002 levels), 'few' (2 levels), expected 6,000 "
        "at most: so many would take some "
    )
    assert said.endswith("; group the levels of 'c', or leave it out with features=['few']")


@pytest.mark.parametrize("data", [[[1.0], [2.0]], np.ones((2, 1))])
def test_columns_without_names_have_no_categories(data: Any) -> None:
    with pytest.raises(InvalidSetting, match="expected rows whose columns have names"):
        thalweg.fit(data, [1.0, 2.0], categories="all")


def test_of_a_dataset_the_features_are_made() -> None:
    with pytest.raises(InvalidSetting, match="got a setting beside a Dataset"):
        thalweg.fit(read(FRAME), categories="all")


# --- Rows that are held so ------------------------------------------------------------------------


def pickled(data: thalweg.Dataset) -> thalweg.Dataset:
    again: thalweg.Dataset = pickle.loads(pickle.dumps(data))  # noqa: S301  # our own
    return again


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_is_the_same_rows(
    again: Callable[[thalweg.Dataset], thalweg.Dataset], held: bool
) -> None:
    data = again(read(FRAME, NAMED))
    assert (data.is_dense, data.digest) == (held, as_dummies().digest)
    assert data.for_intercept(False).features == as_dummies(drop_first=False).features
    assert not data.X.flags.writeable


def test_selected_features_stay_whatever_the_intercept(held: bool) -> None:
    chosen = ["region_south", "age"]
    data = read(FRAME, NAMED).select(chosen)
    expected = as_dummies().select(chosen)
    assert (data.features, data.digest) == (expected.features, expected.digest)
    assert data.summary.to_bytes() == expected.summary.to_bytes()
    assert data.for_intercept(False) is data
    run = thalweg.fit(data, epochs=2, intercept=False)
    assert run.names == tuple(chosen)


def test_a_table_too_large_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    coding = Coding(("c",), "y", {"c": tuple(map(str, range(2001)))})
    rows = CodedRows(np.broadcast_to(0.0, (2**20, 1)), coding)
    data = thalweg.Dataset.settled(rows.coded, np.zeros(2**20), None, "y", coding)
    with pytest.raises(InvalidData) as error:
        thalweg.fit(data, shuffle=True, batch_size=64)
    assert str(error.value) == (
        "data: got 1,048,576 rows of 2,000 features, mostly zeros, for what needs all their "
        "cells, expected at most 2 GiB of them: these would take 16 GiB; use batch descent on "
        "the squared error, or batches in the rows' order (engine='compiled', without shuffle), "
        "which go through them a few at a time"
    )


# --- Predictions ----------------------------------------------------------------------------------


@pytest.fixture
def run(held: bool) -> Run:
    return thalweg.fit(FRAME, target="y", categories=NAMED, epochs=30, optimizer="adam", lr=0.1)


def expected_of(run: Run, frame: pd.DataFrame) -> Any:
    """Predict by what the parameters are called."""
    of = dict(zip(run.names, run.parameters.tolist(), strict=True))
    return [
        of["bias"] + of["age"] * age + of.get(f"region_{region}", 0.0) + of.get(f"code_{code}", 0.0)
        for age, region, code in zip(frame["age"], frame["region"], frame["code"], strict=True)
    ]


def features_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Make dummies of rows in which not every level is."""
    return dummies(pd.concat([frame, FRAME]), NAMED)[: len(frame)]


FORMS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "frame": lambda frame: frame,
    "other columns, in another order": lambda frame: frame[["code", "region", "age"]].assign(q="x"),
    "Polars": pl.from_pandas,
    "a Dataset of its own levels": lambda frame: read(frame, NAMED),
    "a Dataset without an intercept": lambda frame: read(frame, NAMED).for_intercept(False),
    "the features": lambda frame: features_of(frame),
    "an array of them": lambda frame: features_of(frame).to_numpy(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", ["all", "some levels", "one row"])
def test_predictions_go_by_the_words(run: Run, form: str, rows: str) -> None:
    some = FRAME[FRAME["region"] != "east"]
    frame = {"all": FRAME, "some levels": some, "one row": FRAME[5:6]}[rows]
    if form.startswith("a Dataset") and rows == "one row":
        frame = FRAME[5:8]
    got = run.predict(FORMS[form](frame))
    np.testing.assert_allclose(got, expected_of(run, frame), rtol=OF_PREDICTIONS)


def test_words_that_the_run_has_not_seen_are_refused(run: Run) -> None:
    other = FRAME.replace({"region": {"east": "aaa"}})
    forms: list[Any] = [other, read(other, NAMED), pl.from_pandas(other)]
    for rows in forms:
        with pytest.raises(InvalidData) as error:
            run.predict(rows)
        assert str(error.value) == (
            "column 'region': got 'aaa', expected one of its levels, 'east', 'north', 'south'; "
            "take those rows out, or fit again with such rows among the others"
        )
    # A level that is settled but that no row has says nothing.
    given = {"region": ["aaa", "east", "north", "south"], "code": ["8", "9", "10", "11"]}
    unused: Any = read(FRAME, given)
    np.testing.assert_allclose(run.predict(unused), expected_of(run, FRAME), rtol=OF_PREDICTIONS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="region"), "features: got 'region', expected a column"),
        (lambda frame: frame.assign(region=1), "column 'region': got '1', expected one of"),
        (lambda frame: frame.assign(region=None), "X: got nan at row 0, column 1"),
        (lambda frame: frame.assign(age="1"), "columns that are not numbers: 'age'"),
    ],
)
def test_rows_that_cannot_be_predicted_for(run: Run, change: Any, said: str) -> None:
    with pytest.raises((InvalidData, InvalidSetting)) as error:
        run.predict(change(FRAME))
    assert said in str(error.value)


def test_files_are_predicted_for_with_the_levels_of_the_run(run: Run, tmp_path: Path) -> None:
    new = FRAME[FRAME["region"] != "east"][["region", "code", "age"]]
    new.to_csv(tmp_path / "new.csv", index=False)
    batches = scan_features(tmp_path / "new.csv", features=run.features, coding=run.coding)
    got = np.concatenate([run.predict(X) for X in batches])
    np.testing.assert_allclose(got, expected_of(run, new), rtol=OF_PREDICTIONS)
    new.assign(region="west").to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InvalidData, match="column 'region': got 'west'"):
        list(scan_features(tmp_path / "new.csv", features=run.features, coding=run.coding))


def test_codes_without_levels_number_words_as_they_come() -> None:
    codes = Codes("c")
    assert codes.of(pa.array(["b", "a", None, "b"]))[[0, 1, 3]].tolist() == [0.0, 1.0, 0.0]
    assert codes.of(pa.array(["c", "a"])).tolist() == [2.0, 1.0]
    assert (codes.words, codes.settled) == (("b", "a", "c"), False)
