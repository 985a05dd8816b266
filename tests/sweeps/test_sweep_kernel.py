"""Runs side by side against the same runs one by one, and what the kernel writes and does not."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import thalweg
from thalweg.arrays import Array
from thalweg.batches import Batches
from thalweg.data.dataset import Dataset
from thalweg.descent import compiled
from thalweg.descent.engines import to_end
from thalweg.descent.kernel import bases_of, schedule, update
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.losses import MSE
from thalweg.optimizers.adagrad import Adagrad
from thalweg.optimizers.adamw import AdamW
from thalweg.optimizers.asgd import ASGD
from thalweg.optimizers.nadam import NAdam
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import Rule, canonical, declared
from thalweg.optimizers.sgd import SGD
from thalweg.runs.run import Outcome
from thalweg.sweeps import kernel
from thalweg.sweeps.kernel import LANES, Leg, Runs, SweepTrace, sweep_descend
from thalweg.torch_random import Generator

EPOCHS = 30
TOLERANCE = 1e-12  # relative: the same sums, taken in another order
FEW_STEPS = 1e-9  # relative: the same few steps, before rounding grows
SOON = 0.3  # seconds from Ctrl-C to KeyboardInterrupt

# Where rounding does not grow: rules that divide by the root of what may vanish get a floor.
STEADY: dict[str, dict[str, Any]] = {
    "adadelta": {"eps": 1e-2},
    "rmsprop": {"eps": 1e-1},
    "adam": {"eps": 1e-1},
    "adamw": {"eps": 1e-1, "amsgrad": True},
    "nadam": {"eps": 1e-1, "decoupled_weight_decay": True, "weight_decay": 0.1},
    "radam": {"eps": 1e-1},
    "sgd": {"momentum": 0.5, "nesterov": True, "weight_decay": 0.1},
    "asgd": {"t0": 5.0, "lambd": 0.1},
}

# Every rule as it is, and with each of its flags.
FLAGS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in RULES),
    *((name, {"maximize": True}) for name in RULES),
    ("sgd", {"momentum": 0.9, "dampening": 0.3}),
    ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.2}),
    ("rmsprop", {"centered": True, "momentum": 0.5}),
    ("adam", {"amsgrad": True}),
    ("adam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("adamw", {"amsgrad": True}),
    ("nadam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("radam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
]


def problem(d: int = 2) -> Dataset:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, d)) * np.linspace(0.5, 1.5, d) + np.linspace(0.4, -0.7, d)
    return Dataset(X, X @ np.linspace(1.0, -2.0, d) + 0.8 + rng.normal(size=40))


def sweep(data: Dataset, rule: Rule, lr: Array, starts: Array, **settings: Any) -> SweepTrace:
    settings = {"epochs": EPOCHS, **settings}
    R = data.summary.triangle()
    return sweep_descend(R, len(data), float(np.var(data.y)), rule, lr, starts, **settings)


def alone(data: Dataset, rule: Any, lr: float, start: Array) -> Trace:
    plan = Plan(
        data=data,
        intercept=True,
        rule=rule._replace(lr=lr),
        loss=MSE(),
        epochs=EPOCHS,
        batches=Batches(),
        start=start,
        optimizer_state=None,
        generator=Generator(0),
        record_every=0,
        gradient_tolerance=0.0,
        loss_tolerance=-math.inf,
        dtype="float64",
    )
    return to_end(compiled.begin(plan))


def relative(got: Array, expected: Array) -> float:
    assert got.shape == expected.shape
    return float(np.max(np.abs(got - expected)) / np.max(np.abs(expected)))


@pytest.mark.parametrize("name", RULES)
def test_each_run_is_what_it_would_be_alone(name: str) -> None:
    data, rule = problem(), RULES[name](**STEADY.get(name, {}))
    runs = LANES + 7  # a full tile and a part of one
    lr = np.geomspace(1e-4, 0.1, runs)
    starts = np.random.default_rng(0).normal(size=(runs, 3))
    trace = sweep(data, rule, lr, starts, paths=True)
    assert trace.path is not None
    for run in (0, 1, LANES - 1, LANES, runs - 1):
        expected = alone(data, rule, lr[run], starts[run])
        assert expected.outcome is Outcome.OUT_OF_EPOCHS
        assert relative(trace.path[run], expected.path) < TOLERANCE
        assert trace.epochs[run] == EPOCHS
        assert not trace.diverged[run]
    assert np.array_equal(trace.path[:, 0], starts)
    assert np.array_equal(trace.path[:, -1], trace.parameters)


@pytest.mark.parametrize("d", [1, 5, 20])
def test_any_number_of_features(d: int) -> None:
    data, rule = problem(d), NAdam(eps=0.1)
    lr, starts = np.array([0.01, 0.05]), np.linspace(-1.0, 1.0, 2 * (d + 1)).reshape(2, d + 1)
    trace = sweep(data, rule, lr, starts, paths=True)
    assert trace.path is not None
    for run in range(2):
        expected = alone(data, rule, lr[run], starts[run])
        assert relative(trace.path[run], expected.path) < TOLERANCE


def test_the_loss_is_that_at_the_end() -> None:
    data = problem()
    starts = np.random.default_rng(1).normal(size=(9, 3))
    trace = sweep(data, AdamW(), np.full(9, 0.01), starts)
    predicted = trace.parameters[:, :1] + trace.parameters[:, 1:] @ data.X.T
    expected = np.mean((predicted - data.y) ** 2, axis=1)
    assert relative(trace.loss, expected) < TOLERANCE
    assert trace.path is None


def test_runs_that_diverge_end_there_and_leave_the_others_alone() -> None:
    data, lr = problem(), np.geomspace(0.01, 1e3, 3 * LANES)
    starts = np.tile([0.3, -0.2, 0.1], (len(lr), 1))
    trace = sweep(data, SGD(), lr, starts, paths=True)
    assert trace.path is not None
    assert 0 < trace.diverged.sum() < len(lr)
    for run in range(0, len(lr), 5):
        expected = alone(data, SGD(), lr[run], starts[run])
        walked = len(expected.loss)
        assert trace.diverged[run] == (expected.outcome is Outcome.DIVERGED)
        assert trace.epochs[run] == walked
        assert relative(trace.path[run, : walked + 1], expected.path) < TOLERANCE
        assert np.isnan(trace.path[run, walked + 1 :]).all()
        assert relative(trace.parameters[run], expected.path[-1]) < TOLERANCE
        if trace.diverged[run]:
            assert trace.loss[run] == pytest.approx(expected.loss[-1], rel=TOLERANCE)


def test_parameters_that_are_not_finite_end_a_run() -> None:
    data = Dataset([[0.0], [0.0], [0.0]], [1.0, 2.0, 4.0])
    rule = Adagrad(eps=0.0)  # 0 / 0 for the weight, which no row depends on
    trace = sweep(data, rule, np.full(3, 0.1), np.zeros((3, 2)), paths=True)
    assert trace.diverged.all()
    assert trace.epochs.tolist() == [1, 1, 1]


def test_nothing_that_is_given_is_changed() -> None:
    data, lr, starts = problem(), np.geomspace(0.01, 10.0, 9), np.ones((9, 3))
    sweep(data, NAdam(), lr, starts)
    assert np.array_equal(lr, np.geomspace(0.01, 10.0, 9))
    assert np.array_equal(starts, np.ones((9, 3)))


def test_one_run_is_a_sweep_too() -> None:
    trace = sweep(problem(), NAdam(), np.array([0.1]), np.ones((1, 3)))
    assert trace.parameters.shape == (1, 3)


def test_a_run_is_the_same_to_the_bit_wherever_it_stands() -> None:
    data, runs = problem(), LANES + 13
    lr, starts = np.geomspace(1e-3, 10.0, runs), np.random.default_rng(2).normal(size=(runs, 3))
    whole = sweep(data, NAdam(), lr, starts)
    for run in (0, 5, LANES - 1, LANES, runs - 1):
        one = sweep(data, NAdam(), lr[run : run + 1], starts[run : run + 1])
        assert np.array_equal(one.parameters[0], whole.parameters[run])
        assert one.loss[0] == whole.loss[run]


def test_rows_between_others_are_read_as_they_are() -> None:
    data, lr, starts = problem(), np.geomspace(0.01, 0.1, 10), np.ones((10, 6))
    R, variance = data.summary.triangle(), float(np.var(data.y))
    expected = sweep_descend(R, 40, variance, SGD(), lr[::2].copy(), np.ones((5, 3)), 3)
    got = sweep_descend(np.asfortranarray(R), 40, variance, SGD(), lr[::2], starts[::2, ::2], 3)
    assert np.array_equal(got.parameters, expected.parameters)


# --- Each run ends as it would alone --------------------------------------------------------------


def test_a_run_that_leaves_the_bounds_in_its_last_step_has_its_end() -> None:
    settings: dict[str, Any] = {"optimizer": "sgd", "standardize": True, "epochs": 1}
    swept = thalweg.sweep(thalweg.salammbo(), lr=[0.1, 1e5], **settings)
    for run, lr in enumerate((0.1, 1e5)):
        expected = thalweg.fit(thalweg.salammbo(), lr=lr, **settings)
        np.testing.assert_allclose(swept.parameters[run], expected.parameters, rtol=FEW_STEPS)
        loss = expected.summary.loss(expected.parameters)
        assert swept.loss[run] == pytest.approx(loss, rel=FEW_STEPS)
        assert swept.outcomes[run] is expected.outcome
    assert swept.best == 0


def test_the_best_run_is_no_better_than_the_least_loss_there_is() -> None:
    swept = thalweg.sweep(
        thalweg.salammbo(), lr=np.geomspace(1e-4, 1.5, 500), optimizer=["sgd", "nadam"],
        standardize=True, epochs=50,
    )  # fmt: skip
    assert (swept.loss >= swept.exact_loss * (1.0 - TOLERANCE)).all()
    assert swept.settings["lr"][swept.best] < swept.stable_learning_rate


def test_a_loss_beyond_all_numbers_is_infinite_and_never_the_best() -> None:
    """The first step leads to parameters that are finite and whose residual is ∞ - ∞."""
    R = np.array([[4.0, 4.0, 1.0], [0.0, 4.0, -3.0], [0.0, 0.0, 1.0]])
    trace = sweep_descend(R, 1, 1.0, SGD(), np.array([8e306, 1e-2]), np.zeros((2, 2)), 1)
    np.testing.assert_allclose(trace.parameters[0], [6.4e307, -1.28e308])
    assert trace.loss[0] == math.inf
    assert np.argmin(trace.loss) == 1


@pytest.mark.parametrize(("name", "settings"), FLAGS)
def test_each_run_ends_as_fit_says(name: str, settings: dict[str, Any]) -> None:
    """Rates from nothing to everything, for so few epochs that many cross the limit at the end."""
    rng = np.random.default_rng([*name.encode(), len(settings)])
    data = problem()
    lr = np.concatenate([10.0 ** rng.uniform(-6, 8, 12), [1e-300, 1e100, 1e200, 1e300]])
    starts = rng.normal(size=(len(lr), 3))
    for epochs in (1, 2, 3):
        trace = sweep(data, RULES[name](**settings), lr, starts, epochs=epochs)
        for run in range(len(lr)):
            expected = thalweg.fit(
                data, optimizer=name, lr=lr[run], start=starts[run], epochs=epochs, **settings
            )
            got = (bool(trace.diverged[run]), int(trace.epochs[run]))
            assert got == (expected.outcome is Outcome.DIVERGED, expected.epochs), lr[run]
            farthest = np.abs(expected.path[np.isfinite(expected.path)]).max()
            np.testing.assert_allclose(
                trace.parameters[run], expected.parameters, rtol=FEW_STEPS,
                atol=TOLERANCE * farthest,
            )  # fmt: skip
            with np.errstate(all="ignore"):  # it may be beyond float64
                diverged = bool(trace.diverged[run])
                own = expected.loss[-1] if diverged else data.summary.loss(trace.parameters[run])
            loss = float(own)
            loss = math.inf if math.isnan(loss) else loss
            assert trace.loss[run] == pytest.approx(loss, rel=FEW_STEPS)


def by_hand(data: Dataset, given: Rule, start: Array, epochs: int) -> tuple[Array, bool, float]:
    """Walk one run in plain Python from the rows; give its path, whether it diverged, its loss."""
    rule = canonical(given)
    known = declared(type(rule))
    A = np.column_stack([np.ones(len(data)), data.X])

    def loss(w: Array) -> float:
        return float(np.mean((A @ w - data.y) ** 2))

    w, bases = start.copy(), bases_of(rule)
    memory = [tuple(one.value(rule) for one in known.slots) for _ in w]
    first, second = [*(one.value(rule) for one in known.scalars[1:]), 0.0, 0.0][:2]
    carried, path = (first, second), [start.copy()]
    limit = DIVERGENCE * max(loss(w), float(np.var(data.y)))
    for epoch in range(1, epochs + 1):
        before, gradient = loss(w), 2.0 / len(data) * A.T @ (A @ w - data.y)
        powers = (bases[0] ** epoch, bases[1] ** epoch)
        now, carried = schedule(rule, float(epoch), bases, powers, carried)
        for j, slope in enumerate(gradient.tolist()):
            w[j], memory[j] = update(rule, now, float(w[j]), slope, memory[j])
        path.append(w.copy())
        if not (before <= limit and np.isfinite(w).all()):
            return np.array(path), True, before
    return np.array(path), False, loss(w)


@pytest.mark.parametrize("name", RULES)
def test_each_run_ends_as_plain_python_says(name: str) -> None:
    data, rule = problem(), RULES[name](**STEADY.get(name, {}))
    lr = np.geomspace(1e-3, 1e3, 21)
    starts = np.random.default_rng(5).normal(size=(len(lr), 3))
    for epochs in (1, 4, 20):
        trace = sweep(data, rule, lr, starts, epochs=epochs, paths=True)
        assert trace.path is not None
        for run in range(len(lr)):
            own: Any = rule
            path, diverged, loss = by_hand(data, own._replace(lr=lr[run]), starts[run], epochs)
            assert trace.diverged[run] == diverged
            assert trace.epochs[run] == len(path) - 1
            np.testing.assert_allclose(trace.path[run, : len(path)], path, rtol=1e-7, atol=1e-9)
            assert np.isnan(trace.path[run, len(path) :]).all()
            assert np.array_equal(trace.parameters[run], trace.path[run, len(path) - 1])
            assert trace.loss[run] == pytest.approx(loss, rel=1e-7)


# --- What is written, and what is not -------------------------------------------------------------


class Guarded(NamedTuple):
    """Arrays of a sweep, each between two zones that nobody may touch."""

    runs: Runs
    work: tuple[Array, Array]  # the tile, and where points are kept
    buffers: list[Array]
    canary: float

    def walk(self, rule: Any, R: Array, epochs: int, piece: int) -> None:
        """Walk all the runs, so many epochs a call."""
        native, count = kernel._tile_kernel(rule), len(self.runs.lr)
        for first in range(0, count, LANES):
            for begin in range(0, epochs, piece):
                lanes = min(LANES, count - first)
                leg = Leg(first, lanes, begin, min(begin + piece, epochs), epochs)
                native(rule, R, 40.0, 1.0, self.runs, *self.work, leg)


ZONE = 4 * LANES  # elements on either side


def guarded(rule: Any, lr: Array, starts: Array, epochs: int, paths: bool, canary: int) -> Guarded:
    """Lay out a sweep; what is written starts as a canary, finite as NaN would hide itself."""
    buffers = []

    def between(like: NDArray[Any], keep: bool) -> Any:
        buffer = np.full(like.size + 2 * ZONE, canary).astype(like.dtype)
        buffers.append(buffer)
        view = buffer[ZONE : ZONE + like.size].reshape(like.shape)
        if keep:
            view[...] = like
        return view

    made = kernel._runs(rule, lr, starts, epochs, paths)
    read = ("lr", "starts", "memory_start", "scalars_start")
    runs = Runs(*(between(a, n in read) for n, a in zip(Runs._fields, made, strict=True)))
    tile, points = (between(a, False) for a in kernel._work(starts.shape[1], paths))
    return Guarded(runs, (tile, points), buffers, canary)


@pytest.mark.parametrize("paths", [True, False])
@pytest.mark.parametrize("name", RULES)
def test_all_of_the_results_is_written_and_nothing_beside_them(name: str, paths: bool) -> None:
    """Whatever stood there before, results are the same and the zones around them untouched."""
    plain: Any = RULES[name]
    rules = [plain(**STEADY.get(name, {})), plain(maximize=True)]
    for rule in map(canonical, rules):
        for d, count, epochs, piece in ((0, 3, 1, 1), (1, LANES + 5, 37, 37), (3, 9, 40, 7)):
            R = problem(d).summary.triangle() if d else np.array([[6.0, 1.0], [0.0, 2.0]])
            lr, starts = np.geomspace(1e-3, 1e9, count), np.ones((count, d + 1))
            results = []
            for canary in (1, -3):
                laid = guarded(rule, lr, starts, epochs, paths, canary)
                laid.walk(rule, R, epochs, piece)
                for buffer in laid.buffers:
                    zones = np.concatenate([buffer[:ZONE], buffer[-ZONE:]])
                    assert (zones == np.array(canary).astype(buffer.dtype)).all()
                runs = laid.runs
                results.append((runs.parameters, runs.loss, runs.epochs, runs.diverged, runs.path))
            for one, other in zip(*results, strict=True):
                assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


@pytest.mark.parametrize("field", [*Runs._fields, "R", "tile", "points"])
def test_arrays_that_do_not_fit_are_refused(field: str) -> None:
    rule: Any = NAdam()
    runs = kernel._runs(rule, np.ones(5), np.ones((5, 3)), 4, paths=True)
    tile, points = kernel._work(3, True)
    arrays = {**runs._asdict(), "R": np.eye(4), "tile": tile, "points": points}
    arrays[field] = arrays[field][:-1].copy()
    R, tile, points = arrays.pop("R"), arrays.pop("tile"), arrays.pop("points")
    with pytest.raises(ValueError, match="do not fit one another"):
        kernel._tile_kernel(rule)(
            rule, R, 40.0, 1.0, Runs(**arrays), tile, points, Leg(0, 5, 0, 4, 4)
        )


@pytest.mark.parametrize(
    "leg",
    [
        Leg(1, 5, 0, 4, 4), Leg(-1, 5, 0, 4, 4), Leg(0, 0, 0, 4, 4), Leg(0, 6, 0, 4, 4),
        Leg(0, 5, 0, 5, 4), Leg(0, 5, 3, 2, 4), Leg(0, 5, -1, 2, 4), Leg(0, 5, 0, 4, 5),
    ],
)  # fmt: skip
def test_a_span_that_does_not_fit_is_refused(leg: Leg) -> None:
    rule: Any = NAdam()
    runs = kernel._runs(rule, np.ones(5), np.ones((5, 3)), 4, paths=True)
    with pytest.raises(ValueError, match="do not fit one another"):
        kernel._tile_kernel(rule)(rule, np.eye(4), 40.0, 1.0, runs, *kernel._work(3, True), leg)


def test_tiles_of_many_parameters_have_fewer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    data, lr = problem(20), np.geomspace(1e-4, 1.0, 50)
    starts = np.random.default_rng(1).normal(size=(50, 21))
    whole = sweep(data, NAdam(), lr, starts, paths=True)
    monkeypatch.setattr(kernel, "UPDATES", 1)
    tiles = sweep(data, NAdam(), lr, starts, paths=True)
    assert whole.path is not None
    assert tiles.path is not None
    assert whole.path.tobytes() == tiles.path.tobytes()


def test_a_walk_in_pieces_is_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    data, lr = problem(), np.geomspace(1e-3, 1e3, LANES + 3)
    starts = np.tile([0.3, -0.2, 0.1], (len(lr), 1))
    for rule in (NAdam(), SGD(), ASGD(t0=5.0)):
        whole = sweep(data, rule, lr, starts, epochs=150, paths=True)
        monkeypatch.setattr(kernel, "UPDATES", 7 * LANES * 3 * (3 + kernel.OF_A_STEP))
        pieces = sweep(data, rule, lr, starts, epochs=150, paths=True)
        monkeypatch.undo()
        for one, other in zip(whole, pieces, strict=True):
            assert one is not None
            assert other is not None
            assert one.tobytes() == other.tobytes()


CHECKED = """
import numpy as np
from thalweg.optimizers.rmsprop import RMSprop
from thalweg.optimizers.sgd import SGD
from thalweg.sweeps.kernel import LANES, sweep_descend

