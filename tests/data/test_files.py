"""Rows come out of files as they went in, whatever the kind, and damaged files say so."""

import bz2
import gzip
import lzma
import os
import pickle
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import thalweg
from thalweg.data import arrow, delimited, layout
from thalweg.data.files import read, scan, scan_features
from thalweg.data.scanning import Scan
from thalweg.data.texts import write_counts
from thalweg.errors import InvalidData, InvalidSetting, ThalwegError, ThalwegWarning, UnreadableFile

GENERATOR = np.random.default_rng(7)
N = 1000
TABLE = pa.table(
    {
        "x1": GENERATOR.normal(5, 2, N),
        "label": [f"row {i}" for i in range(N)],
        "x2": GENERATOR.integers(-(10**6), 10**6, N),
        "y": GENERATOR.normal(-3, 1, N),
    }
)
X = np.column_stack([TABLE["x1"].to_numpy(), TABLE["x2"].to_numpy()])
Y = TABLE["y"].to_numpy()


def csv_bytes(table: pa.Table, delimiter: str = ",") -> bytes:
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(table, sink, pa.csv.WriteOptions(delimiter=delimiter))
    return bytes(sink.getvalue())


def arrow_compressed(content: bytes, codec: str) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def parquet(path: Path, **options: Any) -> None:
    pa.parquet.write_table(TABLE, path, row_group_size=300, **options)


def stream(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=300)


def feather(path: Path, compression: str) -> None:
    pa.feather.write_feather(TABLE, str(path), compression=compression, chunksize=300)


WRITERS: dict[str, Callable[[Path], object]] = {
    "csv": lambda path: path.write_bytes(csv_bytes(TABLE)),
    "tsv": lambda path: path.write_bytes(csv_bytes(TABLE, "\t")),
    "gzip": lambda path: path.write_bytes(gzip.compress(csv_bytes(TABLE))),
    "gzip in parts": lambda path: path.write_bytes(
        gzip.compress(csv_bytes(TABLE)[:5000]) + gzip.compress(csv_bytes(TABLE)[5000:])
    ),
    "bz2": lambda path: path.write_bytes(bz2.compress(csv_bytes(TABLE))),
    "xz": lambda path: path.write_bytes(lzma.compress(csv_bytes(TABLE))),
    "zstd": lambda path: path.write_bytes(arrow_compressed(csv_bytes(TABLE), "zstd")),
    "lz4": lambda path: path.write_bytes(arrow_compressed(csv_bytes(TABLE), "lz4")),
    "parquet": parquet,
    "parquet, checked": lambda path: parquet(path, write_page_checksum=True),
    "feather": lambda path: feather(path, "uncompressed"),
    "feather, lz4": lambda path: feather(path, "lz4"),
    "feather, zstd": lambda path: feather(path, "zstd"),
    "stream": stream,
}
KINDS = pytest.mark.parametrize("kind", WRITERS)


def assert_same(data: Scan | thalweg.Dataset, features: np.ndarray, target: np.ndarray) -> None:
    if isinstance(data, Scan):
        batches = list(data.batches())
        found = np.concatenate([b for b, _ in batches]), np.concatenate([b for _, b in batches])
    else:
        found = data.X, data.y
    np.testing.assert_array_equal(found[0], features)
    np.testing.assert_array_equal(found[1], target)


# --- What is read ----------------------------------------------------------------------------


@KINDS
def test_each_kind_is_told_by_its_content_not_its_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows.data"
    WRITERS[kind](path)
    data = read(path, target="y", features=["x1", "x2"])
    assert_same(data, X, Y)
    assert (data.features, data.target, data.name) == (("x1", "x2"), "y", "rows.data")
    assert_same(read(path, target="x1", features=["y", "x2"]), np.c_[Y, X[:, 1]], X[:, 0])


