"""The learning rates that a curvature and batches allow, held against actual runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg
from thalweg.conditioning.curvature import Curvature
from thalweg.conditioning.rates import (
    certain_rate,
    stable_factor,
    stable_learning_rate,
    stable_rate,
    sufficient_rate,
    sufficient_rate_shuffled,
)
from thalweg.optimizers.adam import Adam
from thalweg.optimizers.nadam import NAdam
from thalweg.optimizers.sgd import SGD
from thalweg.summary.summary import Summary

RULES = [
    SGD(),
    SGD(momentum=0.5),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    SGD(momentum=0.3, nesterov=True),
    SGD(momentum=0.7, dampening=0.4),
    SGD(momentum=0.8, dampening=-0.5),
    SGD(dampening=0.5),  # without momentum PyTorch ignores it
    SGD(weight_decay=3.0),
    SGD(momentum=0.9, weight_decay=3.0),
]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("intercept", [True, False])
def test_runs_converge_below_the_bound_and_diverge_above_it(rule: SGD, intercept: bool) -> None:
    rng = np.random.default_rng(9)
    X, y = rng.normal(size=(30, 2)) * [1.0, 4.0] + 1.0, rng.normal(size=30) + 5.0
    bound = stable_learning_rate(Summary.of((X, y)), rule, intercept=intercept)
    assert bound is not None
    own = {k: v for k, v in rule._asdict().items() if k not in ("lr", "maximize")}
    ends = [
        thalweg.fit(
            (X, y),
            optimizer="sgd",
            lr=share * bound,
            epochs=4000,
            intercept=intercept,
            start=rng.normal(size=2 + intercept),
            **own,
        )
        for share in (0.99, 1.01)
    ]
    assert ends[0].gradient_norm[-1] < 100.0  # weight decay settles where the gradient is not 0
    assert ends[0].loss[-1] == pytest.approx(ends[0].loss[-2], rel=1e-6)
    assert ends[1].outcome is thalweg.Outcome.DIVERGED


def test_the_bound_of_standardised_features_is_that_of_their_run() -> None:
    rng = np.random.default_rng(10)
    X, y = rng.normal(size=(30, 2)) @ [[1e5, 0], [3e5, 1e-2]] + 1e6, rng.normal(size=30)
    bound = stable_learning_rate(Summary.of((X, y)), SGD(), standardize=True)
    assert bound is not None
    outcomes = [
        thalweg.fit(
            (X, y), optimizer="sgd", lr=share * bound, epochs=3000, standardize=True
        ).outcome
        for share in (0.99, 1.01)
    ]
    assert outcomes == [thalweg.Outcome.OUT_OF_EPOCHS, thalweg.Outcome.DIVERGED]


def test_the_lesson_is_stable_below_5e_10_only() -> None:
    bound = stable_learning_rate(thalweg.salammbo().summary, SGD())
    x = thalweg.salammbo().X[:, 0]
    largest = np.linalg.eigvalsh([[2.0, 2.0 * x.mean()], [2.0 * x.mean(), 2.0 * (x @ x) / 15]])[1]
    assert bound == pytest.approx(2.0 / largest, rel=1e-12)
    assert bound is not None
    assert 4.8e-10 < bound < 5e-10


@pytest.mark.parametrize("rule", [Adam(), NAdam()])
def test_rules_whose_steps_do_not_scale_with_the_gradient_have_no_bound(rule: Adam) -> None:
    assert stable_factor(rule) is None
    assert stable_learning_rate(thalweg.salammbo().summary, rule) is None


def test_some_settings_are_stable_at_no_rate_and_flat_data_at_any() -> None:
    bowl = Curvature(("bias",), np.array([2.0]), np.eye(1), 1)
    flat = Curvature(("weight",), np.array([0.0]), np.eye(1), 0)
    assert stable_rate(bowl, SGD(maximize=True)) == 0.0
    assert stable_rate(bowl, SGD(momentum=1.0)) == 0.0
    assert stable_rate(bowl, SGD(momentum=0.5, dampening=1.0)) == 0.0
    assert stable_rate(bowl, SGD(maximize=True, weight_decay=3.0)) == 2.0
    assert stable_rate(flat, SGD()) == math.inf
    assert (flat.condition_number, flat.best_rate) == (1.0, math.inf)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    batch_size=st.integers(1, 5),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
)
def test_mini_batches_stay_bounded_below_the_sufficient_rate(
    seed: int, batch_size: int, shuffle: bool, drop_last: bool
) -> None:
    rng = np.random.default_rng(seed)
    n = 11
    X, y = rng.normal(size=(n, 2)) * [1.0, 10.0] + rng.normal(size=2), rng.normal(size=n)
    design = np.column_stack([np.ones(n), X])
    if shuffle:
        rate = sufficient_rate_shuffled(design, batch_size, drop_last=drop_last)
    else:
        stop = n - n % batch_size if drop_last else n
        rate = sufficient_rate([design[i : i + batch_size] for i in range(0, stop, batch_size)])
    run = thalweg.fit(
        (X, y),
        optimizer="sgd",
        lr=0.99 * rate,
        epochs=300,
        batch_size=batch_size,
        shuffle=shuffle,
        drop_last=drop_last,
        start=100.0 * rng.normal(size=3),
    )
    assert run.outcome is thalweg.Outcome.OUT_OF_EPOCHS
    # The distance to the solution never grows by more than the batches' own disagreement.
    assert np.abs(run.path).max() < 1e4


def test_a_single_repeated_row_diverges_right_above_the_sufficient_rate() -> None:
    row = np.array([[1.0, 3.0]])
    rate = sufficient_rate([row])
    assert rate == pytest.approx(0.1)
    for share, outcome in ((0.99, "OUT_OF_EPOCHS"), (1.01, "DIVERGED")):
        run = thalweg.fit(
            (row[:, 1:], [1.0]), optimizer="sgd", lr=share * rate, epochs=2000, start=[5.0, 5.0]
        )
        assert run.outcome.name == outcome


def test_the_shuffled_rate_covers_every_batch_that_can_be_drawn() -> None:
    from itertools import combinations

    rng = np.random.default_rng(11)
    design = np.column_stack([np.ones(7), rng.normal(size=(7, 2)) * 3.0])
    for drop_last, sizes in ((False, (3, 1)), (True, (3,))):
        rate = sufficient_rate_shuffled(design, 3, drop_last=drop_last)
        possible = [design[list(chosen)] for b in sizes for chosen in combinations(range(7), b)]
        assert rate <= sufficient_rate(possible)


def test_the_shuffled_rate_knows_whether_the_short_batch_is_seen() -> None:
    """The longest row alone may be the short batch, which asks for a lower rate than three do."""
    lengths = np.array([9.0, 4.0, 4.0, 1.0, 1.0, 1.0, 1.0])
    design = np.sqrt(lengths)[:, np.newaxis]
    assert sufficient_rate_shuffled(design, 3, drop_last=False) == pytest.approx(1 / 9)
    assert sufficient_rate_shuffled(design, 3, drop_last=True) == pytest.approx(3 / 17)


@pytest.mark.parametrize("drop_last", [False, True])
def test_the_certain_rate_knows_whether_the_short_batch_is_seen(drop_last: bool) -> None:
    """The last row alone is ten times as long as the others: it is seen, or it is not."""
    x = np.append(np.ones(20), 10.0)
    bound = certain_rate(x[:, None], 4, shuffle=False, drop_last=drop_last)
    assert bound == pytest.approx(1.0 if drop_last else 0.01)
    run = thalweg.fit(
        (x[:, None], 3.0 * x), optimizer="sgd", lr=0.99 * bound, epochs=2000, batch_size=4,
        drop_last=drop_last, intercept=False,
    )  # fmt: skip
    assert run.outcome is thalweg.Outcome.OUT_OF_EPOCHS
    assert run.weights[0] == pytest.approx(3.0)
