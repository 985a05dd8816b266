"""The descent: against the notebook's loop, scikit-learn, PyTorch and JAX.

Both sides get the same rows, start and settings and make the same steps.
``python -m benchmarks.descent`` measures them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
import torch
from sklearn.linear_model import SGDRegressor
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import thalweg
from benchmarks.measure import Comparison, in_words, run
from thalweg.arrays import Array

jax.config.update("jax_enable_x64", True)  # both sides in float64

ROWS = 10**5
FEW_ROWS = 10**4  # for PyTorch's loop, which takes a tenth of a millisecond a row
FEATURES = (1, 10, 100)
LR = 1e-4
SEED = 4321
FLOAT32 = (1e-2, 1e-3)  # the notebook's loop is in float32
FLOAT64 = (1e-9, 0.0)  # relative and absolute


def comparisons() -> Iterator[Comparison]:
    """Give the comparisons one by one."""
    yield _against_the_notebook("250 NAdam epochs of batch descent", 250, None, 1500.0, 5000.0)
    yield _against_the_notebook("20 stochastic NAdam epochs", 20, 1, 1500.0, 4000.0)
    for d in FEATURES:
        yield _against_scikit_learn(d)
    for d in FEATURES:
        yield _against_pytorch(d)
    yield _against_jax()


def _against_the_notebook(
    work: str, epochs: int, batch_size: int | None, at_least: float, aim: float
) -> Comparison:
    data = thalweg.salammbo()
    settings: dict[str, Any] = {"optimizer": "nadam", "lr": 0.01, "seed": SEED}

    def ours() -> Array:
        return thalweg.fit(data, epochs=epochs, batch_size=batch_size, **settings).path

    return Comparison(
        work=f"{work} on the chapters, path recorded",
        against="the notebook's loop",
        ours=ours,
        theirs=partial(_notebook, data, epochs, batch_size),
        at_least=at_least,
        aim=aim,
        agree=partial(_agree, tolerance=FLOAT32),
    )


def _notebook(data: thalweg.Dataset, epochs: int, batch_size: int | None) -> Array:
    """Walk as the notebook does, with losses and parameters kept in lists."""
    torch.manual_seed(SEED)
    X = torch.tensor(data.X, dtype=torch.float32)
    y = torch.tensor(data.y, dtype=torch.float32).reshape(-1, 1)
    model = nn.Sequential(nn.Linear(1, 1))
    loss_fn, optimizer = nn.MSELoss(), torch.optim.NAdam(model.parameters(), lr=0.01)
    batches = [(X, y)] if batch_size is None else list(zip(X, y, strict=True))
    losses, path = [], [_point(model)]
    for _ in range(epochs):
        total = 0.0
        for xs, ys in batches:
            loss = loss_fn(model(xs), ys)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total / len(batches))
        path.append(_point(model))
    return np.array(path)


def _point(model: nn.Sequential) -> tuple[float, float]:
    linear: Any = model[0]
    return linear.bias.item(), linear.weight.item()


def _against_scikit_learn(d: int) -> Comparison:
    data = _rows(ROWS, d)
    settings: dict[str, Any] = {
        "learning_rate": "constant", "eta0": 2 * LR, "penalty": None,
        "shuffle": False, "max_iter": 1, "tol": None,
    }  # fmt: skip

    def theirs() -> Array:
        model = SGDRegressor(**settings).fit(data.X, data.y)
        return np.concatenate([model.intercept_, model.coef_])

    return Comparison(
        work=f"plain SGD, one epoch, 10⁵ × {d}",
        against="scikit-learn SGDRegressor",
        ours=partial(_one_epoch, data, "sgd"),
        theirs=theirs,
        at_least=3.0,
        aim=4.0,
        agree=partial(_agree, tolerance=FLOAT64),
    )


def _against_pytorch(d: int) -> Comparison:
    data = _rows(FEW_ROWS, d)
    rows = TensorDataset(torch.tensor(data.X), torch.tensor(data.y).reshape(-1, 1))

    def theirs() -> Array:
        linear = nn.Linear(d, 1, dtype=torch.float64)
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
        loss_fn, optimizer = nn.MSELoss(), torch.optim.SGD(linear.parameters(), lr=LR)
        for xs, ys in DataLoader(rows, batch_size=1):
            loss = loss_fn(linear(xs), ys)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return np.array([linear.bias.item(), *linear.weight.detach().flatten().tolist()])

    return Comparison(
        work=f"plain SGD, one epoch, {FEW_ROWS:,} × {d}",
        against="PyTorch loop over a DataLoader",
        ours=partial(_one_epoch, data, "sgd"),
        theirs=theirs,
        at_least=4000.0,
        aim=20_000.0,
        agree=partial(_agree, tolerance=FLOAT64),
    )


def _against_jax() -> Comparison:
    data = _rows(ROWS, 10)
    theirs = _compiled_by_jax(data)
    return Comparison(
        work="NAdam, one epoch, 10⁵ × 10",
        against="JAX lax.scan + optax",
        ours=partial(_one_epoch, data, "nadam", momentum_decay=0.0),
        theirs=lambda: np.asarray(jax.block_until_ready(theirs())),
        at_least=5.0,
        aim=8.0,
        agree=_agree_on_fit,
    )


def _compiled_by_jax(data: thalweg.Dataset) -> Callable[[], Any]:
    """One epoch of stochastic descent as one compiled scan, its losses kept."""
    X = jax.numpy.asarray(np.column_stack([np.ones(len(data)), data.X]))
    y = jax.numpy.asarray(data.y)
    optimizer = optax.nadam(LR)

    def loss(w: Any, x: Any, target: Any) -> Any:
        return (x @ w - target) ** 2

    def step(carry: Any, row: Any) -> Any:
        w, state = carry
        value, gradient = jax.value_and_grad(loss)(w, *row)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(w, updates), state), value

    def epoch(X: Any, y: Any) -> Any:
        w = jax.numpy.zeros(X.shape[1])
        (w, _), losses = jax.lax.scan(step, (w, optimizer.init(w)), (X, y))
        return w, losses.mean()

    compiled = jax.jit(epoch)
    return lambda: compiled(X, y)[0]


def _one_epoch(data: thalweg.Dataset, optimizer: str, **settings: Any) -> Array:
    start = np.zeros(data.X.shape[1] + 1)
    run = thalweg.fit(
        data, optimizer=optimizer, lr=LR, epochs=1, batch_size=1, start=start, **settings
    )
    return run.parameters


def _rows(n: int, d: int) -> thalweg.Dataset:
    """Make rows off zero with noise, for which the rate is far from both edges."""
    rng = np.random.default_rng(d)
    X = rng.normal(size=(n, d)) + 0.5
    return thalweg.Dataset(X, 1.0 + X @ np.linspace(-1.0, 2.0, d) + rng.normal(size=n))


def _agree(ours: object, theirs: object, tolerance: tuple[float, float]) -> None:
    relative, absolute = tolerance
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=relative, atol=absolute)


def _agree_on_fit(ours: object, theirs: object) -> None:
    """Optax's NAdam takes another schedule of momentum than PyTorch's: not the same bits."""
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=0.1, atol=0.01)


if __name__ == "__main__":
    for comparison in comparisons():
        row = run(comparison)
        print(
            f"{comparison.work}, against {comparison.against}: {in_words(row.ours)} against "
            f"{in_words(row.theirs)}, {row.ratio:,.1f} times faster "
            f"(at least {comparison.at_least:,g}, aim {comparison.aim:,g})",
            flush=True,
        )
