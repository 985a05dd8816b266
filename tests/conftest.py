"""What tests share: the folder of reference data, a browser, and data that are not centred."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import thalweg

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# How long an example takes says something of the machine's other work, not of the code.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
# A run that fails, fails again: each test's examples are worked out from the test itself.
settings.register_profile("same", UNTIMED, derandomize=True)
# New examples by the seed that 'make fuzz' draws; where a test names no size, more of them.
settings.register_profile("new", UNTIMED, derandomize=False, max_examples=1000, print_blob=True)
settings.load_profile("same")

SHARED = Path(__file__).resolve().parents[2] / "shared"
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
]


def pytest_runtest_setup() -> None:
    """Begin no more tests once the time of ``make fuzz`` is over."""
    if time.time() > float(os.environ.get("THALWEG_FUZZ_UNTIL", "inf")):
        pytest.skip("the time for the search is over")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference data that live beside the project, not in it."""
    if not SHARED.is_dir():
        pytest.skip("the folder of reference data, ../shared, is not here")
    return SHARED


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium; without one these tests skip, but fail in CI.

    It goes with the module: while it runs, its driver holds the thread's event loop, and other
    modules have loops of their own.
    """
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        reason = "no Chromium found; install one with: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=BROWSER_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def three_features() -> thalweg.Dataset:
    """37 rows, three features of different scales, none centred on zero."""
    rng = np.random.default_rng(7)
    X = rng.normal([3.0, -20.0, 0.5], [1.0, 5.0, 0.2], size=(37, 3))
    y = 4.0 + X @ [2.0, -0.3, 7.0] + rng.normal(0, 0.5, 37)
    return thalweg.Dataset(X, y, features=["length", "depth", "slope"], target="flow")


@pytest.fixture
def torch_as_it_was() -> Iterator[None]:
    """Give PyTorch its default precision and its random numbers back: for scripts that are run."""
    import torch

    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]):
        yield
    torch.set_default_dtype(before)
