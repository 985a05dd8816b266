"""A descent over a scanned file is that of the same rows in memory, to the bit."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg
from thalweg import errors
from thalweg.data import arrow
from thalweg.data.file_set import FileSet
from thalweg.data.scanning import Scan
from thalweg.descent import compiled, engines, streaming
from thalweg.descent.streaming import in_fours
from thalweg.descent.task import prepare
from thalweg.optimizers.registry import RULES
from thalweg.progress import Progress
from thalweg.runs.run import Outcome, Run
from thalweg.settings import Settings

N = 203
RNG = np.random.default_rng(11)
X = RNG.normal([3.0, -20.0, 0.5], [1.0, 5.0, 0.2], size=(N, 3))
Y = 4.0 + X @ [2.0, -0.3, 7.0] + RNG.normal(0, 0.5, N)
NAMES = ("length", "depth", "slope")
TABLE = pa.table({**dict(zip(NAMES, X.T, strict=True)), "flow": Y})

BLOCKS = [1, 7, 64, 100, N]

REGIMES: dict[str, dict[str, Any]] = {
    "batch": {},
    "batch, by its size": {"batch_size": N + 10, "shuffle": True},
    "batch, standardised": {"standardize": True},
    "batch, without a bias": {"standardize": True, "intercept": False},
    "batch, l1": {"loss": "l1"},
    "batch, huber": {"loss": "huber", "delta": 0.7, "standardize": True},
    "batch, l1, larger than the rows": {"loss": "l1", "batch_size": 1000},
    "stochastic": {"batch_size": 1},
    "stochastic, huber": {"batch_size": 1, "loss": "huber", "standardize": True},
    "mini-batches": {"batch_size": 16},
    "mini-batches, the last dropped": {"batch_size": 16, "drop_last": True, "loss": "l1"},
    "mini-batches, a last one of one row": {"batch_size": 101},
    "mini-batches larger than blocks": {"batch_size": 150, "standardize": True},
    "without a bias": {"batch_size": 5, "intercept": False},
    "standardised without a bias": {"batch_size": 5, "intercept": False, "standardize": True},
    "each step": {"batch_size": 16, "record": "step"},
    "every 7th step": {"batch_size": 16, "record": 7, "drop_last": True},
    "every 1000th step": {"batch_size": 3, "record": 1000},
    "from a given start": {"batch_size": 16, "start": [1.0, 2.0, 3.0, -4.0], "standardize": True},
    "from a drawn start": {"batch_size": 16, "start": 5},
    "to a gradient norm": {
        "batch_size": 50, "optimizer": "adam", "lr": 1.0, "standardize": True, "tolerance": 1.0,
        "epochs": 60,
    },
    "to a loss": {
        "batch_size": 20, "optimizer": "adam", "lr": 0.1, "standardize": True, "tolerance": 0.1,
        "tolerance_on": "loss", "epochs": 60,
    },
    "diverging": {"batch_size": 4, "optimizer": "sgd", "lr": 0.01, "epochs": 40},
    "diverging to what is not finite": {"batch_size": 1, "optimizer": "sgd", "lr": 1e3},
    "diverging, l1": {"batch_size": 30, "loss": "l1", "optimizer": "sgd", "lr": 1e9, "epochs": 40},
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "river.parquet"
    pq.write_table(TABLE, path)
    return path


@pytest.fixture(scope="module")
def in_memory(file: Path) -> thalweg.Dataset:
    return thalweg.read(file, target="flow")


@pytest.fixture(params=BLOCKS)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Read so many rows at once."""
    monkeypatch.setattr(arrow, "BATCH_ROWS", request.param)
    size: int = request.param
    return size


def assert_same(got: Run, expected: Run) -> None:
    for name in ("scaled_path", "path", "steps", "loss", "gradient_norm"):
        mine, other = getattr(got, name), getattr(expected, name)
        assert mine.shape == other.shape, name
        assert mine.tobytes() == other.tobytes(), name
    for name in ("settings", "outcome", "generator", "features", "target"):
        assert getattr(got, name) == getattr(expected, name), name
    assert repr(got.optimizer_state) == repr(expected.optimizer_state)
    np.testing.assert_array_equal(got.summary.triangle(), expected.summary.triangle())


