"""Letters are counted by the lesson's rule, and files of text are refused in clear sentences."""

import io
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg
from thalweg.data.texts import count_files, count_letters, read_texts, write_counts
from thalweg.errors import InvalidData, InvalidSetting, ThalwegWarning, UnreadableFile

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the texts of the novel are not beside this checkout"
)


def counted(
    text: str, letter: str = "a", *, fold_accents: bool = False, alphabetic_only: bool = False
) -> tuple[int, int]:
    counts = count_letters(
        [text], letter, fold_accents=fold_accents, alphabetic_only=alphabetic_only
    )
    return int(counts.X[0, 0]), int(counts.y[0])


@needs_corpus
def test_the_chapters_give_the_built_in_table() -> None:
    counts = count_files(sorted(CORPUS.glob("*ch*.txt")))
    built_in = thalweg.salammbo()
    np.testing.assert_array_equal(counts.X, built_in.X)
    np.testing.assert_array_equal(counts.y, built_in.y)
    assert (counts.features, counts.target, counts.units) == (
        built_in.features,
        built_in.target,
        built_in.units,
    )
    assert counts.chapters[0] == "salammbo_fr_ch01.txt"
    assert count_files([CORPUS / "salammbo_fr_ch01.txt"], letter="e").y[0] == 4312


@needs_corpus
def test_the_whole_novel_cut_at_its_titles_gives_the_built_in_table() -> None:
    counts = count_files([CORPUS / "salammbo_fr_whole.txt"], split=r"^.+\n\n")
    np.testing.assert_array_equal(counts.X, thalweg.salammbo().X)
    np.testing.assert_array_equal(counts.y, thalweg.salammbo().y)
    assert counts.chapters[:2] == ("Le Festin", "À Sicca")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b, a!", (7, 2)),  # spaces and punctuation count
        ("Abba", (4, 2)),  # either case
        ("a\n\n\nb", (3, 1)),  # a run of line breaks is one character
        ("a\r\n\r\nb", (3, 1)),
        ("a\rb", (3, 1)),
        ("a\n \nb", (5, 1)),  # a blank line of spaces is no run
        ("  \n a \t\n", (1, 1)),  # white space at both ends does not count
        ("\ufeffa", (1, 1)),  # nor does a byte order mark
        ("à â ä Á", (7, 0)),  # a letter with an accent is another letter
        ("ª æ", (3, 0)),
        ("a\u0331", (2, 0)),  # also with an accent that has no composed form
        ("a\u20dd b a", (6, 1)),
        ("🙂 a", (3, 1)),
    ],
)
def test_the_rule(text: str, expected: tuple[int, int]) -> None:
    assert counted(text) == expected


@pytest.mark.parametrize(
    ("text", "letter", "expected"),
    [
        ("été Été É", "é", 5),
        ("ÉTÉ", "e\u0301", 2),
        ("Straße STRAẞE s", "ß", 2),
        ("Straße s", "s", 2),
        ("ΣΟΦΟΣ σοφός", "σ", 4),  # the final form too
        ("Iıi İ", "i", 2),  # Turkish: dotless and dotted are letters of their own
        ("日本日", "日", 2),
    ],
)
def test_any_letter_can_be_counted(text: str, letter: str, expected: int) -> None:
    assert counted(text, letter)[1] == expected


def test_the_target_is_the_letter_in_upper_case() -> None:
    names = {"a": "A", "é": "É", "ß": "ß", "日": "日", "ı": "ı", "i": "I"}
    assert {letter: count_letters(["x"], letter).target for letter in names} == names
    assert count_letters(["x"], "é", fold_accents=True).target == "E"


def test_folding_takes_accents_off_the_texts_and_off_the_letter() -> None:
    text = "à â Ä a\u0331 æ ç İ"
    assert counted(text, fold_accents=True) == (len(unicodedata.normalize("NFC", text)), 4)
    assert counted("été e E", "é", fold_accents=True) == (7, 4)
    assert counted("가나", "가", fold_accents=True) == (2, 1)


def test_alphabetic_only_leaves_out_what_is_no_letter() -> None:
    assert counted("L'été 1862,\nà Tunis…", alphabetic_only=True) == (10, 0)


