"""The command line as a person meets it: what it prints, where, and how it exits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import thalweg

CORPUS = "salammbo_fr_ch{:02}.txt"


def call(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "thalweg", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_version() -> None:
    assert call("--version").stdout == f"thalweg {thalweg.__version__}\n"


def test_a_misspelt_command_gets_the_nearest() -> None:
    done = call("lessson")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Did you mean 'lesson'?" in done.stderr


def test_count_goes_to_stdout(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A cat\n\nsat.", encoding="utf-8")
    done = call("count", "a.txt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "chapter,characters,A\na.txt,10,3\n")


def test_count_options(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("I\nà la mer\nII\nété, eau\n", encoding="utf-8")
    done = call(
        "count", "book.txt", "--split", "^I+$", "--letter", "e", "--fold-accents",
        "--alphabetic-only", "--out", "e.csv", cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    lines = (tmp_path / "e.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "chapter,characters,E"
    assert [line.split(",")[-1] for line in lines[1:]] == ["1", "3"]


def test_mistakes_get_one_sentence_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "book.txt").write_text("no headings here", encoding="utf-8")
    for arguments in (
        ("latin.txt",),
        ("empty.txt",),
        ("missing.txt",),
        ("book.txt", "--split", "^CHAPTER"),
        ("book.txt", "--split", "("),
        ("book.txt", "--letter", "ab"),
    ):
        done = call("count", *arguments, "--out", "counts.csv", cwd=tmp_path)
        assert done.returncode == 2, arguments
        assert done.stdout == ""
        assert done.stderr.startswith("thalweg: ")
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "counts.csv").exists()


def test_the_novel_gives_the_builtin_table(shared: Path) -> None:
    files = [shared / "corpus" / CORPUS.format(chapter) for chapter in range(1, 16)]
    done = call("count", *files)
    counted = [tuple(map(float, line.split(",")[1:])) for line in done.stdout.splitlines()[1:]]
    data = thalweg.salammbo()
    assert counted == list(zip(data.X[:, 0].tolist(), data.y.tolist(), strict=True))


def test_the_lesson_writes_its_page_and_table(tmp_path: Path) -> None:
    done = call("lesson", "--out", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "numbers agree" in done.stdout
    assert "loss after the last update" in done.stdout
