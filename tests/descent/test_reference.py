"""The reference engine against the lesson's own loops, written out in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import thalweg
from thalweg import torch_random


def lesson_loop(
    data: thalweg.Dataset,
    epochs: int,
    seed: int,
    optimizer: str = "NAdam",
    *,
    loader: dict[str, Any] | None = None,
    loss: nn.Module | None = None,
    **hyperparameters: Any,
) -> tuple[np.ndarray[Any, Any], list[float]]:
    """The notebook's loop: the path at each epoch's end, the start first, and the mean losses."""
    torch.manual_seed(seed)
    X, y = torch.Tensor(data.X.copy()), torch.Tensor(data.y.copy()).reshape(-1, 1)
    model = nn.Sequential(nn.Linear(X.shape[1], 1))
    loss_fn = loss or nn.MSELoss()
    rule = getattr(torch.optim, optimizer)(model.parameters(), **hyperparameters)
    batches: Any = [(X, y)] if loader is None else DataLoader(TensorDataset(X, y), **loader)
    path, losses = [_point(model)], []
    for _ in range(epochs):
        total, rows = 0.0, 0
        for xs, ys in batches:
            value = loss_fn(model(xs), ys)
            rule.zero_grad()
            value.backward()
            rule.step()
            total, rows = total + value.item() * len(xs), rows + len(xs)
        path.append(_point(model))
        losses.append(total / rows)
    return np.array(path), losses


def _point(model: nn.Sequential) -> list[float]:
    linear: Any = model[0]
    return [linear.bias.item(), *linear.weight.flatten().tolist()]


@pytest.mark.parametrize(
    ("settings", "loader"),
    [
        ({}, None),
        ({"batch_size": 1}, {"batch_size": 1}),
        ({"batch_size": 5}, {"batch_size": 5}),
        ({"batch_size": 5, "drop_last": True}, {"batch_size": 5, "drop_last": True}),
        ({"batch_size": 4, "shuffle": True}, {"batch_size": 4, "shuffle": True}),
    ],
    ids=["batch", "stochastic", "mini-batch", "drop last", "shuffled"],
)
def test_it_is_the_loop_of_the_lesson(
    settings: dict[str, Any], loader: dict[str, Any] | None, three_features: thalweg.Dataset
) -> None:
    path, losses = lesson_loop(three_features, 12, 11, lr=0.05, loader=loader)
    run = thalweg.fit(three_features, lr=0.05, epochs=12, seed=11, engine="reference", **settings)
    np.testing.assert_array_equal(run.path, path)
    np.testing.assert_array_equal(run.loss, losses)
    assert run.steps.tolist() == [run.steps_per_epoch * i for i in range(13)]


@pytest.mark.parametrize(("loss", "module"), [("l1", nn.L1Loss()), ("huber", nn.HuberLoss())])
def test_other_losses_are_pytorchs(
    loss: str, module: nn.Module, three_features: thalweg.Dataset
) -> None:
    path, losses = lesson_loop(three_features, 20, 3, "SGD", lr=1e-3, momentum=0.9, loss=module)
    run = thalweg.fit(
        three_features,
        optimizer="sgd",
        momentum=0.9,
        lr=1e-3,
        epochs=20,
        seed=3,
        loss=loss,
        engine="reference",
    )
    np.testing.assert_array_equal(run.path, path)
    np.testing.assert_array_equal(run.loss, losses)


OPTIMIZERS = [
    name
    for name, value in vars(torch.optim).items()
    if isinstance(value, type)
    and issubclass(value, torch.optim.Optimizer)
    and name not in ("Optimizer", "LBFGS", "SparseAdam", "Muon")
]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_is_taken_by_name_and_as_class(
    name: str, three_features: thalweg.Dataset
) -> None:
    path, _ = lesson_loop(three_features, 5, 2, name, lr=1e-3)
    asked: dict[str, Any] = {"lr": 1e-3, "epochs": 5, "seed": 2, "engine": "reference"}
    by_name = thalweg.fit(three_features, optimizer=name, **asked)
    by_class = thalweg.fit(three_features, optimizer=getattr(torch.optim, name), **asked)
    np.testing.assert_array_equal(by_name.path, path)
    np.testing.assert_array_equal(by_class.path, path)
    assert by_name.settings.optimizer == by_class.settings.optimizer == name.lower()


def test_muon_walks_weights_without_a_bias(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, optimizer="muon", lr=0.01, epochs=3, intercept=False)
    assert run.asked.engine == "reference"
    assert run.path.shape == (4, 3)


def test_a_class_of_ones_own_is_taken(three_features: thalweg.Dataset) -> None:
    class Halved(torch.optim.SGD):
        def __init__(self, params: Any, lr: float, share: float = 0.5) -> None:
            super().__init__(params, lr=lr * share)

    own = thalweg.fit(three_features, optimizer=Halved, lr=2e-4, epochs=5, share=0.25)
    plain = thalweg.fit(three_features, optimizer="sgd", lr=5e-5, epochs=5, engine="reference")
    np.testing.assert_array_equal(own.path, plain.path)
    assert own.asked.engine == "reference"


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_goes_on_as_if_it_had_not_stopped(
    optimizer: str, shuffle: bool, three_features: thalweg.Dataset
) -> None:
    asked: dict[str, Any] = {
        "optimizer": optimizer, "lr": 1e-3, "batch_size": 5, "shuffle": shuffle,
        "engine": "reference", "seed": 6,
    }  # fmt: skip
    whole = thalweg.fit(three_features, epochs=9, **asked)
    first = thalweg.fit(three_features, epochs=4, **asked)
    rest = thalweg.fit(three_features, epochs=5, start=first, **asked)
    np.testing.assert_array_equal(rest.path, whole.path[4:])
    np.testing.assert_array_equal(rest.loss, whole.loss[4:])
    assert rest.generator == whole.generator


def test_fresh_parameters_come_from_the_stream_that_reset_parameters_draws_from(
    three_features: thalweg.Dataset,
) -> None:
    torch.manual_seed(8)
    linear = nn.Linear(3, 1)
    linear.reset_parameters()
    first = thalweg.fit(three_features, epochs=2, lr=0.05, seed=8, engine="reference")
    second = thalweg.fit(
        three_features,
        epochs=2,
        lr=0.05,
        engine="reference",
        start=first.continuation(fresh_parameters=True),
    )
    expected = [linear.bias.item(), *linear.weight.flatten().tolist()]
    assert second.path[0].tolist() == expected
    assert second.optimizer_state["step"] == 4.0


def test_the_generator_stands_where_pytorchs_does(three_features: thalweg.Dataset) -> None:
    lesson_loop(three_features, 3, 5, lr=0.01, loader={"batch_size": 4, "shuffle": True})
    theirs = torch.rand(3)
    run = thalweg.fit(
        three_features, epochs=3, seed=5, batch_size=4, shuffle=True, engine="reference"
    )
    stream = torch.Generator().manual_seed(run.generator.seed)
    torch.empty(run.generator.drawn, dtype=torch.int32).random_(generator=stream)
    assert torch.rand(3, generator=stream).tolist() == theirs.tolist()
    assert isinstance(run.generator, torch_random.Generator)


def test_the_global_stream_and_dtype_are_given_back(three_features: thalweg.Dataset) -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    thalweg.fit(three_features, epochs=2, shuffle=True, batch_size=3, engine="reference",
                dtype="float64")  # fmt: skip
    assert torch.rand(2).tolist() == expected.tolist()
    assert torch.get_default_dtype() is torch.float32


def test_divergence_is_noticed_where_it_happens(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, optimizer="sgd", lr=1.0, epochs=500, engine="reference")
    limit = 1e8 * max(run.loss[0], float(np.var(three_features.y)))
    assert run.outcome is thalweg.Outcome.DIVERGED
    assert run.epochs < 500
    assert (run.loss[:-1] <= limit).all()
    assert not run.loss[-1] <= limit


def test_recording_keeps_what_was_asked(three_features: thalweg.Dataset) -> None:
    asked: dict[str, Any] = {"lr": 0.05, "epochs": 3, "batch_size": 5, "engine": "reference"}
    steps = thalweg.fit(three_features, record="step", **asked)
    sevenths = thalweg.fit(three_features, record=7, **asked)
    assert steps.steps.tolist() == list(range(25))
    assert sevenths.steps.tolist() == [0, 7, 14, 21, 24]
    np.testing.assert_array_equal(sevenths.path, steps.path[[0, 7, 14, 21, 24]])


def test_the_gradient_norm_is_that_of_the_mean_gradient(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, lr=0.05, epochs=4, engine="reference", dtype="float64")
    for loss, norm, at in zip(run.loss, run.gradient_norm, run.path[:-1], strict=True):
        design = np.column_stack([np.ones(37), three_features.X])
        residual = design @ at - three_features.y
        assert loss == pytest.approx(np.mean(residual**2), rel=1e-12)
        assert norm == pytest.approx(np.linalg.norm(2 / 37 * design.T @ residual), rel=1e-10)
