"""What a fit does does not depend on what ran before it in the same process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import table

# In an order in which rules, losses and regimes follow one another as they come.
FITS = [(rule, number) for rule in table.FLAGS for number in range(len(table.fits(rule)))]
ORDER = [FITS[i] for i in np.random.default_rng(7).permutation(len(FITS))]


@pytest.fixture(scope="module")
def mixed() -> dict[tuple[str, int], str]:
    """Every fit of the table, one after another in this process, those of all rules mixed."""
    return {(rule, number): table.digest(table.fits(rule)[number]) for rule, number in ORDER}


def alone(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, table.__file__, *arguments],
        cwd=Path(table.__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: list[str] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize("rule", table.FLAGS)
def test_a_process_of_its_own_gives_the_same(rule: str, mixed: dict[tuple[str, int], str]) -> None:
    assert alone(rule) == [mixed[rule, number] for number in range(len(table.fits(rule)))]


@pytest.mark.long
@pytest.mark.parametrize(("rule", "number"), ORDER[:30])
def test_a_process_for_each_gives_the_same(
    rule: str, number: int, mixed: dict[tuple[str, int], str]
) -> None:
    assert alone(rule, str(number)) == [mixed[rule, number]]


def test_fits_in_turn_are_fits_alone(mixed: dict[tuple[str, int], str]) -> None:
    """Two rules with the same numbers, fifty times in turn: one overran the other's memory."""
    first, second = ("nadam", 15), ("adam", 0)  # momentum_decay = 0.0
    for _ in range(50):
        for rule, number in (first, second):
            assert table.digest(table.fits(rule)[number]) == mixed[rule, number]
