"""Files appear whole or not at all, whatever happens while they are written."""

import errno
import io
import os
import stat
from pathlib import Path

import pytest

from thalweg.atomic import write_atomically
from thalweg.errors import UnwritableFile


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


EXPECTED = (
    "expected a place where a file can be written; "
    "name a file in a folder that exists and that you may write to"
)


def test_the_file_appears_at_the_end_of_the_block_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    with write_atomically(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert names_in(tmp_path) == ["run.parquet"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_stood_there_and_no_litter(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "run.parquet"
    path.write_bytes(b"earlier")

    def interrupted() -> None:
        with write_atomically(path) as file:
            file.write(b"half")
            file.flush()
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"earlier"
    assert names_in(tmp_path) == ["run.parquet"]


def test_a_new_file_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with write_atomically(tmp_path / "counts.csv"):
            pass
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "counts.csv").stat().st_mode) == 0o640


def test_a_writer_that_closes_the_file_does_no_harm(tmp_path: Path) -> None:
    with write_atomically(tmp_path / "a") as file:
        file.write(b"all")
        file.close()
    assert (tmp_path / "a").read_bytes() == b"all"


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"earlier")
    (tmp_path / "link").symlink_to("target")
    with write_atomically(tmp_path / "link") as file:
        file.write(b"later")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"later"


def test_a_name_as_long_as_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    with write_atomically(path) as file:
        file.write(b"1")
    assert path.read_bytes() == b"1"


def test_bytes_and_name_are_synced_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("sync folder" if folder else "sync file")
        sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    with write_atomically(tmp_path / "a"):
        pass
    assert events == ["sync file", "rename", "sync folder"]


def test_places_where_no_file_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    places = {
        tmp_path / "none" / "a": "no such file or directory",
        tmp_path / "file" / "a": "not a directory",
        tmp_path: "the name of a folder",
        tmp_path / "pipe": "the name of a device or a pipe",
        Path("/dev/null"): "the name of a device or a pipe",
        tmp_path / "a\0b": "embedded null byte",
    }
    for place, got in places.items():
        with pytest.raises(UnwritableFile) as error, write_atomically(place):
            pass
        assert str(error.value) == f"{place}: got {got}, {EXPECTED}"
    assert names_in(tmp_path) == ["file", "pipe"]


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int, mode: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "open", refuse)  # for real it would not stop root
    with pytest.raises(UnwritableFile) as error, write_atomically(tmp_path / "a"):
        pass
    assert str(error.value) == f"{tmp_path / 'a'}: got permission denied, {EXPECTED}"


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnwritableFile) as error, write_atomically(tmp_path / "a"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(error.value) == f"{tmp_path / 'a'}: got no space left on device, {EXPECTED}"
    assert names_in(tmp_path) == []


def test_errors_of_other_files_in_the_block_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_atomically(tmp_path / "a"):
        (tmp_path / "other").read_bytes()
    with pytest.raises(io.UnsupportedOperation), write_atomically(tmp_path / "a") as file:
        file.read()
    assert names_in(tmp_path) == []
