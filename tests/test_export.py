"""The exported script, run as it stands, ends where the run ended."""

from __future__ import annotations

import ast
import csv
import gzip
import json
import lzma
import runpy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import torch

import thalweg
from thalweg import errors
from thalweg.export import to_pytorch
from thalweg.runs.run import Run

CHAPTERS = thalweg.salammbo()
# The compiled engine against PyTorch in float64, over the few epochs walked here.
COMPILED = 1e-9


pytestmark = pytest.mark.usefixtures("torch_as_it_was")


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


def with_words(n: int = 60) -> pa.Table:
    """Make a table of numbers, words and flags, with two cells missing and words that differ."""
    chance = np.random.default_rng(1)
    size = chance.normal(5000.0, 2000.0, n).round(2).tolist()
    city = chance.choice(["Oslo", "Rome", "01"], n).tolist()
    city[7], size[3] = None, None
    flag = (chance.random(n) < 0.5).tolist()
    y = chance.normal(size=n).round(3).tolist()
    return pa.table({"a b": size, "city": city, "ok": flag, "y": y, "empty": [None] * n})


def as_text(
    table: pa.Table,
    mark: str = ",",
    number: Callable[[float], str] = repr,
    missing: str = "",
) -> str:
    """Write a table as text, its numbers as they are asked for."""
    rows = [table.column_names, *zip(*table.to_pydict().values(), strict=True)]
    cells = [
        [missing if v is None else number(v) if isinstance(v, float) else str(v) for v in row]
        for row in rows
    ]
    return "\n".join(mark.join(row) for row in cells) + "\n"


def german(value: float) -> str:
    return f"{value:,.3f}".translate(str.maketrans(",.", ".,"))


def packed(name: str, folder: Path) -> dict[str, Any]:
    """Write the table as one kind of file; give what its reader is told."""
    table, path = with_words(), folder / name
    text = as_text(table)
    match name:
        case "german":
            text = "# a note\n\n" + as_text(table, ";", german).replace("a b", "  a b ", 1)
            path.write_text(text, encoding="utf-8-sig")
            return {"decimal": ",", "thousands": ".", "comment": "#"}
        case "gzip":
            path.write_bytes(gzip.compress(b"made by hand\n" + text.replace(",,", ",?,").encode()))
            return {"skip_rows": 1, "na_values": "?"}
        case "xz, UTF-16":
            path.write_bytes(lzma.compress(text.replace(",", "\t").encode("utf-16")))
        case "row names":
            lines = as_text(table, missing="NA").splitlines()
            named = [f'"{k}" {line}' for k, line in enumerate(lines[1:], 1)]
            quoted = " ".join(f'"{name}"' for name in lines[0].split(","))
            body = "\n".join(line.replace(",", " ") for line in named)
            path.write_text(f"{quoted}\n{body}\n")
        case "zstd":
            path.write_bytes(pa.compress(text.encode(), "zstd", asbytes=True))
        case "parquet":
            pq.write_table(table, path)
        case "arrow file":
            pa.feather.write_feather(table, str(path))
        case "arrow stream":
            with pa.ipc.new_stream(path, table.schema) as stream:
                stream.write_table(table)
        case "json lines":
            path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    return {}


PACKED = [
    "german", "gzip", "xz, UTF-16", "row names", "parquet", "arrow file", "arrow stream",
    "json lines",
]  # fmt: skip


@pytest.mark.parametrize("installed", [True, False], ids=["with Thalweg", "without"])
@pytest.mark.parametrize("name", PACKED)
@pytest.mark.filterwarnings("ignore:.*missing values are left out")
def test_the_script_reads_what_the_run_read(
    name: str, installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = packed(name, tmp_path)
    intercept = name != "parquet"
    run = thalweg.fit(
        thalweg.scan(tmp_path / name, target="y", features=["ok", "city", "a b"],
                     categories="all", missing="drop", **asked),
        epochs=3, standardize=True, seed=1, intercept=intercept,
    )  # fmt: skip
    assert run.features[1 : 3 - intercept] == (("city_01", "city_Oslo")[intercept:])
    run.save(tmp_path / "run")
    script = to_pytorch(thalweg.load(tmp_path / "run"))
    if not installed:
        monkeypatch.setitem(sys.modules, "thalweg", None)
    end = end_of(script, tmp_path)
    assert len(end["y"]) == 58
    np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=COMPILED)


@pytest.mark.filterwarnings("ignore:.*missing values are left out")
def test_what_only_thalweg_reads_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed("zstd", tmp_path)
    rows = thalweg.scan(tmp_path / "zstd", target="y", features=["ok"], missing="drop")
    script = to_pytorch(thalweg.fit(rows, epochs=1))
    assert len(end_of(script, tmp_path)["y"]) == 60
    monkeypatch.setitem(sys.modules, "thalweg", None)
    with pytest.raises(SystemExit, match="A text compressed by zstd is read with Thalweg"):
        end_of(script, tmp_path)


