"""The exported script, run as it stands, ends where the run ended."""

from __future__ import annotations

import ast
import csv
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import thalweg
from thalweg import errors
from thalweg.export import to_pytorch
from thalweg.runs.run import Run

CHAPTERS = thalweg.salammbo()
# The compiled engine against PyTorch in float64, over the few epochs walked here.
COMPILED = 1e-9


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Give PyTorch its default precision and its random numbers back."""
    with torch.random.fork_rng(devices=[]):
        yield
    torch.set_default_dtype(torch.float32)


def end_of(script: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a script; give the variables that it leaves."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    before, sys.argv = sys.argv, [str(path), *arguments]
    try:
        return runpy.run_path(str(path))
    finally:
        sys.argv = before


def parameters(end: dict[str, Any], run: Run) -> list[float]:
    weights: list[float] = end["weights"].double().tolist()
    return [end["bias"], *weights] if run.settings.intercept else weights


def three_features() -> thalweg.Dataset:
    chance = np.random.default_rng(0)
    X = chance.normal(3.0, 2.0, (37, 3))
    y = X @ [1.0, -2.0, 3.0] + chance.normal(size=37)
    return thalweg.Dataset(X, y, features=['a "b"', "c\\d", "naïve\n"], target="y'")


REGIMES: dict[str, dict[str, Any]] = {
    "batch": {},
    "mini-batches": {"batch_size": 5},
    "mini-batches, shuffled, the last left out": {
        "batch_size": 5, "shuffle": True, "drop_last": True
    },
    "batch, shuffled": {"shuffle": True},
    "batches written out": {"batch_sampler": [[0, 1, 2], [2, 14], [3]]},
    "standardised": {"standardize": True, "batch_size": 5},
    "no intercept": {"intercept": False, "standardize": True},
    "given start": {"start": [1.0, 2.0, 3.0, 0.1], "batch_size": 5, "shuffle": True},
    "start of another seed": {"start": 99, "batch_size": 5, "shuffle": True},
    "l1": {"loss": "l1", "batch_size": 5},
    "huber": {"loss": "huber", "delta": 0.7},
    "its own settings": {"optimizer": "adamw", "betas": (0.8, 0.95), "amsgrad": True, "lr": 0.02},
    "converged": {"optimizer": "sgd", "lr": 0.02, "epochs": 500, "tolerance": 1.0},
    "diverged": {"optimizer": "sgd", "lr": 1.0},
    "a negative seed": {"seed": -1, "batch_size": 5, "shuffle": True},
}  # fmt: skip


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_the_script_ends_where_the_run_ended(engine: str, regime: str, tmp_path: Path) -> None:
    asked = {"seed": 7, "epochs": 12, "engine": engine, **REGIMES[regime]}
    run = thalweg.fit(three_features(), **asked)
    end = end_of(to_pytorch(run), tmp_path)
    if engine == "reference" and run.scaling is None:  # in float32, and equal
        assert parameters(end, run) == run.parameters.tolist()
        np.testing.assert_allclose(end["epoch_loss"], run.loss[-1], rtol=1e-12)
    elif engine == "reference":  # equal, but for the float64 sum that undoes the scaling
        np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=1e-12)
    else:
        np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=COMPILED)
        np.testing.assert_allclose(end["epoch_loss"], run.loss[-1], rtol=COMPILED)


CONTINUED: dict[str, dict[str, Any]] = {
    "nadam": {},
    "momentum": {"optimizer": "sgd", "lr": 1e-3, "momentum": 0.9},
    "plain": {"optimizer": "sgd", "lr": 1e-3},
    "rprop": {"optimizer": "rprop"},
    "standardised": {"standardize": True, "optimizer": "adam"},
    "no intercept": {"intercept": False},
}


@pytest.mark.parametrize("name", CONTINUED)
@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_a_run_that_went_on_from_another(engine: str, name: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"seed": 7, "epochs": 6, "batch_size": 5, "shuffle": True}
    asked |= {"engine": engine, **CONTINUED[name]}
    first = thalweg.fit(three_features(), **asked)
    run = thalweg.fit(three_features(), start=first, **asked)
    end = end_of(to_pytorch(run), tmp_path)
    exact = 1e-12 if engine == "reference" else COMPILED
    np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=exact)


@pytest.mark.parametrize("fresh", ["fresh_parameters", "fresh_optimizer"])
def test_what_was_left_behind_is_left_behind(fresh: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"seed": 7, "epochs": 6, "batch_size": 5, "shuffle": True}
    asked["engine"] = "reference"
    first = thalweg.fit(three_features(), **asked)
    run = thalweg.fit(three_features(), start=first.continuation(**{fresh: True}), **asked)
    end = end_of(to_pytorch(run), tmp_path)
    assert parameters(end, run) == run.parameters.tolist()


def test_adafactors_factors_are_written_out(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"optimizer": "adafactor", "engine": "reference", "epochs": 6}
    run = thalweg.fit(three_features(), start=thalweg.fit(three_features(), **asked), **asked)
    end = end_of(to_pytorch(run), tmp_path)
    np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=1e-6)


# --- Where the rows come from ---------------------------------------------------------------------


def write_csv(data: thalweg.Dataset, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([data.target, "unused", *data.features])
        for x, y in zip(data.X.tolist(), data.y.tolist(), strict=True):
            writer.writerow([y, "text", *x])


def test_many_rows_are_read_from_a_file(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    X = chance.normal(size=(400, 3))
    data = thalweg.Dataset(X, X.sum(axis=1), features=["a", "b b", "c,c"])
    run = thalweg.fit(data, epochs=5, batch_size=16, shuffle=True, standardize=True)
    script = to_pytorch(run)
    assert len(script) < 3000
    write_csv(data, tmp_path / "rows.csv")
    end = end_of(script, tmp_path, str(tmp_path / "rows.csv"))
    np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=COMPILED)
    write_csv(thalweg.Dataset(X[1:], X[1:].sum(axis=1), features=data.features), tmp_path / "few")
    with pytest.raises(SystemExit, match=r"The run saw 400 rows, this file has 399\."):
        end_of(script, tmp_path, str(tmp_path / "few"))


def test_a_script_that_reads_a_file_says_how_it_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = thalweg.Dataset(np.ones((600, 1)), np.ones(600))
    script = to_pytorch(thalweg.fit(data, epochs=1))
    for arguments in ([], ["a.csv", "b.csv"]):
        with pytest.raises(SystemExit) as caught:
            end_of(script, tmp_path, *arguments)
        assert caught.value.code == 2
        assert capsys.readouterr() == ("", f"usage: python {tmp_path / 'script.py'} ROWS.csv\n")


def test_a_loaded_run_has_no_rows_and_reads_them_from_a_file(tmp_path: Path) -> None:
    run = thalweg.fit(CHAPTERS, epochs=20, engine="reference", batch_size=4)
    run.save(tmp_path / "run.parquet")
    write_csv(CHAPTERS, tmp_path / "rows.csv")
    script = to_pytorch(thalweg.load(tmp_path / "run.parquet"))
    end = end_of(script, tmp_path, str(tmp_path / "rows.csv"))
    assert parameters(end, run) == run.parameters.tolist()


# --- The script as a text -------------------------------------------------------------------------

LESSON = '''\
"""A linear regression by gradient descent, in plain PyTorch.

