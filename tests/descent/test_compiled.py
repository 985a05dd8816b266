"""The compiled engine against PyTorch itself: same rows, same order, same steps, to rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset

import thalweg
from thalweg.arrays import Array
from thalweg.batches import Batches
from thalweg.data.dataset import Dataset
from thalweg.descent import compiled
from thalweg.descent.engines import to_end
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.losses import L1, MSE, Huber, Loss
from thalweg.optimizers.adadelta import Adadelta
from thalweg.optimizers.adagrad import Adagrad
from thalweg.optimizers.adam import Adam
from thalweg.optimizers.adamax import Adamax
from thalweg.optimizers.adamw import AdamW
from thalweg.optimizers.asgd import ASGD
from thalweg.optimizers.nadam import NAdam
from thalweg.optimizers.radam import RAdam
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rmsprop import RMSprop
from thalweg.optimizers.rprop import Rprop
from thalweg.optimizers.rule import Rule
from thalweg.optimizers.sgd import SGD
from thalweg.runs.run import Outcome
from thalweg.torch_random import Generator

STEPS = 200
PATH_TOLERANCE = 1e-9  # relative, over the whole path, in float64
CHAOTIC_STEPS = 60  # of Adadelta and centred RMSprop in batch descent: rounding grows after

DEFAULT: tuple[Rule, ...] = (
    SGD(lr=0.01), Adagrad(lr=0.1), Adadelta(), RMSprop(), Adam(lr=0.01), AdamW(lr=0.01), Adamax(),
    NAdam(), RAdam(lr=0.01), ASGD(), Rprop(),
)  # fmt: skip

# Every setting that changes the arithmetic is on.
LOADED: tuple[Rule, ...] = (
    SGD(lr=0.005, momentum=0.9, nesterov=True, weight_decay=0.1),
    SGD(lr=0.005, momentum=0.7, dampening=0.3, weight_decay=0.1),
    Adagrad(lr=0.1, lr_decay=0.02, weight_decay=0.1, initial_accumulator_value=0.3, eps=1e-6),
    Adadelta(lr=0.8, rho=0.8, eps=1e-4, weight_decay=0.1),
    RMSprop(lr=0.005, alpha=0.9, eps=1e-3, weight_decay=0.1, momentum=0.6, centered=True),
    Adam(lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1, amsgrad=True),
    Adam(lr=0.02, weight_decay=0.1, decoupled_weight_decay=True),
    AdamW(lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3, amsgrad=True),
    Adamax(lr=0.005, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    NAdam(lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1, momentum_decay=0.05),
    NAdam(lr=0.02, weight_decay=0.3, decoupled_weight_decay=True),
    RAdam(lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    RAdam(lr=0.02, weight_decay=0.3, decoupled_weight_decay=True),
    ASGD(lr=0.02, lambd=0.1, alpha=0.6, t0=20.0, weight_decay=0.1),
    Rprop(lr=0.05, etas=(0.4, 1.3), step_sizes=(1e-4, 0.5)),
)

REGIMES = {
    "batch": Batches(),
    "stochastic": Batches(batch_size=1),
    "mini-batch": Batches(batch_size=4),
    "shuffled": Batches(batch_size=3, shuffle=True, drop_last=True),
}


def problem(n: int = 14, d: int = 3, seed: int = 1) -> Dataset:
    """Rows on different scales, centred nowhere near zero, that no line fits exactly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * np.linspace(0.5, 1.5, d) + np.linspace(0.4, -0.7, d)
    y = X @ np.linspace(1.0, -2.0, d) + 0.8 + rng.normal(size=n)
    return Dataset(X, y)


def make_plan(data: Dataset, rule: Rule, **changes: Any) -> Plan:
    p = data.X.shape[1] + changes.get("intercept", True)
    plan = Plan(
        data=data,
        intercept=True,
        rule=rule,
        loss=MSE(),
        epochs=STEPS,
        batches=Batches(),
        start=np.linspace(0.3, -0.4, p),
        optimizer_state=None,
        generator=Generator(5),
        record_every=1,
        gradient_tolerance=0.0,
        loss_tolerance=-math.inf,
        dtype="float64",
    )
    return plan._replace(**changes)


