"""Letters counted in texts: the table of characters and letters that the lesson is fitted to.

Texts, one file per chapter or one file cut at its headings, become a :class:`Dataset` with a
row per chapter, and that a small CSV file. Not here: reading tables (:mod:`thalweg.data.files`).
"""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from thalweg.atomic import write_atomically
from thalweg.data.dataset import Dataset
from thalweg.data.outputs import check_outputs
from thalweg.errors import (
    InvalidData,
    InvalidSetting,
    UnreadableFile,
    printable,
    warn,
)
from thalweg.regular import read_whole


class LetterCounts(Dataset):
    """A :class:`Dataset` of counted texts that knows what each row is called.

    Attributes
    ----------
    chapters : tuple of str
        The n names of the rows.
    """

    chapters: tuple[str, ...]


def count_letters(
    texts: Iterable[str],
    letter: str = "a",
    *,
    fold_accents: bool = False,
    alphabetic_only: bool = False,
    names: Iterable[str] | None = None,
) -> LetterCounts:
    r"""Count the characters of each text and how often a letter occurs in it.

    A text is first put into Unicode's composed form (NFC), so that an accented letter is one
    character however it was typed. Line ends are made ``\n``, runs of them one, and white space
    at both ends is removed (a byte order mark too). All characters that remain count: letters,
    spaces, punctuation, line breaks.

    A letter with an accent is another letter: ``a`` is not ``à``. Upper and lower case are one.

    Parameters
    ----------
    texts : iterable of str
        The n texts themselves (not their files' names).
    letter : str
        A single letter, in either case, accented or not.
    fold_accents : bool
        Take accented letters as the letter without its accents, in the texts and in ``letter``.
        Ligatures (œ, æ) stay letters of their own.
    alphabetic_only : bool
        Count as characters only what is a letter (Unicode's category L).
    names : iterable of str, optional
        What the n texts are called; ``chapter 1 … chapter n`` when left out.

    Returns
    -------
    LetterCounts
        A ``Dataset`` of n rows. ``X``, shape (n, 1): characters per chapter; ``y``, shape (n,):
        occurrences of the letter per chapter. The target is named after the letter.

    Raises
    ------
    InvalidData
        If ``texts`` is one string, empty, or holds a blank text or something that is no text.
    InvalidSetting
        If ``letter`` is not a single letter, or ``names`` does not name each text.

    Examples
    --------
    >>> counts = count_letters(["À la mer,\n\nallons !", "Non."])
    >>> counts
    Dataset(2 rows, features=('characters',), target='A')
    >>> counts.X[:, 0], counts.y
    (array([18.,  4.]), array([2., 0.]))
    """
    wanted = _single_letter(letter, fold_accents=fold_accents)
    chapters = _checked_texts(texts)
    counts = [
        _count(text, wanted, fold_accents=fold_accents, alphabetic_only=alphabetic_only)
        for text in chapters
    ]
    # "ß" has no single capital, and that of "ı" is another letter's too: they name themselves.
    capital = wanted.upper()
    target = capital if capital.casefold() == wanted.casefold() and len(capital) == 1 else wanted
    dataset = LetterCounts(
        [[characters] for characters, _ in counts],
        [letters for _, letters in counts],
        features=("characters",),
        target=target,
        units={"characters": "count per chapter", target: "count per chapter"},
    )
    dataset.chapters = _chapter_names(names, len(counts))
    return dataset