@KINDS
def test_a_scan_can_be_walked_again_and_again(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows.data"
    WRITERS[kind](path)
    rows_of = scan(path, target="y", features=["x1", "x2"])
    for _ in range(2):
        assert_same(rows_of, X, Y)
    for features, target in rows_of:
        assert {features.dtype, target.dtype} == {np.dtype(np.float64)}
        assert features.shape == (len(target), 2)
    assert repr(rows_of) == "Scan('rows.data', 1 file, features=('x1', 'x2'), target='y')"


@KINDS
def test_batches_are_small_whatever_the_file_holds(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.data"
    WRITERS[kind](path)
    monkeypatch.setattr(arrow, "BATCH_CELLS", 3 * 64)
    monkeypatch.setattr(delimited, "PIECE", 4096)
    rows_of = scan(path, target="y", features=["x1", "x2"])
    assert max(len(target) for _, target in rows_of) == 64
    assert_same(rows_of, X, Y)


def test_the_summary_of_a_scan_is_that_of_its_rows(tmp_path: Path) -> None:
    parquet(tmp_path / "rows.parquet")
    rows_of = scan(tmp_path / "rows.parquet", target="y", features=["x1", "x2"])
    solution = rows_of.summary.solve()
    expected = np.linalg.lstsq(np.c_[np.ones(N), X], Y, rcond=None)[0]
    np.testing.assert_allclose([solution.bias, *solution.weights], expected, rtol=1e-9)
    assert rows_of.summary is rows_of.summary
    assert (rows_of.summary.features, rows_of.summary.target) == (("x1", "x2"), "y")


def test_files_and_folders_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    (folder / "year=2").mkdir(parents=True)
    for name, start in (("1.parquet", 0), ("2.parquet", 400), ("year=2/0.parquet", 700)):
        stop = {0: 400, 400: 700, 700: N}[start]
        pa.parquet.write_table(TABLE.slice(start, stop - start), folder / name)
    (folder / "_SUCCESS").write_text("")
    (folder / ".hidden").write_text("")
    data = read(folder, target="y", features=["x1", "x2"])
    assert_same(data, X, Y)
    assert data.name == "parts"
    paths: list[Path | str] = [folder / "2.parquet", str(folder / "1.parquet")]
    some = scan(paths, target="y", features=["x1", "x2"])
    assert_same(some, np.r_[X[400:700], X[:400]], np.r_[Y[400:700], Y[:400]])
    assert repr(some) == "Scan('parts', 2 files, features=('x1', 'x2'), target='y')"


def test_columns_may_stand_elsewhere_in_each_file(tmp_path: Path) -> None:
    pa.parquet.write_table(TABLE.slice(0, 400), tmp_path / "1")
    (tmp_path / "2").write_bytes(csv_bytes(TABLE.slice(400).select(["y", "x2", "x1"])))
    assert_same(read(tmp_path, target="y", features=["x1", "x2"]), X, Y)


def test_a_column_that_a_later_file_lacks(tmp_path: Path) -> None:
    pa.parquet.write_table(TABLE, tmp_path / "1")
    pa.parquet.write_table(TABLE.drop_columns("x2"), tmp_path / "2")
    with pytest.raises(InvalidSetting) as error:
        read(tmp_path, target="y", features=["x1", "x2"])
    assert str(error.value) == (
        f"features: got 'x2', expected a column of {tmp_path / '2'}; "
        "choose one of 'x1', 'label', 'y'"
    )


def test_columns_are_matched_by_name_where_none_are_chosen(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [10.0, 20.0, 30.0], "y": [5.0, 6.0, 8.0]})
    frame[:2].to_csv(tmp_path / "1.csv", index=False)
    frame[2:][["y", "b", "a"]].to_csv(tmp_path / "2.csv", index=False)
    for _ in range(2):
        data = scan(tmp_path, target="y")
        assert_same(data, frame[["a", "b"]].to_numpy(), frame["y"].to_numpy())
        assert_same(data.select(["b"]), frame[["b"]].to_numpy(), frame["y"].to_numpy())


OTHER_COLUMNS = [
    (["a", "y"], "no column 'b'", "say which columns are meant with features=['a']"),
    (
        ["a", "b", "c", "y"],
        "column 'c' besides",
        "say which columns are meant with features=['a', 'b']",
    ),
    (
        ["c", "d", "b", "y"],
        "no column 'a' and columns 'c', 'd' besides",
        "say which columns are meant with features=['b']",
    ),
    (["c", "y"], "no columns 'a', 'b' and column 'c' besides", "take that file out"),
]


@pytest.mark.parametrize(("columns", "got", "advice"), OTHER_COLUMNS)
def test_a_later_file_with_other_columns_is_refused_by_name(
    tmp_path: Path, columns: list[str], got: str, advice: str
) -> None:
    first, later = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text("a,b,y\n1,2,3\n4,6,9\n")
    later.write_text(",".join(columns) + "\n" + ",".join("7" for _ in columns) + "\n")
    with pytest.raises(InvalidData) as error:
        read(tmp_path, target="y")
    assert str(error.value) == f"{later}: got {got}, expected the columns of {first}; {advice}"
    wanted = error.value.suggest.get("features")
    if wanted is not None:
        assert len(read(tmp_path, target="y", features=wanted)) == 3  # type: ignore[arg-type]


def test_how_a_file_is_read_is_decided_once_for_all_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in (1, 2):
        (tmp_path / f"{part}.csv").write_text("a;b;y\n" + "1,5;2;3\n2,5;1;7\n3,5;5;1\n" * part)
    looked: list[str] = []
    find = layout.find_layout

    def found(head: bytes, **named: Any) -> layout.Layout:
        looked.append(named["name"])
        return find(head, **named)

    monkeypatch.setattr("thalweg.data.tables.find_layout", found)
    describe = delimited.Delimited.columns

    def described(table: delimited.Delimited) -> Any:
        looked.append(f"columns of {table.name}")
        return describe(table)

    monkeypatch.setattr(delimited.Delimited, "columns", described)
    rows_of = scan(tmp_path, target="y", decimal=",")
    run = thalweg.fit(rows_of, epochs=20, batch_size=4, lr=0.001)
    assert run.epochs == 20
    files = [str(tmp_path / f"{part}.csv") for part in (1, 2)]
    assert sorted(looked) == sorted([*files, *(f"columns of {file}" for file in files)])


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("touched", ["longer", "same size"])
def test_a_file_that_changes_between_passes_is_refused(
    tmp_path: Path, part: int, touched: str
) -> None:
    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for file in files:
        file.write_text("x,y\n1,2\n3,4\n")
    rows_of = scan(files, target="y")
    list(rows_of.batches())
    later = files[part].stat().st_mtime_ns + 10**9
    files[part].write_text("x,y\n1,2\n3,5\n" + ("5,6\n" if touched == "longer" else ""))
    os.utime(files[part], ns=(later, later))
    with pytest.raises(UnreadableFile) as error:
        list(rows_of.batches())
    assert str(error.value) == (
        f"{files[part]}: got a file that has changed since it was opened, expected the same rows "
        "in each pass; open it again once it is written"
    )
    assert len(read(files, target="y")) == (4 if touched == "same size" else 5)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "1,2\n" * 400_000)
    rows_of = scan(path, target="y").batches()
    next(rows_of)
    with path.open("a") as file:
        file.write("1,2\n")
    with pytest.raises(UnreadableFile, match="got a file that has changed since it was opened"):
        list(rows_of)


