"""The reference engine: the same fit step by step in PyTorch, with PyTorch's own parts.

Its modules, losses, optimisers, ``TensorDataset`` and ``DataLoader`` do the work; this file only
wires them and writes down what they do. The other engine is held against it. Not here: speed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.arrays import Array
from thalweg.batches import Batches
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.errors import InvalidSetting, MissingExtra, nearest, sentence
from thalweg.losses import L1, MSE, Loss
from thalweg.runs.run import OptimizerState, Outcome
from thalweg.settings import TorchRule
from thalweg.torch_random import Generator

try:
    import torch
    from torch import Tensor, nn
    from torch.utils.data import (
        BatchSampler,
        DataLoader,
        RandomSampler,
        SequentialSampler,
        TensorDataset,
    )
except ImportError as error:
    raise MissingExtra("The reference engine", "torch") from error

if TYPE_CHECKING:
    from thalweg.optimizers.rule import Rule


def descend(plan: Plan) -> Trace:
    """Walk a plan with PyTorch, epoch by epoch.

    The global stream of random numbers is borrowed, and given back as it was.

    Raises
    ------
    InvalidSetting
        If PyTorch refuses the optimiser's settings.
    """
    with torch.random.fork_rng(devices=[]), _default_dtype(getattr(torch, plan.dtype)):
        generator = _seed(plan.generator)
        linear, drawn = _linear(plan)
        model = nn.Sequential(linear)
        optimizer = _optimizer(plan.rule, linear)
        _restore(optimizer, linear, plan.optimizer_state)
        loader = _loader(plan)
        walk = _Walk(plan, model, linear, optimizer, loader)
        outcome = walk.run()
        if plan.batches.shuffle:
            drawn += 4 * len(walk.losses)  # two 64-bit seeds an epoch: the loader's, the sampler's
    return Trace(
        path=np.array(walk.path),
        steps=np.array(walk.steps, dtype=np.int64),
        loss=np.array(walk.losses),
        gradient_norm=np.array(walk.norms),
        outcome=outcome,
        optimizer_state=_state(optimizer, linear),
        generator=generator._replace(drawn=generator.drawn + drawn),
        loss_limit=walk.loss_limit,
    )


class _Walk:
    """The loop of the lesson, with what it sees written down."""

    def __init__(
        self,
        plan: Plan,
        model: nn.Sequential,
        linear: nn.Linear,
        optimizer: torch.optim.Optimizer,
        loader: DataLoader[tuple[Tensor, ...]],
    ) -> None:
        self.plan, self.model, self.linear = plan, model, linear
        self.optimizer, self.loader = optimizer, loader
        self.loss_fn = _loss_module(plan.loss)
        self.path: list[Array] = [_vector(linear.weight, linear.bias)]
        self.steps: list[int] = [0]
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.step = 0
        self.loss_limit = (
            DIVERGENCE * max(self._start_loss(), float(np.var(plan.rows.y)))
            if plan.loss_limit is None
            else plan.loss_limit
        )

    def run(self) -> Outcome:
        for _ in range(self.plan.epochs):
            self._epoch()
            loss, norm = self.losses[-1], self.norms[-1]
            parameters = _vector(self.linear.weight, self.linear.bias)
            if not (loss <= self.loss_limit and np.isfinite(parameters).all()):
                return self._end(Outcome.DIVERGED)
            if 0 < self.plan.gradient_tolerance >= norm or loss <= self.plan.loss_tolerance:
                return self._end(Outcome.CONVERGED)
        return self._end(Outcome.OUT_OF_EPOCHS)

    def _epoch(self) -> None:
        total, rows, gradient = 0.0, 0, np.zeros_like(self.path[0])
        self.model.train()
        for X, y in self.loader:
            loss = self.loss_fn(self.model(X), y)
            self.optimizer.zero_grad()
            loss.backward()
            gradient += len(X) * _vector(self.linear.weight.grad, _grad(self.linear.bias))
            self.optimizer.step()
            total += loss.item() * len(X)
            rows += len(X)
            self.step += 1
            steps = self.plan.steps_before + self.step
            if self.plan.record_every and steps % self.plan.record_every == 0:
                self._record()
        self.losses.append(total / rows)
        self.norms.append(float(np.linalg.norm(gradient / rows)))
        if not self.plan.record_every:
            self._record()

    def _record(self) -> None:
        self.path.append(_vector(self.linear.weight, self.linear.bias))
        self.steps.append(self.step)

    def _end(self, outcome: Outcome) -> Outcome:
        if self.steps[-1] != self.step:
            self._record()
        return outcome

    @torch.no_grad()
    def _start_loss(self) -> float:
        X, y = _tensors(self.plan)
        return float(self.loss_fn(self.model(X), y))


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Make PyTorch keep an optimiser's own numbers in the precision of the fit."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _seed(generator: Generator) -> Generator:
    """Put PyTorch's stream where ours stands."""
    torch.default_generator.manual_seed(generator.seed)
    if generator.drawn:
        torch.empty(generator.drawn, dtype=torch.int32).random_()
    return generator


