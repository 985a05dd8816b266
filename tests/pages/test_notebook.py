"""What a notebook shows: well-formed, escaped, in the page's own colours, and true."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import thalweg
from thalweg.numbers import number
from thalweg.pages.notebook import loss_line

CHAPTERS = thalweg.salammbo()


def wide() -> thalweg.Dataset:
    X = np.random.default_rng(0).normal(size=(50, 30))
    names = ["<b>&", *(f"f{j}" for j in range(29))]
    return thalweg.Dataset(X, X.sum(axis=1), features=names, target='"t"', name="<rows>")


SHOWN: dict[str, Any] = {
    "chapters": CHAPTERS,
    "wide": wide(),
    "summary": wide().summary,
    "run": thalweg.fit(CHAPTERS, seed=4321),
    "wide run": thalweg.fit(wide(), batch_size=8, shuffle=True, standardize=True, epochs=3),
    "one epoch": thalweg.fit(CHAPTERS, epochs=1),
    "diverged": thalweg.fit(CHAPTERS, optimizer="sgd", lr=1.0),
    "batches written out": thalweg.fit(CHAPTERS, batch_sampler=[[1], [2]], epochs=2),
}


def rows_of(shown: Any) -> dict[str, list[str]]:
    """Parse what is shown, as strictly as XML: the cells of each row by its heading."""
    table = ElementTree.fromstring(shown._repr_html_())  # noqa: S314 - our own text
    return {
        "".join(row[0].itertext()): ["".join(cell.itertext()) for cell in row[1:]]
        for row in table.iter("tr")
    }


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_well_formed_small_and_takes_the_pages_colours(name: str) -> None:
    html = SHOWN[name]._repr_html_()
    assert rows_of(SHOWN[name])
    assert len(html) < 10_000
    colours = set(re.findall(r"(?:color|background|stroke|fill)(?:: |=\")([^;\"]+)", html))
    assert colours <= {"inherit", "transparent", "none", "currentColor"}
    assert "<script" not in html
    assert set(re.findall(r"http[^\"]*", html)) <= {"http://www.w3.org/2000/svg"}


def test_a_run_says_what_was_asked_and_what_came_of_it() -> None:
    run = SHOWN["run"]
    rows = rows_of(run)
    assert rows["Optimiser"] == ["nadam, lr=0.01"]
    assert rows["Rows a step"] == ["all"]
    assert rows["Epochs"] == ["250 of 250"]
    assert rows["Engine"] == ["compiled, float64"]
    assert rows["Outcome"] == [run.outcome.value]
    assert rows["Ended at"] == ["bias = 0.891967, weight = 0.0675632"]
    assert rows["Loss"] == ["1.37252 × 10⁹ → 3,708.13"]
    asked: dict[str, Any] = {"optimizer": "adamw", "betas": (0.8, 0.9), "batch_size": 8}
    asked |= {"shuffle": True, "drop_last": True, "standardize": True, "epochs": 3}
    other = rows_of(thalweg.fit(wide(), **asked))
    assert other["Optimiser"] == ["adamw, lr=0.01, betas=(0.8, 0.9), in standardised features"]
    assert other["Rows a step"] == ["8, shuffle, drop_last"]
    assert other["Ended at"][0].endswith(" and 19 more")


def test_a_dataset_shows_the_spread_of_each_column_and_counts_the_rest() -> None:
    rows = rows_of(CHAPTERS)
    y = CHAPTERS.y
    label = next(name for name in rows if name.endswith(", the target"))
    assert rows[label] == [number(v, 6) for v in (y.mean(), y.std(), y.min(), y.max())]
    many = list(rows_of(wide()))
    assert many[:2] == ["Column", "<b>&"]
    assert many[-2:] == ["and 20 more features", '"t", the target']
    assert len(many) == 1 + 10 + 2


def test_the_loss_line_falls_where_the_loss_falls() -> None:
    line = ElementTree.fromstring(loss_line(10.0 ** -np.arange(5.0)))  # noqa: S314 - our own text
    points = [tuple(map(float, p.split(","))) for p in line[1].attrib["points"].split()]
    steps = np.diff(points, axis=0)
    assert (steps > 0.0).all()  # to the right, and down: an SVG's y grows downwards
    np.testing.assert_allclose(steps, np.broadcast_to(steps[0], steps.shape), atol=0.11)
    assert line[0].text == "Loss by epoch, logarithmic: from 1 to 0.0001"


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ([1.0, 0.0], "Loss by epoch: from 1 to 0"),
        ([1e308, -1e308, 5.0], "Loss by epoch: from 10³⁰⁸ to 5"),
        ([3.0, 3.0], "Loss by epoch, logarithmic: from 3 to 3"),
        ([1.0, 2.0, np.inf, np.nan], "Loss by epoch, logarithmic: from 1 to 2"),
    ],
)
def test_odd_losses_are_drawn_too(loss: list[float], said: str) -> None:
    line = ElementTree.fromstring(loss_line(np.array(loss)))  # noqa: S314 - our own text
    assert line[0].text == said
    assert "nan" not in line[1].attrib["points"]


def test_without_two_losses_there_is_no_line() -> None:
    assert loss_line(np.array([])) == ""
    assert loss_line(np.array([np.nan, 1.0])) == ""