def test_a_scan_is_watched_by_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,2\n3,4\n")
    rows_of = scan(tmp_path / "t.csv", target="y")
    seen: list[int] = []
    with rows_of.watched(lambda rows, _: seen.append(rows)):
        with rows_of.watched(lambda rows, _: seen.append(-rows)):
            list(rows_of.batches())
        assert rows_of.watcher is not None
    list(rows_of.batches())
    assert seen == [2]


def test_every_type_of_number_is_read(tmp_path: Path) -> None:
    values = [1, 2, 100]
    kinds = [
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()),
        *(pa.uint64(), pa.float16(), pa.float32(), pa.float64()),
        *(pa.decimal128(9, 2), pa.decimal256(50, 3)),
    ]
    columns = {
        str(kind): pa.array(
            [Decimal(v) if pa.types.is_decimal(kind) else np.float16(v) for v in values]
            if pa.types.is_decimal(kind) or kind == pa.float16()
            else values,
            kind,
        )
        for kind in kinds
    }
    table = pa.table({**columns, "y": values})
    pa.feather.write_feather(table, str(tmp_path / "t.feather"))
    data = read(tmp_path / "t.feather", target="y")
    assert data.features == tuple(map(str, kinds))
    np.testing.assert_array_equal(data.X, np.repeat([[1], [2], [100]], len(kinds), axis=1))
    gaps = pa.table(
        {name: pa.concat_arrays([c, pa.nulls(1, c.type)]) for name, c in columns.items()}
    )
    pa.feather.write_feather(gaps.append_column("y", [[1, 2, 100, 3]]), str(tmp_path / "gaps"))
    with pytest.warns(ThalwegWarning):
        assert_same(read(tmp_path / "gaps", target="y", missing="drop"), data.X, data.y)


