"""Text becomes a table: delimiter, header and types found, faults are told with their place."""

import io
import math
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from thalweg.data import delimited
from thalweg.data.delimited import Delimited
from thalweg.data.files import read
from thalweg.data.layout import Layout, find_layout
from thalweg.data.reading import Dialect
from thalweg.data.text_format import TextFormat
from thalweg.errors import InvalidData, InvalidSetting, UnreadableFile

layout_of = partial(find_layout, name="t.csv", written=TextFormat(), complete=True)


def written(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x,y\n1,2\n", (",", ("x", "y"), True, 4)),
        ("x;y\n1,5;2,5\n3,5;4,5\n", (";", ("x", "y"), True, 4)),
        ("x\ty\n1,000\t2\n", ("\t", ("x", "y"), True, 4)),
        ("x|y\n1|2\n", ("|", ("x", "y"), True, 4)),
        ('"x, in m";y\n1;2\n', (";", ("x, in m", "y"), True, 12)),
        (" x , y \n1,2\n", (",", ("x", "y"), True, 8)),
        ("\ufeffx,y\n1,2\n", (",", ("x", "y"), True, 7)),
        ("\r\n\r\nx,y\r\n1,2\r\n", (",", ("x", "y"), True, 9)),
        ("x,y\r1,2\r", (",", ("x", "y"), True, 4)),
        ('"x\ny",y\n1,2\n', (",", ("x\ny", "y"), True, 8)),
        ("1,2\n3,4\n", (",", ("column1", "column2"), False, 0)),
        ("\ufeff1,2\n3,4\n", (",", ("column1", "column2"), False, 3)),
        ("Paris,2.5\nRome,3\n", (",", ("column1", "column2"), False, 0)),
        ("year,y,1990\na,1,2\n", (",", ("year", "y", "1990"), True, 12)),
        ("x,NA\n1,2\n", (",", ("x", "NA"), True, 5)),
        ("été,y\n1,2\n", (",", ("été", "y"), True, 8)),
        ("note,x;y\na,b,1;2\nc,d,e,3;4\n", (";", ("note,x", "y"), True, 9)),
        ("city;x;y\nA, B;1;2\nC, D;3;4\n", (";", ("city", "x", "y"), True, 9)),
        ("x,y", (",", ("x", "y"), True, 3)),
    ],
)
def test_the_layout_is_found(text: str, expected: tuple[str, tuple[str, ...], bool, int]) -> None:
    found = layout_of(text.encode(), target="y")
    assert (found.delimiter, found.names, found.has_header, found.body) == expected


def test_lines_of_blanks_are_no_rows(tmp_path: Path) -> None:
    text = "x,y\n  \n1,2\n   \n\n3,4\n5,"
    assert read(written(tmp_path, text + "6\n  "), target="y").X.ravel().tolist() == [1, 3, 5]
    with pytest.raises(InvalidData, match=r"\(1\); line 7, "):
        read(written(tmp_path, text), target="y")
    with pytest.raises(UnreadableFile, match="got 1 cell in line 7,"):
        read(written(tmp_path, text[:-1]), target="y")


def test_a_frame_as_pandas_prints_it_is_read(tmp_path: Path) -> None:
    rows = read(written(tmp_path, "     x    y\n0  1.5  2.0\n1  2.0  3.5\n"), target="y")
    assert (rows.features, rows.X.ravel().tolist()) == (("x",), [1.5, 2.0])


def test_a_delimiter_that_is_known_is_not_looked_for() -> None:
    assert layout_of(b"a,b;y\n1,2;3\n", target="z", written=TextFormat(",")).names == ("a", "b;y")


@pytest.mark.parametrize(
    ("content", "got", "advice"),
    [
        (b"", "an empty file", "check the program that wrote it"),
        (b"\xef\xbb\xbf\r\n ", "an empty file", "check the program that wrote it"),
        (
            "é,y".encode("latin-1"),
            "a byte that is not UTF-8 at position 0",
            "for a text of Western Europe use thalweg.read(…, encoding='latin-1'), or export it "
            "as one of them",
        ),
        (b"x\0\1,y\2", "binary content", None),
        (b"PK\x03\x04\0\0", "binary content", None),
    ],
)
def test_what_is_no_text(content: bytes, got: str, advice: str | None) -> None:
    with pytest.raises(UnreadableFile) as error:
        layout_of(content, target="y")
    assert str(error.value) == (
        f"t.csv: got {got}, expected CSV or TSV in UTF-8, Parquet, Arrow or Feather; "
        + (advice or "export the table as one of them")
    )


def test_a_character_cut_at_the_end_of_the_head_is_no_fault() -> None:
    head = "x,y\n1,2\n3,é".encode()[:-1]
    assert layout_of(head, target="y", complete=False).names == ("x", "y")


def test_delimiters_and_decimal_marks_that_are_none() -> None:
    for delimiter in ("", "ab", '"', "\n", "é"):
        with pytest.raises(InvalidSetting) as error:
            TextFormat.of(delimiter=delimiter)
        assert str(error.value) == (
            f"delimiter: got {delimiter!r}, expected a single character; "
            r"name the one between the columns, such as ';' or '\t'"
        )
    with pytest.raises(InvalidSetting) as error:
        TextFormat.of(decimal=";")
    assert str(error.value) == (
        "decimal: got ';', expected '.' or ','; leave it out for a decimal point"
    )


