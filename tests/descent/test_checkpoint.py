"""A fit walked in parts is the uninterrupted fit to the bit, however it was cut or killed."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thalweg
from thalweg import errors
from thalweg.descent import compiled, engines, parts
from thalweg.progress import Progress
from thalweg.runs import run_file
from thalweg.runs.run import Outcome, Run

CHAPTERS = thalweg.salammbo()
ENGINES = ["compiled", "reference"]

REGIMES: dict[str, dict[str, Any]] = {
    "batch": {},
    "mini-batches, shuffled": {"batch_size": 4, "shuffle": True},
    "stochastic, standardised": {"batch_size": 1, "standardize": True, "shuffle": True},
    "each step": {"batch_size": 4, "record": "step", "drop_last": True},
    "every 7th step of 4 an epoch": {"batch_size": 4, "record": 7},
    "every 100th step": {"batch_size": 2, "record": 100},
    "batches written out": {"batch_sampler": [[0, 1, 2], [2, 14], [3]], "record": 2},
    "converges": {"optimizer": "sgd", "lr": 0.3, "standardize": True, "tolerance": 1e-3},
    "diverges": {"optimizer": "sgd", "lr": 2e-9, "epochs": 60},
    "huber": {"loss": "huber", "delta": 20.0, "batch_size": 4},
}

# Each with what it remembers between steps: moments, running products, averages, signs.
RULES: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 1e-11, "momentum": 0.9, "dampening": 0.1},
    "adagrad": {"lr_decay": 0.01},
    "adadelta": {},
    "rmsprop": {"momentum": 0.5, "centered": True},
    "adam": {"amsgrad": True},
    "adamw": {},
    "adamax": {},
    "nadam": {"weight_decay": 0.1},
    "radam": {},
    "asgd": {"lr": 1e-11, "t0": 50},
    "rprop": {},
}


def fit_in_parts(data: thalweg.Dataset, **asked: Any) -> Run:
    """Ask for progress, which nobody looks at: that cuts a fit into parts."""
    return thalweg.fit(data, **{"progress": lambda _: None, **asked})


@pytest.fixture(params=["calls as short as can be", "calls of any length"])
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the clock say that parts are slow, or anything between slow and fast."""
    times: Iterator[float]
    if request.param == "calls as short as can be":
        times = itertools.count(0.0, 10.0)
    else:
        chance = np.random.default_rng(0)
        times = itertools.accumulate(iter(lambda: 10 ** chance.uniform(-3.0, -0.5), None))
    monkeypatch.setattr(engines, "perf_counter", lambda: next(times))
    monkeypatch.setattr(compiled, "FIRST_NUMBERS", 1)


def assert_same(got: Run, expected: Run) -> None:
    for name in ("scaled_path", "steps", "loss", "gradient_norm"):
        mine, other = getattr(got, name), getattr(expected, name)
        assert mine.shape == other.shape, name
        assert mine.tobytes() == other.tobytes(), name
    for name in ("settings", "outcome", "generator"):
        assert getattr(got, name) == getattr(expected, name), name
    assert got.initial_state is not None
    assert expected.initial_state is not None
    assert (
        got.initial_state[:3] == expected.initial_state[:3]
    )  # the limit is worked out when needed
    assert got.optimizer_state.keys() == expected.optimizer_state.keys()
    for name, value in expected.optimizer_state.items():
        assert np.asarray(got.optimizer_state[name]).tobytes() == np.asarray(value).tobytes(), name


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("regime", REGIMES)
def test_the_parts_make_the_whole(regime: str, engine: str) -> None:
    asked: dict[str, Any] = {"seed": 4321, "epochs": 60, "engine": engine, **REGIMES[regime]}
    assert_same(fit_in_parts(CHAPTERS, **asked), thalweg.fit(CHAPTERS, **asked))


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_goes_on_as_if_it_had_not_stopped(rule: str, engine: str) -> None:
    asked: dict[str, Any] = {"optimizer": rule, "epochs": 90, "engine": engine, **RULES[rule]}
    assert_same(fit_in_parts(CHAPTERS, **asked), thalweg.fit(CHAPTERS, **asked))


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("engine", ENGINES)
def test_divergence_is_measured_from_the_first_start(engine: str) -> None:
    """The loss falls by far before it rises: a part's own start would give a lower limit."""
    data = thalweg.Dataset([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]], [0.0] * 4)
    asked: dict[str, Any] = {
        "optimizer": "sgd", "lr": 0.6, "epochs": 400, "engine": engine, "intercept": False,
        "start": [1e6, 1e-6], "dtype": "float64",
    }  # fmt: skip
    whole = thalweg.fit(data, **asked)
    assert whole.outcome is Outcome.DIVERGED
    assert whole.loss.min() * 1e12 < whole.loss[0]
    assert_same(fit_in_parts(data, **asked), whole)


