"""Imports run one way, from the command line down to the errors: the contract in pyproject.toml."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_imports_run_one_way_and_in_no_circle() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "2 kept, 0 broken" in linted.stdout


def test_the_doors_of_rooms_have_no_code() -> None:
    for door in (ROOT / "src" / "thalweg").glob("*/__init__.py"):
        for node in ast.parse(door.read_text()).body:
            is_words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_all = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            assert is_words or is_all or isinstance(node, ast.Import | ast.ImportFrom), door
