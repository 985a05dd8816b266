"""Files as people have them: what other programs leave is read, or refused with a way out."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import thalweg
from thalweg.data.files import read, scan
from thalweg.errors import InvalidData, InvalidSetting, ThalwegError, ThalwegWarning, UnreadableFile


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(data: thalweg.Dataset) -> list[list[float]]:
    found: list[list[float]] = np.column_stack([data.X, data.y]).tolist()
    return found


# --- What a cell means ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "way", "expected"),
    [
        (["1,234", "2"], {"thousands": ","}, [1234.0, 2.0]),
        (["1,234,567", "2"], {"thousands": ","}, [1234567.0, 2.0]),
        (["1,234.5", "2"], {"thousands": ","}, [1234.5, 2.0]),
        (["1.234,5", "2"], {"thousands": ".", "decimal": ","}, [1234.5, 2.0]),
        (["1 234,5", "0,5"], {"thousands": " ", "decimal": ","}, [1234.5, 0.5]),
        (["1'234.5", "-0.5"], {"thousands": "'"}, [1234.5, -0.5]),
        (["1\u202f234", "12"], {"thousands": "\u202f"}, [1234.0, 12.0]),
        (["1,5", "2"], {"decimal": ","}, [1.5, 2.0]),
    ],
)
def test_the_advice_about_marks_in_numbers_is_right(
    tmp_path: Path, cells: list[str], way: dict[str, Any], expected: list[float]
) -> None:
    path = written(tmp_path, "x;y\n" + "".join(f"{cell};1\n" for cell in cells))
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    advised = [offer for offer in error.value.suggest.values() if isinstance(offer, dict)]
    assert way in advised
    for offer in advised:  # where the cells leave it open, both are said, and both can be read
        read(path, target="y", **offer)
    assert read(path, target="y", **way).X[:, 0].tolist() == expected


def test_where_cells_leave_it_open_both_ways_are_said(tmp_path: Path) -> None:
    path = written(tmp_path, 'x,y\n"1,234",2\n"2,500",3\n')
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    assert (
        "for a decimal comma use thalweg.read(…, decimal=','), for ',' between thousands "
        in str(error.value)
    )
    assert "thalweg.read(…, thousands=',')" in str(error.value)


def test_a_mark_that_would_break_another_column_is_not_advised(tmp_path: Path) -> None:
    path = written(tmp_path, "x;z;y\n1,234;1.5;2\n2,500;2.5;3\n")
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    assert [*error.value.suggest.values()] == [["z"], {"thousands": ","}]


@pytest.mark.parametrize("cell", ["1,23", "12,34", "1,2345", "1234,567", ",123", "1,,234"])
def test_groups_that_are_none_are_refused(tmp_path: Path, cell: str) -> None:
    path = written(tmp_path, f"x;y\n1;2\n{cell};3\n")
    with pytest.raises(ThalwegError):
        read(path, target="y", thousands=",")


def test_missing_values_as_they_are_written(tmp_path: Path) -> None:
    spellings = ["None", "<NA>", "NaT", " NA ", "  ", "", "null", "#N/A", "nan"]
    path = written(tmp_path, "x;y\n1;2\n" + "".join(f"{cell};3\n" for cell in spellings))
    with pytest.warns(thalweg.errors.ThalwegWarning, match="9 of 10 rows"):
        assert rows(read(path, target="y", missing="drop")) == [[1.0, 2.0]]


@pytest.mark.parametrize("na", ["?", ["?", "-"], -999, [-999, "?"], -999.0, np.int64(-999)])
def test_other_spellings_of_missing_values(tmp_path: Path, na: Any) -> None:
    cell = "?" if "?" in repr(na) and "999" not in repr(na) else "-999"
    path = written(tmp_path, f"x,y\n1,2\n{cell},3\n {cell} ,4\n5,6\n")
    with pytest.warns(thalweg.errors.ThalwegWarning, match="2 of 4 rows"):
        assert rows(read(path, target="y", missing="drop", na_values=na)) == [[1, 2], [5, 6]]


@pytest.mark.parametrize("na", [-999, "-999", -999.0, "-999.0"])
def test_a_number_that_means_missing_is_known_however_it_is_written(
    tmp_path: Path, na: Any
) -> None:
    path = written(tmp_path, "x,y\n1,2\n-999,3\n-999.0,4\n5,6\n")
    with pytest.warns(thalweg.errors.ThalwegWarning, match="2 of 4 rows"):
        assert rows(read(path, target="y", missing="drop", na_values=na)) == [[1, 2], [5, 6]]


def test_a_row_of_missing_cells_at_the_end_is_a_row(tmp_path: Path) -> None:
    path = written(tmp_path, "x\ty\n1\t2\n\t")
    with pytest.raises(InvalidData, match=r"missing values in 1 of 2 rows, .*; line 3, expected"):
        read(path, target="y")


@pytest.mark.parametrize("words", [("True", "False"), ("true", "false"), ("TRUE", "FALSE")])
def test_true_and_false_are_one_and_zero(tmp_path: Path, words: tuple[str, str]) -> None:
    yes, no = words
    path = written(tmp_path, f"x,b,y\n1,{yes},2\n3,{no},4\n5,{yes},6\n")
    assert read(path, target="y").X.tolist() == [[1, 1], [3, 0], [5, 1]]
    frame = pd.DataFrame({"b": [True, False, True], "y": [1.0, 2.0, 4.0]})
    for one in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        assert read(one, target="y").X.tolist() == [[1], [0], [1]]
    frame.to_parquet(tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet", target="y").X.tolist() == [[1], [0], [1]]


def test_dummies_of_pandas_are_numbers() -> None:
    frame = pd.DataFrame({"r": list("abac"), "y": [1.0, 2.0, 3.0, 5.0]})
    data = thalweg.read(pd.get_dummies(frame, columns=["r"], drop_first=True), target="y")
    assert data.features == ("r_b", "r_c")
    assert data.X.tolist() == [[0, 0], [1, 0], [0, 0], [0, 1]]


DECIMALS = [
    Decimal(text) for text in ("19.99", "0.07", "1.10", "-123456789012.34", "9007199254.41")
]


@pytest.mark.parametrize(("precision", "scale"), [(14, 2), (18, 2), (19, 2), (38, 20)])
def test_decimals_are_the_nearest_numbers(tmp_path: Path, precision: int, scale: int) -> None:
    y = np.arange(5.0)
    table = pa.table({"x": pa.array(DECIMALS, pa.decimal128(precision, scale)), "y": y})
    expected = [float(value) for value in DECIMALS]
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    pa.csv.write_csv(table, tmp_path / "t.csv")
    kinds = {
        "parquet": tmp_path / "t.parquet",
        "arrow": table,
        "pandas, arrow": table.to_pandas(types_mapper=pd.ArrowDtype),
        "pandas, objects": table.to_pandas(),
        "polars": pl.from_arrow(table),
        "csv": tmp_path / "t.csv",
    }
    digests = set()
    for name, kind in kinds.items():
        data = read(kind, target="y")
        assert data.X[:, 0].tolist() == expected, name
        digests.add(data.digest)
    assert len(digests) == 1


def test_whole_numbers_beyond_float64_are_rounded() -> None:
    table = pa.table({"x": pa.array([2**53 + 1, 2**63 - 1, 3]), "y": [1.0, 2.0, 4.0]})
    expected = [float(2**53 + 1), float(2**63 - 1), 3.0]
    for frame in (table, table.to_pandas(types_mapper=pd.ArrowDtype), pl.from_arrow(table)):
        assert read(frame, target="y").X[:, 0].tolist() == expected


# --- How a text is laid out -----------------------------------------------------------------------


def test_row_names_of_r_are_no_column(tmp_path: Path) -> None:
    table = '"x" "y"\n"1" 1.5 2\n"2" 2.5 3\n"3" 4 5\n'
    data = read(written(tmp_path, table), target="y")
    assert data.features == ("x",)
    assert rows(data) == [[1.5, 2], [2.5, 3], [4, 5]]
    named = "x;y\nAlps;1.5;2\nJura;2.5;3\n"
    assert rows(read(written(tmp_path, named), target="y")) == [[1.5, 2], [2.5, 3]]


def test_a_comma_too_many_is_no_row_name(tmp_path: Path) -> None:
    """It may be a decimal mark: 1,5 and 2."""
    with pytest.raises(UnreadableFile, match="3 cells in line 2"):
        read(written(tmp_path, "x,y\n1,5,2\n2,5,3\n"), target="y")


@pytest.mark.parametrize(
    "text",
    ["x,y,\n1,2,\n3,4,\n", "x,y\n1,2,\n3,4,\n", "x,y,\n1,2\n3,4\n", '"x","y",\n"1","2",""\n3,4,'],
)
def test_commas_at_the_ends_of_lines(tmp_path: Path, text: str) -> None:
    data = read(written(tmp_path, text), target="y")
    assert data.features == ("x",)
    assert rows(data) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("n", [3, 200_000])
def test_inch_marks_are_no_quotation_marks(tmp_path: Path, n: int) -> None:
    text = "pipe,x,y\n" + "".join(f'{k % 7}" pipe,{k},{k * k}\n' for k in range(n))
    data = read(written(tmp_path, text), target="y", features=["x"])
    assert data.X[:, 0].tolist() == list(range(n))


def test_a_quotation_mark_that_stays_open_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="quotation mark in line 3 that is never closed"):
        read(written(tmp_path, 'a,x,y\nb,1,2\n"c,3,4\nd,5,6\n'), target="y", features=["x"])


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    text = '# by hand\nnote,x,y\n"two\nlines",1,2\n\nb,,4\nc,5,6\n'
    with pytest.raises(InvalidData, match=r"; line 6, expected"):
        read(written(tmp_path, text), target="y", features=["x"], skip_rows=1)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "Größe;é\n1;2\n3;5\n".encode(encoding))
    data = read(path, target="é", encoding=encoding)
    assert data.features == ("Größe",)
    assert rows(data) == [[1, 2], [3, 5]]
    if encoding in ("utf-16", "utf-8-sig"):  # the text itself says it
        assert read(path, target="é").digest == data.digest


def test_a_text_that_does_not_begin_as_its_encoding_does(tmp_path: Path) -> None:
    path = written(tmp_path, b"x,y\n1,2\n3,5\n")
    with pytest.raises(UnreadableFile, match="a text that is not in utf-16, expected"):
        read(path, target="y", encoding="utf-16")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_text_of_two_bytes_a_letter_is_told_its_encoding(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, "x,y\n1,2\n3,5\n".encode(encoding))
    with pytest.raises(UnreadableFile, match="without the mark that tells their order") as error:
        read(path, target="y")
    assert error.value.suggest == {"read.encoding": encoding}
    assert rows(read(path, target="y", encoding=encoding)) == [[1, 2], [3, 5]]


def test_the_advice_about_an_encoding_is_right(tmp_path: Path) -> None:
    path = written(tmp_path, "Größe;y\n1;2\n3;5\n".encode("latin-1"))
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y")
    assert error.value.suggest == {"read.encoding": "latin-1"}
    assert read(path, target="y", encoding="latin-1").features == ("Größe",)
    path = written(tmp_path, "Größe;y (€)\n1;2\n3;5\n".encode("cp1252"))
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y (€)")
    assert error.value.suggest == {"read.encoding": "cp1252"}
    assert read(path, target="y (€)", encoding="cp1252").features == ("Größe",)


def test_comments_and_lines_above_the_table(tmp_path: Path) -> None:
    text = "made by, a program\n# x,y\nx,y # in m\n1,2\n# 3,4\n5,6 # sure\n"
    data = read(written(tmp_path, text), target="y", comment="#", skip_rows=1)
    assert rows(data) == [[1, 2], [5, 6]]
    quoted = 'note,x,y\n"no # here",1,2\n'
    data = read(written(tmp_path, quoted), target="y", features=["x"], comment="#")
    assert rows(data) == [[1, 2]]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("thousands", "."), ("thousands", ";"), ("thousands", ""), ("thousands", 3),
        ("comment", "ab"), ("comment", "\n"), ("comment", "."), ("skip_rows", -1),
        ("skip_rows", 1.5), ("skip_rows", True), ("encoding", "latin-9000"), ("encoding", "base64"),
        ("encoding", 5), ("na_values", [None]), ("na_values", object()), ("delimiter", 5),
        ("decimal", None),
    ],
)  # fmt: skip
def test_formats_that_are_none(tmp_path: Path, argument: str, value: Any) -> None:
    path = written(tmp_path, "x,y\n1,2\n")
    with pytest.raises(InvalidSetting, match=f"^{argument}: got "):
        read(path, target="y", **{argument: value})


# --- Files of other kinds -------------------------------------------------------------------------


def test_gzip_with_the_zeros_of_a_tape(tmp_path: Path) -> None:
    content = gzip.compress(b"x,y\n1,2\n") + gzip.compress(b"3,4\n") + bytes(4096)
    assert rows(read(written(tmp_path, content), target="y")) == [[1, 2], [3, 4]]


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_compressed_file_that_begins_with_a_frame_to_skip(
    tmp_path: Path, compression: str
) -> None:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, compression) as out:
        out.write(b"x,y\n1,2\n3,4\n")
    frame = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    content = frame + sink.getvalue().to_pybytes()
    assert rows(read(written(tmp_path, content), target="y")) == [[1, 2], [3, 4]]


def test_json_lines(tmp_path: Path) -> None:
    made = [{"x": 1, "y": 2, "w": "a"}, {"y": 4.5, "x": 3}, {"x": 2.5, "y": 6, "more": [1]}]
    path = written(tmp_path, "\n".join(map(json.dumps, made)))
    assert rows(read(path, target="y", features=["x"])) == [[1, 2], [3, 4.5], [2.5, 6]]
    with pytest.raises(InvalidData, match=r"not numbers: 'w' \(text\)"):
        read(path, target="y")
    with pytest.raises(UnreadableFile, match="an array in JSON"):
        read(written(tmp_path, json.dumps(made)), target="y")
    with pytest.raises(UnreadableFile, match="JSON"):
        read(written(tmp_path, '{"x": 1, "y": 2}\n{"x": '), target="y")


def test_workbooks(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in (
        ["x", "b", "w", "y"],
        [1, True, "a", 2],
        [2.5, False, None, 4],
        [3, True, "b", 5.5],
    ):
        sheet.append(row)
    book.save(tmp_path / "t.xlsx")
    data = read(tmp_path / "t.xlsx", target="y", features=["x", "b"])
    assert rows(data) == [[1, 1, 2], [2.5, 0, 4], [3, 1, 5.5]]
    with pytest.raises(InvalidData, match=r"not numbers: 'w' \(text\)"):
        read(tmp_path / "t.xlsx", target="y")


def test_a_part_with_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    written(tmp_path, "x,y\n", "1.csv")
    written(tmp_path, "y,x\n2,1\n4,3\n", "2.csv")
    data = read(tmp_path, target="y")
    assert rows(data) == [[1, 2], [3, 4]]
    (tmp_path / "2.csv").unlink()
    written(tmp_path, "x,y\n", "3.csv")
    with pytest.raises(InvalidData, match="got no rows"):
        read(tmp_path, target="y")
    assert scan(tmp_path, target="y").features == ("x",)


# --- Which files ----------------------------------------------------------------------------------


def test_what_lies_beside_the_data_in_a_folder_is_no_data(tmp_path: Path) -> None:
    written(tmp_path, "x,y\n1,2\n", "part-0000")
    written(tmp_path, "y,x\n4,3\n", "part-0001.csv")
    for name in ("README", "README.txt", "LICENSE", "notes.md", "plot.png", "load.py", "a.sha256"):
        written(tmp_path, "nothing\x00to fit", name)
    thalweg.fit([[1.0], [2.0]], [1.0, 3.0], epochs=3).save(tmp_path / "run.parquet")
    assert rows(read(tmp_path, target="y")) == [[1, 2], [3, 4]]
    with pytest.raises(UnreadableFile, match="a run file"):
        read(tmp_path / "run.parquet", target="y")
    with pytest.raises(UnreadableFile, match="a run file"):
        read([tmp_path / "part-0000", tmp_path / "run.parquet"], target="y")


def test_patterns_and_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "may").mkdir()
    for k in (3, 1, 2):
        written(tmp_path, f"x,y\n{k},{k * k}\n", f"may/{k}.csv")
    written(tmp_path, "x,y\n9,9\n", "may/[9].csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    expected = [[1.0, 1.0], [2.0, 4.0], [3.0, 9.0]]
    for pattern in ("may/[0-9].csv", "~/may/?.csv", str(tmp_path / "**" / "?.csv")):
        assert rows(read(pattern, target="y")) == expected, pattern
    assert rows(read("~/may/1.csv", target="y")) == [[1, 1]]
    assert rows(read("may/[9].csv", target="y")) == [[9, 9]]  # a file that is called so
    with pytest.raises(UnreadableFile) as error:
        read("may/*.parquet", target="y")
    assert str(error.value) == (
        "may/*.parquet: got a pattern of no file, expected at least one file; check the name"
    )


@pytest.mark.parametrize("address", ["s3://bucket/rows.csv", "https://a.org/b.csv?c=d"])
def test_addresses_are_refused_as_they_were_typed(address: str) -> None:
    with pytest.raises(UnreadableFile) as error:
        read(address, target="y")
    assert str(error.value) == (
        f"{address}: got an address, expected files on this machine; fetch them first"
    )


# --- Rows to predict for --------------------------------------------------------------------------


def test_predictions_go_by_names() -> None:
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [2.0, 1, 5, 7], "y": [1.0, 2, 3, 5]})
    run = thalweg.fit(frame, target="y", lr=0.1, epochs=5)
    expected = (frame[["a", "b"]].to_numpy() @ run.weights + run.bias).tolist()
    shuffled = frame[["y", "b", "a"]]
    kinds = [
        *(frame, shuffled, pl.from_pandas(shuffled), pa.Table.from_pandas(shuffled)),
        thalweg.Dataset(frame[["b", "a"]], frame["y"]),
        frame[["a", "b"]].to_numpy(),
    ]
    for X in kinds:
        assert run.predict(X).tolist() == expected
    with pytest.raises(InvalidSetting, match=r"^features: got 'b', expected a column of frame"):
        run.predict(frame[["a", "y"]])
    with pytest.raises(InvalidData, match=r"^X: got nan at row 1, column 1 \(1 such"):
        run.predict(frame.assign(b=[1.0, np.nan, 2, 3]))
    with pytest.raises(InvalidData, match=r"^X: got inf at row 0, column 0"):
        run.predict([[np.inf, 1.0]])
    one = thalweg.fit(frame["a"], frame["y"], epochs=5)
    assert one.predict(frame["a"]).tolist() == one.predict(frame).tolist()


def test_a_dataset_keeps_the_names_of_a_frame_and_a_series() -> None:
    frame = pd.DataFrame({"a": [1.0, 2], "b": [2.0, 1], "y": [1.0, 2]})
    data = thalweg.Dataset(frame[["b", "a"]], frame["y"])
    assert (data.features, data.target) == (("b", "a"), "y")
    assert thalweg.Dataset(frame[["a"]], [1, 2], target="z").target == "z"
    assert thalweg.Dataset(np.eye(2), frame["y"]).target == "y"


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl", None])
def test_what_a_text_alone_heeds_is_refused_where_numbers_would_be_others(
    tmp_path: Path, suffix: str | None
) -> None:
    frame = pd.DataFrame({"x": [1, -999, 3, 4], "y": [2.0, 4.0, 6.0, 9.0]})
    path = tmp_path / f"t.{suffix}"
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "arrow":
        frame.to_feather(path)
    elif suffix == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    table: Any = frame if suffix is None else path
    name = "a frame" if suffix is None else str(path)
    with pytest.raises(InvalidSetting) as error:
        read(table, target="y", na_values=-999, missing="drop")
    assert str(error.value) == (
        f"na_values: got a setting beside {name}, which is no plain text, expected nothing: what "
        "is missing there has no value; make these values missing first, as in "
        "frame.replace(-999, None), and pass the frame"
    )
    with pytest.warns(ThalwegWarning, match="1 of 4 rows"):
        assert len(read(frame.replace(-999, None), target="y", missing="drop")) == 3
    with pytest.raises(InvalidSetting) as error:
        read(table, target="y", skip_rows=1)
    assert str(error.value) == (
        f"skip_rows: got a setting beside {name}, which is no plain text, expected nothing: the "
        "table begins at once; take the rows above the table out of it, or save it as CSV"
    )


def test_a_workbook_has_the_spellings_of_missing_values_that_texts_have(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    book = openpyxl.Workbook()
    for row in (
        [], ["Report 2024"], ["x", "k", "y"], [1, "a", 2.0], ["NA", "b", 3.0], [3, " n/a ", 4.0],
        [-999, "b", 5.0], [4, "?", 6.0], [5, "b", 7.0],
    ):  # fmt: skip
        book.active.append(row)
    book.save(path)
    asked: Any = {"skip_rows": 2, "na_values": [-999, "?"], "missing": "drop", "categories": "all"}
    with pytest.warns(ThalwegWarning, match="4 of 6 rows"):
        data = read(path, target="y", **asked)
    assert (data.features, data.X.tolist()) == (("x", "k_b"), [[1.0, 0.0], [5.0, 1.0]])
    with pytest.raises(InvalidData, match=r"4 of 6 rows, in columns 'x' \(2\), 'k' \(2\);"):
        read(path, target="y", **{**asked, "missing": "error"})
