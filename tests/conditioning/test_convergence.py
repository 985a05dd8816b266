"""SGD's descent in closed form, held against PyTorch's own steps and the compiled engine."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg
from thalweg.conditioning import convergence
from thalweg.conditioning.convergence import (
    best_momentum,
    best_plain,
    best_rate_for,
    epochs_to_reach,
    round_down,
    tuned_momentum,
)
from thalweg.conditioning.curvature import Curvature
from thalweg.conditioning.rates import stable_factor
from thalweg.diagnosis.landscape import Landscape
from thalweg.optimizers.sgd import SGD

VALUES = np.array([50.0, 3.0, 0.2])
BOWL = Curvature(("a", "b", "c"), VALUES, np.eye(3), 3)
START = np.array([0.35, -1.2, 0.7])
RULES = [
    SGD(),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    SGD(momentum=0.7, dampening=0.4),
    SGD(momentum=0.95, dampening=-0.3),
    SGD(dampening=0.5),
]


def walked_by_torch(rule: SGD, epochs: int) -> np.ndarray:
    """Give the excess loss at the start and after each epoch, by PyTorch's own SGD."""
    torch = pytest.importorskip("torch", reason="the oracle is PyTorch")
    w = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], **rule._asdict())
    losses = []
    for _ in range(epochs + 1):
        optimizer.zero_grad()
        loss = (0.5 * torch.tensor(VALUES) * w * w).sum()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return np.array(losses)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_closed_form_is_what_pytorch_does(rule: SGD, share: float) -> None:
    factor = stable_factor(rule)
    assert factor is not None
    rule = rule._replace(lr=share * factor / 50.0)
    walked = walked_by_torch(rule, 1500)
    for goal in (0.9, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-6):
        within = np.flatnonzero(walked <= goal * walked[0])
        if len(within):
            found = epochs_to_reach(rule, BOWL, START, goal * walked[0])
            assert found == within[0]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_above_the_bound_no_epoch_is_promised(rule: SGD) -> None:
    factor = stable_factor(rule)
    assert factor is not None
    rule = rule._replace(lr=1.01 * factor / 50.0)
    assert epochs_to_reach(rule, BOWL, START, 1e-3) is None


def test_a_start_within_the_goal_needs_no_epoch() -> None:
    assert epochs_to_reach(SGD(lr=0.01), BOWL, START, 1e3) == 0


@pytest.mark.parametrize(
    "rule", [SGD(lr=1e-2), SGD(lr=1e-6), SGD(lr=1e-2, momentum=0.5), SGD(lr=1e-6, momentum=0.5)]
)  # few epochs and many, the latter beyond those that are looked at one by one
def test_more_epochs_than_the_limit_are_not_promised(rule: SGD) -> None:
    needed = epochs_to_reach(rule, BOWL, START, 1e-6)
    assert needed is not None
    assert (needed > convergence.LOOKED_AT) == (rule.lr == 1e-6)
    assert epochs_to_reach(rule, BOWL, START, 1e-6, needed) == needed
    assert epochs_to_reach(rule, BOWL, START, 1e-6, needed + 1) == needed
    assert epochs_to_reach(rule, BOWL, START, 1e-6, needed - 1) is None


def test_epochs_beyond_any_run_are_still_exact() -> None:
    bowl = Curvature(("a", "b"), np.array([1.0, 1e-12]), np.eye(2), 2)
    found = epochs_to_reach(SGD(lr=1.0), bowl, np.array([0.0, 1.0]), 0.5e-12 * 0.25)
    # (1 - 1e-12)^(2k) = 1/4 at k = ln 2 / 1e-12, up to the logarithm's second term.
    assert found == pytest.approx(np.log(2.0) / 1e-12, rel=1e-9)


def test_momentum_beyond_the_looked_at_epochs_brackets_a_crossing() -> None:
    bowl = Curvature(("a", "b"), np.array([1.0, 1e-7]), np.eye(2), 2)
    rule = SGD(lr=1.0, momentum=0.9)
    away, goal = np.array([0.0, 1.0]), 1e-7 * 0.5 * 1e-4
    found = epochs_to_reach(rule, bowl, away, goal)
    assert found is not None
    assert found > convergence.LOOKED_AT
    # Velocity form of PyTorch's step: v ← μ v + λ e, e ← e - lr v.
    step = np.array([[1.0 - rule.lr * 1e-7, -rule.lr * rule.momentum], [1e-7, rule.momentum]])
    before, then = (np.linalg.matrix_power(step, k)[0, 0] for k in (found - 1, found))
    assert 0.5e-7 * then**2 <= goal < 0.5e-7 * before**2


def test_the_closed_form_is_what_the_engine_does_on_the_chapters() -> None:
    chapters = thalweg.salammbo()
    landscape = Landscape.of(chapters.summary, intercept=True).standardized
    rule = SGD(lr=0.1, momentum=0.5)
    run = thalweg.fit(chapters, optimizer="sgd", lr=0.1, momentum=0.5, epochs=60, standardize=True)
    away = (run.scaled_path[0] - landscape.solution) @ landscape.curvature.directions.T
    above = landscape.loss(run.scaled_path) - landscape.exact_loss
    for goal in (0.5, 1e-2, 1e-4, 1e-6):
        first = int(np.flatnonzero(above <= goal * above[0])[0])
        assert epochs_to_reach(rule, landscape.curvature, away, goal * above[0]) == first


def test_the_best_plain_rate_beats_every_rate_of_a_fine_grid() -> None:
    goal = 1e-4
    rule, needed = best_plain(BOWL, START, goal)
    assert needed is not None
    grid = np.geomspace(1e-4, 2.0 / 50.0, 400)
    others = [epochs_to_reach(SGD(lr=float(lr)), BOWL, START, goal) for lr in grid]
    best = min(k for k in others if k is not None)
    assert needed <= 1.05 * best + 1
    assert rule.lr < 2.0 / 50.0


def test_tuned_momentum_beats_plain_descent_where_curvatures_differ() -> None:
    bowl = Curvature(("a", "b"), np.array([1.0, 1e-4]), np.eye(2), 2)
    away = np.array([1.0, 100.0])
    _, plain = best_plain(bowl, away, 1e-6)
    rule, needed = best_momentum(bowl, away, 1e-6)
    assert plain is not None
    assert needed is not None
    assert needed < plain / 10
    e, v = away, np.zeros(2)
    for _ in range(needed):
        v = rule.momentum * v + bowl.values * e
        e = e - rule.lr * v
    assert 0.5 * bowl.values @ e**2 <= 1e-6


def test_tuned_momentum_is_the_rate_at_which_both_ends_shrink_alike() -> None:
    lr, momentum = tuned_momentum(100.0, 1.0)
    for value in (100.0, 1.0):
        roots = np.roots([1.0, -(1.0 + momentum - lr * value), momentum])
        np.testing.assert_allclose(np.abs(roots), np.sqrt(momentum), rtol=1e-6)


def test_a_given_momentum_is_kept() -> None:
    rule, needed = best_rate_for(SGD(lr=9.0, momentum=0.8, nesterov=True), BOWL, START, 1e-4)
    assert (rule.momentum, rule.nesterov) == (0.8, True)
    assert needed is not None
    assert needed < 300


@pytest.mark.parametrize(
    ("value", "rounded"), [(0.05, 0.05), (0.29999, 0.299), (4.868017e-10, 4.86e-10), (1.0, 1.0)]
)
def test_rates_are_rounded_down_to_what_one_writes(value: float, rounded: float) -> None:
    assert round_down(value) == rounded
