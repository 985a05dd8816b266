"""The compiled engine against PyTorch itself: same rows, same order, same steps, to rounding."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, TensorDataset

from thalweg.dataset import Array, Dataset
from thalweg.descent import compiled
from thalweg.descent.plan import Batches, Plan, Trace
from thalweg.descent.torch_random import Generator
from thalweg.losses import L1, MSE, Huber
from thalweg.optimizers import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    RAdam,
    RMSprop,
    Rprop,
    Rule,
)
from thalweg.run import Outcome

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
    X, y = torch.tensor(plan.data.X), torch.tensor(plan.data.y).reshape(-1, 1)
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


def check_parity(plan: Plan) -> Trace:
    expected, trace = pytorch(plan), compiled.descend(plan)
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
