"""Imports run one way, from the command line down to the errors, as the design document says."""

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


def test_the_design_document_names_every_file() -> None:
    """In the row of its room; but for the optimisers, of which there is a file each."""
    rows = (ROOT / "docs" / "design.md").read_text().split("## The rooms")[1].splitlines()
    for file in (ROOT / "src" / "thalweg").rglob("*.py"):
        if file.stem.startswith("__") or "\n@optimizer(" in file.read_text():
            continue
        room = file.parent.name
        told = [row for row in rows if room == "thalweg" or f"`{room}/`" in row]
        assert any(f"`{file.name}`" in row for row in told), file
