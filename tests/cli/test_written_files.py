"""What each command writes: where it may go, and what happens where it cannot.

Not here: which places are free (test_outputs), how a file is written (test_atomic).
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
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


@pytest.mark.parametrize(
    "line",
    [
        FIT,
        (*FIT, "--json"),
        ("solve", "river.csv", "-y", "flow"),
        ("predict", "run.parquet", "river.csv"),
        ("explain", "run.parquet"),
        ("export", "run.parquet"),
        ("count", "river.csv"),
        ("--version",),
        ("fit", "--help"),
    ],
)
def test_an_answer_for_which_there_is_no_room_is_one_sentence(
    line: tuple[str, ...],
) -> None:
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            [sys.executable, "-m", "thalweg", *line],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert said.returncode == 2
    assert said.stderr == (
        "thalweg: standard output: got no space left on device, expected a place where an answer "
        "can be written; make room there, or send the answer elsewhere\n"
    )


def test_a_reader_that_has_gone_is_told_nothing() -> None:
    for line in (("solve", "river.csv", "-y", "flow"), ("predict", "run.parquet", "river.csv")):
        reading, writing = os.pipe()
        os.close(reading)
        said = subprocess.run(
            [sys.executable, "-m", "thalweg", *line],
            stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        os.close(writing)
        assert (said.returncode, said.stderr) == (1, "")


@pytest.mark.parametrize("line", [line for line in WRITES.values() if line[0] != "lesson"])
def test_a_full_disk_leaves_what_stood_there(line: tuple[str, ...], folder: Path) -> None:
    Path("written").write_text("earlier")
    before = contents(folder)
    limited = (
        "import resource, sys\nfrom thalweg.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))\n"
        "main(sys.argv[1:])"
    )
    said = subprocess.run(
        [sys.executable, "-c", limited, *line, "written"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 2, said
    assert said.stderr.startswith("thalweg: written: got file too large, expected a place where a")
    assert len(said.stderr.splitlines()) == 1
    assert contents(folder) == before
    if line[0] == "fit" and line[-1] != "--checkpoint":
        assert "exact solution" in said.stdout  # the fit is not lost


def test_there_may_be_no_room_for_the_sentence_either() -> None:
    with Path("/dev/full").open("w") as full:
        for line in (("solve", "none.csv", "-y", "flow"), FIT):
            said = subprocess.run(
                [sys.executable, "-m", "thalweg", *line], stdout=full, stderr=full, check=False
            )
            assert said.returncode == 2


ODD = os.fsdecode(b"caf\xe9")  # a name that is no text in UTF-8


@pytest.fixture
def odd() -> str:
    """A folder with a table of each kind, its name and theirs no text; the name of the CSV file."""
    table = pyarrow.csv.read_csv("river.csv")
    for folder in ("csv", "parquet", "feather", "gz"):
        Path(f"{folder}{ODD}").mkdir()
    pyarrow.parquet.write_table(table, "river.parquet")
    Path("river.parquet").rename(f"parquet{ODD}/{ODD}")
    pyarrow.feather.write_feather(table, "river.feather")
    Path("river.feather").rename(f"feather{ODD}/{ODD}")
    Path(f"gz{ODD}", ODD).write_bytes(gzip.compress(TABLE.encode()))
    Path(f"csv{ODD}", ODD).write_text(TABLE)
    return f"csv{ODD}/{ODD}"


@pytest.mark.usefixtures("odd")
@pytest.mark.parametrize("kind", ["csv", "parquet", "feather", "gz"])
def test_tables_are_read_whose_names_are_no_text(kind: str) -> None:
    expected = run("solve", "river.csv", "-y", "flow")
    for given in (f"{kind}{ODD}", f"{kind}{ODD}/{ODD}"):
        assert run("solve", given, "-y", "flow") == expected


def test_files_are_written_and_read_whose_names_are_no_text(odd: str) -> None:
    fit = ("fit", odd, "-y", "flow", "--epochs", "3")
    kept, out, report = f"kept{ODD}", f"out{ODD}", f"report{ODD}"
    for line in (
        (*fit, "--checkpoint", kept, "--out", out, "--report", report),
        (*fit, "--resume", kept),
        ("predict", out, odd, "--out", f"flow{ODD}"),
        ("report", kept, out, "--out", f"both{ODD}"),
        ("explain", out),
        ("explain", odd, "-y", "flow"),
        ("export", out, "--out", f"again{ODD}"),
        ("count", odd, "--out", f"counts{ODD}"),
    ):
        said = run(*line)
        assert said.code == 0, said
    assert thalweg.load(out).epochs == 3
    said = run("count", odd)
    assert (said.code, said.out.splitlines()[1]) == (0, r"caf\udce9,26,0")


def test_a_name_that_is_no_text_is_said_in_a_sentence() -> None:
    for line in (("solve", ODD, "-y", "flow"), ("export", ODD), (*FIT, "--out", f"{ODD}/a")):
        is_refused(run(*line), "got no such file")
    is_refused(run("solve", "river.csv", "-y", ODD), r"target: got 'caf\udce9', expected a column")