@pytest.mark.usefixtures("cut")
def test_a_fit_that_goes_on_from_another_is_walked_in_parts_too() -> None:
    first = thalweg.fit(CHAPTERS, epochs=30, standardize=True, batch_size=4, shuffle=True)
    asked: dict[str, Any] = {
        "epochs": 70,
        "standardize": True,
        "batch_size": 4,
        "shuffle": True,
        "start": first,
    }
    assert_same(fit_in_parts(CHAPTERS, **asked), thalweg.fit(CHAPTERS, **asked))


# --- Progress and Ctrl-C --------------------------------------------------------------------------


@pytest.mark.usefixtures("cut")
def test_progress_counts_up_to_the_end() -> None:
    seen: list[Progress] = []
    run = thalweg.fit(CHAPTERS, epochs=40, progress=seen.append)
    done = [progress.epochs_done for progress in seen]
    assert done == sorted(set(done))
    assert done[-1] == 40
    assert all(progress.epochs == 40 for progress in seen)
    assert [progress.loss for progress in seen] == [run.loss[d - 1] for d in done]
    assert seen[-1].seconds_left == 0.0
    for progress in seen[:-1]:
        assert progress.seconds_left * progress.epochs_per_second == pytest.approx(
            40 - progress.epochs_done
        )


class Interrupt:
    """A callback that presses Ctrl-C after so many parts."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, progress: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def terminal() -> Iterator[None]:
    """Ctrl-C as in a terminal; it is ignored where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("cut", "terminal")
@pytest.mark.parametrize("engine", ENGINES)
def test_ctrl_c_returns_the_run_so_far(engine: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"epochs": 50, "batch_size": 4, "shuffle": True, "engine": engine}
    path = tmp_path / "run.parquet"
    whole = thalweg.fit(CHAPTERS, **asked)
    stopped = thalweg.fit(CHAPTERS, progress=Interrupt(2), checkpoint=path, **asked)
    assert stopped.outcome is Outcome.STOPPED
    assert 2 <= stopped.epochs < 50
    np.testing.assert_array_equal(stopped.path, whole.path[: stopped.epochs + 1])
    np.testing.assert_array_equal(stopped.loss, whole.loss[: stopped.epochs])
    assert_same(thalweg.load(path), stopped)
    assert_same(thalweg.fit(CHAPTERS, resume=path, **asked), whole)


def test_ctrl_c_before_the_first_epoch_passes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiled.FullBatch, "go_on", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_in_parts(CHAPTERS)


def test_ctrl_c_in_the_last_write_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Outcome] = []
    save = run_file.save

    def interrupted_once(run: thalweg.Run, path: Path) -> None:
        written.append(run.outcome)
        if written.count(Outcome.OUT_OF_EPOCHS) == 1:
            raise KeyboardInterrupt
        save(run, path)

    monkeypatch.setattr(parts, "save", interrupted_once)
    run = thalweg.fit(CHAPTERS, epochs=20, checkpoint=tmp_path / "run.parquet", every=1e9)
    assert written.count(Outcome.OUT_OF_EPOCHS) == 2
    assert_same(run, thalweg.fit(CHAPTERS, epochs=20))
    assert_same(thalweg.load(tmp_path / "run.parquet"), run)


