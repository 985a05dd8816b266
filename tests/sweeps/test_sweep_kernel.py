"""Runs side by side against the same runs one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from thalweg.arrays import Array
from thalweg.data.dataset import Dataset
from thalweg.descent import compiled
from thalweg.descent.engines import to_end
from thalweg.descent.plan import Batches, Plan, Trace
from thalweg.losses import MSE
from thalweg.optimizers import RULES, SGD, Adagrad, AdamW, NAdam, Rule
from thalweg.runs.run import Outcome
from thalweg.sweeps.kernel import LANES, SweepTrace, sweep_descend
from thalweg.torch_random import Generator

EPOCHS = 30
TOLERANCE = 1e-12  # relative: the same sums, taken in another order

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
