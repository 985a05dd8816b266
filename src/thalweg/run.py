"""What a descent did: the path, the losses, the settings, how it ended.

A ``Run`` is data, whoever made it. Not here: making one (:mod:`thalweg.descent`), drawing it
(:mod:`thalweg.figures`), explaining it (:mod:`thalweg.diagnosis`).
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from thalweg.dataset import Array

OptimizerState: TypeAlias = dict[str, Array | float]
"""What an optimiser remembers, under PyTorch's names: per parameter, shape (p,), or one number."""


class Outcome(Enum):
    """How a descent ended; the text advises."""

    CONVERGED = "converged: the tolerance that was asked for is reached"
    OUT_OF_EPOCHS = "out of epochs: all of them were walked; whether it arrived is not known"
    DIVERGED = "diverged: the loss left all bounds and the fit stopped there; lower the learning rate"
    STOPPED = "stopped: interrupted before its end; continue it with fit(data, start=run)"