R, lr = np.triu(np.arange(1.0, 17.0).reshape(4, 4)), np.geomspace(1e-3, 1e9, LANES + 5)
for rule in (SGD(), RMSprop(centered=True)):
    for paths in (True, False):
        sweep_descend(R, 4, 1.0, rule, lr, np.ones((lr.size, 3)), 40, paths=paths)
"""


def test_no_index_is_out_of_bounds(tmp_path: Path) -> None:
    checked = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", CHECKED], env=checked, check=True)


# --- Ctrl-C ---------------------------------------------------------------------------------------

INTERRUPTED = """
import sys
import numpy as np
import thalweg

runs, epochs = map(int, sys.argv[1:])
data, rates = thalweg.salammbo(), np.geomspace(1e-4, 1e-2, runs)
thalweg.sweep(data, lr=rates, epochs=2, standardize=True)
print("walking", flush=True)
try:
    thalweg.sweep(data, lr=rates, epochs=epochs, standardize=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    ("runs", "epochs"),
    [(100_000, 20_000), (LANES, 60_000_000)],
    ids=["many tiles", "one tile"],
)
def test_a_sweep_of_minutes_can_be_interrupted(runs: int, epochs: int) -> None:
    arguments = [sys.executable, "-c", INTERRUPTED, str(runs), str(epochs)]
    waited = []
    for _ in range(3):  # how long it takes says something of the machine's other work, too
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "walking\n"
            time.sleep(0.5)
            child.send_signal(signal.SIGINT)
            sent = time.perf_counter()
            assert child.stdout.readline() == "interrupted\n"
            waited.append(time.perf_counter() - sent)
        if waited[-1] < SOON:
            break
    assert min(waited) < SOON