def count_files(
    paths: Sequence[str | os.PathLike[str]],
    *,
    letter: str = "a",
    fold_accents: bool = False,
    alphabetic_only: bool = False,
    split: str | None = None,
) -> LetterCounts:
    r"""Count letters in files: one chapter per file, or each file cut at its headings.

    Parameters
    ----------
    paths : sequence of path-like
        Files of text in UTF-8, in the order of the rows.
    letter, fold_accents, alphabetic_only
        As in :func:`count_letters`.
    split : str, optional
        A regular expression of Python's ``re``, in multi-line mode, that finds headings; each
        file is cut before them. A heading is the whole line on which it is found (leading white
        space in a match does not count) and is counted with its chapter. What stands before the
        first (a title page, a licence) is left out, with a warning that says how much.

    Returns
    -------
    LetterCounts
        A row per chapter, called after its file (with the suffix, so that ``01.txt`` is not
        mistaken for a number) or after its heading.

    Raises
    ------
    UnreadableFile
        On a file that is missing, a folder, empty, or not UTF-8.
    InvalidSetting
        On a letter or a regular expression that is none, or one that finds nothing, or a heading
        with no text below it (as in a table of contents).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "novel.txt"
    ...     _ = file.write_text("I. At sea\nA sail!\n\nII. On land\nAn alp.\n")
    ...     counts = count_files([file], split=r"^[IVX]+\. ")
    >>> counts.chapters, counts.y
    (('I. At sea', 'II. On land'), array([4., 3.]))
    """
    _single_letter(letter, fold_accents=fold_accents)  # before any file is read
    texts = read_texts(paths)
    names = [printable(Path(path).name) for path in paths]
    if split is not None:
        heading = _compiled(split)
        chapters = [
            chapter
            for path, text in zip(paths, texts, strict=True)
            for chapter in _cut(text, heading, printable(os.fspath(path)))
        ]
        names = [name for name, _ in chapters]
        texts = [text for _, text in chapters]
    counts = count_letters(
        texts, letter, fold_accents=fold_accents, alphabetic_only=alphabetic_only, names=names
    )
    counts.origin = tuple(Path(path).absolute() for path in paths)
    return counts


def read_texts(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Read each file as UTF-8, strictly; a byte order mark is dropped.

    Raises
    ------
    UnreadableFile
        On the first file that is missing, a folder, empty, or not UTF-8.

    Examples
    --------
    >>> read_texts(["no-such-chapter.txt"])
    Traceback (most recent call last):
    thalweg.errors.UnreadableFile: no-such-chapter.txt: got no such file or directory, ...
    """
    return [_read_text(path) for path in paths]


def write_counts(counts: Dataset, destination: str | os.PathLike[str] | TextIO) -> None:
    r"""Write a table of counts as CSV: ``chapter``, the characters, the letter.

    Parameters
    ----------
    counts : Dataset
        As :func:`count_letters` gives it. Rows without names are called ``chapter 1 …``.
    destination : path-like or text file
        A file, written whole or not at all, or an open stream such as ``sys.stdout``.

    Raises
    ------
    UnwritableFile
        Where no file can be written, or one that was counted stands.

    Examples
    --------
    >>> import sys
    >>> write_counts(count_letters(["A sail!", "An alp."], names=["I", "II"]), sys.stdout)
    chapter,characters,A
    I,7,2
    II,7,2
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["chapter", *counts.features, counts.target])
    names = getattr(counts, "chapters", None) or _chapter_names(None, len(counts))
    for name, row, value in zip(names, counts.X, counts.y, strict=True):
        writer.writerow([name, *(int(cell) for cell in row), int(value)])
    if isinstance(destination, str | os.PathLike):
        check_outputs([destination], counts.origin)
        with write_atomically(destination) as file:
            file.write(table.getvalue().encode())
    else:
        destination.write(table.getvalue())


def _normalised(text: str) -> str:
    r"""Compose accents and make every line end a single ``\n``."""
    composed = unicodedata.normalize("NFC", text.removeprefix("\ufeff"))
    return composed.replace("\r\n", "\n").replace("\r", "\n")


def _count(text: str, letter: str, *, fold_accents: bool, alphabetic_only: bool) -> tuple[int, int]:
    """Count the characters of a text and the occurrences of a folded or composed letter."""
    text = re.sub(r"\n+", "\n", _normalised(text)).strip()
    characters = sum(map(str.isalpha, text)) if alphabetic_only else len(text)
    if fold_accents:
        found = Counter(_without_accents(text))
    else:
        # What bears an accent that has no composed form is not the bare letter either.
        found = Counter(re.sub(f".[{_MARKS}]+", "", text, flags=re.DOTALL))
    same = letter.casefold()
    return characters, sum(n for other, n in found.items() if other.casefold() == same)


# Unicode's blocks of combining diacritical marks, all of which stay when nothing composes them.
_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"


def _without_accents(text: str) -> str:
    """Strip what decomposition sets apart; ligatures have nothing to strip."""
    bare = re.sub(f"[{_MARKS}]", "", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare)  # decomposition takes Korean syllables apart too


