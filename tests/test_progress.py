"""The bar: on a terminal, in a notebook, nowhere else; and only where it takes a while."""

from __future__ import annotations

import io
import itertools
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import thalweg
from thalweg import errors, progress
from thalweg.descent import compiled, engines
from thalweg.progress import Bar, Progress

CHAPTERS = thalweg.salammbo()
HALFWAY = Progress(50, 100, loss=3.25, epochs_per_second=10.0, seconds_left=5.0)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands until it is set."""
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


# --- A terminal -----------------------------------------------------------------------------------


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)


def written(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def test_a_terminal_shows_what_is_done_how_fast_and_the_loss(seconds: list[float]) -> None:
    to = console(terminal=True)
    with Bar(to) as bar:
        bar.epochs(HALFWAY._replace(epochs_done=20))
        seconds[0] = 2.0
        bar.epochs(HALFWAY)
    said = written(to)
    for words in ("fitting", "50%", "25 epochs/s", "loss 3.25"):
        assert words in said, words
    assert said.rstrip().endswith("\x1b[2K")  # the line is taken away at the end


def test_what_ends_within_a_second_shows_nothing(seconds: list[float]) -> None:
    to = console(terminal=True)
    with Bar(to) as bar:
        bar.epochs(HALFWAY)
        seconds[0] = 0.9
        bar.epochs(HALFWAY._replace(epochs_done=100))
    assert written(to) == ""


def test_a_file_or_a_pipe_gets_nothing(seconds: list[float]) -> None:
    to = console(terminal=False)
    with Bar(to) as bar:
        seconds[0] = 100.0
        bar.epochs(HALFWAY)
        bar.rows(10, None)
    assert written(to) == ""


# --- A notebook -----------------------------------------------------------------------------------


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a notebook's cell has shown, page after page, in the place of one."""
    shown: list[str] = []

    class Handle:
        def update(self, page: Any) -> None:
            shown.append(page.data)

    def display(page: Any, *, display_id: bool) -> Handle:
        assert display_id
        assert shown == []
        shown.append(page.data)
        return Handle()

    package, module = ModuleType("IPython"), ModuleType("IPython.display")
    vars(package)["get_ipython"] = lambda: SimpleNamespace(kernel=object())
    vars(module).update(HTML=lambda data: SimpleNamespace(data=data), display=display)
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_a_notebook_shows_one_bar_that_moves(cell: list[str], seconds: list[float]) -> None:
    with Bar() as bar:
        bar.epochs(HALFWAY._replace(epochs_done=20))
        assert cell == []  # not yet a second
        seconds[0] = 2.0
        bar.epochs(HALFWAY)
        bar.epochs(HALFWAY._replace(epochs_done=51))  # too soon to draw again
        seconds[0] = 4.0
        bar.epochs(HALFWAY._replace(epochs_done=100, loss=2.0))
    assert cell[0] == (
        '<div><progress aria-label="fitting" value="50" max="100" style="vertical-align: middle">'
        "</progress> fitting: 50 of 100 epochs, 25 epochs/s, 0:02 left, loss 3.25</div>"
    )
    assert len(cell) == 3  # the last is drawn at the end, whenever that is
    assert cell[1] == cell[2]
    assert "fitting: 100 of 100 epochs, 25 epochs/s, loss 2</div>" in cell[2]


def test_a_notebook_shows_reading_beside_fitting(cell: list[str], seconds: list[float]) -> None:
    with Bar() as bar:
        bar.rows(1000, None)
        seconds[0] = 2.0
        bar.rows(3000, None)
        bar.rows(500, 3000)  # the next pass
        bar.epochs(HALFWAY)
    assert '<progress aria-label="reading" style=' in cell[0]  # how many there are is not known
    assert "reading: 3,000 rows, 1,500 rows/s" in cell[0]
    assert 'aria-label="reading" value="500" max="3000"' in cell[-1]
    assert "fitting: 50 of 100 epochs" in cell[-1]


# --- As fit has it --------------------------------------------------------------------------------


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make each epoch a part, and each look at the clock a second."""
    monkeypatch.setattr(engines, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(compiled, "FIRST_NUMBERS", 1)
    ticks = itertools.count()
    monkeypatch.setattr(progress, "monotonic", lambda: float(next(ticks)))


@pytest.mark.usefixtures("slow")
def test_fit_shows_a_bar_when_asked_and_changes_no_bit(cell: list[str]) -> None:
    watched = thalweg.fit(CHAPTERS, epochs=20, progress=True)
    assert "fitting: 20 of 20 epochs" in cell[-1]
    assert f"loss {watched.loss[-1]:.6g}" in cell[-1]
    cell.clear()
    np.testing.assert_array_equal(thalweg.fit(CHAPTERS, epochs=20).path, watched.path)
    assert cell == []


@pytest.mark.usefixtures("slow")
def test_the_pass_over_a_scanned_file_is_shown_too(cell: list[str], tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("x,y\n" + "".join(f"{i},{2 * i + i % 3}\n" for i in range(100)))
    scan = thalweg.scan(file, target="y")
    thalweg.fit(scan, epochs=3, batch_size=10, progress=True)
    assert "reading: 100 of 100 rows" in cell[-1]
    assert "fitting: 3 of 3 epochs" in cell[-1]
    assert scan.watcher is None


@pytest.mark.parametrize("name", ["progress", "checkpoint", "every", "resume"])
def test_a_sweep_has_no_parts(name: str) -> None:
    asked: dict[str, Any] = {"lr": [0.1], name: 1}
    with pytest.raises(errors.InvalidSetting) as error:
        thalweg.sweep(CHAPTERS, **asked)
    assert str(error.value) == (
        f"{name}: got 1, expected a setting of the descent alone; it is for a single fit, with "
        "thalweg.fit"
    )
