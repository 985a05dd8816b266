"""AdamW: Adam with its weight decay apart from the gradient.

Its settings, what it remembers and its arithmetic, as :mod:`thalweg.optimizers.rule` says them.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from thalweg.optimizers.adam import Adam
from thalweg.optimizers.rule import AMSGRAD, BETAS, EPS, LR, MAXIMIZE, WEIGHT_DECAY, Pair, optimizer

__all__ = ["AdamW"]


def _as_adam(rule: AdamW) -> Adam:
    return Adam(*rule, decoupled_weight_decay=True)


@optimizer(canonical=_as_adam)
class AdamW(NamedTuple):
    """Adam with its weight decay apart from the gradient."""

    lr: Annotated[float, LR] = 1e-3
    betas: Annotated[Pair, BETAS] = (0.9, 0.999)
    eps: Annotated[float, EPS] = 1e-8
    weight_decay: Annotated[float, WEIGHT_DECAY] = 1e-2
    amsgrad: Annotated[bool, AMSGRAD] = False
    maximize: Annotated[bool, MAXIMIZE] = False