def _single_letter(letter: str, *, fold_accents: bool) -> str:
    composed = unicodedata.normalize("NFC", letter) if isinstance(letter, str) else ""
    wanted = _without_accents(composed) if fold_accents else composed
    if len(wanted) == 1 and wanted.isalpha():
        return wanted
    raise InvalidSetting(
        "letter",
        got=repr(letter),
        expected="a single letter",
        advice="pass one letter, such as 'a' or 'é'",
    )


def _checked_texts(texts: Iterable[str]) -> list[str]:
    """Take the texts as a list, refusing what cannot be a row."""
    if isinstance(texts, str):
        raise _bad_texts("a single string", "put it in a list: [text]")
    chapters = list(texts)
    if not chapters:
        raise _bad_texts("no text at all", "pass one text for each row")
    for index, text in enumerate(chapters):
        if not isinstance(text, str):
            got = f"{type(text).__name__} at index {index}"
            raise _bad_texts(got, "read files with thalweg.data.texts.read_texts(paths)")
        if not text.removeprefix("\ufeff").strip():
            raise _bad_texts(f"a blank text at index {index}", "leave it out")
    return chapters


def _bad_texts(got: str, advice: str) -> InvalidData:
    return InvalidData("texts", got=got, expected="a list of texts, none blank", advice=advice)


def _chapter_names(names: Iterable[str] | None, n: int) -> tuple[str, ...]:
    # Never a bare number: read back from a file, that column must not pass for a feature.
    chapters = tuple(f"chapter {i}" for i in range(1, n + 1)) if names is None else tuple(names)
    if len(chapters) == n:
        return chapters
    raise InvalidSetting(
        "names",
        got=f"{len(chapters)} names",
        expected=f"{n}, one for each text",
        advice="leave names out to have the chapters numbered",
    )


def _read_text(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path)
    try:
        content = read_whole(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        got = (getattr(error, "strerror", None) or str(error)).lower()
        raise _unreadable(name, got, "check the name") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"a byte that is not UTF-8 at position {error.start:,}"
        raise _unreadable(name, got, "save the file again with the encoding UTF-8") from error
    if "\0" in text:  # UTF-16 without its mark passes for UTF-8 when all of it is ASCII
        raise _unreadable(name, "a NUL character", "save the file again with the encoding UTF-8")
    if not text.strip():
        raise _unreadable(name, "an empty file", "leave it out, or name the right one")
    return text


def _unreadable(name: str, got: str, advice: str) -> UnreadableFile:
    return UnreadableFile(name, got=got, expected="a file of text in UTF-8", advice=advice)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(unicodedata.normalize("NFC", pattern), re.MULTILINE)
    except re.error as error:
        raise _bad_split(
            f"{pattern!r} ({error})",
            "a valid regular expression",
            "escape characters such as ( [ * + with a backslash",
        ) from error


def _cut(text: str, heading: re.Pattern[str], where: str) -> list[tuple[str, str]]:
    """Cut a text before each line that holds a heading; ``where`` names it in errors."""
    text = _normalised(text)
    starts = sorted({_line_start(text, match) for match in heading.finditer(text)})
    if not starts:
        raise _bad_split(
            f"{heading.pattern!r}, which finds nothing in {where}",
            "a regular expression that finds the headings",
            r"try it on one heading first, for example ^CHAPTER \w+$",
        )
    before = len(text[: starts[0]].strip())
    if before:
        warn(
            f"{where}: {before:,} characters before the first heading belong to no chapter "
            "and are left out",
        )
    chapters = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        title, _, body = text[start:end].partition("\n")
        if not body.strip():
            raise _bad_split(
                f"{heading.pattern!r}, which finds {title.strip()!r} in {where} with no text below",
                "a regular expression that finds only the headings of chapters",
                "make it narrower, or cut the table of contents out of the file",
            )
        chapters.append((title.strip(), text[start:end]))
    return chapters


def _line_start(text: str, match: re.Match[str]) -> int:
    """Find where the line begins on which a match has its first visible character."""
    found = match.group()
    first = match.start() + len(found) - len(found.lstrip())
    return text.rfind("\n", 0, first) + 1


def _bad_split(got: str, expected: str, advice: str) -> InvalidSetting:
    return InvalidSetting("split", got=got, expected=expected, advice=advice)
