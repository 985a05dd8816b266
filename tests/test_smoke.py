"""Each dependency used once, from the public doors: what 'make test-lowest' runs.

Not here: whether the numbers are right to the last digit, which the other tests hold. Nothing
here needs PyTorch, pandas or Polars, so that the lowest versions install in a minute.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import thalweg
from lab.conftest import Served

ROUNDING = 1e-12
ROWS = 40


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rng = np.random.default_rng(3)
    length, depth = rng.normal(5.0, 2.0, ROWS), rng.normal(-1.0, 0.5, ROWS)
    flow = 2.0 + 3.0 * length - depth + rng.normal(0.0, 0.1, ROWS)
    return pa.table({"length": length, "depth": depth, "flow": flow})


@pytest.fixture(scope="module")
def folder(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows as CSV and as Parquet."""
    folder = tmp_path_factory.mktemp("rows")
    pa.csv.write_csv(table, folder / "river.csv")
    pa.parquet.write_table(table, folder / "river.parquet")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> thalweg.Run:
    data = thalweg.read(folder / "river.csv", target="flow")
    return thalweg.fit(data, optimizer="adam", lr=0.3, epochs=600, standardize=True)


def command(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "thalweg", *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_files_and_frames_hold_the_same_rows(folder: Path, table: pa.Table) -> None:
    for source in (folder / "river.csv", folder / "river.parquet", table):
        data = thalweg.read(source, target="flow")
        np.testing.assert_array_equal(data.X[:, 1], table["depth"].to_numpy())
        np.testing.assert_array_equal(data.y, table["flow"].to_numpy())


def test_the_exact_solution_and_the_descent_to_it(run: thalweg.Run, table: pa.Table) -> None:
    columns = [np.ones(ROWS), table["length"].to_numpy(), table["depth"].to_numpy()]
    exact = np.linalg.lstsq(np.column_stack(columns), table["flow"].to_numpy(), rcond=None)[0]
    assert run.data is not None
    solution = thalweg.solve(run.data)
    assert [solution.bias, *solution.weights] == pytest.approx(exact, rel=ROUNDING)
    assert run.parameters == pytest.approx(exact, rel=1e-6)


def test_batches_sweeps_surfaces_and_explanations(run: thalweg.Run) -> None:
    assert run.data is not None
    shuffled = thalweg.fit(run.data, epochs=3, batch_size=8, shuffle=True, seed=1)
    assert np.isfinite(shuffled.loss).all()
    rates = thalweg.sweep(run.data, lr=[0.1, 0.3], optimizer="adam", standardize=True, epochs=50)
    assert rates.setting(rates.best)["lr"] == 0.3
    assert np.isfinite(thalweg.surface(run.data, points=20).loss).all()
    assert str(thalweg.explain(run))


def test_a_run_file_gives_the_run(run: thalweg.Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run.parquet")
    np.testing.assert_array_equal(thalweg.load(tmp_path / "run.parquet").path, run.path)


def test_the_command_line(folder: Path) -> None:
    assert "thalweg" in command("--help", cwd=folder)
    assert "--standardize" in command("fit", "--help", cwd=folder)
    fitted = command(
        "fit", "river.csv", "-y", "flow", "--epochs", "9", "--json", "--out", "run.parquet",
        cwd=folder,
    )  # fmt: skip
    assert json.loads(fitted)["epochs"] == 9
    predicted = command("predict", "run.parquet", "river.parquet", cwd=folder)
    assert len(predicted.splitlines()) == 1 + ROWS
    command("report", "run.parquet", "--out", "page.html", cwd=folder)
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")


def test_the_lab_serves_its_page_and_its_socket() -> None:
    served = Served()
    try:
        page = served.request("GET", "/")
        assert page.status == 200
        assert b"</html>" in page.body
        with served.open() as socket:
            assert socket.ask("show", runs=[{}])["runs"]
    finally:
        served.stop()


def test_the_estimator() -> None:
    pytest.importorskip("sklearn")
    from thalweg.sklearn import DescentRegressor

    X = np.random.default_rng(5).normal(3.0, 1.0, size=(ROWS, 2))
    assert DescentRegressor().fit(X, 4.0 + X @ [1.0, -2.0]).score(X, 4.0 + X @ [1.0, -2.0]) > 0.99