def _linear(plan: Plan) -> tuple[nn.Linear, int]:
    """Build the model where the plan starts; count the random numbers that it took."""
    d, bias = plan.rows.X.shape[1], plan.intercept
    if plan.start is None:
        # Drawn in float32 whatever the precision: both engines start alike.
        linear = nn.Linear(d, 1, bias=bias, dtype=torch.float32)
        return linear.to(getattr(torch, plan.dtype)), d + bias
    linear = nn.Linear(d, 1, bias=bias, device="meta").to_empty(device="cpu")  # draws nothing
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(plan.start[None, int(bias) :].copy()))
        if bias:
            linear.bias.fill_(float(plan.start[0]))
    return linear, 0


def _optimizer(rule: Rule | TorchRule, linear: nn.Linear) -> torch.optim.Optimizer:
    if isinstance(rule, TorchRule):
        torch_class = rule.torch_class or getattr(torch.optim, rule.name)
        settings = {"lr": rule.lr, **dict(rule.settings)}
    else:
        torch_class, settings = getattr(torch.optim, type(rule).__name__), rule._asdict()
    valid = [n for n in inspect.signature(torch_class).parameters if n != "params"]
    for name in settings:
        if name not in valid:
            raise InvalidSetting(
                sentence(
                    "fit",
                    got=f"unknown setting {name!r}",
                    expected=f"its own settings and those of {torch_class.__name__}",
                    advice=nearest(name, valid),
                )
            )
    try:
        optimizer: torch.optim.Optimizer = torch_class(linear.parameters(), **settings)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidSetting(
            sentence(
                "optimizer",
                got=f"{torch_class.__name__} with {settings}",
                expected="settings that PyTorch takes",
                advice=f"PyTorch says: {error}",
            )
        ) from error
    return optimizer


def _tensors(plan: Plan) -> tuple[Tensor, Tensor]:
    dtype = getattr(torch, plan.dtype)
    X = torch.tensor(plan.rows.X, dtype=dtype)
    return X, torch.tensor(plan.rows.y, dtype=dtype).reshape(-1, 1)


def _loader(plan: Plan) -> DataLoader[tuple[Tensor, ...]]:
    """Batch the rows with PyTorch's samplers, a batch being taken in one indexing."""
    dataset = TensorDataset(*_tensors(plan))
    batches: Batches = plan.batches
    if batches.sampler is not None:
        sampler: Any = [rows.tolist() for rows in batches.sampler]
    else:
        order = RandomSampler(dataset) if batches.shuffle else SequentialSampler(dataset)
        sampler = BatchSampler(order, batches.batch_size or len(dataset), batches.drop_last)
    # Unshuffled, the lesson's own slices draw no random numbers: a loader of its own does it apart.
    apart = None if batches.shuffle else torch.Generator()
    return DataLoader(dataset, sampler=sampler, batch_size=None, generator=apart)


def _loss_module(loss: Loss) -> nn.Module:
    if isinstance(loss, MSE):
        return nn.MSELoss()
    if isinstance(loss, L1):
        return nn.L1Loss()
    return nn.HuberLoss(delta=loss.delta)


def _grad(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.grad


def _vector(weight: Tensor | None, bias: Tensor | None) -> Array:
    """Join PyTorch's two tensors as ``[bias, weights…]``: (p,) float64."""
    parts = [] if bias is None else [bias.detach().double().numpy().ravel()]
    if weight is not None:
        parts.append(weight.detach().double().numpy().ravel())
    return np.concatenate(parts)


def _state(optimizer: torch.optim.Optimizer, linear: nn.Linear) -> OptimizerState:
    """Write down what the optimiser remembers.

    What it keeps per parameter is joined as ``[bias, weights…]``; what it keeps in another shape
    for the weights than for the bias, as Adafactor does, stands under each one's own name.
    """
    weight = dict(optimizer.state.get(linear.weight, {}))
    bias = None if linear.bias is None else dict(optimizer.state.get(linear.bias, {}))
    state: dict[str, Any] = {}
    for name, value in weight.items():
        if not isinstance(value, Tensor):
            continue
        if value.ndim == 0:
            state[name] = float(value)
        elif value.shape == linear.weight.shape and (bias is None or name in bias):
            state[name] = _vector(value, None if bias is None else bias[name])
        else:
            state[f"weight.{name}"] = value.double().numpy()
    for name, value in (bias or {}).items():
        if isinstance(value, Tensor) and value.ndim and name not in state:
            state[f"bias.{name}"] = value.double().numpy()
    return state


def _restore(
    optimizer: torch.optim.Optimizer, linear: nn.Linear, state: OptimizerState | None
) -> None:
    """Give an optimiser back what :func:`_state` wrote down."""
    if not state:
        return
    places = [("weight", linear.weight, slice(int(linear.bias is not None), None))]
    if linear.bias is not None:
        places.append(("bias", linear.bias, slice(0, 1)))
    for owner, parameter, part in places:
        own = optimizer.state[parameter]
        for key, value in state.items():
            whose, _, name = key.rpartition(".")
            if np.ndim(value) == 0:
                own[name] = torch.tensor(float(value), dtype=torch.get_default_dtype())
            elif not whose:
                own[name] = torch.tensor(value[part], dtype=parameter.dtype).reshape(
                    parameter.shape
                )
            elif whose == owner:
                own[name] = torch.tensor(value, dtype=parameter.dtype)