nadam, 250 epochs, batch descent: 'A' from 'characters', 15 rows.
Written by Thalweg VERSION.
"""

import torch
from torch import nn

# The rows: 'characters', and the target.
X = torch.tensor([
    [36961.0], [43621.0], [15694.0], [36231.0], [29945.0], [40588.0], [75255.0],
    [37709.0], [30899.0], [25486.0], [37497.0], [40398.0], [74105.0], [76725.0],
    [18317.0],
])
y = torch.tensor([
    [2503.0], [2992.0], [1042.0], [2487.0], [2014.0], [2805.0], [5062.0], [2643.0],
    [2126.0], [1784.0], [2641.0], [2766.0], [5047.0], [5312.0], [1215.0],
])

torch.manual_seed(4321)
linear = nn.Linear(1, 1)
model = nn.Sequential(linear)

loss_fn = nn.MSELoss()
optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)

for epoch in range(250):
    loss = loss_fn(model(X), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    epoch_loss = loss.item()  # before the step

weights = linear.weight.detach()[0]
bias = linear.bias.item()
print("loss of the last epoch:", epoch_loss)
print("bias:", bias)
for name, weight in zip(['characters'], weights.tolist()):
    print(f"weight of {name}: {weight}")
'''


def test_the_lessons_script_reads_as_a_student_would_write_it() -> None:
    run = thalweg.fit(CHAPTERS, seed=4321, engine="reference")
    assert to_pytorch(run) == LESSON.replace("VERSION", thalweg.__version__)


def test_it_runs_by_itself_and_prints_the_notebooks_numbers(tmp_path: Path) -> None:
    script = to_pytorch(thalweg.fit(CHAPTERS, seed=4321, engine="reference"))
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "script.py"], cwd=tmp_path, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    printed = dict(line.split(": ") for line in done.stdout.splitlines())
    assert f"{float(printed['loss of the last epoch']):.2f}" == "3708.04"
    assert f"{float(printed['bias']):.4f}" == "0.8920"
    assert f"{float(printed['weight of characters']):.4f}" == "0.0676"


def test_it_says_where_a_run_ended_early() -> None:
    run = thalweg.fit(three_features(), optimizer="sgd", lr=0.02, epochs=500, tolerance=1.0)
    assert f"# The run ended here, converged, of 500.\nfor epoch in range({run.epochs}):" in (
        to_pytorch(run)
    )


def test_numbers_that_are_not_finite_are_written_as_python_reads_them() -> None:
    first = thalweg.fit(three_features(), epochs=1)
    odd = {**first.optimizer_state, "exp_avg": np.array([np.nan, np.inf, -np.inf, -0.0])}
    run = thalweg.fit(three_features(), start=replace(first, optimizer_state=odd), epochs=1)
    script = to_pytorch(run)
    ast.parse(script)
    assert 'torch.tensor([[float("inf"), float("-inf"), -0.0]])' in script


@pytest.mark.parametrize(
    ("seed", "written"), [(7, 7), (-1, 2**64 - 1), (-(2**63), 2**63), (2**64 - 1, 2**64 - 1)]
)
def test_the_seed_is_written_as_the_64_bits_that_pytorch_takes(seed: int, written: int) -> None:
    script = to_pytorch(thalweg.fit(CHAPTERS, epochs=1, seed=seed))
    assert f"torch.manual_seed({written})\n" in script


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", [{"initial_state": None}, {"data": None}])
def test_a_run_of_unknown_origin_is_refused(lacking: dict[str, Any]) -> None:
    run = replace(thalweg.fit(CHAPTERS, epochs=1), **lacking)
    with pytest.raises(errors.InvalidSetting) as error:
        to_pytorch(run)
    assert str(error.value) == (
        "run: got one that does not say what it was fitted to and where it began, expected a run "
        "of fit, without weights; fit again with thalweg.fit, and export that run"
    )


class Halving(torch.optim.SGD):
    """An optimiser of somebody's own."""


def test_an_optimiser_of_ones_own_is_refused() -> None:
    run = thalweg.fit(CHAPTERS, optimizer=Halving, lr=1e-12, epochs=1)
    with pytest.raises(errors.InvalidSetting) as error:
        to_pytorch(run)
    assert str(error.value) == (
        "run: got one of 'halving', expected an optimiser of torch.optim, which a script can "
        "import; fit with one of those, or export the data and write the loop by hand"
    )
