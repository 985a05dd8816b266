"""The reference engine: the same fit step by step in PyTorch, with PyTorch's own parts.

Its modules, losses, optimisers, ``TensorDataset`` and ``DataLoader`` do the work; this file only
wires them and writes down what they do. The other engine is held against it. Not here: speed.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg.arrays import Array
from thalweg.batches import Batches
from thalweg.descent.plan import DIVERGENCE, Plan, Trace
from thalweg.errors import InvalidSetting, MissingExtra, nearest
from thalweg.losses import torch_module
from thalweg.optimizers.choice import TorchRule
from thalweg.runs.run import OptimizerState, Outcome
from thalweg.torch_random import WORDS_PER_EPOCH, Generator

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


class _Whole(NamedTuple):
    """Where a walk stood after its last call, to be kept."""

    epochs: int
    steps: int
    points: int
    parameters: Array
    optimizer_state: OptimizerState
    outcome: Outcome


class Walk:
    """The loop of the lesson, with what it sees written down.

    It is made in calls, between which the global stream of random numbers is given back as it
    was; what Ctrl-C cuts off inside of one is not counted.

    Raises
    ------
    InvalidSetting
        If PyTorch refuses the optimiser's settings.
    """

    first_budget = 1  # epochs

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.path: list[Array] = []
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.step = 0
        self.loss_fn = torch_module(plan.loss)
        with torch.random.fork_rng(devices=[]), _default_dtype(getattr(torch, plan.dtype)):
            self.generator = _seed(plan.generator)
            self.linear, self.drawn = _linear(plan)
            self.model = nn.Sequential(self.linear)
            self.optimizer = _optimizer(plan.rule, self.linear)
            with _in_a_sentence(plan):
                _restore(self.optimizer, self.linear, plan.optimizer_state)
            self.loader = _loader(plan)
            self.loss_limit = (
                DIVERGENCE * max(self._start_loss(), float(np.var(plan.rows.y)))
                if plan.loss_limit is None
                else plan.loss_limit
            )
            self.stream = torch.get_rng_state()
        self._record()
        self.whole = self._stand(Outcome.STOPPED)

    @property
    def outcome(self) -> Outcome:
        """How it ended; ``STOPPED`` where there is more to walk."""
        return self.whole.outcome

    @property
    def epochs(self) -> int:
        """The whole epochs walked."""
        return self.whole.epochs

    @property
    def loss(self) -> float:
        """The last whole epoch's loss."""
        return self.losses[self.whole.epochs - 1]

    def go_on(self, budget: int) -> None:
        """Walk so many epochs more, or to the end."""
        with torch.random.fork_rng(devices=[]), _default_dtype(getattr(torch, self.plan.dtype)):
            torch.set_rng_state(self.stream)
            outcome = Outcome.STOPPED
            while budget > 0 and outcome is Outcome.STOPPED:
                self._epoch()
                outcome = self._judged()
                budget -= 1
            self.stream = torch.get_rng_state()
        self.whole = self._stand(outcome)

    def trace(self) -> Trace:
        """Say what was done in the calls so far."""
        whole, drawn = self.whole, self.drawn
        path, steps = self.path[: whole.points], self.steps[: whole.points]
        if steps[-1] != whole.steps:  # the end is always recorded
            path, steps = [*path, whole.parameters], [*steps, whole.steps]
        if self.plan.batches.shuffle:
            drawn += WORDS_PER_EPOCH * whole.epochs
        return Trace(
            path=np.array(path),
            steps=np.array(steps, dtype=np.int64),
            loss=np.array(self.losses[: whole.epochs]),
            gradient_norm=np.array(self.norms[: whole.epochs]),
            outcome=whole.outcome,
            optimizer_state=whole.optimizer_state,
            generator=self.generator._replace(drawn=self.generator.drawn + drawn),
            loss_limit=self.loss_limit,
        )

    def _stand(self, outcome: Outcome) -> _Whole:
        return _Whole(
            len(self.losses), self.step, len(self.path), self._parameters(),
            _state(self.optimizer, self.linear), outcome,
        )  # fmt: skip

    def _judged(self) -> Outcome:
        loss, norm = self.losses[-1], self.norms[-1]
        finite = math.isfinite(loss) and np.isfinite(self._parameters()).all()
        if not (loss <= self.loss_limit and finite):
            return Outcome.DIVERGED
        if 0 < self.plan.gradient_tolerance >= norm or loss <= self.plan.loss_tolerance:
            return Outcome.CONVERGED
        left = self.plan.epochs - len(self.losses)
        return Outcome.STOPPED if left > 0 else Outcome.OUT_OF_EPOCHS

    def _epoch(self) -> None:
        total, rows, gradient = 0.0, 0, np.zeros_like(self.path[0])
        self.model.train()
        for X, y in self.loader:
            loss = self.loss_fn(self.model(X), y)
            self.optimizer.zero_grad()
            loss.backward()
            gradient += len(X) * _vector(self.linear.weight.grad, _grad(self.linear.bias))
            with _in_a_sentence(self.plan):
                self.optimizer.step()
            total += loss.item() * len(X)
            rows += len(X)
            self.step += 1
            steps = self.plan.steps_before + self.step
            if self.plan.record_every and steps % self.plan.record_every == 0:
                self._record()
        self.losses.append(total / rows)
        self.norms.append(math.hypot(*(gradient / rows)))
        if not self.plan.record_every:
            self._record()

    def _record(self) -> None:
        self.path.append(self._parameters())
        self.steps.append(self.step)

    def _parameters(self) -> Array:
        return _vector(self.linear.weight, self.linear.bias)

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


@contextmanager
def _in_a_sentence(plan: Plan) -> Iterator[None]:
    """Say what PyTorch's own optimisers cannot do: numbers beyond float32, a state of another."""
    try:
        yield
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, ValueError) as error:
        if isinstance(plan.rule, TorchRule) and plan.rule.torch_class is not None:
            raise  # the user's own class may be at fault
        raise InvalidSetting(
            "fit",
            got=f"{type(error).__name__} from PyTorch: {error}",
            expected=f"numbers and a start that it can go on from, in {plan.dtype}",
            advice="lower {lr}, take smaller numbers, or leave {start} out",
            suggest={"lr": ..., "start": ...},
        ) from error


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
    with torch.no_grad(), _in_a_sentence(plan):
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
                "fit",
                got=f"unknown setting {name!r}",
                expected=f"its own settings and those of {torch_class.__name__}",
                advice=nearest(name, valid),
            )
    try:
        optimizer: torch.optim.Optimizer = torch_class(linear.parameters(), **settings)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidSetting(
            "optimizer",
            got=f"{torch_class.__name__} with {settings}",
            expected="settings that PyTorch takes",
            advice=f"PyTorch says: {error}",
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
            state[f"weight.{name}"] = value.double().numpy().copy()
    for name, value in (bias or {}).items():
        if isinstance(value, Tensor) and value.ndim and name not in state:
            state[f"bias.{name}"] = value.double().numpy().copy()
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
