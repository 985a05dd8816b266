"""Files appear whole or not at all, whatever happens while they are written."""

import errno
import fcntl
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.atomic import check_writable, write_atomically
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


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o400])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "run.parquet"
    path.touch()
    path.chmod(mode)
    with write_atomically(path) as file:
        file.write(b"later")
        (temporary,) = (other for other in tmp_path.iterdir() if other != path)
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600  # private, as the other may be
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    killed = (
        "import os, signal, sys\nfrom thalweg.atomic import write_atomically\n"
        "with write_atomically(sys.argv[1]): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", killed, tmp_path / "killed"], check=False)
    (left,) = names_in(tmp_path)
    folder, link, pipe = (f".thalweg-{digit * 16}.tmp" for digit in "abc")
    os.mkfifo(tmp_path / pipe)
    (tmp_path / folder).mkdir()
    (tmp_path / link).symlink_to("x")
    others = [f"{left}.old", f"x{left}", ".thalweg-1.tmp", left.replace(".tmp", "0.tmp")]
    for name in others:
        (tmp_path / name).touch()
    with write_atomically(tmp_path / "first") as first:
        with write_atomically(tmp_path / "second") as second:  # the first is being written
            second.write(b"2")
        first.write(b"1")
    assert names_in(tmp_path) == sorted([*others, folder, link, pipe, "first", "second"])
    assert (tmp_path / "first").read_bytes() == b"1"


def test_a_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, locked = fcntl.flock, list[int]()

    def swept(descriptor: int, operation: int) -> None:
        if not locked:
            (made,) = tmp_path.iterdir()
            made.unlink()
        locked.append(descriptor)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", swept)
    with write_atomically(tmp_path / "a") as file:
        file.write(b"1")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert len(locked) == 2


def test_a_file_is_not_swept_in_the_moment_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, busy = os.replace, list[Path]()

    def replace(source: Path, target: Path) -> None:
        busy.append(target)
        if len(busy) == 1:
            with write_atomically(tmp_path / "other"):
                pass
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with write_atomically(tmp_path / "a"):
        pass
    assert names_in(tmp_path) == ["a", "other"]


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "a")
    assert names_in(tmp_path) == []


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
    assert str(error.value) == (
        f"{tmp_path / 'a'}: got no space left on device, expected a place where a file can be "
        "written; make room there, or name a file on another disk"
    )
    assert names_in(tmp_path) == []


def test_errors_of_other_files_in_the_block_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_atomically(tmp_path / "a"):
        (tmp_path / "other").read_bytes()
    with pytest.raises(io.UnsupportedOperation), write_atomically(tmp_path / "a") as file:
        file.read()
    assert names_in(tmp_path) == []
