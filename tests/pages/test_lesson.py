"""The lesson: every number that the notebook prints, out of ``fit``, ``predict``, ``gradients``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from thalweg.pages.lesson import Comparison, Lesson, replay, steps_of_replay


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return replay()


def test_every_number_agrees(lesson: Lesson) -> None:
    disagree = [row for row in lesson.comparisons if not row.agrees]
    assert disagree == []


def test_every_printed_number_is_there(lesson: Lesson, shared: Path) -> None:
    """Whatever the notebook prints that has decimals must be among the comparisons."""
    notebook = (shared / "lesson" / "notebook.md").read_text()
    printed = set(re.findall(r"-?\d+\.\d{4,}", notebook))
    assert {row.printed for row in lesson.comparisons} >= printed


def test_only_the_cancelling_slopes_are_compared_loosely(lesson: Lesson) -> None:
    loose = [row.what for row in lesson.comparisons if row.relative]
    assert loose == ["slope for the weight, by hand", "slope for the weight, by PyTorch"]


def test_a_comparison_allows_one_unit_of_the_last_digit() -> None:
    assert Comparison("", "", "0.0676", 0.06769).agrees
    assert not Comparison("", "", "0.0676", 0.06771).agrees
    assert not Comparison("", "", "-94.5000", -94.4688).agrees
    assert Comparison("", "", "-94.5000", -94.4688, 1e-3).agrees
    assert not Comparison("", "", "-94.5000", -94.3, 1e-3).agrees


def test_a_float32_printed_in_full_is_compared_as_a_float32() -> None:
    """Processors differ in the last bit: sixteen printed digits hold but seven."""
    printed = Comparison("", "", "0.8919244408607483", float(np.float32(0.8919244408607483)))
    next_to_it = printed._replace(got=float(np.nextafter(np.float32(printed.got), np.float32(0))))
    two_off = printed._replace(got=float(np.float32(printed.got) - np.float32(1.2e-7)))
    assert (printed.verdict, next_to_it.verdict) == ("yes", "to float32's last bit")
    assert not two_off.agrees


def test_a_fresh_optimiser_ends_elsewhere(lesson: Lesson) -> None:
    assert lesson.runs["batch"].parameters.tolist() == lesson.fresh["batch"].parameters.tolist()
    for part in ("stochastic", "mini-batch", "loader", "final"):
        carried, fresh = lesson.runs[part], lesson.fresh[part]
        assert carried.path[0].tolist() == fresh.path[0].tolist()
        assert abs(carried.bias - fresh.bias) > 1e-3


def test_true_slices_end_elsewhere_than_the_notebooks_windows(lesson: Lesson) -> None:
    windows = lesson.runs["mini-batch"]
    assert windows.asked.batch_sampler == ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5))
    assert abs(lesson.sliced.weights[0] - windows.weights[0]) > 1e-3


def test_progress_is_told_before_each_part() -> None:
    told: list[str] = []
    replay(told.append)
    assert len(told) == steps_of_replay()


def test_the_carried_state_is_the_whole_one(lesson: Lesson) -> None:
    steps = [run.optimizer_state["step"] for run in lesson.runs.values()]
    updates = [250, 20 * 15, 40 * 3, 100 * 4, 250]
    assert steps == np.cumsum(updates).tolist()
