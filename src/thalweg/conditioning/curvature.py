r"""The curvature of the mean squared error: how steep it is, and along which directions.

Everything follows from the triangle R of ``[1, X, y]`` (or ``[X, y]`` without an intercept):
the loss at parameters :math:`w` is :math:`\|R\,[w, -1]\|^2 / n`, so its Hessian is
:math:`\tfrac{2}{n} R_X^\top R_X`. The squares are never formed: eigenvalues are squared singular
values. Arrays in, arrays out. Not here: the learning rates that a curvature allows
(:mod:`thalweg.conditioning.rates`), how many epochs a rule needs
(:mod:`thalweg.conditioning.convergence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import lapack

from thalweg.arrays import Array
from thalweg.data.names import parameter_names
from thalweg.interrupts import interruptible
from thalweg.summary.solution import PARTICIPATION

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary


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
    singular, rows = interruptible(10 * p**3, _singular_values, triangle)
    rank = p - len(interruptible(p**3, dependencies, triangle))
    values = 2.0 / n * singular**2
    values[rank:] = 0.0
    return Curvature(tuple(names), values, signed(rows), rank)


def _singular_values(triangle: Array) -> tuple[Array, Array]:
    """Give the singular values, largest first, and the right singular vectors as rows."""
    # joba=0: columns of any scales; jobu=3: no left vectors; jobv=0: the right ones.
    scaled, _, right, work, _, info = lapack.dgejsv(triangle, joba=0, jobu=3, jobv=0)
    if info > 0:  # its sweeps did not settle: the usual method then
        _, singular, rows = np.linalg.svd(triangle)
        return singular, rows
    return scaled * (work[0] / work[1]), right.T


def signed(directions: Array) -> Array:
    """Turn each direction (k, p) so that its largest component is positive, on any machine.

    Examples
    --------
    >>> signed(np.array([[0.6, -0.8]]))
    array([[-0.6,  0.8]])
    """
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return np.asarray(directions * signs[:, np.newaxis])


def curvature_of(summary: Summary, *, intercept: bool) -> Curvature:
    """Give the curvature of the mean squared error over the rows of a summary.

    Examples
    --------
    >>> import thalweg
    >>> f"{curvature_of(thalweg.salammbo().summary, intercept=True).condition_number:.2e}"
    '1.21e+10'
    """
    triangle = summary.triangle(intercept=intercept)
    names = parameter_names(summary.features, intercept=intercept)
    return curvature(triangle[:-1, :-1], summary.n, names)


def dependencies(triangle: Array) -> dict[int, tuple[int, ...]]:
    """Find the columns that are combinations of others.

    Parameters
    ----------
    triangle : ndarray, shape (p, p)
        The triangle of the columns, as a summary gives it: the row of a column that depends on
        those before it is zero.

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
    independent = np.diag(triangle) != 0.0
    found: dict[int, tuple[int, ...]] = {}
    for j in np.flatnonzero(~independent).tolist():
        before = np.flatnonzero(independent[:j])
        parts = np.linalg.lstsq(unit[:, before], unit[:, j], rcond=None)[0]
        found[j] = tuple(before[np.abs(parts) > PARTICIPATION].tolist())
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
