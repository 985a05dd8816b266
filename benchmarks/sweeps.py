"""Sweeps against JAX: the same mathematics with ``vmap`` over the runs and ``scan`` over epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg
from benchmarks.measure import Comparison

jax.config.update("jax_enable_x64", True)  # both sides in float64

RUNS, EPOCHS = 10_000, 250
BETA1, BETA2, EPS, DECAY = 0.9, 0.999, 1e-8, 0.004  # PyTorch's defaults for NAdam


def comparisons() -> Iterator[Comparison]:
    """Give the comparison."""
    data = thalweg.salammbo()
    rates = np.geomspace(1e-4, 1.0, RUNS)
    start = [0.5, 0.1]
    theirs = _compiled_by_jax(data)
    starts = jnp.tile(jnp.array(start), (RUNS, 1))

    def ours() -> tuple[Any, Any]:
        done = thalweg.sweep(
            data, lr=rates, optimizer="nadam", start=start, epochs=EPOCHS, paths=True
        )
        return done.parameters, done.paths

    def of_jax() -> tuple[Any, Any]:
        end, path = jax.block_until_ready(theirs(jnp.asarray(rates), starts))
        return end, path

    yield Comparison(
        work=f"{RUNS:,} runs × {EPOCHS} epochs, NAdam, paths recorded",
        against="JAX vmap + scan, same mathematics",
        ours=ours,
        theirs=of_jax,
        at_least=3.0,
        aim=10.0,
        agree=_agree,
    )


def _compiled_by_jax(data: thalweg.Dataset) -> Callable[..., tuple[Any, Any]]:
    R, n = jnp.array(data.summary.triangle()), data.summary.n

    def one(lr: Any, start: Any) -> tuple[Any, Any]:
        def step(carry: Any, t: Any) -> tuple[Any, Any]:
            w, m, v, product = carry
            gradient = 2.0 / n * R[:, :2].T @ (R @ jnp.append(w, -1.0))
            now = BETA1 * (1.0 - 0.5 * 0.96 ** (t * DECAY))
            coming = BETA1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * DECAY))
            product = product * now
            m = BETA1 * m + (1.0 - BETA1) * gradient
            v = BETA2 * v + (1.0 - BETA2) * gradient * gradient
            scale = jnp.sqrt(v / (1.0 - BETA2**t)) + EPS
            w = w - lr * (1.0 - now) / (1.0 - product) * gradient / scale
            w = w - lr * coming / (1.0 - product * coming) * m / scale
            return (w, m, v, product), w

        begin = (start, jnp.zeros(2), jnp.zeros(2), jnp.array(1.0))
        (end, *_), path = jax.lax.scan(step, begin, jnp.arange(1.0, EPOCHS + 1.0))
        return end, path

    compiled: Callable[..., tuple[Any, Any]] = jax.jit(jax.vmap(one))
    return compiled


def _agree(ours: Any, theirs: Any) -> None:
    """Compare the epochs before rounding is amplified: at large rates NAdam is chaotic later."""
    np.testing.assert_allclose(ours[1][:, 1:51], theirs[1][:, :50], rtol=1e-6, atol=1e-9)
    calm = np.s_[: RUNS // 4]
    np.testing.assert_allclose(ours[0][calm], theirs[0][calm], rtol=1e-9)
