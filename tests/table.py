"""A table of fits, rule × loss × regime × flag, and a digest of all that each one did.

``python table.py RULE`` walks those of one rule, ``python table.py RULE NUMBER`` one of them, in a
process of its own. Among the flags are those that give two rules the same numbers.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from typing import Any

import numpy as np

import thalweg

FLAGS: dict[str, list[dict[str, Any]]] = {
    "adadelta": [{}, {"rho": 0.5, "maximize": True}],
    "adagrad": [{}, {"lr_decay": 0.5, "eps": 0.0}, {"initial_accumulator_value": 2.0}],
    "adam": [{}, {"amsgrad": True}, {"decoupled_weight_decay": True, "weight_decay": 0.1}],
    "adamax": [{}, {"weight_decay": 0.1}],
    "adamw": [{}, {"amsgrad": True, "maximize": True}],
    "asgd": [{}, {"lambd": 0.5, "alpha": 0.0, "t0": 0.0}],
    "nadam": [{}, {"momentum_decay": 0.0}, {"momentum_decay": 1.0}],
    "radam": [{}, {"decoupled_weight_decay": True, "weight_decay": 0.1}],
    "rmsprop": [{}, {"momentum": 0.9, "centered": True}],
    "rprop": [{}, {"etas": (0.25, 1.5)}],
    "sgd": [{}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}, {"weight_decay": 0.1}],
}
LOSSES: tuple[dict[str, Any], ...] = (
    {"loss": "mse"},
    {"loss": "l1"},
    {"loss": "huber", "delta": 0.5},
)
REGIMES: tuple[dict[str, Any], ...] = (
    {},
    {"batch_size": 1},
    {"batch_size": 4, "shuffle": True, "seed": 3},
    {"batch_sampler": [[0, 1, 2], [2, 3], [8], [*range(13)]], "intercept": False},
    {"batch_size": 5, "drop_last": True, "standardize": True, "record": "step"},
)

RNG = np.random.default_rng(11)
DATA = thalweg.Dataset(RNG.normal(size=(13, 2)) + 0.5, RNG.normal(size=13))


def fits(rule: str) -> list[dict[str, Any]]:
    """Give the keywords of each fit of a rule."""
    return [
        {"optimizer": rule, "lr": 0.01, "epochs": 12, **flags, **loss, **regime}
        for flags, loss, regime in itertools.product(FLAGS[rule], LOSSES, REGIMES)
    ]


def digest(asked: dict[str, Any]) -> str:
    """Fit, and tell what it did to the bit."""
    run = thalweg.fit(DATA, **asked)
    told = hashlib.sha256(repr((run.outcome, run.settings, run.generator)).encode())
    for array in (run.path, run.steps, run.loss, run.gradient_norm):
        told.update(array.tobytes())
    for name, value in run.optimizer_state.items():
        told.update(name.encode() + np.asarray(value).tobytes())
    return told.hexdigest()


if __name__ == "__main__":
    _, name, *number = sys.argv
    chosen = fits(name) if not number else [fits(name)[int(number[0])]]
    print(json.dumps([digest(asked) for asked in chosen]))  # noqa: T201  # its answer
