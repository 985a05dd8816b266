"""The tables that scikit-learn, statsmodels and vega_datasets ship: each is read, and fitted right.

The answer is held against NumPy's ``lstsq`` on a design that pandas makes. Where a table is
refused, the advice of the error is followed to the letter, as a user would. statsmodels and
vega_datasets are not among what 'make test' installs: where they are, their tables are tried too.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import thalweg
from thalweg.data.files import read
from thalweg.errors import InvalidData, ThalwegError, UnreadableFile

sklearn_datasets = pytest.importorskip("sklearn.datasets")

pytestmark = [
    pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

NOT_INSTALLED = "not among what 'make test' installs"
FITTED_TOLERANCE = 1e-9  # of the fitted values, relative to the norm of the target
TARGETS = 2  # per table: the first and the last column of numbers
MOST_ADVICE = 4  # errors in a row whose advice is followed
ABOVE = {  # lines above the table
    "breast_cancer.csv": 1,
    "iris.csv": 1,
    "wine_data.csv": 1,
    "unemp.csv": 9,
    "scotland_population.csv": 17,
}
# Tables of which nothing can be fitted, or not in a minute, and what is said of that.
REFUSED = {
    "diabetes_target.csv.gz": "got one column, 'column1', expected a target and at least one",
    "co2": "got one column, 'co2', expected a target and at least one",
    "elec_equip.csv": "'DATE' .date.*; turn them into numbers first: no feature is left",
    "scotland_population.csv": "1 cell in line 54, expected 14 .*; fill that row up, or take it",
    "seattle-temps": "'date' .date.*; turn them into numbers first: no feature is left",
    "seattle-temps.csv": "'date' .date.*; turn them into numbers first: no feature is left",
    "sf-temps": "'date' .date.*; turn them into numbers first: no feature is left",
    "sf-temps.csv": "'date' .date.*; turn them into numbers first: no feature is left",
    "airports": "got 9,318 features, of 'iata' .3,364 levels.*; group the levels of 'iata', or",
    "airports.csv": "got 9,318 features, of 'iata' .3,364 levels.*; group the levels of 'iata', or",
}


class Real(NamedTuple):
    """A table: what thalweg is given, how, and what pandas has read."""

    name: str
    given: Any
    asked: dict[str, Any]
    frame: pd.DataFrame


def frames_of_sklearn() -> Iterator[Real]:
    for name in ("iris", "diabetes", "digits", "linnerud", "wine", "breast_cancer"):
        frame = getattr(sklearn_datasets, f"load_{name}")(as_frame=True).frame
        yield Real(name, frame, {}, frame)


def frames_of_statsmodels() -> Iterator[Real]:
    datasets = pytest.importorskip("statsmodels.datasets", reason=NOT_INSTALLED)
    for name in sorted(vars(datasets)):
        if hasattr(module := getattr(datasets, name), "load_pandas") and name != "elec_equip":
            frame = module.load_pandas().data
            yield Real(name, frame, {}, frame)


def frames_of_vega() -> Iterator[Real]:
    vega = pytest.importorskip("vega_datasets", reason=NOT_INSTALLED)
    for name in vega.local_data.list_datasets():
        frame = vega.local_data(name)
        if isinstance(frame, pd.DataFrame):
            yield Real(name, frame, {}, frame)


def by_pandas(path: Path) -> Real:
    """Read a text by pandas, told what stands between its cells and whether it has a header."""
    skipped = ABOVE.get(path.name, 0)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    first = content.decode("utf-8-sig").splitlines()[skipped]
    delimiter = next((mark for mark in ",;\t|" if mark in first), " ")
    headless = bool(re.fullmatch(r"-?[\d.]+(e[+-]\d+)?", first.split(delimiter)[0].strip()))
    frame = pd.read_csv(
        io.BytesIO(content),
        sep=delimiter,
        header=None if headless else 0,
        skiprows=skipped,
        skipinitialspace=True,
        float_precision="round_trip",
        low_memory=False,
    )
    if headless:
        frame.columns = pd.Index([f"column{j}" for j in range(1, frame.shape[1] + 1)])
    return Real(path.name, path, {"skip_rows": skipped}, frame)


def files_of(package: str, pattern: str) -> Iterator[Real]:
    module = pytest.importorskip(package, reason=NOT_INSTALLED)
    found = sorted(Path(module.__file__).parent.glob(pattern))
    assert found
    yield from map(by_pandas, found)


def advised(real: Real, target: str) -> tuple[thalweg.Dataset | None, str]:
    """Read a table, doing what each error says; the last error where that says nothing to do."""
    asked = {"categories": "all", "missing": "drop", **real.asked}
    said = ""
    for _ in range(MOST_ADVICE):
        try:
            return read(real.given, target=target, **asked), said
        except ThalwegError as error:
            said, before = str(error), dict(asked)
            for name, value in error.suggest.items():
                asked |= value if isinstance(value, dict) else {name.rpartition(".")[2]: value}
        if asked == before or "levels)" in said:
            break
    return None, said


def design(frame: pd.DataFrame, columns: list[str], target: str) -> tuple[Any, Any]:
    """Make X and y as a user of pandas would."""
    whole = frame[[*columns, target]].dropna()
    X = whole[columns]
    parts = [
        X[[name]]
        if pd.api.types.is_numeric_dtype(X[name])
        else pd.get_dummies(X[name].astype(str), drop_first=True)
        for name in columns
    ]
    return np.hstack([part.to_numpy(float) for part in parts]), whole[target].to_numpy(float)


def check(real: Real) -> None:
    frame = real.frame.set_axis([str(name) for name in real.frame.columns], axis=1)
    numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    numbers = [name for name in numbers if frame[name].notna().any()]
    for target in dict.fromkeys([numbers[0], numbers[-1]][:TARGETS]):
        data, said = advised(real, target)
        if real.name in REFUSED:
            assert data is None
            assert re.search(REFUSED[real.name], said), said
            continue
        assert data is not None, f"{real.name}, {target}: {said}"
        columns = list(data.features if data.coding is None else data.coding.columns)
        X, y = design(frame, columns, target)
        np.testing.assert_array_equal(data.X, X, err_msg=f"{real.name}, {target}")
        np.testing.assert_array_equal(data.y, y, err_msg=f"{real.name}, {target}")
        solution = thalweg.solve(data)
        ones = np.column_stack([np.ones(len(y)), X])
        expected = ones @ np.linalg.lstsq(ones, y, rcond=None)[0]
        off = np.linalg.norm(X @ solution.weights + solution.bias - expected)
        assert off <= FITTED_TOLERANCE * np.linalg.norm(y), f"{real.name}, {target}"


@pytest.mark.parametrize("frames", [frames_of_sklearn, frames_of_statsmodels, frames_of_vega])
def test_frames_that_packages_load(frames: Any) -> None:
    for real in frames():
        check(real)


@pytest.mark.parametrize(
    ("package", "pattern"),
    [
        ("sklearn.datasets", "data/*.csv*"),
        ("statsmodels.datasets", "**/*.csv"),
        ("vega_datasets", "_data/*.csv"),
    ],
)
def test_files_that_packages_ship(package: str, pattern: str) -> None:
    for real in files_of(package, pattern):
        check(real)


def test_arrays_in_json_that_packages_ship() -> None:
    vega = pytest.importorskip("vega_datasets", reason=NOT_INSTALLED)
    for path in sorted(Path(vega.__file__).parent.glob("_data/*.json")):
        with pytest.raises(UnreadableFile, match="an array in JSON"):
            read(path, target="y")
        frame = pd.read_json(path, precise_float=True)
        check(Real(path.stem, frame, {}, frame))


# --- What those tables showed ---------------------------------------------------------------------


def suggested(error: pytest.ExceptionInfo[ThalwegError]) -> dict[str, Any]:
    return dict(error.value.suggest)


def test_an_array_in_json_is_read_as_the_error_says(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text('[\n  {"day": "2001-02-03", "x": 0.3, "y": 2},\n  {"x": 3, "y": 4.5}]')
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y")
    assert error.value.advice == (
        "load it with pandas.read_json(…, precise_float=True), and pass the frame; or write one "
        "row a line"
    )
    frame = pd.read_json(path, precise_float=True)
    assert read(frame, target="y", features=["x"]).X.tolist() == [[0.3], [3]]


@pytest.mark.parametrize("version", [114, 118])
def test_a_file_of_stata_is_read_as_the_error_says(tmp_path: Path, version: Any) -> None:
    path = tmp_path / "t.dta"
    pd.DataFrame({"x": [1.0, 3.0], "y": [2.0, 4.0]}).to_stata(
        path, write_index=False, version=version
    )
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y")
    assert error.value.got == "a Stata file"
    assert error.value.advice == "load it with pandas.read_stata, and pass the frame"
    assert read(pd.read_stata(path), target="y").X.tolist() == [[1], [3]]


@pytest.mark.parametrize(
    "days",
    [
        ["2010/01/31 00:00", "2010/02/01 12:30"],
        ["2010/1/31 00:00:00", "2010/02/01 23:59:59.5"],
        ["Jan 1 2000", "Feb 29 2000"],
        ["Jan-1-1995", "Dec-31-1995"],
        ["January 1, 2000", "sept. 1, 2000"],
        ["31 Jan 2000", "1. Feb 00"],
        ["31-JAN-2000", "01-feb-2000"],
        ["1/31/2010", "12/1/10"],
        ["31.12.2010", "1.1.2011"],
        ["2010-01-31T08:00:00Z", "2010-02-01T08:00:00.123+02:00"],
        ["2010-01-31 08:00:00 UTC", "2010-02-01"],
        ["1/31/2010 8:05 AM", "1/31/2010, 11:05:00 pm"],
    ],
)
def test_days_are_dates_however_they_are_written(tmp_path: Path, days: list[str]) -> None:
    path = tmp_path / "t.csv"
    rows = "".join(f'"{day}",{word},{k},{k * k}\n' for k, (day, word) in enumerate(
        zip(days * 2, "abba", strict=True)))  # fmt: skip
    path.write_text("day,word,x,y\n" + rows)
    with pytest.raises(InvalidData, match=r"not numbers: 'day' \(date\), expected") as error:
        read(path, target="y", categories="all")
    assert error.value.suggest == {"features": ["word", "x"]}
    followed = read(path, target="y", categories="all", **suggested(error))
    assert followed.features == ("word_b", "x")
    # Whoever names the column means it.
    named = read(path, target="y", categories=["day", "word"])
    assert named.coding is not None
    assert sorted(named.coding.levels["day"]) == sorted(set(days))


@pytest.mark.parametrize(
    "words", ["1974Q1 1974Q2", "1950:1 1950:2", "1.2.3 1.2.4", "10-4 10-5", "Marx Mayor", "1/2 3/4"]
)
def test_words_that_are_no_days(tmp_path: Path, words: str) -> None:
    path = tmp_path / "t.csv"
    one, other = words.split()
    path.write_text(f"word,y\n{one},1\n{other},2\n")
    assert read(path, target="y", categories="all").features == (f"word_{other}",)


def test_row_names_are_no_category_unless_they_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('"","x","w","y"\n"Ohio",1,a,2\n"Iowa",3,b,4\n"Utah",4,a,7\n')
    with pytest.raises(InvalidData, match="got '' among the features") as error:
        read(path, target="y", categories="all")
    followed = read(path, target="y", categories="all", **suggested(error))
    assert followed.features == ("x", "w_b")
    assert read(path, target="y", categories=["", "w"]).features == ("_Ohio", "_Utah", "x", "w_b")


def test_advice_on_categories_keeps_those_that_were_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("v,w,y\na,c,1\nb,d,2\na,d,4\n")
    with pytest.raises(InvalidData) as error:
        read(path, target="y", categories=["v"])
    assert error.value.suggest == {"categories": ["v", "w"], "features": ["v"]}
    assert read(path, target="y", categories=["v", "w"]).features == ("v_b", "w_d")
    assert read(path, target="y", categories=["v"], features=["v"]).features == ("v_b",)


def test_where_each_row_lacks_something_the_advice_leaves_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,empty,y\n1,,,1\n,2,,2\n3,,,\n4,5,,\n6,7,,8\n9,,,10\n")
    with pytest.raises(InvalidData) as error:
        read(path, target="y", missing="drop")
    assert str(error.value) == (
        f"{path}: got missing values in each of the 6 rows, expected one row without; "
        "leave 'empty' out, with features=['a', 'b']"
    )
    assert read(path, target="y", missing="drop", **suggested(error)).X.tolist() == [[6, 7]]
    path.write_text("a,y\n,1\n,2\n")
    with pytest.raises(InvalidData, match=r"; fill them in, or name other features$"):
        read(path, target="y", missing="drop")


def test_too_many_levels_say_what_to_leave_out() -> None:
    n = 6_500
    one = [f"a{k}" for k in range(n)]
    frame = pd.DataFrame({"one": one, "two": one[::-1], "x": np.arange(n), "y": np.arange(n) ** 2})
    with pytest.raises(InvalidData) as error:
        read(frame, target="y", categories="all")
    assert error.value.advice == (
        "group the levels of 'two', 'one', or leave them out with features=['x']"
    )
    assert read(frame, target="y", **suggested(error)).features == ("x",)
    with pytest.raises(InvalidData, match=r"; group the levels of 'one'$"):
        read(frame[["one", "y"]], target="y", categories="all")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_that_blanks_line_up(tmp_path: Path, end: str) -> None:
    path = tmp_path / "housing.data"
    lines = [
        "    x      y  name",
        " 10.5    2.5   ann",
        "  9      NA   bob",
        "",
        "-11     3.25  cy",
    ]
    path.write_bytes(end.join([*lines, ""]).encode())
    data = read(path, target="y", missing="drop", categories="all")
    assert (data.X.tolist(), data.y.tolist()) == ([[10.5, 0], [-11, 1]], [2.5, 3.25])
    assert data.features == ("x", "name_cy")
    with pytest.raises(InvalidData, match=r"'y' \(1\); line 3, expected"):
        read(path, target="y", categories="all")
    rows = np.random.default_rng(3).standard_normal((60_000, 4))
    np.savetxt(path, rows, fmt="%12.6f")
    data = read(path, target="column4")
    assert np.array_equal(np.column_stack([data.X, data.y]), np.loadtxt(path))


# --- The texts of csv-spectrum, with two columns of numbers behind --------------------------------

SPECTRUM = {
    "comma_in_quotes": ["first,last,address,city,zip", 'John,Doe,120 any st.,"Anytown, WW",08123'],
    "empty": ["a,b,c", '1,"",""', "2,3,4"],
    "escaped_quotes": ["a,b", '1,"ha ""ha"" ha"', "3,4"],
    "json": ["key,val", '1,"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}"'],
    "location_coordinates": [
        "Contact Phone Number,Location Coordinates,Cities,Counties",
        '6,"37°36\'37.8""N 121°2\'17.9""W",Livermore,Alameda',
    ],
    "newlines": ["a,b,c", "1,2,3", '"Once upon \na time",5,6', "7,8,9"],
    "quotes_and_newlines": ["a,b", '1,"ha \n""ha"" \nha"', "3,4"],
    "simple": ["a,b,c", "1,2,3"],
    "utf8": ["a,b,c", "1,2,3", "4,5,ʤ"],
}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", SPECTRUM)
def test_the_spectrum_of_csv(tmp_path: Path, name: str, end: str) -> None:
    header, *rows = (row.replace("\n", end) for row in SPECTRUM[name])
    path = tmp_path / f"{name}.csv"
    numbered = [f"{row},{k},{k * k}" for k, row in enumerate(rows, start=1)]
    path.write_bytes(end.join([f"{header},n,square", *numbered, ""]).encode())
    text = path.read_bytes().decode()
    names, *cells = csv.reader(io.StringIO(text, newline=""))
    data = read(path, target="square", categories=names[:-2], missing="drop")
    assert data.coding is not None
    read_back = [[_word(data, name, row) for name in names[:-2]] for row in range(data.n)]
    whole = [row for row in cells if all(row)]
    assert read_back == [row[:-2] for row in whole]
    assert data.X[:, data.features.index("n")].tolist() == [float(row[-2]) for row in whole]
    assert data.y.tolist() == [float(row[-1]) for row in whole]


def _word(data: thalweg.Dataset, column: str, row: int) -> str:
    """Tell which level of a category a row of features stands for."""
    assert data.coding is not None
    first, *others = data.coding.levels[column]
    ones = [word for word in others if data.X[row, data.features.index(f"{column}_{word}")]]
    assert len(ones) <= 1
    return ones[0] if ones else first
