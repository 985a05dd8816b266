"""The exact least-squares answer from the Gram matrix of the columns, and whether it is unique.

Not here: where the matrix comes from (:mod:`thalweg.summary.gram`), the arithmetic
(:mod:`thalweg.summary.double_double`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from thalweg.arrays import Array
from thalweg.data.names import parameter_names, unique_names
from thalweg.errors import and_more, on_a_line, sentence, warn
from thalweg.interrupts import interruptible
from thalweg.numbers import counted
from thalweg.summary.double_double import Matrix, Order, least_squares, quadratic_form
from thalweg.summary.gram_kernel import ERROR

# A column counts as dependent where what the others leave of it is below 64 units in the last
# place of the terms that cancel there (1.4e-14 of them): rounding to float64 leaves 1 or 2, the
# Gram matrix resolves 12 (measured). Squared, as pivots are.
DEPENDENCE = (64 * 2.0**-52) ** 2

# Of the terms that cancel in a mean square, the part that it may be off by: the Gram matrix's own
# error, four times, so that what the computed parameters are off by is in it too; and, for each
# column, the rounding of double-double arithmetic in the factorisation. By Cauchy and Schwarz both
# move an entry of the matrix by that part of its columns' norms.
LOSS_ERROR, LOSS_ERROR_A_COLUMN = 4.0 * ERROR, 2.0**-98

# What is left of those terms below this part of them the arithmetic cannot tell from zero: where it
# comes to nothing the loss is given as that, with its error, and not as an exact fit.
RESOLUTION = 2.0**-104

ROUNDED = 2.0**-51  # of a number that was rounded to float64 and divided once

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
        The least mean squared error, that of the exact answer whose roundings the parameters are:
        never negative. Where columns depend on one another, the one at these parameters.
    loss_error : float
        A bound of what ``loss`` is off by. From the summary alone it is about 5e-26 of the mean
        square of the target (more where large terms cancel, as of ill-conditioned columns): where
        it is not far below ``loss``, the data fit exactly for all that can be told. With the rows
        at hand :func:`thalweg.solve` brings it down to rounding. It holds while the condition
        number of the columns, each scaled to norm one, is below 1e12.
    rank : int
        How many of the parameters' columns are independent.
    dependent : tuple of str
        The columns that depend on one another, ``bias`` standing for the constant one; empty
        where the answer is unique.
    intercept : bool
        Whether there is a bias among the parameters.
    features : tuple of str
        The d features' names.
    """

    bias: float
    weights: Array
    loss: float
    loss_error: float
    rank: int
    dependent: tuple[str, ...] = ()
    intercept: bool = True
    features: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in their order."""
        return parameter_names(self.features, intercept=self.intercept)

    @property
    def parameters(self) -> Array:
        """The parameters in a path's order, [bias, weights…], shape (p,)."""
        if not self.intercept:
            return self.weights
        parameters = np.empty(len(self.weights) + 1)  # quicker than joining
        parameters[0], parameters[1:] = self.bias, self.weights
        return parameters

    def __repr__(self) -> str:
        _, _, *names = unique_names(("loss", "rank", *map(on_a_line, self.names)))
        values = zip(names, self.parameters, strict=True)
        said = and_more((f"{name}={value:.6g}" for name, value in values), NAMES_SHOWN)
        return f"Solution({said}, loss={self.loss:.6g}, rank={self.rank})"

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import solution_html  # only a notebook asks for it

        return solution_html(self)


def solution_of(matrix: Matrix, n: int, features: Sequence[str], *, intercept: bool) -> Solution:
    """Solve the least-squares problem whose columns, the target last, have this Gram matrix."""
    high, low = matrix
    p = len(high) - 1
    parameters, rest, rank, order, dependence = interruptible(
        p**3, least_squares, high, low, DEPENDENCE
    )
    names = ("bias", *features) if intercept else tuple(features)
    dependent: tuple[str, ...] = ()
    if rank < p:
        norms = np.sqrt(np.diag(high))
        dependent = tuple(names[j] for j in _dependent(norms, order[:p], rank, dependence))
        rest = quadratic_form(high, low, np.append(parameters, -1.0))
    # negative is noise, of that size
    terms = reach(high, parameters) ** 2
    loss = max(abs(rest), RESOLUTION * terms) / n
    return Solution(
        bias=float(parameters[0]) if intercept else 0.0,
        weights=parameters[1:] if intercept else parameters,
        loss=loss,
        loss_error=_bound(terms, p, n, loss),
        rank=rank,
        dependent=dependent,
        intercept=intercept,
        features=tuple(features),
    )


def loss_error(high: Array, parameters: Array, n: int, loss: float) -> float:
    """Bound what a mean squared error is off by that comes from a Gram matrix.

    Parameters
    ----------
    high : ndarray, shape (p + 1, p + 1)
        The matrix of the columns, the target last.
    parameters : ndarray, shape (p,)
        Where the error is evaluated.
    n : int
        The number of rows.
    loss : float
        What came out there, rounded to float64 and divided once.
    """
    return _bound(reach(high, parameters) ** 2, len(parameters), n, loss)


def _bound(terms: float, p: int, n: int, loss: float) -> float:
    return (LOSS_ERROR + LOSS_ERROR_A_COLUMN * (p + 1)) * terms / n + ROUNDED * loss


def reach(high: Array, parameters: Array) -> float:
    """Sum the norms of the terms that cancel in the residuals, the target's among them."""
    norms = np.sqrt(high.diagonal())
    return float(np.abs(parameters) @ norms[:-1] + norms[-1])


def _dependent(norms: Array, order: Order, rank: int, dependence: Array) -> list[int]:
    """Give the columns that take part in a dependence, in their order."""
    kept, dropped = order[:rank], order[rank:]
    share = np.abs(dependence) * norms[kept, np.newaxis]
    makes_one = (share > PARTICIPATION * norms[dropped]).any(axis=1)
    return sorted([*map(int, kept[makes_one]), *map(int, dropped)])


def warn_of_dependence(solution: Solution, n: int) -> None:
    """Say which columns depend on one another, where some do; called by what the user calls.

    Warns
    -----
    ThalwegWarning
    """
    dependent = solution.dependent
    if not dependent:
        return
    p = len(solution.parameters)
    shown = and_more(map(repr, dependent), NAMES_SHOWN)
    few = f"{counted(n, 'row')} for {counted(p, 'parameter')} and " if n < p else ""
    warn(
        sentence(
            "X",
            got=f"{few}columns that depend on one another: {shown}",
            expected="independent columns",
            advice="of all the best answers the one of smallest norm is given",
        ),
    )