@given(st.text(alphabet="aàAâe\u0301\u0300 .\n", min_size=1).filter(str.strip))
def test_how_an_accent_was_typed_makes_no_difference(text: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    for fold in (False, True):
        assert counted(composed, fold_accents=fold) == counted(decomposed, fold_accents=fold)


@given(st.text(alphabet="aA bé,\n", min_size=1).filter(str.strip), st.sampled_from(["\r\n", "\r"]))
def test_the_counts_are_those_of_a_walk_by_hand(text: str, line_end: str) -> None:
    characters, before = 0, ""
    for character in text.strip():
        characters += not (character == before == "\n")
        before = character
    letters = text.count("a") + text.count("A")
    assert counted(text.replace("\n", line_end)) == (characters, letters)


def test_the_rows_are_the_texts_in_order_with_their_names() -> None:
    counts = count_letters(["aa", "b"], names=["I", "II"])
    assert counts.chapters == ("I", "II")
    np.testing.assert_array_equal(counts.X, [[2.0], [1.0]])
    np.testing.assert_array_equal(counts.y, [2.0, 0.0])
    assert count_letters(["a", "b"]).chapters == ("chapter 1", "chapter 2")


LETTER = "expected a single letter; pass one letter, such as 'a' or 'é'"
TEXTS = "expected a list of texts, none blank"


@pytest.mark.parametrize("letter", ["", "ab", "1", " ", "a\u0331", None, 3])
def test_what_is_no_single_letter(letter: str) -> None:
    with pytest.raises(InvalidSetting) as error:
        count_letters(["a"], letter)
    assert str(error.value) == f"letter: got {letter!r}, {LETTER}"


def test_texts_that_cannot_be_rows() -> None:
    cases: list[tuple[object, str]] = [
        ("one text", f"texts: got a single string, {TEXTS}; put it in a list: [text]"),
        ([], f"texts: got no text at all, {TEXTS}; pass one text for each row"),
        (["a", " \n"], f"texts: got a blank text at index 1, {TEXTS}; leave it out"),
        (
            [b"a"],
            f"texts: got bytes at index 0, {TEXTS}; "
            "read files with thalweg.data.texts.read_texts(paths)",
        ),
    ]
    for texts, expected in cases:
        with pytest.raises(InvalidData) as error:
            count_letters(texts)  # type: ignore[arg-type] # that is the point
        assert str(error.value) == expected


def test_names_that_do_not_fit() -> None:
    with pytest.raises(InvalidSetting) as error:
        count_letters(["a", "b"], names=["I"])
    assert str(error.value) == (
        "names: got 1 names, expected 2, one for each text; "
        "leave names out to have the chapters numbered"
    )


def test_files_are_read_as_utf8_without_their_mark(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffà\r\nla".encode())
    assert read_texts([tmp_path / "a.txt"]) == ["à\r\nla"]


def test_files_that_are_no_text(tmp_path: Path) -> None:
    contents = {
        "latin.txt": ("déjà".encode("latin-1"), "a byte that is not UTF-8 at position 1"),
        "utf16.txt": ("abc".encode("utf-16"), "a byte that is not UTF-8 at position 0"),
        "utf16le.txt": ("abc".encode("utf-16-le"), "a NUL character"),
        "empty.txt": (b"", "an empty file"),
        "blank.txt": (b"\xef\xbb\xbf \n", "an empty file"),
    }
    advice = {"a": "save the file again with the encoding UTF-8"}
    for name, (content, got) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        empty = got == "an empty file"
        advised = "leave it out, or name the right one" if empty else advice["a"]
        with pytest.raises(UnreadableFile) as error:
            read_texts([path])
        assert str(error.value) == f"{path}: got {got}, expected a file of text in UTF-8; {advised}"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    places = {
        tmp_path / "none.txt": "no such file or directory",
        tmp_path: "a folder",
        tmp_path / "\0": "embedded null byte",
    }
    for path, got in places.items():
        with pytest.raises(UnreadableFile) as error:
            count_files([path])
        assert str(error.value) == (
            f"{path}: got {got}, expected a file of text in UTF-8; check the name"
        )


def cut(folder: Path, text: str, pattern: str) -> list[tuple[str, int]]:
    """Give the heading and the characters of each chapter, counted from a file."""
    (folder / "text").write_text(text, encoding="utf-8", newline="")
    counts = count_files([folder / "text"], split=pattern)
    return list(zip(counts.chapters, map(int, counts.X[:, 0]), strict=True))


def test_a_heading_is_a_whole_line_and_opens_its_chapter(tmp_path: Path) -> None:
    text = "  I. Aube\nun\n\nII. Soir\r\ndeux\r\nIII. Nuit\ntrois"
    chapters = ["I. Aube\nun", "II. Soir\ndeux", "III. Nuit\ntrois"]
    assert cut(tmp_path, text, r"[IVX]+\.") == [(c.split("\n")[0], len(c)) for c in chapters]


@pytest.mark.parametrize(
    "pattern", [r"^\w\w+\n\n", r"\n*^[A-Z]+$", r"^(?=[A-Z]+$)", r"(ONE|TWO)", "^.*[ET].*$"]
)
def test_the_same_headings_found_in_other_ways(tmp_path: Path, pattern: str) -> None:
    found = cut(tmp_path, "\n\nONE\n\nx\n\n\nTWO\n\ny\n", pattern)
    assert found == [("ONE", len("ONE\nx")), ("TWO", len("TWO\ny"))]


def test_headings_are_found_however_their_accents_were_typed(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Été\nx")
    assert cut(tmp_path, decomposed, "^Été$") == [("Été", len("Été\nx"))]


def test_what_stands_before_the_first_heading_is_left_out_and_said(tmp_path: Path) -> None:
    with pytest.warns(ThalwegWarning) as caught:
        chapters = cut(tmp_path, "By A. Author\n\nI\nx\n", "^I$")
    assert chapters == [("I", len("I\nx"))]
    assert str(caught[0].message) == (
        f"{tmp_path / 'text'}: 12 characters before the first heading belong to no chapter and "
        "are left out"
    )


def test_patterns_that_cut_nothing_sensible(tmp_path: Path) -> None:
    name = tmp_path / "text"
    cases = {
        "[": (
            "'[' (unterminated character set at position 0), expected a valid regular "
            "expression; escape characters such as ( [ * + with a backslash"
        ),
        "^X$": (
            f"'^X$', which finds nothing in {name}, expected a regular expression that finds the "
            r"headings; try it on one heading first, for example ^CHAPTER \w+$"
        ),
        "^I+$": (
            f"'^I+$', which finds 'I' in {name} with no text below, expected a regular expression "
            "that finds only the headings of chapters; make it narrower, or cut the table of "
            "contents out of the file"
        ),
    }
    for pattern, expected in cases.items():
        with pytest.raises(InvalidSetting) as error:
            cut(tmp_path, "I\nII\nI\nx\nII\ny\n", pattern)
        assert str(error.value) == f"split: got {expected}"


def test_each_file_is_cut_and_named_in_errors(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("I\naa\nII\na\n")
    (tmp_path / "2.txt").write_text("III\nA\n")
    counts = count_files([tmp_path / "1.txt", tmp_path / "2.txt"], split="^I+$")
    assert counts.chapters == ("I", "II", "III")
    np.testing.assert_array_equal(counts.y, [2, 1, 1])
    (tmp_path / "2.txt").write_text("nothing")
    with pytest.raises(InvalidSetting, match=re.escape(f"finds nothing in {tmp_path / '2.txt'},")):
        count_files([tmp_path / "1.txt", tmp_path / "2.txt"], split="^I+$")


def test_counts_are_written_as_csv(tmp_path: Path) -> None:
    counts = count_letters(["a, b", "c"], names=['I, "the first"', "II"])
    stream = io.StringIO()
    write_counts(counts, stream)
    write_counts(counts, tmp_path / "counts.csv")
    expected = 'chapter,characters,A\n"I, ""the first""",4,1\nII,1,0\n'
    assert stream.getvalue() == (tmp_path / "counts.csv").read_bytes().decode() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["counts.csv"]


def test_a_table_without_names_is_written_too() -> None:
    stream = io.StringIO()
    write_counts(thalweg.salammbo(), stream)
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["chapter,characters,A", "chapter 1,36961,2503"]
    assert len(lines) == 16
