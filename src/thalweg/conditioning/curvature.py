r"""The curvature of the mean squared error: its directions, and the learning rates it allows.

Everything follows from the triangle R of ``[1, X, y]`` (or ``[X, y]`` without an intercept):
the loss at parameters :math:`w` is :math:`\|R\,[w, -1]\|^2 / n`, so its Hessian is
:math:`\tfrac{2}{n} R_X^\top R_X`. The squares are never formed: eigenvalues are squared singular
values. Arrays in, arrays out. Not here: judging a run (:mod:`thalweg.diagnosis`), how many
epochs a rule needs (:mod:`thalweg.conditioning.convergence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import lapack

from thalweg.arrays import Array
from thalweg.optimizers.rule import Rule
from thalweg.optimizers.sgd import SGD

# A column whose part of its own is below this share of its length, 64 units in the last place,
# is a combination of the others: what the summary counts as dependent.
DEPENDENT = 64 * 2.0**-52


@dataclass(frozen=True, eq=False)
class Curvature:
    """The loss's curvature: the Hessian's eigenvalues and eigenvectors.

    Attributes
    ----------
    names : tuple of str
        The p parameters' names, in the order of a path's columns.
    values : ndarray, shape (p,)
        The curvature along each direction, largest first: squared units of the target per
        squared unit of the parameters. Zero along directions that the data leave open.
    directions : ndarray, shape (p, p)
        A unit vector per row, in the order of ``values``; its largest component is positive.
    rank : int
        How many directions the data determine.
    """

    names: tuple[str, ...]
    values: Array
    directions: Array
    rank: int

    @property
    def largest(self) -> float:
        """The curvature along the steepest direction; 0 for data that are all zero."""
        return float(self.values[0])

    @property
    def smallest(self) -> float:
        """The curvature along the flattest direction that the data determine."""
        return float(self.values[self.rank - 1]) if self.rank else 0.0

    @property
    def condition_number(self) -> float:
        """The largest curvature over the smallest, among the directions the data determine."""
        return self.largest / self.smallest if self.rank else 1.0

    @property
    def largest_stable_rate(self) -> float:
        """Plain batch descent converges below this learning rate: 2 / largest."""
        return 2.0 / self.largest if self.largest else np.inf

    @property
    def best_rate(self) -> float:
        """The fixed rate whose worst direction shrinks fastest: 2 / (largest + smallest)."""
        return 2.0 / (self.largest + self.smallest) if self.largest else np.inf


def curvature(triangle: Array, n: int, names: Sequence[str]) -> Curvature:
    r"""Give the curvature of the mean squared error from the triangle of its columns.

    .. math:: H = \frac{2}{n} R^\top R = V^\top \mathrm{diag}(2 \sigma^2 / n)\, V

    Parameters
    ----------
    triangle : ndarray, shape (p, p)
        The triangle R of the columns that have a parameter: ``[1, X]`` or ``X``.
    n : int
        The rows behind it.
    names : sequence of str
        The p parameters' names.

    Notes
    -----
    The singular values come from LAPACK's one-sided Jacobi method, which finds the small ones
    of badly scaled columns to full relative precision, where the usual methods leave an error
    of the largest one's rounding (Drmač and Veselić, SIAM J. Matrix Anal. Appl. 29, 2008).

    Examples
    --------
    >>> curvature(np.diag([3.0, 1.0]), 2, ["bias", "weight"]).values
    array([9., 1.])
    """
    p = len(triangle)
    # joba=0: columns of any scales; jobu=3: no left vectors; jobv=0: the right ones.
    scaled, _, right, work, _, info = lapack.dgejsv(triangle, joba=0, jobu=3, jobv=0)
    if info > 0:  # its sweeps did not settle: the usual method then
        _, singular, rows = np.linalg.svd(triangle)
    else:
        singular, rows = scaled * (work[0] / work[1]), right.T
    rank = p - len(dependencies(triangle))
    values = 2.0 / n * singular**2
    values[rank:] = 0.0
    signs = np.sign(rows[np.arange(p), np.abs(rows).argmax(axis=1)])
    return Curvature(tuple(names), values, rows * signs[:, None], rank)


def standardise(triangle: Array, n: int, *, intercept: bool) -> Array:
    """Give the triangle that the same rows have once each feature is standardised.

    Parameters
    ----------
    triangle : ndarray, shape (p + 1, p + 1)
        The triangle of ``[1, X, y]``, or of ``[X, y]`` without an intercept.
    n : int
        The rows behind it.
    intercept : bool
        With one, features are shifted to mean 0; without, they are only scaled.

    Returns
    -------
    ndarray, shape (p + 1, p + 1)
        The last column, the target's, is unchanged. A constant feature is only shifted.
    """
    result = triangle.copy()
    first = int(intercept)
    for j in range(first, len(triangle) - 1):
        whole = np.linalg.norm(triangle[:, j])
        result[:first, j] = 0.0  # the mean sits in the intercept's row alone
        scale = np.linalg.norm(result[:, j]) / np.sqrt(n)
        if scale * np.sqrt(n) > 1e-14 * whole:
            result[:, j] /= scale
    return result


def dependencies(triangle: Array) -> dict[int, tuple[int, ...]]:
    """Find the columns that are combinations of others.

    Parameters
    ----------
    triangle : ndarray, shape (p, p)
        The triangle of the columns.

    Returns
    -------
    dict of int to tuple of int
        For each column that depends on columns before it, those it takes part of. A column of
        zeros depends on none.

    Examples
    --------
    >>> dependencies(np.array([[1.0, 2.0, 5.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    {1: (0,)}
    """
    lengths = np.linalg.norm(triangle, axis=0)
    unit = triangle / np.where(lengths > 0, lengths, 1.0)
    kept: list[int] = []
    found: dict[int, tuple[int, ...]] = {}
    basis = np.zeros((len(triangle), 0))
    for j in range(len(triangle)):
        rest = unit[:, j]
        for _ in range(2):  # twice is enough for orthogonality to rounding
            rest = rest - basis @ (basis.T @ rest)
        own = float(np.linalg.norm(rest))
        if own > DEPENDENT:
            basis = np.column_stack([basis, rest / own])
            kept.append(j)
        elif lengths[j] == 0:
            found[j] = ()
        else:
            parts = np.linalg.lstsq(unit[:, kept], unit[:, j], rcond=None)[0]
            found[j] = tuple(k for k, part in zip(kept, parts, strict=True) if abs(part) > 1e-8)
    return found


def mean_squared_error(triangle: Array, n: int, parameters: ArrayLike) -> Array:
    """Evaluate the loss at points (…, p), as a sum of squares: shape (…)."""
    points = np.asarray(parameters, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        residual = points @ triangle[:, :-1].T - triangle[:, -1]
        return np.asarray(np.einsum("...i,...i", residual, residual) / n)


def distances(curvature: Curvature, path: ArrayLike, solution: Array) -> Array:
    """Give the signed distance to the solution along each direction.

    Parameters
    ----------
    curvature : Curvature
        Of p parameters.
    path : array-like, shape (k, p)
        The points, in the coordinates of the curvature.
    solution : ndarray, shape (p,)
        The exact solution.

    Returns
    -------
    ndarray, shape (k, p)
        A column per direction, steepest first; zero along directions that the data leave open,
        where every point is a solution.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        away = (np.asarray(path, dtype=np.float64) - solution) @ curvature.directions.T
    away[:, curvature.rank :] = 0.0
    return np.asarray(away)


class Direction(NamedTuple):
    """One direction at the solution, for a figure: a line from ``start`` to ``end``."""

    curvature: float
    start: Array  # (p,)
    end: Array  # (p,)


def principal_axes(curvature: Curvature, solution: Array, rise: float) -> tuple[Direction, ...]:
    """Give the axes of the ellipsoid on which the loss is ``rise`` above its minimum.

    Along a direction of curvature λ it reaches √(2 · rise / λ) from the solution: long where
    the loss is flat, short where it is steep. Directions left open are left out.

    Examples
    --------
    >>> bowl = Curvature(("bias", "weight"), np.array([8.0, 2.0]), np.eye(2), 2)
    >>> [axis.end.tolist() for axis in principal_axes(bowl, np.zeros(2), rise=1.0)]
    [[0.5, 0.0], [0.0, 1.0]]
    """
    axes = []
    for value, direction in zip(
        curvature.values[: curvature.rank], curvature.directions, strict=False
    ):
        reach = np.sqrt(2.0 * rise / value) * direction
        axes.append(Direction(float(value), solution - reach, solution + reach))
    return tuple(axes)


# --- The learning rates that a curvature allows ---------------------------------------------------


def stable_factor(rule: Rule) -> float | None:
    r"""Give the c for which batch descent by a rule is stable below :math:`c / \lambda`.

    Along a direction of curvature λ the distance to the solution e and the momentum buffer b
    follow a linear recurrence in two terms; it shrinks where both its roots lie within the unit
    circle. With μ the momentum and τ the dampening (Jury's conditions):

    .. math:: c = \frac{2 (1 + \mu)}{1 - \tau}
              \qquad \text{Nesterov: } c = \frac{2 (1 + \mu)}{1 + 2 \mu}

    Returns
    -------
    float or None
        None for rules other than SGD: their steps do not scale with the gradient, and they have
        no such bound. 0 where no learning rate is stable.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Comput. Math. Math. Phys. 4 (1964), for heavy-ball momentum.

    Examples
    --------
    >>> stable_factor(SGD())
    2.0
    >>> round(stable_factor(SGD(momentum=0.9)), 12)
    3.8
    """
    if not isinstance(rule, SGD):
        return None
    if rule.momentum >= 1.0:
        return 0.0
    if rule.nesterov:
        return 2.0 * (1.0 + rule.momentum) / (1.0 + 2.0 * rule.momentum)
    gain = 1.0 - rule.dampening * (rule.momentum != 0.0)
    return 2.0 * (1.0 + rule.momentum) / gain if gain > 0.0 else 0.0


def stable_rate(curvature: Curvature, rule: Rule) -> float | None:
    """Give the learning rate below which batch descent by a rule is stable, or None.

    Weight decay adds to every curvature; a rule that climbs turns their sign.

    Examples
    --------
    >>> bowl = Curvature(("bias", "weight"), np.array([8.0, 2.0]), np.eye(2), 2)
    >>> stable_rate(bowl, SGD())
    0.25
    """
    factor = stable_factor(rule)
    if factor is None or not isinstance(rule, SGD):
        return None
    felt = curvature.values * (-1.0 if rule.maximize else 1.0) + rule.weight_decay
    if (felt < 0.0).any():
        return 0.0
    return factor / float(felt.max()) if felt.max() > 0.0 else np.inf


def sufficient_rate(batches: Sequence[Array]) -> float:
    r"""Give a learning rate below which plain mini-batch descent stays bounded, for sure.

    A step over the batch B multiplies the distance to the solution by
    :math:`I - \mathrm{lr} H_B`, which lengthens nothing while
    :math:`\mathrm{lr}\,\lambda_{\max}(H_B) \le 2`, and shortens all that B sees below that. So
    2 over the largest curvature of any batch is enough, in whatever order they come. It is not
    always needed: some rates above it are stable too.

    Parameters
    ----------
    batches : sequence of ndarray, shapes (b, p)
        The rows of each batch, with the column of ones where there is an intercept.

    Examples
    --------
    >>> round(sufficient_rate([np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]])]), 12)
    0.1
    """
    largest = max(2.0 / len(b) * float(np.linalg.norm(b, ord=2)) ** 2 for b in batches)
    return 2.0 / largest if largest else np.inf


def sufficient_rate_shuffled(design: Array, batch_size: int, *, drop_last: bool) -> float:
    r"""Give the same for batches drawn anew each epoch: whichever rows meet in one.

    The largest curvature of a batch of b rows is at most
    :math:`\tfrac{2}{b}` times the sum of their squared lengths, so at most that of the b
    longest rows.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        All the rows, with the column of ones where there is an intercept.
    batch_size : int
        Rows a step.
    drop_last : bool
        Whether a short last batch is left out.

    Examples
    --------
    >>> sufficient_rate_shuffled(np.array([[1.0, 3.0], [1.0, 1.0]]), 1, drop_last=False)
    0.1
    """
    n = len(design)
    squares = np.sort(np.einsum("ij,ij->i", design, design))[::-1]
    sizes = {min(batch_size, n)}
    if n % batch_size and not drop_last and n > batch_size:
        sizes.add(n % batch_size)
    largest = max(2.0 / b * float(squares[:b].sum()) for b in sizes)
    return 2.0 / largest if largest else np.inf
