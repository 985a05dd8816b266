"""The README's code blocks, executed; what they print is what it says."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]


def execute(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(folder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own
    return printed.getvalue()


def test_the_first_example_prints_what_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (said,) = [text for language, text in BLOCKS if language == "text"]
    printed = execute(PYTHON[0], tmp_path, monkeypatch)
    assert doctest.OutputChecker().check_output(said, printed, doctest.ELLIPSIS), printed
    assert (tmp_path / "descent.html").stat().st_size > 0


@pytest.mark.parametrize("number", range(1, len(PYTHON)))
def test_every_other_example_runs(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute(PYTHON[number], tmp_path, monkeypatch)


def test_the_commands_exist() -> None:
    """``make lesson`` is a target, and the package installs from here: both without doing it."""
    (console,) = [text for language, text in BLOCKS if language == "console"]
    commands = [line.removeprefix("$ ") for line in console.splitlines()]
    assert commands == ["make lesson", "pip install ."]
    for command in ("make --dry-run lesson", "make --dry-run test", "make --dry-run lab"):
        subprocess.run(shlex.split(command), cwd=ROOT, check=True, capture_output=True)


def test_every_language_is_known() -> None:
    assert {language for language, _ in BLOCKS} == {"console", "python", "text"}


def test_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_first_screen_is_a_screen() -> None:
    first = README.split("## What else it does")[0].splitlines()
    assert len(first) <= 60
