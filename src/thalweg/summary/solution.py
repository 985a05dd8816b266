"""The exact least-squares answer from the Gram matrix of the columns, and whether it is unique.

Not here: where the matrix comes from (:mod:`thalweg.summary.gram`), the arithmetic
(:mod:`thalweg.summary.double_double`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from thalweg.arrays import Array
from thalweg.errors import ThalwegWarning, sentence
from thalweg.summary.double_double import Matrix, Order, least_squares

# A column counts as dependent where what the others leave of it is below 64 units in the last
# place of the terms that cancel there: rounding to float64 leaves 1 or 2 of them, the Gram matrix
# resolves 12 (measured). Squared, as pivots are.
DEPENDENCE = (64 * 2.0**-52) ** 2

# What is left of the target below this part of its squared norm is rounding of the arithmetic:
# 1e-29 at most for targets that fit exactly (measured).
RESOLUTION = 2.0**-96

# A column takes part in a dependence where its coefficient, columns scaled to norm one, is more
# than noise.
PARTICIPATION = 2.0**-26

NAMES_SHOWN = 10


class Solution(NamedTuple):
    """The exact least-squares answer.

    Attributes
    ----------
    bias : float
        Zero where there is no intercept.
    weights : ndarray, shape (d,)
    loss : float
        The mean squared error there: never negative, and zero where the target is within 4e-15
        of its norm of an exact fit.
    rank : int
        How many of the parameters' columns are independent.
    dependent : tuple of str
        The columns that depend on one another, ``bias`` standing for the constant one; empty
        where the answer is unique.
    intercept : bool
        Whether there is a bias among the parameters.
    """

    bias: float
    weights: Array
    loss: float
    rank: int
    dependent: tuple[str, ...] = ()
    intercept: bool = True

    @property
    def parameters(self) -> Array:
        """The parameters in a path's order, [bias, weights…], shape (p,)."""
        return np.concatenate(([self.bias], self.weights)) if self.intercept else self.weights

    def refined(self, parameters: Array, loss: float) -> Solution:
        """Take corrected values of the parameters and the loss."""
        first = int(self.intercept)
        bias = float(parameters[0]) if self.intercept else 0.0
        return self._replace(bias=bias, weights=parameters[first:], loss=loss)


def solution_of(matrix: Matrix, n: int, features: Sequence[str], *, intercept: bool) -> Solution:
    """Solve the least-squares problem whose columns, the target last, have this Gram matrix.

    Warns
    -----
    ThalwegWarning
        Where the columns depend on one another.
    """
    high, low = matrix
    parameters, rest, rank, order, dependence = least_squares(high, low, DEPENDENCE)
    p = len(parameters)
    names = ("bias", *features) if intercept else tuple(features)
    dependent: tuple[str, ...] = ()
    if rank < p:
        norms = np.sqrt(np.diag(high))
        dependent = tuple(names[j] for j in _dependent(norms, order[:p], rank, dependence))
        _warn_of(dependent, n, p)
    return Solution(
        bias=float(parameters[0]) if intercept else 0.0,
        weights=parameters[1:] if intercept else parameters,
        loss=rest / n if rest > RESOLUTION * high[p, p] else 0.0,
        rank=rank,
        dependent=dependent,
        intercept=intercept,
    )


def _dependent(norms: Array, order: Order, rank: int, dependence: Array) -> list[int]:
    """Give the columns that take part in a dependence, in their order."""
    kept, dropped = order[:rank], order[rank:]
    share = np.abs(dependence) * norms[kept, np.newaxis]
    makes_one = (share > PARTICIPATION * norms[dropped]).any(axis=1)
    return sorted([*map(int, kept[makes_one]), *map(int, dropped)])


def _warn_of(dependent: Sequence[str], n: int, p: int) -> None:
    shown = ", ".join(map(repr, dependent[:NAMES_SHOWN]))
    if len(dependent) > NAMES_SHOWN:
        shown += f" and {len(dependent) - NAMES_SHOWN} more"
    few = f"{n:,} rows for {p:,} parameters and " if n < p else ""
    warnings.warn(
        sentence(
            "X",
            got=f"{few}columns that depend on one another: {shown}",
            expected="independent columns",
            advice="of all the best answers the one of smallest norm is given",
        ),
        ThalwegWarning,
        stacklevel=4,
    )