def test_columns_of_other_types_are_listed(tmp_path: Path) -> None:
    others = {
        "day": pa.array([date(2020, 1, 1)]),
        "at": pa.array([0], pa.timestamp("us")),
        "hour": pa.array([0], pa.time64("us")),
        "took": pa.array([0], pa.duration("s")),
        "ok": pa.array([True]),
        "name": pa.array(["a"]),
        "long": pa.array(["a"], pa.large_string()),
        "raw": pa.array([b"a"]),
        "kind": pa.array(["a"]).dictionary_encode(),
        "numbers": pa.array([[1.0]]),
    }
    pa.parquet.write_table(pa.table({"x": [1.0], **others, "y": [2.0]}), tmp_path / "t")
    with pytest.raises(InvalidData) as error:
        read(tmp_path / "t", target="y")
    assert str(error.value) == (
        f"{tmp_path / 't'}: got columns that are not numbers: 'day' (date), 'at' (date), "
        "'hour' (time), 'took' (time), 'name' (text), 'long' (text), "
        "'raw' (binary), 'kind' (category), 'numbers' (list<element: double>), expected numbers "
        "in each column that is fitted; leave them out with features=['x', 'ok'], or turn them "
        "into numbers first; words may be taken with categories=['name', 'long', 'kind']"
    )


def test_columns_that_share_a_name_or_hold_a_dot(tmp_path: Path) -> None:
    columns = [pa.array([1.0]), pa.array([2.0]), pa.array([3.0]), pa.array([4.0])]
    pa.parquet.write_table(
        pa.Table.from_arrays(columns, names=["a", "a", "a.b", "y"]), tmp_path / "t"
    )
    assert read(tmp_path / "t", target="y", features=["a.b"]).X.tolist() == [[3.0]]
    with pytest.raises(InvalidData, match="got 2 columns called 'a',"):
        read(tmp_path / "t", target="y")


def test_the_counts_of_texts_can_be_read_back(tmp_path: Path) -> None:
    write_counts(thalweg.salammbo(), tmp_path / "counts.csv")
    data = read(tmp_path / "counts.csv", target="A", features=["characters"])
    assert_same(data, thalweg.salammbo().X, thalweg.salammbo().y)
    with pytest.raises(InvalidData, match=r"leave them out with features=\['characters'\]"):
        read(tmp_path / "counts.csv", target="A")


# --- Missing and infinite values -------------------------------------------------------------


def with_gaps() -> tuple[pa.Table, np.ndarray]:
    """Punch holes of both kinds, and say which rows stay whole."""
    x, z, y = (list(range(N)), [float(i) for i in range(N)], [float(i) for i in range(N)])
    gaps: dict[str, list[Any]] = {"x": x, "z": z, "y": y}
    for column, row, hole in (
        *(("x", row, None) for row in (3, 4, 700)),
        *(("z", row, float("nan")) for row in (4, 200, 201, 998)),
        ("y", 999, None),
    ):
        gaps[column][row] = hole
    whole = np.setdiff1d(np.arange(N), [3, 4, 200, 201, 700, 998, 999])
    return pa.table(gaps), whole


