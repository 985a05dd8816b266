"""``thalweg warm-up``: what a first fit would wait for, done ahead.

Not here: compiling (:mod:`thalweg.native`).
"""

from __future__ import annotations

from typing import Any

import thalweg
from thalweg.cli.app import app, errors, say

# Batch descent, and a loop over rows for each loss.
BATCH: dict[str, Any] = {}
REGIMES = (BATCH, *({"batch_size": 4, "loss": loss} for loss in ("mse", "l1", "huber")))


@app.command()
def warm_up() -> None:
    """Compile all native code ahead, so that no first fit waits: some minutes, once."""
    from rich.progress import track

    from thalweg.optimizers.registry import RULES

    rows = thalweg.salammbo()
    wide = thalweg.Dataset([[float(i == j) for j in range(40)] for i in range(40)], range(40))
    fits = [(rule, regime) for rule in RULES for regime in REGIMES]
    for rule, regime in track(
        fits, "compiling", console=errors, transient=True, disable=not errors.is_terminal
    ):
        thalweg.fit(rows, optimizer=rule, epochs=1, lr=1e-12, **regime)
    thalweg.surface(rows)
    thalweg.sweep(rows, lr=[1e-9], epochs=1)
    thalweg.explain(rows)
    thalweg.solve(wide, intercept=False)
    say("all native code is compiled, and kept")
