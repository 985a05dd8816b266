"""What an engine is given and what it gives back: the contract that both engines keep.

:func:`thalweg.fit` checks the user's words and makes a :class:`Plan`; an engine walks it and
returns a :class:`Trace`. Not here: checking (:mod:`thalweg.settings`), walking
(:mod:`thalweg.descent.reference`, :mod:`thalweg.descent.compiled`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.batches import Batches
from thalweg.data.dataset import Dataset
from thalweg.runs.run import OptimizerState, Outcome

if TYPE_CHECKING:
    from thalweg.descent.streaming import Streamed
    from thalweg.losses import Loss
    from thalweg.optimizers.rule import Rule
    from thalweg.settings import TorchRule
    from thalweg.torch_random import Generator

# A loss beyond this many times the larger of its start and the target's variance has diverged.
DIVERGENCE = 1e8


class Plan(NamedTuple):
    """A fit, fully said: every field is checked and none is left to the engine's taste.

    Parameters are ordered ``[bias, weights…]``, p = d + 1 of them; p = d and no bias where
    ``intercept`` is false.
    """

    data: Dataset | Streamed
    intercept: bool
    rule: Rule | TorchRule
    loss: Loss
    epochs: int
    batches: Batches
    start: Array | None  # (p,); None draws PyTorch's own initialisation from the generator
    optimizer_state: OptimizerState | None  # None starts the optimiser afresh
    generator: Generator  # where the stream of random numbers stands
    record_every: int  # steps between two recorded points; 0 records once an epoch
    gradient_tolerance: float  # stop when an epoch's gradient norm is at most this; 0 never stops
    loss_tolerance: float  # stop when an epoch's loss is at most this; -inf never stops
    dtype: str  # "float32" or "float64"; only the reference engine has the choice
    # Where the plan is the next part of a longer walk, so that the parts make the same whole:
    steps_before: int = 0  # updates made before; every ``record_every``-th counts from the first
    loss_limit: float | None = None  # diverged beyond it; None: :data:`DIVERGENCE` from this start

    @property
    def rows(self) -> Dataset:
        """The rows at hand, for a walk that needs them all."""
        if not isinstance(self.data, Dataset):
            raise TypeError("rows that are read block by block are walked by streaming.begin")
        return self.data


class Trace(NamedTuple):
    """What an engine did.

    ``loss`` and ``gradient_norm`` have an entry per epoch, over the rows that the epoch saw, at
    the parameters it saw them with: the mean of the losses, and the norm of the mean of the
    gradients, each step counting by its rows. In batch descent both are thus of the parameters
    *before* the epoch's update.
    """

    path: Array  # (k, p), the start first and the end last
    steps: NDArray[np.int64]  # (k,), updates made before each recorded point
    loss: Array  # (epochs walked,)
    gradient_norm: Array  # (epochs walked,)
    outcome: Outcome
    optimizer_state: OptimizerState
    generator: Generator
    loss_limit: float = math.inf  # the loss beyond which the walk would have diverged