def test_values_are_read_to_the_last_bit(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    sizes = 10.0 ** generator.integers(-300, 300, 2000)
    values = (generator.uniform(-1, 1, 2000) * sizes).tolist()
    values += [5e-324, math.ulp(0.0), 2.0**53 + 2, -0.0, 1.7976931348623157e308]
    digits = [f"{value:.{generator.integers(1, 25)}e}" for value in values]
    rows = "".join(f"{a},{b!r}\n" for a, b in zip(digits, values, strict=True))
    data = read(written(tmp_path, "x,y\n" + rows), target="y")
    np.testing.assert_array_equal(data.y, values)
    np.testing.assert_array_equal(data.X[:, 0], [float(Fraction(text)) for text in digits])


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_and_blank_lines_make_no_difference(tmp_path: Path, line_end: str) -> None:
    text = line_end.join(["", "x, y", "1, 2", "", '"3" ,4e0'])
    data = read(written(tmp_path, text), target="y")
    np.testing.assert_array_equal(data.X, [[1], [3]])
    np.testing.assert_array_equal(data.y, [2, 4])


def test_a_decimal_comma_is_read_when_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "x;y\n1,5;2\n-3,25;4,5\n")
    data = read(path, target="y", decimal=",")
    np.testing.assert_array_equal(data.X[:, 0], [1.5, -3.25])
    np.testing.assert_array_equal(data.y, [2, 4.5])


def test_a_decimal_comma_is_recognised(tmp_path: Path) -> None:
    path = written(tmp_path, "x;y\n1,5;2\n-3,25;4,5\n")
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    assert str(error.value) == (
        f"{path}: got columns that are not numbers: "
        "'x' (text, such as '1,5'), 'y' (text, such as '4,5'), "
        "expected numbers in each column that is fitted; for a decimal comma use "
        "thalweg.read(…, decimal=','); else turn them into numbers first, or name another target"
    )


def test_decimal_commas_between_commas_are_guessed_at(tmp_path: Path) -> None:
    path = written(tmp_path, "x,y\n1,5,2,5\n")
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y")
    assert str(error.value) == (
        f"{path}: got 4 cells in line 2, expected 2 cells in each row; if the "
        "commas are decimal marks, separate the columns by semicolons and use "
        "thalweg.read(…, decimal=',')"
    )


@pytest.mark.filterwarnings("ignore:.*missing values are left out")
def test_one_word_among_numbers_may_stand_for_a_missing_value(tmp_path: Path) -> None:
    path = written(tmp_path, "x,z,y\n1,?,2\n-,4,3\n2,5,5\n3,1,1\n-,?,4\n")
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    spelled = error.value.suggest["read.na_values"]
    assert spelled == ["-", "?"]
    rows = read(path, target="y", na_values=spelled, missing="drop")
    assert rows.X.tolist() == [[2.0, 5.0], [3.0, 1.0]]


def test_columns_of_other_kinds_are_named_with_what_they_hold(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "day,at,seen,city,x,odd,none,y\n"
        "2020-01-01,2020-01-01 10:00:00,true,Rome,1,?,,1\n"
        "2020-01-02,2020-01-01 11:00:00,false,N/A,2,7,,2\n",
    )
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    assert str(error.value) == (
        f"{path}: got columns that are not numbers: 'day' (date), 'at' (date), "
        "'city' (text, such as 'Rome'), 'odd' (text, such as '?'), "
        "expected numbers in each column that is fitted; "
        "where '?' stands for a missing value use thalweg.read(…, na_values=['?']); else "
        "leave them out with features=['seen', 'x', 'none'], or turn them into numbers first; "
        "words may be taken with categories=['city', 'odd']"
    )
    assert read(path, target="y", features=["x"]).X[:, 0].tolist() == [1, 2]


def test_an_exported_index_is_not_taken_for_a_feature(tmp_path: Path) -> None:
    path = written(tmp_path, ",x,y\n0,5,6\n1,7,8\n")
    with pytest.raises(InvalidData) as error:
        read(path, target="y")
    assert str(error.value) == (
        f"{path}: got '' among the features, named as an index is, expected columns with names "
        "of their own; leave it out with features=['x'], or name it among the features to take it"
    )
    assert read(path, target="y", features=["", "x"]).features == ("", "x")


def test_names_of_a_table_without_header(tmp_path: Path) -> None:
    path = written(tmp_path, "1,2\n3,5\n")
    np.testing.assert_array_equal(read(path, target="column2").y, [2, 5])
    with pytest.raises(InvalidSetting) as error:
        read(path, target="y")
    assert str(error.value) == (
        f"target: got 'y', expected a column of {path} (it has no header); "
        "choose one of 'column1', 'column2'"
    )


