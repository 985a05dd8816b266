"""The same rows give the same bytes on every processor and with any number of threads.

Each case is a process of its own, whose native code is compiled for another processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

SUMMED_UP = """
import hashlib
import os
import sys

import numpy as np

if sys.argv[1]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

from thalweg.data.dataset import Dataset
from thalweg.summary.exact import solve
from thalweg.summary.summary import Summary

rng = np.random.default_rng(0)
seen = hashlib.sha256()
for n, d in ((1, 1), (15, 1), (700, 4), (3000, 17), (140_000, 2)):
    X = rng.standard_cauchy(size=(n, d)) + np.geomspace(1.0, 1e5, d)
    y = 1e7 + X.sum(axis=1) + rng.normal(size=n)
    data = Dataset(X, y)
    seen.update(data.summary.to_bytes())
    seen.update(data.digest.encode())
    for intercept in (True, False) if n > 20 else ():
        solution = solve(data, intercept=intercept)
        seen.update(solution.parameters.tobytes())
        seen.update(np.array([solution.loss, solution.loss_error]).tobytes())
        seen.update(data.summary.triangle(intercept=intercept).tobytes())
print(seen.hexdigest())
"""


def digest(folder: Path, environment: dict[str, str], *, one_processor: bool = False) -> str:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", SUMMED_UP, "one" if one_processor else ""],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def as_here(tmp_path_factory: pytest.TempPathFactory) -> str:
    return digest(tmp_path_factory.mktemp("here"), {})


# The plainest is first: what its code needs, every processor of that family has.
PROCESSORS = {
    "x86-64": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"},
    "haswell": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma"},
    "generic": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
}


@pytest.mark.skipif("x86" not in os.uname().machine, reason="other processors have other names")
@pytest.mark.parametrize("name", PROCESSORS)
def test_processors(name: str, as_here: str, tmp_path: Path) -> None:
    assert digest(tmp_path / name, PROCESSORS[name]) == as_here


def test_threads(as_here: str, tmp_path: Path) -> None:
    one = digest(tmp_path / "cache", {"NUMBA_NUM_THREADS": "1"}, one_processor=True)
    two = digest(tmp_path / "cache", {"NUMBA_NUM_THREADS": "2"})
    assert one == two == as_here