class Walked(NamedTuple):
    """What PyTorch did."""

    path: Array
    loss: Array
    gradient_norm: Array
    state: dict[str, Any]


def pytorch(plan: Plan) -> Walked:
    """Walk a plan in PyTorch, float64, and look at each step."""
    torch.set_default_dtype(torch.float64)
    try:
        return _pytorch(plan)
    finally:
        torch.set_default_dtype(torch.float32)


def _pytorch(plan: Plan) -> Walked:
    X, y = torch.tensor(plan.rows.X), torch.tensor(plan.rows.y).reshape(-1, 1)
    linear = torch.nn.Linear(X.shape[1], 1, bias=plan.intercept)
    assert plan.start is not None
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(plan.start[None, int(plan.intercept) :]))
        if plan.intercept:
            linear.bias.fill_(plan.start[0])
    optimizer = getattr(torch.optim, type(plan.rule).__name__)(
        linear.parameters(), **plan.rule._asdict()
    )
    losses = {MSE: torch.nn.MSELoss, L1: torch.nn.L1Loss, Huber: torch.nn.HuberLoss}
    criterion = losses[type(plan.loss)](**plan.loss._asdict())
    loader = _loader(plan, TensorDataset(X, y))
    torch.manual_seed(plan.generator.seed)
    path, epoch_losses, norms = [_vector(linear.weight, linear.bias)], [], []
    for _ in range(plan.epochs):
        total, rows, gradient = 0.0, 0, np.zeros_like(path[0])
        for X_batch, y_batch in loader:
            loss = criterion(linear(X_batch), y_batch)
            optimizer.zero_grad()
            loss.backward()
            gradient += len(X_batch) * _vector(
                linear.weight.grad, linear.bias.grad if plan.intercept else None
            )
            total += len(X_batch) * loss.item()
            rows += len(X_batch)
            optimizer.step()
            path.append(_vector(linear.weight, linear.bias))
        epoch_losses.append(total / rows)
        norms.append(np.linalg.norm(gradient) / rows)
    of_weight = optimizer.state[linear.weight]
    of_bias = optimizer.state[linear.bias] if plan.intercept else {}
    state = {
        name: _vector(value, of_bias.get(name)) if value.ndim else value.item()
        for name, value in of_weight.items()
        if value is not None
    }
    return Walked(np.array(path), np.array(epoch_losses), np.array(norms), state)


def _loader(plan: Plan, rows: TensorDataset) -> Any:
    size, shuffle, drop_last, sampler = plan.batches
    if sampler is not None:
        return DataLoader(rows, batch_sampler=[batch.tolist() for batch in sampler])
    size = len(rows) if size is None else size
    # As the reference engine, an unshuffled loader leaves the global stream alone.
    generator = None if shuffle else torch.Generator()
    return DataLoader(rows, size, shuffle, drop_last=drop_last, generator=generator)


def _vector(weight: Any, bias: Any) -> Array:
    parts = [] if bias is None else [bias.detach().numpy().ravel()]
    return np.concatenate([*parts, weight.detach().numpy().ravel()])