def test_a_header_alone(tmp_path: Path) -> None:
    for text in ("x,y", "x,y\r\n\r\n"):
        path = written(tmp_path, text)
        with pytest.raises(UnreadableFile) as error:
            read(path, target="y")
        assert str(error.value) == (
            f"{path}: got a header and no rows, expected rows of values below the header; "
            "check the filter or the program that wrote the file"
        )


MANY = 600  # rows: many pieces of the size below


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut text into pieces that hold a dozen rows."""
    monkeypatch.setattr(delimited, "HEAD", 256)
    monkeypatch.setattr(delimited, "PIECE", 200)
    monkeypatch.setattr(delimited, "BLOCK", 64)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("note", ["", "plain", '"a\nb"', '"a ""b"" c,\r\n"', '"x\n\n\ny,"', '5" x'])
def test_where_pieces_are_cut_makes_no_difference(tmp_path: Path, note: str, line_end: str) -> None:
    generator = np.random.default_rng(1)
    rows = [(float(generator.random()), int(generator.integers(10**9))) for _ in range(MANY)]
    text = line_end.join(["x,note,y", *(f"{x!r},{note},{y}" for x, y in rows)])
    data = read(written(tmp_path, text), target="y", features=["x"])
    np.testing.assert_array_equal(data.X[:, 0], [x for x, _ in rows])
    np.testing.assert_array_equal(data.y, [y for _, y in rows])


@pytest.mark.usefixtures("small_pieces")
def test_numbers_with_a_point_may_follow_whole_ones(tmp_path: Path) -> None:
    text = "x,y\n" + "1,2\n" * MANY + "1.5,2.5\n"
    assert read(written(tmp_path, text), target="y").X[-1, 0] == 1.5


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("row", [0, 7, 234, MANY - 1])
@pytest.mark.parametrize(
    ("cells", "got"),
    [
        ("1", "1 cell in line {line}"),
        ("1,2,3,4", "4 cells in line {line}"),
        ("1,n,oops", "'oops' in column 'y', line {line}"),
        ('1,"a\nb",1 2', "'1 2' in column 'y', line {line}"),
        ("1,n,true", "'true' in column 'y', line {line}"),
        ("1,n,2020-01-01", "'2020-01-01' in column 'y', line {line}"),
    ],
)
def test_a_fault_is_found_in_its_row(tmp_path: Path, row: int, cells: str, got: str) -> None:
    lines = ["1,n,2"] * MANY
    lines[row] = cells
    lines.insert(3, "")  # a blank line is no row
    path = written(tmp_path, "\n".join(["x,note,y", *lines]))
    if row in (0, 7) and "cell" not in got:
        # Within the first kilobyte the column counts as text as a whole.
        with pytest.raises(InvalidData, match="columns that are not numbers"):
            read(path, target="y", features=["x"])
        return
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y", features=["x"])
    expected = "3 cells in each row" if "cell" in got else "numbers there"
    advice = "correct that cell, or leave it empty to have it count as missing"
    if "cell" in got:
        advice = "put quotation marks around cells that contain ','"
    if "1 cell" in got:
        advice = "fill that row up, or take it out where it is a note beside the table"
    assert str(error.value) == (
        f"{path}: got {got.format(line=row + 2 + (row >= 3))}, expected {expected}; {advice}"
    )


@pytest.mark.usefixtures("small_pieces")
def test_a_late_decimal_comma_is_recognised(tmp_path: Path) -> None:
    path = written(tmp_path, "x;y\n" + "1;2\n" * MANY + "1,5;3\n")
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y")
    assert str(error.value) == (
        f"{path}: got '1,5' in column 'x', line {MANY + 2}, expected numbers there; "
        "for a decimal comma use thalweg.read(…, decimal=',')"
    )


def test_a_quotation_mark_that_is_never_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_pieces: None
) -> None:
    monkeypatch.setattr(delimited, "LONGEST_ROW", 1_000)
    path = written(tmp_path, 'x,note,y\n1,"open,2\n' + "1,n,2\n" * MANY)
    with pytest.raises(UnreadableFile) as error:
        read(path, target="y", features=["x"])
    assert str(error.value) == (
        f"{path}: got a quotation mark in line 2 that is never closed, expected rows that end; "
        "close it, or write it twice inside quotation marks"
    )


ONE_CELL = Layout(",", ("x",), (0,), 1, True, 0)


def test_pieces_are_whole_rows_and_nothing_is_lost() -> None:
    generator = np.random.default_rng(3)
    cells = ["1", '"a\nb"', '"c""d"', "", "\n"]
    for _ in range(200):
        content = "".join(
            cells[generator.integers(5)] + ",,\n"[generator.integers(3)] for _ in range(50)
        ).encode()
        size = int(generator.integers(1, 60))
        made = Delimited("t", partial(io.BytesIO, content), ONE_CELL, TextFormat(), Dialect("text"))
        found = [bytes(piece.content) for piece in made._pieces(made.open(), size)]
        assert b"".join(found).replace(b"\n", b"") == content.replace(b"\n", b"")
        for piece in found[:-1]:
            assert piece.endswith(b"\n")
            assert piece.count(b'"') % 2 == 0
