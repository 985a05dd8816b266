"""What each command writes: where it may go, and what happens where it cannot.

Not here: which places are free (test_outputs), how a file is written (test_atomic).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_type_hints

import pytest

import thalweg
from command_line import Said, run
from thalweg.cli import main as cli

TABLE = "depth,flow\n1,2\n2,3\n3,5\n4,4\n"
FIT = ("fit", "river.csv", "-y", "flow", "--epochs", "3")

# Each option that names a file to write, in a command that only lacks the name.
WRITES = {
    ("fit", "out"): (*FIT, "--out"),
    ("fit", "report"): (*FIT, "--report"),
    ("fit", "checkpoint"): (*FIT, "--checkpoint"),
    ("predict", "out"): ("predict", "run.parquet", "river.csv", "--out"),
    ("report", "out"): ("report", "other.parquet", "run.parquet", "--out"),
    ("export", "out"): ("export", "run.parquet", "--out"),
    ("count", "out"): ("count", "other.csv", "river.csv", "--out"),
    ("lesson", "out"): ("lesson", "--out"),
}
READS = {("fit", "resume")}
LINES = pytest.mark.parametrize("line", WRITES.values(), ids=map(" ".join, WRITES))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with tables and runs."""
    monkeypatch.chdir(tmp_path)
    for name in ("river.csv", "other.csv", "rivers/1.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(TABLE)
    data = thalweg.read("river.csv", target="flow")
    for name in ("run.parquet", "other.parquet"):
        thalweg.fit(data, epochs=3).save(name)
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_refused(said: Said, got: str) -> None:
    assert said.code == 2, said
    assert said.out == ""
    assert said.err.startswith("thalweg: ")
    assert got in said.err
    assert len(said.err.splitlines()) == 1


def test_the_table_has_every_option_for_a_file() -> None:
    files = {
        (command.callback.__name__, name.rstrip("_"))
        for command in cli.app.registered_commands
        if command.callback is not None
        for name, hint in get_type_hints(command.callback, include_extras=True).items()
        if "Path" in str(hint) and "OptionInfo" in str(hint)
    }
    assert files == WRITES.keys() | READS


@LINES
def test_a_place_where_nothing_can_be_written_is_refused_before_the_work(
    line: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for work in ("data.scanning.Scan.batches", "runs.run_file.read", "data.texts.count_letters"):
        monkeypatch.setattr(f"thalweg.{work}", lambda *_, **__: pytest.fail("it works"))
    os.mkfifo("pipe")
    before = contents(folder)
    for place, got in {
        "none/a": "no such file or directory",
        "river.csv/a": "not a directory",
        "rivers": "the name of a folder",
        "pipe": "the name of a device or a pipe",
        "x" * 300: "file name too long",
    }.items():
        is_refused(run(*line, place), f"{place}: got {got}, expected a place where a file can be")
    assert contents(folder) == before


@LINES
def test_nothing_is_written_over_what_is_read(line: tuple[str, ...], folder: Path) -> None:
    before = contents(folder)
    for read in line[1:]:
        if Path(read).is_file():
            for place in (read, f"rivers/../{read}", str(folder / read)):
                is_refused(run(*line, place), f"got the same file as {read}, which is read")
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("line", "got"),
    [
        (("--out", "a", "--report", "./a"), "the same file as a, which is written too"),
        (("--out", "a", "--checkpoint", "a"), "the same file as a, which is written too"),
        (("--resume", "run.parquet", "--out", "run.parquet"), "which is written too"),
        (
            ("--resume", "run.parquet", "--checkpoint", "a", "--report", "run.parquet"),
            "run.parquet: got the same file as run.parquet, which is read",
        ),
        (("rivers", "--out", "rivers/a"), "a file in rivers, which is read with all in it"),
    ],
)
def test_outputs_of_a_fit_that_are_refused(line: tuple[str, ...], got: str, folder: Path) -> None:
    before = contents(folder)
    is_refused(run(*FIT, *line), got)
    assert contents(folder) == before


def test_a_checkpoint_may_be_the_run_that_is_gone_on_with() -> None:
    for kept in ((), ("--checkpoint", "run.parquet"), ("--checkpoint", "rivers/../run.parquet")):
        assert run(*FIT, "--resume", "run.parquet", *kept).code == 0


@pytest.mark.parametrize(
    "line",
    [
        ("predict", "pipe", "river.csv"),
        ("predict", "run.parquet", "pipe"),
        ("explain", "pipe"),
        ("explain", "pipe", "-y", "flow"),
        ("report", "pipe"),
        ("export", "pipe"),
        ("count", "pipe"),
        ("solve", "pipe", "-y", "flow"),
        ("fit", "pipe", "-y", "flow"),
        (*FIT, "--resume", "pipe", "--checkpoint", "a"),
    ],
)
def test_a_pipe_is_not_waited_for(line: tuple[str, ...]) -> None:
    os.mkfifo("pipe")
    is_refused(run(*line), "pipe: got a device or a pipe, expected a")