# --- To the bit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES)
def test_a_scan_is_walked_as_the_rows_in_memory(
    regime: str, block: int, file: Path, in_memory: thalweg.Dataset
) -> None:
    asked = {"epochs": 5, "seed": 3, **REGIMES[regime]}
    scan = thalweg.scan(file, target="flow")
    assert max(len(y) for _, y in scan.batches()) == block
    assert_same(thalweg.fit(scan, **asked), thalweg.fit(in_memory, **asked))


def test_the_regimes_end_as_their_names_say(in_memory: thalweg.Dataset) -> None:
    for name, asked in REGIMES.items():
        expected = Outcome.OUT_OF_EPOCHS
        expected = Outcome.CONVERGED if name.startswith("to a") else expected
        expected = Outcome.DIVERGED if name.startswith("diverging") else expected
        assert thalweg.fit(in_memory, **{"epochs": 5, "seed": 3, **asked}).outcome is expected, name


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_carries_what_it_remembers_from_block_to_block(
    rule: str, file: Path, in_memory: thalweg.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "BATCH_ROWS", 30)
    asked: dict[str, Any] = {"optimizer": rule, "epochs": 4, "batch_size": 8, "standardize": True}
    scan = thalweg.scan(file, target="flow")
    assert_same(thalweg.fit(scan, **asked), thalweg.fit(in_memory, **asked))


def test_a_run_goes_on_over_a_scan(file: Path, in_memory: thalweg.Dataset) -> None:
    asked: dict[str, Any] = {"batch_size": 16, "standardize": True, "lr": 0.1}
    scan = thalweg.scan(file, target="flow")
    first = thalweg.fit(scan, epochs=3, **asked)
    rest = thalweg.fit(scan, epochs=4, start=first, **asked)
    whole = thalweg.fit(in_memory, epochs=7, **asked)
    np.testing.assert_array_equal(rest.scaled_path, whole.scaled_path[3:])


def test_text_is_walked_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "river.csv"
    pyarrow.csv.write_csv(TABLE, path)
    asked: dict[str, Any] = {"batch_size": 10, "epochs": 3}
    read, scan = (way(path, target="flow") for way in (thalweg.read, thalweg.scan))
    assert_same(thalweg.fit(scan, **asked), thalweg.fit(read, **asked))


def test_rows_that_are_left_out_are_left_out_of_each_epoch(tmp_path: Path) -> None:
    path = tmp_path / "river.parquet"
    with_holes = TABLE.set_column(1, "depth", pa.array([None, *X[1:, 1]]))
    pq.write_table(with_holes, path)
    scan = thalweg.scan(path, target="flow", missing="drop")
    with pytest.warns(errors.ThalwegWarning, match="1 of 203 rows") as warned:
        run = thalweg.fit(scan, batch_size=10, epochs=3)
    assert len(warned) == 1
    kept = thalweg.Dataset(X[1:], Y[1:], features=NAMES, target="flow")
    assert_same(run, thalweg.fit(kept, batch_size=10, epochs=3))


# --- How a block is cut ---------------------------------------------------------------------------


