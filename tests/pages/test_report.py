"""The report of any run: what it says, what its map shows, whatever became of the run."""

from __future__ import annotations

import base64
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg.errors import InvalidData, ThalwegWarning
from thalweg.pages.report import report_page

CHAPTERS = thalweg.salammbo()


def fields() -> thalweg.Dataset:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 5)) * [1.0, 10.0, 100.0, 1.0, 3.0] + [0.0, 5.0, 20.0, 0.0, 1.0]
    y = X @ [1.0, 0.2, 0.03, -2.0, 0.5] + 4.0 + rng.normal(size=200)
    return thalweg.Dataset(X, y, units={"y": "t"}, name="Fields")


def drawn(page: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script type="application/json" data-for="{name}">(.*?)</script>', page)
    assert found, name
    figure: dict[str, Any] = json.loads(found[1])
    return figure


def text_of(page: str) -> str:
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


REGIMES: dict[str, dict[str, Any]] = {
    "crawled": {"optimizer": "sgd", "lr": 1e-5},
    "diverged": {"optimizer": "sgd", "lr": 0.1},
    "standardised": {"optimizer": "adam", "lr": 0.05, "standardize": True},
    "absolute error": {"optimizer": "sgd", "lr": 1e-4, "loss": "l1"},
    "no intercept": {"optimizer": "sgd", "lr": 1e-5, "intercept": False},
    "stochastic": {"optimizer": "sgd", "lr": 1e-6, "batch_size": 1, "shuffle": True},
}


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("regime", REGIMES)
def test_a_run_of_any_kind_has_its_page(regime: str, loaded: bool, tmp_path: Path) -> None:
    run = thalweg.fit(fields(), epochs=40, **REGIMES[regime])
    if loaded:
        run.save(tmp_path / "run.parquet")
        run = thalweg.load(tmp_path / "run.parquet")
    page = report_page({"mine": run})
    said = text_of(page)
    for sentence in thalweg.explain(run).text.split("\n\n"):
        assert " ".join(sentence.split()[:8]) in said
    figure = drawn(page, "map")
    packed = next(trace["z"] for trace in figure["data"] if trace["type"] == "contour")
    height = np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
    # The map goes through the exact solution, and is of a size that shows it.
    exact = run.summary.solve(intercept=run.settings.intercept).loss
    assert height.min() == pytest.approx(np.log10(exact), abs=0.05)
    assert height.max() < np.log10(exact) + 8.0
    assert "Fields" in figure["layout"]["title"]["text"] + json.dumps(figure["layout"])


@pytest.mark.parametrize(
    ("X", "y", "asked"),
    [
        (np.arange(1.0, 7.0), np.arange(6.0) ** 2, {"intercept": False}),
        (np.full(6, 2.0), np.arange(6.0), {}),
        (np.zeros((6, 2)), np.arange(6.0), {}),
        (np.zeros((6, 2)), np.zeros(6), {"intercept": False}),
        (np.array([[1.0, 2.0, 3.0]]), np.array([4.0]), {"epochs": 1}),
        (np.arange(6.0), 2.0 * np.arange(6.0) + 1.0, {"standardize": True}),
    ],
    ids=["one parameter", "constant", "zeros", "all zero", "one row", "exact"],
)
def test_data_of_few_directions_have_their_page_too(
    X: np.ndarray, y: np.ndarray, asked: dict[str, Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)  # columns depend on one another
        run = thalweg.fit((X, y), **{"optimizer": "sgd", "lr": 1e-3, "epochs": 5, **asked})
        page = report_page(run)
    assert "nan" not in text_of(page)
    assert ('id="map"' in page) == (len(run.names) > 1)


def test_several_runs_are_told_apart() -> None:
    runs = {
        "slow": thalweg.fit(fields(), optimizer="sgd", lr=1e-5, epochs=40),
        "blown up": thalweg.fit(fields(), optimizer="sgd", lr=0.1, epochs=40),
    }
    page = report_page(runs)
    said = text_of(page)
    assert "Slow: out of epochs" not in said  # a name is written as it was given
    assert "slow: out of epochs after 40: the loss is" in said
    assert "blown up: diverged at epoch" in said
    assert said.index("slow: how far") < said.index("blown up: how far")
    exact = runs["slow"].summary.solve().loss
    ratio = runs["slow"].summary.loss(runs["slow"].parameters) / exact
    assert f"{ratio:.5g}" in said


def test_the_recommended_call_is_written_as_code() -> None:
    page = report_page(thalweg.fit(CHAPTERS, optimizer="sgd", lr=1e-8))
    assert "<code>thalweg.fit(data, optimizer=&#39;sgd&#39;" in page or (
        "<code>thalweg.fit(data, optimizer='sgd'" in page
    )


def test_names_cannot_inject_html() -> None:
    X = np.arange(12.0).reshape(6, 2) ** 2
    data = thalweg.Dataset(
        X, np.arange(6.0) ** 3, features=["<b>bold</b>", "thalweg.fit(<i>x</i>)"]
    )
    page = report_page({"<u>mine</u>": thalweg.fit(data, epochs=3)})
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    for tag in ("<b>", "<i>", "<u>"):
        assert tag not in body, tag


def test_runs_of_other_columns_are_refused() -> None:
    runs = {"a": thalweg.fit(CHAPTERS, epochs=2), "b": thalweg.fit(fields(), epochs=2)}
    with pytest.raises(InvalidData) as error:
        report_page(runs)
    assert str(error.value).startswith("runs: got 'b' of 'y' with parameters ('bias', 'x1'")
    with pytest.raises(InvalidData) as error:
        report_page({})
    assert str(error.value) == "runs: got none, expected at least one run; pass fit's result"
