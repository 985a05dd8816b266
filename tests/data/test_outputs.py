"""Results go beside what is read, never over it, and each to a place of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import thalweg
from thalweg.data.outputs import check_outputs
from thalweg.data.texts import count_files, write_counts
from thalweg.errors import UnwritableFile

TABLE = "depth,flow\n1,2\n2,3\n3,5\n4,4\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in: a table, and a folder of them with links to and from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("river.csv", "rivers/may/1.csv", "outside.csv"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(TABLE)
    Path("link.csv").symlink_to("river.csv")
    os.link("river.csv", "hard.csv")
    Path("ahead").symlink_to("later.csv")  # there is no such file yet
    Path("same").symlink_to(".", target_is_directory=True)
    Path("rivers/linked.csv").symlink_to("../outside.csv")
    Path("rivers/ahead.csv").symlink_to("../later.csv")
    return tmp_path


@pytest.mark.parametrize(
    ("outputs", "inputs", "got"),
    [
        (["river.csv"], ["river.csv"], "river.csv: got the same file as river.csv, which is read"),
        (["rivers/../same/river.csv"], ["river.csv"], "the same file as river.csv, which is read"),
        (["link.csv"], ["river.csv"], "link.csv: got the same file as river.csv, which is read"),
        (["river.csv"], ["link.csv"], "river.csv: got the same file as link.csv, which is read"),
        (["hard.csv"], ["river.csv"], "hard.csv: got the same file as river.csv, which is read"),
        (["river.csv"], ["none", "rivers", "river.csv"], "the same file as river.csv, which is"),
        (["a", "a"], [], "a: got the same file as a, which is written too"),
        ([None, "a", None, "same/a"], [], "same/a: got the same file as a, which is written too"),
        (["later.csv", "ahead"], [], "ahead: got the same file as later.csv, which is written too"),
        (["link.csv", "hard.csv"], [], "hard.csv: got the same file as link.csv, which is written"),
        (["rivers/a"], ["rivers"], "rivers/a: got a file in rivers, which is read with all in it"),
        (["rivers/may/a"], ["rivers"], "rivers/may/a: got a file in rivers, which is read"),
        (["same/rivers/a"], ["rivers"], "same/rivers/a: got a file in rivers, which is read"),
        (["rivers/may/1.csv"], ["same/rivers"], "got a file in same/rivers, which is read"),
        (["rivers/ahead.csv"], ["rivers"], "rivers/ahead.csv: got a file in rivers, which is read"),
        (["outside.csv"], ["rivers"], "got the same file as rivers/linked.csv, which is read"),
        (["a"], ["."], "a: got a file in ., which is read with all in it"),
        (["none/a"], [], "none/a: got no such file or directory"),
        (["a", "river.csv/a"], [], "river.csv/a: got not a directory"),
        (["a", "rivers"], [], "rivers: got the name of a folder"),
        (["x" * 256], [], ": got file name too long"),
        (["a\0b"], [], "got embedded null byte"),
        (["\ud800"], [], "surrogates not allowed"),
    ],
)
def test_places_that_are_refused(
    folder: Path, outputs: list[str | None], inputs: list[str], got: str
) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(UnwritableFile) as caught:
        check_outputs(outputs, inputs)
    said = str(caught.value)
    assert got in said
    assert ", expected a place " in said
    assert "; name " in said
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("outputs", "inputs"),
    [
        (["a", "b", "rivers/a", None], ["river.csv"]),
        (["river.csv"], ["rivers"]),
        (["rivers/.a", "rivers/_out/a"], ["rivers"]),  # names that a folder does not stand for
        (["a"], ["none.csv", "\0", "none/none"]),  # what is not there, its reader refuses
        (["rivers/may/a"], ["rivers/may/1.csv"]),
    ],
)
def test_places_that_are_free(outputs: list[str | None], inputs: list[str]) -> None:
    Path("rivers/_out").mkdir()
    check_outputs(outputs, inputs)


WRITTEN_OVER: dict[str, Callable[[str], object]] = {
    "a checkpoint": lambda name: thalweg.fit(name, target="flow", epochs=2, checkpoint="link.csv"),
    "the checkpoint of a scan": lambda name: thalweg.fit(
        thalweg.scan(name, target="flow"), epochs=2, checkpoint="link.csv"
    ),
    "the checkpoint of some columns": lambda name: thalweg.fit(
        thalweg.read(name, target="flow").select(["depth"]), epochs=2, checkpoint="link.csv"
    ),
    "a run": lambda name: thalweg.fit(name, target="flow", epochs=2).save("link.csv"),
    "the run of a scan": lambda name: thalweg.fit(thalweg.scan(name, target="flow"), epochs=2).save(
        "link.csv"
    ),
    "counts": lambda name: write_counts(count_files([name]), "link.csv"),
}


@pytest.mark.parametrize("write", WRITTEN_OVER.values(), ids=WRITTEN_OVER)
def test_the_rows_of_a_result_are_not_written_over(
    write: Callable[[str], object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(UnwritableFile, match=r"link\.csv: got the same file as .*river\.csv"):
        write("river.csv")
    assert Path("river.csv").read_text() == TABLE


def test_rows_keep_their_files_wherever_the_process_goes(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    run = thalweg.fit(["river.csv", "rivers"], target="flow", epochs=2)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    for taken in ("river.csv", "rivers/a"):
        with pytest.raises(UnwritableFile):
            run.save(folder / taken)
    run.save("river.csv")
    assert thalweg.load("river.csv").epochs == 2


def test_a_checkpoint_may_be_the_run_that_is_gone_on_with() -> None:
    asked: dict[str, Any] = {"target": "flow", "epochs": 3}
    thalweg.fit("river.csv", **asked, checkpoint="kept.parquet")
    Path("kept").symlink_to("kept.parquet")
    for kept in (None, "kept", "same/kept.parquet", "other.parquet"):
        again = thalweg.fit("river.csv", **asked, resume="kept.parquet", checkpoint=kept)
        assert again.epochs == 3
    with pytest.raises(UnwritableFile, match="which is read"):
        thalweg.fit("river.csv", **asked, resume="kept.parquet", checkpoint="link.csv")


def test_places_are_checked_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.descent.parts.fit_in_parts", lambda *_, **__: pytest.fail("work"))
    with pytest.raises(UnwritableFile, match="none/a: got no such file or directory"):
        thalweg.fit("river.csv", target="flow", checkpoint="none/a")