# --- Checkpoints ----------------------------------------------------------------------------------


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Collect the epochs and the outcome of each run that is written."""
    seen: list[tuple[int, str]] = []

    def noted(run: Run, path: Path) -> None:
        seen.append((run.epochs, run.outcome.name))
        run_file.save(run, path)

    monkeypatch.setattr(parts, "save", noted)
    return seen


def test_checkpoints_come_first_then_when_due_then_last(
    written: list[tuple[int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(0.0, 10.0)
    now = [0.0]
    monkeypatch.setattr(engines, "perf_counter", lambda: next(seconds))  # an epoch a call
    monkeypatch.setattr(compiled, "FIRST_NUMBERS", 1)
    monkeypatch.setattr(parts, "monotonic", lambda: now[0])

    def pass_time(progress: Progress) -> None:
        now[0] += 1.0

    path = tmp_path / "run.parquet"
    thalweg.fit(CHAPTERS, epochs=8, checkpoint=path, every=3.0, progress=pass_time)
    assert written == [(1, "STOPPED"), (4, "STOPPED"), (7, "STOPPED"), (8, "OUT_OF_EPOCHS")]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("at", [1, 2, 13])
@pytest.mark.parametrize("record", ["epoch", "step", 7])
def test_a_checkpoint_is_resumed_to_the_same_bits(
    at: int, record: str | int, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(compiled, "FIRST_NUMBERS", 1)
    asked: dict[str, Any] = {
        "epochs": 20, "batch_size": 4, "shuffle": True, "standardize": True, "engine": engine,
        "record": record, "start": [1.0, 0.1],
    }  # fmt: skip
    path, copy = tmp_path / "run.parquet", tmp_path / "copy.parquet"

    def keep(progress: Progress) -> None:
        if progress.epochs_done == at:
            copy.write_bytes(path.read_bytes())

    whole = thalweg.fit(CHAPTERS, checkpoint=path, every=1e-9, progress=keep, **asked)
    assert thalweg.load(copy).epochs == at
    assert_same(thalweg.fit(CHAPTERS, resume=copy, **asked), whole)
    assert_same(thalweg.load(copy), whole)  # which was kept on


def test_a_finished_checkpoint_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    whole = thalweg.fit(CHAPTERS, epochs=5, checkpoint=path)
    assert_same(thalweg.fit(CHAPTERS, epochs=5, resume=path), whole)


def test_a_resumed_fit_can_keep_its_checkpoints_elsewhere(tmp_path: Path) -> None:
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    whole = thalweg.fit(CHAPTERS, epochs=5, checkpoint=first)
    before = first.read_bytes()
    thalweg.fit(CHAPTERS, epochs=5, resume=first, checkpoint=second)
    assert first.read_bytes() == before
    assert_same(thalweg.load(second), whole)


ADVICE = "resume with the data and the settings of the first call, or leave resume out"
OTHER_ROWS = thalweg.Dataset(
    CHAPTERS.X + np.eye(15, 1), CHAPTERS.y, features=CHAPTERS.features, target=CHAPTERS.target
)
RENAMED = thalweg.Dataset(CHAPTERS.X, CHAPTERS.y, features=["letters"], target=CHAPTERS.target)


@pytest.mark.parametrize(
    ("data", "asked", "said"),
    [
        (
            CHAPTERS,
            {"lr": 0.02, "epochs": 60},
            "a checkpoint with lr=0.01, epochs=50, expected one with lr=0.02, epochs=60, as "
            "asked now",
        ),
        (OTHER_ROWS, {}, "a checkpoint of other data, expected one of the data given"),
        (RENAMED, {}, "a checkpoint of other data, expected one of the data given"),
        (
            CHAPTERS,
            {"start": [1.0, 2.0]},
            "a checkpoint that began elsewhere, expected one with the start that is asked now",
        ),
        (
            CHAPTERS,
            {"start": 7},
            "a checkpoint that began elsewhere, expected one with the start that is asked now",
        ),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(
    data: thalweg.Dataset, asked: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.parquet"
    thalweg.fit(CHAPTERS, epochs=50, checkpoint=path, progress=Interrupt(1))
    before = path.read_bytes()
    with pytest.raises(errors.InvalidSetting) as error:
        thalweg.fit(data, resume=path, **{"epochs": 50, **asked})
    assert str(error.value) == f"resume: got {said}; {ADVICE}"
    assert path.read_bytes() == before


@pytest.mark.parametrize("stopped", [True, False])
def test_more_epochs_are_walked_as_the_refusal_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    path = tmp_path / "it's.parquet"
    monkeypatch.setattr(engines, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(compiled, "FIRST_NUMBERS", 1)
    kept = thalweg.fit(
        CHAPTERS, epochs=50, checkpoint=path, progress=Interrupt(1) if stopped else False
    )
    assert (kept.epochs < 50) == stopped
    with pytest.raises(errors.InvalidSetting) as error:
        thalweg.fit(CHAPTERS, epochs=70, resume=path)
    start, more = f"thalweg.load({str(path)!r})", 70 - kept.epochs
    assert str(error.value) == (
        "resume: got a checkpoint with epochs=50, expected one with epochs=70, as asked now; to go "
        f"on from its end, call thalweg.fit in Python with start={start} and epochs={more}"
    )
    further = thalweg.fit(CHAPTERS, start=thalweg.load(path), epochs=more)
    np.testing.assert_array_equal(further.path[-1], thalweg.fit(CHAPTERS, epochs=70).path[-1])
    if not stopped:
        with pytest.raises(errors.InvalidSetting, match=ADVICE):  # no more are left to walk
            thalweg.fit(CHAPTERS, epochs=40, resume=path)


def test_another_optimiser_state_at_the_start_is_another_fit(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    first = thalweg.fit(CHAPTERS, epochs=3)
    thalweg.fit(CHAPTERS, epochs=50, start=first, checkpoint=path)
    state = {**first.optimizer_state, "step": 17.0}
    with pytest.raises(errors.InvalidSetting, match="began elsewhere"):
        thalweg.fit(CHAPTERS, epochs=50, resume=path, start=replace(first, optimizer_state=state))


def test_the_interval_must_be_positive() -> None:
    with pytest.raises(errors.InvalidSetting) as error:
        fit_in_parts(CHAPTERS, every=0)
    assert str(error.value) == "every: got 0, expected a positive number; try every=60"


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    thalweg.fit(CHAPTERS, epochs=5, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(errors.UnreadableFile, match="cut short"):
        thalweg.fit(CHAPTERS, epochs=5, resume=path)


# Forks a child for each life of the fit, so that the libraries are loaded once.
KILLER = """
    import os, random, signal, sys, time
    import numpy as np
    import thalweg
    from thalweg.descent import compiled, engines, parts

    parts.PART_SECONDS = 0.001
    folder, engine, epochs, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    rows = np.random.default_rng(0)
    X = rows.normal(5.0, 2.0, (200, 3))
    data = thalweg.Dataset(X, X @ [1.0, 2.0, 3.0] + rows.normal(size=200))
    asked = dict(
        optimizer="nadam", lr=1e-3, epochs=epochs, batch_size=16, shuffle=True,
        standardize=True, engine=engine, record=5,
    )
    whole = thalweg.fit(data, **asked)

    def live(path):
        resume = path if os.path.exists(path) else None
        return thalweg.fit(data, checkpoint=path, every=1e-3, resume=resume, **asked)

    lifetimes = []
    for each in ("first", "second"):  # the first also loads what later ones find
        before = time.perf_counter()
        live(os.path.join(folder, f"{each}.parquet"))
        lifetimes.append(time.perf_counter() - before)
    chance = random.Random(0)
    killed = trial = 0
    while killed < wanted:
        path = os.path.join(folder, f"{trial}.parquet")
        by_signal = True
        while by_signal:  # until a life reaches the fit's end
            child = os.fork()
            if child == 0:
                live(path)
                os._exit(0)
            time.sleep(chance.uniform(0.0, lifetimes[1]))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            by_signal = os.WIFSIGNALED(status)
            killed += by_signal
            if os.path.exists(path):
                thalweg.load(path)  # whole, whenever the child died
        run = live(path)
        for name in ("scaled_path", "steps", "loss", "gradient_norm"):
            assert getattr(run, name).tobytes() == getattr(whole, name).tobytes(), (trial, name)
        assert run.generator == whole.generator
        assert repr(run.optimizer_state) == repr(whole.optimizer_state)
        trial += 1
    print(killed, trial)
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="the system has no fork")
def test_killed_at_any_moment_it_resumes_to_the_same_bits(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLER), tmp_path, "compiled", "4000", "50"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    killed, trials = map(int, done.stdout.split())
    assert killed >= 50
    whole = [path.name for path in tmp_path.iterdir() if path.suffix != ".tmp"]
    assert len(whole) == trials + 2


def test_a_scanned_fit_that_was_saved_at_its_end_is_gone_on_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = np.column_stack([rng.normal(size=(50, 2)), rng.normal(size=50)])
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header="a,b,c", comments="")
    scan = thalweg.scan(tmp_path / "rows.csv", target="c")
    run = thalweg.fit(scan, epochs=5, batch_size=7)
    run.save(tmp_path / "run.parquet")
    again = thalweg.fit(scan, epochs=5, batch_size=7, resume=tmp_path / "run.parquet")
    assert_same(again, run)
    in_memory = thalweg.fit(scan.read(), epochs=5, batch_size=7, resume=tmp_path / "run.parquet")
    assert_same(in_memory, run)
