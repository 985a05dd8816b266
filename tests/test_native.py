"""Machine code kept on disk: found again, made anew when its sources change, done without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thalweg.native import digest, entry_point, native, processors

KERNEL = """
import sys
import numpy as np
from thalweg.native import entry_point

def add(version, values, shift):
    total = 0.0
    for value in values:
        total += value + shift
    return total

run = entry_point(add, sys.argv[1], int(sys.argv[2]), (np.empty(1), 1.0))
print("sum", run(np.arange(4.0), 1))
"""


def compiled_in_a_process(folder: Path, cache: Path, name: str, version: int) -> str:
    """Run the kernel in a process of its own; give what Numba says about its cache."""
    script = folder / "kernel.py"
    script.write_text(KERNEL)
    done = subprocess.run(
        [sys.executable, script, name, str(version)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache), "NUMBA_DEBUG_CACHE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "sum 10.0" in done.stdout
    return done.stdout


def test_machine_code_is_found_again_until_the_version_changes(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert "data saved" in compiled_in_a_process(tmp_path, cache, "add", 1)
    again = compiled_in_a_process(tmp_path, cache, "add", 1)
    assert "data loaded" in again
    assert "data saved" not in again
    changed = compiled_in_a_process(tmp_path, cache, "add", 2)
    assert "data loaded" not in changed
    assert "data saved" in changed


def test_each_kernel_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Numba numbers what it keeps in one index: two processes at once could meet in a number."""
    cache = tmp_path / "cache"
    for name in ("add_here", "add_there"):
        compiled_in_a_process(tmp_path, cache, name, 1)
    indices = sorted(path.name.partition("-")[0] for path in cache.rglob("*.nbi"))
    assert [index.rpartition(".")[2] for index in indices] == ["add_here", "add_there"]


def test_a_folder_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the folder that is named nor the two that Numba takes instead can be made."""
    blocked = tmp_path / "a file, not a folder"
    blocked.touch()
    (tmp_path / "__pycache__").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    told = compiled_in_a_process(tmp_path, blocked / "cache", "add", 1)
    assert "data saved" not in told


def test_a_disk_that_is_full_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core.caching import FunctionCache

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FunctionCache, "save_overload", full)

    def double(version: int, x: float) -> float:
        return 2.0 * x

    assert entry_point(double, "double", 1, (1.0,))(4.0) == 8.0


def test_the_digest_is_of_all_the_sources() -> None:
    one, other = digest("thalweg.native"), digest("thalweg.native", "thalweg.losses")
    assert one != other
    assert 0 <= one < 2**56


def test_division_by_zero_is_as_in_numpy() -> None:
    @native()
    def divide(x: float) -> float:
        return 1.0 / x

    assert divide(0.0) == float("inf")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_only_processors_that_the_process_may_use_are_counted() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert processors() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert processors() == len(before)
