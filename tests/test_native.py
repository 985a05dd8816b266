"""Machine code kept on disk: found again, made anew when its sources change, done without."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from thalweg import native as native_module
from thalweg.descent import kernel, mini_batch, plan
from thalweg.losses import MSE
from thalweg.native import digest, entry_point, native, processors
from thalweg.optimizers.nadam import NAdam

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
    assert [index.rpartition(".")[2] for index in indices] == ["add_here_1", "add_there_1"]


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


def of_the_walk() -> int:
    return digest(mini_batch.walk_rows, NAdam, MSE)


@pytest.mark.parametrize(
    ("module", "name"),
    [(plan, "DIVERGENCE"), (mini_batch, "DIVERGENCE"), (kernel, "AFRESH"), (mini_batch, "FEW")],
    ids=lambda value: str(value).rpartition(".")[2],
)
def test_the_digest_is_of_the_values_that_are_compiled_in(
    module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = of_the_walk()
    assert before == of_the_walk()
    assert 0 <= before < 2**56
    monkeypatch.setattr(module, name, 7)
    assert (of_the_walk() != before) == (module is not plan)  # that is a copy which nobody has


@pytest.mark.parametrize(
    "module",
    ["descent.mini_batch", "descent.kernel", "optimizers", "losses", "torch_random"],
)
def test_the_digest_is_of_all_the_sources(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, source = of_the_walk(), inspect.getsource
    changed = f"thalweg.{module}"

    def edited(of: ModuleType) -> str:
        reached = of.__name__ == changed or of.__name__.startswith(changed + ".")
        return source(of) + ("# edited" if reached else "")

    monkeypatch.setattr(inspect, "getsource", edited)
    assert of_the_walk() != before


STALE = """
import numpy as np
import thalweg
data = thalweg.Dataset(np.linspace(-1.0, 1.0, 9), np.linspace(0.0, 1.0, 9) ** 2)
for batch_size in (None, 3):
    run = thalweg.fit(data, optimizer="sgd", lr=3.0, epochs=500, batch_size=batch_size)
    print(run.outcome.name, run.epochs)
"""


def test_a_constant_that_changes_is_compiled_in_anew(tmp_path: Path) -> None:
    """Code on disk is not taken for that of another :data:`DIVERGENCE`, in another file."""
    package = tmp_path / "thalweg"
    shutil.copytree(
        Path(native_module.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment["NUMBA_CACHE_DIR"] = str(tmp_path / "cache")
    told = []
    for limit in ("1e8", "1e30", "1e8"):
        text = (package / "descent" / "plan.py").read_text()
        changed = re.sub(r"^DIVERGENCE = .*$", f"DIVERGENCE = {limit}", text, flags=re.M)
        (package / "descent" / "plan.py").write_text(changed)
        done = subprocess.run(
            [sys.executable, "-c", STALE], env=environment, check=True, capture_output=True,
            text=True,
        )  # fmt: skip
        told.append(done.stdout.split())
    assert told[0] == told[2]
    assert told[0][::2] == told[1][::2] == ["DIVERGED"] * 2
    assert all(int(few) < int(many) for few, many in zip(told[0][1::2], told[1][1::2], strict=True))


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
