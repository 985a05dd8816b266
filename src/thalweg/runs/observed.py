"""What is known of a descent that another loop made: it stands where a fit has its settings.

Not here: recording such a loop; what ``fit`` was asked (:mod:`thalweg.settings`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from thalweg.losses import DELTA_DEFAULT


class ParameterGroup(NamedTuple):
    """One group of parameters of an optimiser, as PyTorch has them."""

    optimizer: str  # the name of its class
    parameters: tuple[str, ...]
    lr: float  # the last that was seen
    settings: tuple[tuple[str, Any], ...] = ()  # the others, as pairs of name and value


@dataclass(frozen=True)
class Observed:
    """What was seen of a loop; nothing of it can be asked of ``fit`` again.

    Parameters
    ----------
    groups : tuple of ParameterGroup
        At least one.
    loss : str
        The name of the loss that the run's numbers are of.
    delta : float
        Where a Huber loss turns straight; unused by the others.
    intercept : bool
        Whether the first parameter is a bias.
    dtype : str
        The precision of the parameters.

    Examples
    --------
    >>> seen = Observed((ParameterGroup("AdamW", ("weight", "bias"), 0.01),))
    >>> seen.optimizer, seen.lr
    ('AdamW', 0.01)
    """

    groups: tuple[ParameterGroup, ...]
    loss: str = "mse"
    delta: float = DELTA_DEFAULT
    intercept: bool = True
    dtype: str = "float32"

    @property
    def optimizer(self) -> str:
        """The optimisers' classes."""
        return " and ".join(dict.fromkeys(group.optimizer for group in self.groups))

    @property
    def lr(self) -> float:
        """The learning rate that was seen last, of the first group."""
        return self.groups[0].lr

    def keywords(self) -> dict[str, Any]:
        """Give what is known by the names that a fit's settings have."""
        first = {"optimizer": self.optimizer, "lr": self.lr, **dict(self.groups[0].settings)}
        return {**first, "loss": self.loss, "intercept": self.intercept, "dtype": self.dtype}

    def changed(self) -> dict[str, Any]:
        """Give the same: there are no defaults that it could be held against."""
        return self.keywords()