@pytest.mark.parametrize("kind", ["parquet", "csv", "feather"])
@pytest.mark.parametrize("cells", [1 << 20, 3 * 50])
def test_missing_values_are_counted_to_the_end(
    tmp_path: Path, kind: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "BATCH_CELLS", cells)
    table, whole = with_gaps()
    path = tmp_path / "t"
    if kind == "csv":
        path.write_bytes(csv_bytes(table))
    elif kind == "parquet":
        pa.parquet.write_table(table, path)
    else:
        pa.feather.write_feather(table, str(path))
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    where = "rows 3, 4, 200, 201, 700 (counted from 0)"
    if kind == "csv":
        where = "lines 5, 6, 202, 203, 702"
    assert str(error.value) == (
        f"{path}: got missing values in 7 of 1,000 rows, in columns 'x' (3), 'z' (4), 'y' (1); "
        f"{where}, …, expected a value in each cell; "
        "fill them in, or use thalweg.read(…, missing='drop')"
    )
    with pytest.warns(ThalwegWarning) as caught:
        data = read(path, target="y", missing="drop")
    assert [str(warning.message) for warning in caught] == [
        f"{path}: 7 of 1,000 rows with missing values are left out"
    ]
    assert_same(data, np.c_[whole, whole], whole)


def test_few_missing_rows_are_all_named_and_dropping_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1,2\n,3\n4,NA\n5,6\n")
    with pytest.raises(InvalidData, match=r"in columns 'x' \(1\), 'y' \(1\); lines 3, 4, expected"):
        read(path, target="y")
    rows_of = scan(path, target="y", missing="drop")
    with pytest.warns(ThalwegWarning):
        list(rows_of.batches())
    list(rows_of.batches())  # warnings are errors here


def test_nothing_but_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pa.parquet.write_table(pa.table({"x": [1, 2], "empty": pa.nulls(2), "y": [1, 2]}), path)
    with pytest.raises(InvalidData) as error:
        read(path, target="y", missing="drop")
    assert str(error.value) == (
        f"{path}: got missing values in each of the 2 rows, expected one row without; "
        "leave 'empty' out, with features=['x']"
    )
    assert error.value.suggest == {"features": ["x"]}
    assert read(path, target="y", features=["x"], missing="drop").X.tolist() == [[1], [2]]
    with pytest.raises(InvalidData, match="name another target than 'empty', which has no values"):
        read(path, target="empty", missing="drop")


def test_infinite_values_are_no_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for text, got in (
        ("x,y\n1,2\n,inf\n3,-inf\n", "-inf in column 'y', line 4"),
        ("x,y\n1,2\n1e999,3\n", "inf in column 'x', line 3"),
    ):
        path.write_text(text)
        with pytest.raises(InvalidData) as error:
            read(path, target="y", missing="drop")
        assert str(error.value) == (
            f"{path}: got {got}, expected finite numbers; take that row out, or "
            "leave its cell empty to have it count as missing"
        )


def test_values_whose_sum_overflows_are_finite(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,y\n1e308,1e308\n1.7e308,-1.7e308\n")
    assert_same(read(path, target="y"), np.array([[1e308], [1.7e308]]), np.array([1e308, -1.7e308]))


def test_no_rows(tmp_path: Path) -> None:
    empty = TABLE.slice(0, 0)
    pa.parquet.write_table(empty, tmp_path / "1")
    pa.feather.write_feather(empty, str(tmp_path / "2"))
    for path in (tmp_path / "1", tmp_path / "2"):
        with pytest.raises(InvalidData) as error:
            read(path, target="y", features=["x1"])
        assert str(error.value) == (
            f"{path}: got no rows, expected at least one row; "
            "check the filter or the program that wrote them"
        )


def test_what_missing_may_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting) as error:
        read(tmp_path, target="y", missing="dorp")  # type: ignore[arg-type] # that is the point
    assert str(error.value) == (
        "missing: got 'dorp', expected one of 'error', 'drop'; did you mean 'drop'?"
    )


# --- Reading ahead ---------------------------------------------------------------------------


def readers() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("thalweg-read")]


def test_a_walk_that_is_left_early_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "BATCH_CELLS", 3 * 10)
    parquet(tmp_path / "t")
    batches = scan(tmp_path / "t", target="y", features=["x1", "x2"]).batches()
    next(batches)
    assert len(readers()) == 1
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    batches.close()
    assert readers() == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors - 1


