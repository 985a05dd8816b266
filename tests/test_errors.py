"""Errors keep what their sentences are made of, and the sentence is made anew in other words."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import thalweg
from thalweg import errors

KINDS = [errors.InvalidData, errors.InvalidSetting, errors.UnreadableFile, errors.UnwritableFile]


def made(kind: type[errors.ThalwegError] = errors.InvalidData) -> errors.ThalwegError:
    return kind(
        "t.csv",
        got="a gap in '{missing} {lr}'",
        expected="numbers",
        advice="leave it out with {features}, or pass {missing}",
        suggest={"missing": "drop", "features": ["{missing}", "b c"], "lr": 0.1},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_keeps_the_four_things_it_says(kind: type[errors.ThalwegError]) -> None:
    error = made(kind)
    assert (error.argument, error.got) == ("t.csv", "a gap in '{missing} {lr}'")
    assert error.expected == "numbers"
    assert error.advice == "leave it out with features=['{missing}', 'b c'], or pass missing='drop'"
    assert error.suggest == {"missing": "drop", "features": ["{missing}", "b c"]}
    assert str(error) == (
        "t.csv: got a gap in '{missing} {lr}', expected numbers; "
        "leave it out with features=['{missing}', 'b c'], or pass missing='drop'"
    )


def test_the_advice_is_said_in_other_words_and_nothing_else_is() -> None:
    said = made().worded(lambda name, value: f"<{name} {value}>")
    assert said == (
        "t.csv: got a gap in '{missing} {lr}', expected numbers; "
        "leave it out with <features ['{missing}', 'b c']>, or pass <missing drop>"
    )


def test_an_error_may_be_a_mere_message() -> None:
    error = errors.InvalidData("block 3, {lr}")
    assert (str(error), error.argument, error.advice, error.suggest) == (
        "block 3, {lr}",
        "",
        "",
        {},
    )
    assert error.worded(lambda name, value: "no") == "block 3, {lr}"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_travels_between_processes_whole(kind: type[errors.ThalwegError]) -> None:
    error = made(kind)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


def test_a_warning_points_to_the_line_of_who_asked(tmp_path: Path) -> None:
    """However many calls of ours are between, a cached property and a pass over files too."""
    path = tmp_path / "rows.csv"
    path.write_text("a,b,y\n1,1,1\n,2,2\n3,3,3\n4,4,5\n")
    calls: list[Callable[[], Any]] = [
        lambda: thalweg.read(path, target="y", missing="drop"),
        lambda: thalweg.solve(thalweg.scan(path, target="y", missing="drop")),
        lambda: thalweg.solve([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], [1.0, 2.0, 4.0]),
        lambda: thalweg.surface([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], [1.0, 2.0, 4.0]),
    ]
    for call in calls:
        with pytest.warns(errors.ThalwegWarning) as said:
            call()
        assert {warning.filename for warning in said} == {__file__}
