"""The loss surface: against the notebook's function, and against the number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch

import thalweg
from benchmarks.measure import Comparison
from thalweg.arrays import Array

POINTS = 100
ROWS, MANY_ROWS = 10**4, 10**7


def comparisons() -> Iterator[Comparison]:
    """Give the comparisons one by one."""
    yield _against_the_notebook()
    few, many = thalweg.salammbo(), _rows(MANY_ROWS)
    assert many.summary.n == MANY_ROWS  # noqa: S101 - both summaries are made before the timing
    assert few.summary.n == 15  # noqa: S101
    for work, call in (
        ("surface 100 × 100", partial(thalweg.surface, points=POINTS)),
        ("one batch epoch", partial(thalweg.fit, optimizer="sgd", lr=1e-12, epochs=1)),
    ):
        yield Comparison(
            work=f"{work}, the summary given, 10⁷ rows",
            against="itself on 15 rows",
            ours=partial(call, many),
            theirs=partial(call, few),
            at_least=1 / 1.2,
            aim=1.0,
            agree=lambda ours, theirs: None,  # other data, another answer
        )


def _rows(n: int) -> thalweg.Dataset:
    rng = np.random.default_rng(3)
    X = rng.uniform(15_000, 80_000, (n, 1))
    return thalweg.Dataset(X, 8.7 + 0.068 * X[:, 0] + rng.normal(0, 45, n))


def _against_the_notebook() -> Comparison:
    data = _rows(ROWS)
    data.summary  # noqa: B018 - made beforehand
    bias, weight = torch.linspace(-1000, 1000, POINTS), torch.linspace(0.0, 0.15, POINTS)
    grid = torch.stack(torch.meshgrid(bias, weight, indexing="xy"))
    X = torch.cat((torch.ones((ROWS, 1)), torch.tensor(data.X, dtype=torch.float32)), dim=1)
    y = torch.tensor(data.y, dtype=torch.float32).reshape(-1, 1)

    def theirs() -> Array:
        w = grid.reshape(2, -1)
        error = y.repeat(1, w.size(1)) - X @ w
        surface: Array = torch.log10((error**2).mean(dim=0)).reshape(POINTS, POINTS).numpy()
        return surface

    def ours() -> Array:
        drawn = thalweg.surface(data, bias=(-1000, 1000), weight=(0, 0.15), points=POINTS)
        return drawn.log10_loss

    def agree(one: object, other: object) -> None:
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=2e-3)

    return Comparison(
        work="surface 100 × 100, 10⁴ rows",
        against="the notebook's function",
        ours=ours,
        theirs=theirs,
        at_least=1e4,
        aim=4e5,
        agree=agree,
    )