@given(st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_blocks_begin_at_multiples_of_four(sizes: list[int]) -> None:
    ends = np.cumsum([0, *sizes])
    whole = np.arange(ends[-1], dtype=float)
    blocks = [(whole[a:b, np.newaxis], whole[a:b]) for a, b in itertools.pairwise(ends)]
    cut = list(in_fours(iter(blocks)))
    assert all(len(y) % 4 == 0 for _, y in cut[:-1])
    assert all(len(y) > 0 and X.flags.c_contiguous for X, y in cut)
    np.testing.assert_array_equal(np.concatenate([y for _, y in cut]), whole)
    np.testing.assert_array_equal(np.concatenate([X[:, 0] for X, _ in cut]), whole)


# --- In parts -------------------------------------------------------------------------------------


@pytest.fixture
def an_epoch_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(arrow, "BATCH_ROWS", 30)


@pytest.mark.usefixtures("an_epoch_a_part")
@pytest.mark.parametrize("regime", REGIMES)
def test_the_parts_make_the_whole(regime: str, file: Path, in_memory: thalweg.Dataset) -> None:
    asked = {"epochs": 5, "seed": 3, **REGIMES[regime]}
    scan = thalweg.scan(file, target="flow")
    walked = thalweg.fit(scan, progress=lambda _: None, **asked)
    assert_same(walked, thalweg.fit(in_memory, **asked))


class Interrupted(Exception):
    pass


@pytest.mark.usefixtures("an_epoch_a_part")
def test_a_checkpoint_is_resumed_from_the_file(file: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"epochs": 6, "batch_size": 16, "standardize": True}
    path = tmp_path / "run.parquet"

    def stop(at: Progress) -> None:
        if at.epochs_done == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        thalweg.fit(
            thalweg.scan(file, target="flow"), checkpoint=path, every=1e-9, progress=stop, **asked
        )
    assert thalweg.load(path).epochs == 3
    resumed = thalweg.fit(thalweg.scan(file, target="flow"), resume=path, **asked)
    assert_same(resumed, thalweg.fit(thalweg.scan(file, target="flow"), **asked))


def test_a_checkpoint_of_another_file_is_refused(file: Path, tmp_path: Path) -> None:
    path, other = tmp_path / "run.parquet", tmp_path / "other.parquet"
    thalweg.fit(thalweg.scan(file, target="flow"), epochs=3, checkpoint=path)
    pq.write_table(TABLE.slice(1), other)
    with pytest.raises(errors.InvalidSetting, match="a checkpoint of other data"):
        thalweg.fit(thalweg.scan(other, target="flow"), epochs=3, resume=path)


# --- Whatever takes data takes a scan -------------------------------------------------------------


def test_solution_surface_and_diagnosis(file: Path, in_memory: thalweg.Dataset) -> None:
    scan = thalweg.scan(file, target="flow")
    assert thalweg.Summary.of(scan) is scan.summary
    np.testing.assert_array_equal(
        thalweg.solve(scan).parameters, thalweg.solve(in_memory).parameters
    )
    plane, other = thalweg.surface(scan, points=9), thalweg.surface(in_memory, points=9)
    np.testing.assert_array_equal(plane.log10_loss, other.log10_loss)
    assert thalweg.explain(scan).recommended == thalweg.explain(in_memory).recommended
    run = thalweg.fit(scan, batch_size=16, epochs=3)
    assert thalweg.explain(scan, run).text == thalweg.explain(run).text


def test_ill_conditioned_columns_are_solved_to_the_last_digits(tmp_path: Path) -> None:
    """Passes over the file correct the answer, as passes over the rows do."""
    t = np.linspace(-9.0, -3.0, 300)
    columns = {f"t{k}": t**k for k in range(1, 9)}
    path = tmp_path / "polynomial.parquet"
    pq.write_table(pa.table({**columns, "y": np.cos(t)}), path, row_group_size=70)
    expected = thalweg.solve((np.column_stack(list(columns.values())), np.cos(t))).parameters
    found = thalweg.solve(thalweg.scan(path, target="y")).parameters
    np.testing.assert_allclose(found, expected, rtol=2e-16)


# --- How often, and how much at once --------------------------------------------------------------


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the blocks that are read in each pass."""
    seen: list[int] = []
    original = Scan.batches

    def counted(self: Scan) -> Iterator[Any]:
        seen.append(0)
        for batch in original(self):
            seen[-1] += 1
            yield batch

    monkeypatch.setattr(Scan, "batches", counted)
    return seen


def test_batch_descent_reads_the_file_once(file: Path, passes: list[int]) -> None:
    scan = thalweg.scan(file, target="flow")
    thalweg.fit(scan, epochs=1000, standardize=True)
    thalweg.fit(scan, optimizer="sgd", lr=1e-4)
    thalweg.explain(scan)
    assert len(passes) == 1


def test_stochastic_descent_reads_it_once_more_an_epoch(file: Path, passes: list[int]) -> None:
    thalweg.fit(thalweg.scan(file, target="flow"), epochs=4, batch_size=1)
    assert len(passes) == 5


def test_the_loss_limit_takes_a_pass_only_where_a_loss_comes_near(
    file: Path, passes: list[int]
) -> None:
    run = thalweg.fit(thalweg.scan(file, target="flow"), **{**REGIMES["diverging"], "epochs": 9})
    assert run.outcome is Outcome.DIVERGED
    assert len(passes) == 1 + run.epochs + 1


def test_a_few_blocks_are_in_memory_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, n = tmp_path / "long.parquet", 400_000
    columns = {f"x{j}": RNG.normal(size=n) for j in range(4)}
    pq.write_table(pa.table({**columns, "y": RNG.normal(size=n)}), path)
    monkeypatch.setattr(arrow, "BATCH_ROWS", 10_000)
    asked: dict[str, Any] = {"epochs": 1, "batch_size": 64, "standardize": True}
    thalweg.fit(thalweg.salammbo(), **asked)  # compiled before
    scan = thalweg.scan(path, target="y")
    tracemalloc.start()
    thalweg.fit(scan, loss="l1", epochs=1)  # a batch of all the rows
    thalweg.fit(scan, **asked)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 10_000 * 5 * 8  # eight blocks of the forty


# --- Refused --------------------------------------------------------------------------------------

ADVICE = "read the rows into memory with thalweg.read"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"batch_size": 4, "shuffle": True},
            "shuffle: got True for 'river.parquet', which is scanned, expected False: a new order "
            f"each epoch needs all the rows at hand; {ADVICE}, or shuffle the file itself once",
        ),
        (
            {"batch_sampler": [[0, 1], [2]]},
            "batch_sampler: got batches of 'river.parquet', which is scanned, expected batches "
            f"that follow one another, as a file is read; {ADVICE}, or pass batch_size",
        ),
        (
            {"engine": "reference"},
            "engine: got 'reference' for 'river.parquet', which is scanned, expected 'compiled', "
            f"which alone walks rows that are not in memory; {ADVICE}",
        ),
        (
            {"optimizer": "adafactor"},
            "engine: got 'reference' for 'river.parquet', which is scanned, expected 'compiled', "
            f"which alone walks rows that are not in memory; {ADVICE}",
        ),
    ],
)
def test_what_needs_all_the_rows_is_refused(asked: dict[str, Any], said: str, file: Path) -> None:
    with pytest.raises(errors.InvalidSetting) as error:
        thalweg.fit(thalweg.scan(file, target="flow"), **asked)
    assert str(error.value) == said


@pytest.mark.parametrize("rows_now", [N - 1, N + 1])
def test_a_pass_over_other_rows_is_noticed(
    rows_now: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FileSet, "_check_unchanged", lambda files, number: None)
    path = tmp_path / "river.parquet"
    pq.write_table(TABLE, path)
    scan = thalweg.scan(path, target="flow")
    assert scan.summary.n == N
    pq.write_table(pa.concat_tables([TABLE, TABLE]).slice(0, rows_now), path)
    with pytest.raises(errors.UnreadableFile) as error:
        thalweg.fit(scan, batch_size=8)
    assert str(error.value) == (
        f"{path}: got {rows_now} rows in this pass, expected {N}, as in the first; leave the "
        "files as they are while they are fitted"
    )


def test_each_engine_refuses_the_other_kind_of_rows(file: Path, in_memory: thalweg.Dataset) -> None:
    pairs = Settings.of(batch_size=2)
    scanned = prepare(thalweg.scan(file, target="flow"), None, pairs).plan
    with pytest.raises(TypeError, match=r"walked by streaming\.begin"):
        compiled.begin(scanned).go_on(1)
    with pytest.raises(TypeError, match=r"walked by compiled\.begin"):
        streaming.begin(prepare(in_memory, None, pairs).plan)