def run_of(path: Path | list[Path], **asked: Any) -> Run:
    return thalweg.fit(thalweg.read(path, target="y", **asked), epochs=2, lr=1e-3, dtype="float64")


def assert_read(run: Run, folder: Path) -> None:
    """Check that a script of the run reads the same rows where Thalweg is not installed."""
    run.save(folder / "_run")
    script = to_pytorch(thalweg.load(folder / "_run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "thalweg", None)
        end = end_of(script, folder)
    np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=COMPILED)


def test_the_files_of_a_folder_and_of_a_pattern_are_written_out(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / f"{name}.csv").write_text("x,y\n" + f"{name},{name}.5\n" * 300)
    for path in (tmp_path, tmp_path / "*.csv"):
        run = run_of(path)
        (tmp_path / "script.py").unlink(missing_ok=True)
        assert_read(run, tmp_path)


def test_files_that_differ_are_said_to_need_thalweg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "x,y\n" + "1,2\n2,3\n" * 300
    (tmp_path / "1.csv").write_text(text)
    (tmp_path / "2.csv").write_bytes(gzip.compress(text.encode()))
    script = to_pytorch(run_of([tmp_path / "1.csv", tmp_path / "2.csv"]))
    assert len(end_of(script, tmp_path)["y"]) == 1200
    monkeypatch.setitem(sys.modules, "thalweg", None)
    with pytest.raises(SystemExit, match="Files of several kinds are read with Thalweg"):
        end_of(script, tmp_path)


# Numbers as levels, which one reader writes 1 and another 1.0; one is missing.
NUMBERED = pd.DataFrame({"y": np.arange(700.0) % 5, "x": np.arange(700.0) % 11, "k": [1, 2] * 350})


def write_mixed(path: Path) -> None:
    """Write JSON lines with whole numbers among others."""
    rows = NUMBERED.to_dict("records")
    rows[5]["k"], rows[6]["k"] = 2.5, None
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_nulls(path: Path) -> None:
    """Write Parquet whose whole numbers have a null, which pandas takes for others."""
    table = pa.table({"y": NUMBERED.y, "x": NUMBERED.x, "k": [None, *NUMBERED.k[1:].tolist()]})
    pq.write_table(table, path)


def write_workbook(path: Path) -> None:
    """Write blank rows, names that are numbers, and words that pandas would take for missing."""
    table = NUMBERED.assign(**{"2020": NUMBERED.x, "k": [None, "NA", 3, 2.5, "x"] * 140})
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        table.rename(columns={"2020": 2020}).to_excel(book, index=False, startrow=2)


@pytest.mark.parametrize(
    "write",
    [
        write_mixed,
        write_nulls,
        write_workbook,
        lambda path: NUMBERED.set_index("x").to_parquet(path),
    ],
    ids=["whole and other numbers", "nulls", "workbook", "index"],
)
@pytest.mark.filterwarnings(
    "ignore:.*missing values are left out",
    "ignore:The default engine for reading 'xlsx'",  # pandas speaks of its next version
)
def test_other_readers_find_the_same_levels(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "rows.xlsx")
    assert_read(run_of(tmp_path / "rows.xlsx", categories=["k"], missing="drop"), tmp_path)


TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "aligned": ("  x     y\n" + " 1.5   2\n10.25 3\n" * 300, {}),
    "aligned, row names": (
        "   x   y\n" + "".join(f"{k:<5}{k % 7}   {k % 3}\n" for k in range(600)), {}
    ),
    "comments, all quoted": (
        f"{','.join(f'x{k}' for k in range(40))},y\n" + '"1",' * 40 + "1\n" + '"2",' * 40 + "2\n"
        + ('"3",' * 40 + "3\n") * 40, {"comment": "#"},
    ),
    "a line end before a mark": ('c,y\n"a\n#",1\nb,2\n' * 1 + "b,3#\n" * 600,
                                 {"comment": "#", "categories": "all"}),
    "a large cell": ("x,c,y\n" + f"1,{'w' * 200_000},2\n" + "2,v,3\n" * 600, {"features": ["x"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_the_csv_module_alone_would_misread(name: str, tmp_path: Path) -> None:
    text, asked = TEXTS[name]
    (tmp_path / "rows").write_text(text)
    assert_read(run_of(tmp_path / "rows", **asked), tmp_path)


def test_a_file_without_a_header_and_some_features(tmp_path: Path) -> None:
    path = tmp_path / "bare"
    path.write_text("".join(f"{k},{'ab'[k % 2]},{k % 7},{2 * k}\n" for k in range(400)))
    rows = thalweg.read(path, target="column4", categories=["column2", "column3"])
    run = thalweg.fit(rows.select(["column3_6", "column1", "column2_b"]), epochs=2, lr=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "thalweg", None)
        end = end_of(to_pytorch(run), tmp_path)
    np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=COMPILED)
    end = end_of(to_pytorch(run), tmp_path, str(path))
    np.testing.assert_allclose(parameters(end, run), run.parameters, rtol=COMPILED)
    assert sorted(end["X"].sum(dim=0).tolist())[:2] == [57.0, 200.0]


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