def test_two_walks_at_once_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BATCH_CELLS", 3 * 10)
    parquet(tmp_path / "t")
    rows_of = scan(tmp_path / "t", target="y", features=["x1", "x2"])
    for (a, b), (c, d) in zip(rows_of, rows_of, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


def test_rows_are_memory_of_their_own(tmp_path: Path) -> None:
    feather(tmp_path / "t", "uncompressed")
    before = (tmp_path / "t").read_bytes()
    for features, target in scan(tmp_path / "t", target="y", features=["x1"]):
        features[:] = target[:] = 0.0
    assert (tmp_path / "t").read_bytes() == before


# --- Files that cannot be read ---------------------------------------------------------------

TABLES = "expected CSV or TSV in UTF-8, Parquet, Arrow or Feather"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    cases: list[tuple[Any, str, str]] = [
        (tmp_path / "none.csv", f"{tmp_path / 'none.csv'}: got no such file", "a file or a folder"),
        (tmp_path / "pipe", f"{tmp_path / 'pipe'}: got a device or a pipe", "a file or a folder"),
        (
            tmp_path / "empty",
            f"{tmp_path / 'empty'}: got a folder without files of rows",
            "at least one file",
        ),
        ([], "path: got an empty list", "at least one file"),
    ]
    for path, got, expected in cases:
        with pytest.raises(UnreadableFile) as error:
            read(path, target="y")
        assert str(error.value) == f"{got}, expected {expected}; check the name"


@pytest.mark.parametrize(
    ("content", "got", "advice"),
    [
        (b"FEA1\0\0\0\0", "Feather version 1", "write it again as version 2"),
        (gzip.compress(b"PAR1 and more", mtime=0), "a table inside gzip", "decompress it first"),
        (b"", "an empty file", "check the program that wrote it"),
        (
            b"\x89HDF\r\n\x1a\n\0\0",
            "an HDF5 file",
            "load it with pandas.read_hdf, and pass the frame",
        ),
        (
            b"SQLite format 3\0",
            "an SQLite database",
            "load a table with pandas.read_sql, and pass the frame",
        ),
        (b"\x93NUMPY\1\0", "an array of NumPy's", "load it with numpy.load, and pass X and y"),
        (b"PARE", "an encrypted Parquet file", "decrypt it first, with PyArrow and its key"),
        (b"PK\3\4", "a ZIP archive", "take the table out of it, or compress it with gzip"),
        (
            pickle.dumps([1.5]),
            "a pickle",
            "load it where you trust it, with pandas.read_pickle, and pass the frame",
        ),
        (b"\x7fELF\0\1", "binary content", None),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, content: bytes, got: str, advice: str | None) -> None:
    path = tmp_path / "t"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y")
    advised = advice or "export the table as one of them"
    assert str(error.value) == f"{path}: got {got}, {TABLES}; {advised}"


def outcome(path: Path) -> thalweg.Dataset | ThalwegError:
    """Read a file, or see our own error; any other stops the test."""
    try:
        return read(path, target="y", features=["x1", "x2"])
    except ThalwegError as error:
        return error


CUT = "check that it is whole, or write it again"


@pytest.mark.parametrize(
    ("kind", "got"),
    [
        (
            "gzip",
            "a file that cannot be read "
            "(Compressed file ended before the end-of-stream marker was reached)",
        ),
        ("bz2", "a file that cannot be read (Truncated compressed stream)"),
        ("zstd", "a file that cannot be read (Truncated compressed stream)"),
        (
            "xz",
            "a file that cannot be read "
            "(Compressed file ended before the end-of-stream marker was reached)",
        ),
    ],
)
def test_compressed_files_that_were_cut(tmp_path: Path, kind: str, got: str) -> None:
    path = tmp_path / "t"
    WRITERS[kind](path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y", features=["x1", "x2"])
    assert str(error.value) == f"{path}: got {got}, {TABLES}; {CUT}"


def test_a_stream_that_was_cut_or_continued(tmp_path: Path) -> None:
    path = tmp_path / "t"
    stream(path)
    content = path.read_bytes()
    for changed, got in (
        (content[:-8], "an Arrow stream without its end"),
        (content + content, "an Arrow stream that ends too early"),
    ):
        path.write_bytes(changed)
        assert str(outcome(path)) == f"{path}: got {got}, {TABLES}; {CUT}"


def test_a_parquet_file_whose_rows_are_not_all_there(tmp_path: Path) -> None:
    path = tmp_path / "t"
    parquet(path)
    content = path.read_bytes()
    rows_said = b"\x16\xd0\x0f"  # Thrift's compact form of a field that holds 1000
    assert content.count(rows_said) == 1
    path.write_bytes(content.replace(rows_said, b"\x16\xd4\x0f"))
    got = "2 rows fewer than it says it holds"
    assert str(outcome(path)) == f"{path}: got {got}, {TABLES}; {CUT}"


@KINDS
def test_a_file_cut_anywhere_gives_an_error_or_its_first_rows_if_it_is_text(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "t"
    WRITERS[kind](path)
    content = path.read_bytes()
    for length in {
        *range(0, len(content), len(content) // 60),
        *range(len(content) - 12, len(content)),
    }:
        path.write_bytes(content[:length])
        data = outcome(path)
        if isinstance(data, thalweg.Dataset):
            # Text does not say how long it is: what is left may be a table too, but for its end.
            assert kind in {"csv", "tsv", "gzip in parts"}
            np.testing.assert_array_equal(data.X, X[: len(data)])
            np.testing.assert_array_equal(data.y[:-1], Y[: len(data) - 1])


def test_a_run_file_is_no_data_whatever_its_columns_are_called(tmp_path: Path) -> None:
    """Its columns bear the features' names, so that it would pass for rows of them."""
    path = tmp_path / "run.parquet"
    thalweg.fit(thalweg.Dataset(X, Y, features=["x", "ü"], target="y"), epochs=2).save(path)
    refused = (
        f"{path}: got a run file, whose rows are the steps of a descent, expected rows of data; "
        "give the file that the run was fitted to, or another table"
    )
    for attempt in (
        lambda: read(path, target="loss", features=["x"]),
        lambda: scan([path], target="x"),
        lambda: list(scan_features(path, features=["x", "ü"])),
    ):
        with pytest.raises(UnreadableFile) as caught:
            attempt()
        assert str(caught.value) == refused


FUZZ = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize(
    "kind", ["parquet", "parquet, checked", "feather", "stream", "gzip", "zstd"]
)
@FUZZ
@given(st.lists(st.tuples(st.floats(0, 0.999999), st.binary(min_size=1, max_size=8)), min_size=1))
def test_damaged_bytes_raise_nothing_but_our_own(
    tmp_path: Path, kind: str, damage: list[tuple[float, bytes]]
) -> None:
    path = tmp_path / "t"
    WRITERS[kind](path)
    content = bytearray(path.read_bytes())
    for where, patch in damage:
        position = int(where * len(content))
        content[position : position + len(patch)] = patch
    path.write_bytes(content)
    found = outcome(path)
    assert isinstance(found, thalweg.Dataset) or "\n" not in str(found)


@FUZZ
@given(
    st.binary(max_size=200)
    | st.text(alphabet='xy,;\t|"\n\r 0123456789.-eé\ufeff\0', max_size=200).map(str.encode)
    | st.text(alphabet='1,2.\n"', max_size=300).map(lambda text: f"x,y\n{text}".encode())
)
def test_any_bytes_raise_nothing_but_our_own(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t"
    path.write_bytes(content)
    for decimal in (".", ","):
        try:
            data = read(path, target="y", decimal=decimal)
        except ThalwegError:
            continue
        assert data.X.shape[0] == data.y.shape[0] > 0
        assert np.isfinite(data.X).all()


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "parquet"])
def test_a_scan_travels_to_another_process(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{kind}"
    frame = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [1.0, 3.0, 2.0]})
    if kind == "parquet":
        frame.to_parquet(path)
    elif kind == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False)
    rows = thalweg.scan(path, target="y")
    for _ in range(2):  # before and after it was read
        copied = pickle.loads(pickle.dumps(rows))  # noqa: S301  # our own
        assert copied.digest == rows.digest
        assert copied.summary.to_bytes() == rows.summary.to_bytes()


def test_json_lines_of_mixed_columns_are_refused_with_what_helps(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"c": 1, "y": 2}\n{"c": "a", "y": 3}\n')
    with pytest.raises(UnreadableFile, match="write all of that column as texts, or all as num"):
        read(path, target="y", categories=["c"])
    path.write_text(path.read_text().replace("1", '"1"'))
    assert read(path, target="y", categories=["c"]).features == ("c_a",)