def relative(got: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest difference, relative to the largest value."""
    assert got.shape == expected.shape
    return float(np.max(np.abs(got - expected)) / np.max(np.abs(expected)))


def descend(plan: Plan) -> Trace:
    return to_end(compiled.begin(plan))


def check_parity(plan: Plan) -> Trace:
    expected, trace = pytorch(plan), descend(plan)
    assert relative(trace.path, expected.path) < PATH_TOLERANCE
    assert relative(trace.loss, expected.loss) < PATH_TOLERANCE
    assert relative(trace.gradient_norm, expected.gradient_norm) < PATH_TOLERANCE
    assert set(trace.optimizer_state) == set(expected.state)
    for name, value in expected.state.items():
        got, value = np.atleast_1d(trace.optimizer_state[name]), np.atleast_1d(value)
        # A lone gradient near the minimum is all cancellation: it is held to the first one's size.
        scale = expected.gradient_norm[0] if name == "prev" else 0.0
        allowed = PATH_TOLERANCE * max(scale, np.max(np.abs(value)))
        assert np.max(np.abs(got - value)) < allowed
    assert trace.outcome is Outcome.OUT_OF_EPOCHS
    return trace


def is_chaotic(rule: Rule, batches: Batches) -> bool:
    centred = isinstance(rule, RMSprop) and rule.centered
    return batches == Batches() and (centred or isinstance(rule, Adadelta))


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("rule", DEFAULT + LOADED, ids=lambda rule: str(rule).replace(" ", ""))
def test_walks_as_pytorch_does(rule: Rule, regime: str) -> None:
    data, batches = problem(), REGIMES[regime]
    steps = CHAOTIC_STEPS if is_chaotic(rule, batches) else STEPS
    epochs = -(-steps // batches.steps_per_epoch(len(data)))
    check_parity(make_plan(data, rule, batches=batches, epochs=epochs))


@pytest.mark.parametrize("maximize", [SGD(lr=1e-4, maximize=True), Adam(maximize=True)], ids=str)
def test_maximize_climbs_as_pytorch_does(maximize: Rule) -> None:
    trace = check_parity(make_plan(problem(), maximize))
    assert trace.loss[-1] > trace.loss[0]


@pytest.mark.parametrize("rule", [*RULES.values()], ids=lambda rule: rule.__name__)
def test_every_rule_can_maximize(rule: Any) -> None:
    plan = make_plan(problem(), rule(lr=1e-3, maximize=True), epochs=20)
    check_parity(plan._replace(batches=Batches(batch_size=5)))


@pytest.mark.parametrize("loss", [L1(), Huber(0.5), Huber(3.0)], ids=str)
@pytest.mark.parametrize("regime", REGIMES)
def test_other_losses_walk_from_the_rows(loss: Loss, regime: str) -> None:
    check_parity(
        make_plan(
            problem(),
            NAdam(lr=0.01),
            loss=loss,
            batches=REGIMES[regime],
            epochs=-(-STEPS // REGIMES[regime].steps_per_epoch(14)),
        )
    )


@pytest.mark.parametrize("d", [1, 2, 7, 16, 40])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("regime", REGIMES)
def test_any_number_of_features(d: int, intercept: bool, regime: str) -> None:
    """One feature has a walk of its own; from sixteen on loops become vector code."""
    data = problem(n=50, d=d, seed=d)
    rule = NAdam(lr=0.01, weight_decay=0.1, eps=0.1)  # with eps near 0, some of these are chaotic
    epochs = -(-100 // REGIMES[regime].steps_per_epoch(50))
    check_parity(make_plan(data, rule, intercept=intercept, batches=REGIMES[regime], epochs=epochs))


@pytest.mark.parametrize("rule", DEFAULT, ids=lambda rule: type(rule).__name__)
def test_one_feature_walks_as_pytorch_does(rule: Rule) -> None:
    steps = CHAOTIC_STEPS if is_chaotic(rule, Batches()) else STEPS
    check_parity(make_plan(problem(d=1), rule, epochs=steps))


@pytest.mark.parametrize(
    "sampler",
    [
        ([3, 0, 3], [5], [13, 1, 2, 3], [7, 7]),  # fewer rows than there are
        (range(14), range(3, 14), [13] * 30, [0]),  # and more
    ],
)
def test_batches_can_be_written_out_and_overlap(sampler: Sequence[Sequence[int]]) -> None:
    batches = tuple(np.array(rows) for rows in sampler)
    check_parity(make_plan(problem(), Adam(lr=0.01), batches=Batches(sampler=batches), epochs=30))


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("batch_size", [2, 13, 14, 100])
def test_last_batch_is_kept_or_left_out(batch_size: int, drop_last: bool) -> None:
    if drop_last and batch_size > 14:
        return  # no step is left: refused before an engine sees it
    batches = Batches(batch_size=batch_size, shuffle=True, drop_last=drop_last)
    check_parity(make_plan(problem(), NAdam(lr=0.01), batches=batches, epochs=20))


@pytest.mark.parametrize("regime", REGIMES)
def test_drawn_start_is_pytorchs(regime: str) -> None:
    """A start that is not given is drawn first, then the epochs' orders from the same stream."""
    data, batches = problem(), REGIMES[regime]
    plan = make_plan(data, NAdam(), start=None, epochs=5, batches=batches)
    torch.manual_seed(5)
    linear = torch.nn.Linear(3, 1)
    start = _vector(linear.weight, linear.bias).astype(np.float64)
    trace = descend(plan)
    assert np.array_equal(trace.path[0], start)
    given = plan._replace(start=start, generator=Generator(5, 4))
    assert np.array_equal(descend(given).path, trace.path)
    assert trace.generator == Generator(5, 4 + 4 * 5 * batches.shuffle)


# --- What is recorded -----------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES)
def test_recording_less_keeps_the_same_points(regime: str) -> None:
    data, batches = problem(), REGIMES[regime]
    plan = make_plan(data, NAdam(lr=0.01), batches=batches, epochs=9)
    every_step = descend(plan)
    steps = batches.steps_per_epoch(len(data))
    assert every_step.steps.tolist() == list(range(9 * steps + 1))
    for every in (0, 2, 5, 1000):
        trace = descend(plan._replace(record_every=every))
        expected = [*range(0, 9 * steps, every or steps), 9 * steps]
        assert trace.steps.tolist() == expected
        assert np.array_equal(trace.path, every_step.path[expected])
        assert np.array_equal(trace.loss, every_step.loss)
        assert np.array_equal(trace.gradient_norm, every_step.gradient_norm)


@pytest.mark.parametrize("rule", DEFAULT + LOADED, ids=lambda rule: str(rule).replace(" ", ""))
@pytest.mark.parametrize("regime", ["batch", "shuffled"])
def test_a_walk_in_two_parts_is_the_same_to_the_bit(rule: Rule, regime: str) -> None:
    batches = REGIMES[regime]
    plan = make_plan(problem(), rule, batches=batches, epochs=100, record_every=3)
    whole = descend(plan._replace(epochs=200))
    first = descend(plan)
    second = descend(
        plan._replace(
            start=first.path[-1],
            optimizer_state=first.optimizer_state,
            generator=first.generator,
            steps_before=100 * batches.steps_per_epoch(14),
            loss_limit=first.loss_limit,
        )
    )
    assert np.array_equal(whole.loss, np.concatenate([first.loss, second.loss]))
    assert np.array_equal(whole.path[-1], second.path[-1])
    assert whole.optimizer_state.keys() == second.optimizer_state.keys()
    for name, value in whole.optimizer_state.items():
        assert np.array_equal(second.optimizer_state[name], value)
    assert whole.generator == second.generator
    # The first part records its end besides.
    joined = np.concatenate([first.steps[:-1], second.steps[1:] + first.steps[-1]])
    assert np.array_equal(whole.steps, joined)
    assert np.array_equal(whole.path, np.concatenate([first.path[:-1], second.path[1:]]))


def test_nothing_that_is_given_is_changed() -> None:
    state: dict[str, Any] = {
        "exp_avg": np.ones(4),
        "exp_avg_sq": np.ones(4),
        "step": 3.0,
        "mu_product": 0.5,
    }
    before = {name: np.copy(value) for name, value in state.items()}
    start = np.linspace(0.0, 1.0, 4)
    for batches in REGIMES.values():
        plan = make_plan(problem(), NAdam(), start=start, batches=batches)
        descend(plan._replace(optimizer_state=state))
    assert np.array_equal(start, np.linspace(0.0, 1.0, 4))
    assert all(np.array_equal(state[name], before[name]) for name in state)


def test_a_state_of_fewer_settings_starts_the_rest_afresh() -> None:
    """amsgrad switched on between two walks: the peak starts at nothing."""
    first = descend(make_plan(problem(), Adam(), epochs=10))
    second = make_plan(problem(), Adam(amsgrad=True), optimizer_state=first.optimizer_state)
    peak = {**first.optimizer_state, "max_exp_avg_sq": np.zeros(4)}
    expected = descend(second._replace(optimizer_state=peak))
    assert np.array_equal(descend(second).path, expected.path)


# --- How it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("loss", [MSE(), L1()], ids=str)
def test_divergence_is_noticed_at_its_epoch(regime: str, loss: Loss) -> None:
    data, batches = problem(), REGIMES[regime]
    plan = make_plan(data, SGD(lr=3.0, momentum=1.2), loss=loss, batches=batches, record_every=0)
    trace = descend(plan)
    assert trace.outcome is Outcome.DIVERGED
    limit = compiled.loss_limit(plan)
    assert trace.loss_limit == pytest.approx(limit, rel=1e-12)
    assert np.all(trace.loss[:-1] <= limit)
    assert not trace.loss[-1] <= limit
    assert len(trace.path) == len(trace.loss) + 1 == len(trace.gradient_norm) + 1
    expected = pytorch(plan._replace(epochs=len(trace.loss)))
    assert relative(trace.loss, expected.loss) < PATH_TOLERANCE


def test_the_limit_is_that_of_start_or_variance() -> None:
    data = problem()
    for scale in (0.0, 1e6):
        plan = make_plan(data, SGD(), start=np.full(4, scale), batches=Batches(batch_size=2))
        residuals = data.X @ np.full(3, scale) + scale - data.y
        expected = DIVERGENCE * max(np.mean(residuals**2), np.var(data.y))
        assert compiled.loss_limit(plan) == pytest.approx(expected, rel=1e-12)
        assert compiled.loss_limit(plan._replace(loss_limit=7.0)) == 7.0
        batch = descend(plan._replace(batches=Batches(), epochs=1))
        assert batch.loss_limit == pytest.approx(expected, rel=1e-12)


def test_a_far_start_is_no_divergence() -> None:
    """Beyond what the first rows vouch for, the true limit decides, from the same start."""
    data = Dataset(np.linspace(1.0, 2.0, 200), np.r_[np.zeros(100), np.linspace(-1.0, 1.0, 100)])
    plan = make_plan(
        data, SGD(lr=1e-6), start=None, batches=Batches(batch_size=1, shuffle=True), epochs=3
    )
    trace = descend(plan)
    assert trace.outcome is Outcome.OUT_OF_EPOCHS
    assert trace.loss_limit == compiled.loss_limit(plan)
    assert trace.generator == Generator(5, 2 + 4 * 3)


@pytest.mark.parametrize("regime", REGIMES)
def test_parameters_that_are_not_finite_end_the_walk(regime: str) -> None:
    """An update of 0 / 0: the loss before it is fine, the parameters after it are not."""
    data = Dataset([[0.0], [0.0], [0.0]], [1.0, 2.0, 4.0])
    plan = make_plan(data, Adagrad(lr=0.1, eps=0.0), batches=REGIMES[regime])
    trace = descend(plan)
    assert trace.outcome is Outcome.DIVERGED
    assert len(trace.loss) == 1
    assert np.isnan(trace.path[-1]).any()


@pytest.mark.parametrize("regime", REGIMES)
def test_tolerances_stop_the_walk(regime: str) -> None:
    plan = make_plan(problem(), SGD(lr=0.05), batches=REGIMES[regime], record_every=0)
    whole = descend(plan)
    norm = np.sort(whole.gradient_norm)[20]
    first = int(np.argmax(whole.gradient_norm <= norm))
    by_norm = descend(plan._replace(gradient_tolerance=float(norm)))
    assert by_norm.outcome is Outcome.CONVERGED
    assert len(by_norm.loss) == first + 1
    loss = np.sort(whole.loss)[20]
    first = int(np.argmax(whole.loss <= loss))
    by_loss = descend(plan._replace(loss_tolerance=float(loss)))
    assert by_loss.outcome is Outcome.CONVERGED
    assert len(by_loss.loss) == first + 1
    assert np.array_equal(by_loss.path, whole.path[: first + 2])


# --- The lesson -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "regime",
    [
        {"epochs": 250},
        {"epochs": 20, "batch_size": 1},
        {"epochs": 20, "batch_size": 4, "drop_last": True},
        {"epochs": 20, "batch_size": 4, "shuffle": True},
    ],
    ids=str,
)
def test_the_chapters_end_as_in_float32_to_four_digits(regime: dict[str, Any]) -> None:
    data = thalweg.salammbo()
    ours = thalweg.fit(data, optimizer="nadam", lr=0.01, seed=4321, engine="compiled", **regime)
    theirs = thalweg.fit(data, optimizer="nadam", lr=0.01, seed=4321, engine="reference", **regime)
    np.testing.assert_allclose(ours.path[-1], theirs.path[-1], rtol=5e-5)
    np.testing.assert_allclose(ours.loss[-1], theirs.loss[-1], rtol=5e-5)
    assert ours.generator == theirs.generator
