"""The loss over a plane of the parameters, from the summary alone: no row is touched.

On the plane ``origin + a·u + b·v`` the mean squared error is ``‖T [a, b, 1]‖² / n`` with a 3×3
triangle T, whatever the number of rows and features. It is always evaluated as this sum of
squares: the expanded quadratic form cancels near the minimum, and even turns negative there.

Not here: drawing (:mod:`thalweg.figures`), other losses than the mean squared error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.checks import check_flag, check_parameters
from thalweg.data.categories import Categories
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.data.names import parameter_names
from thalweg.kinds import Whole
from thalweg.loss_surface.grid import evaluate, log10_beyond
from thalweg.loss_surface.plane import (
    Along,
    Interval,
    RunOrPath,
    automatic_range,
    check_range,
    choose_directions,
    curvature_directions,
    main_directions,
    name_ranges,
    read_paths,
)
from thalweg.summary.exact import exact_triangle
from thalweg.summary.solution import warn_of_dependence
from thalweg.summary.summary import Summary

CURVATURE = ("steepest direction", "flattest direction")
MAIN = ("first main direction", "second main direction")

# At most a gigabyte of them: a screen shows no more than a few thousand.
_POINTS = Whole("", "try {points}", low=2, high=10_000, example=100)


@dataclass(frozen=True, eq=False, repr=False)
class Surface:
    """The loss over a plane of the parameters.

    Attributes
    ----------
    names : tuple of str
        The p parameters' names, in the order of a path's columns.
    along : tuple of str
        What the two axes are: parameters' names, or :data:`CURVATURE`, or :data:`MAIN`.
    axes : tuple of ndarray, shapes (m,) and (m,)
        The values on the axes: those of the parameters where they have names, else distances
        from ``origin``.
    log10_loss : ndarray, shape (m, m)
        The decimal logarithm of the mean squared error; entry [i, j] belongs to value i of the
        second axis and value j of the first. Where data fit exactly the logarithm would be
        minus infinity: it is cut at ``floor``.
    origin : ndarray, shape (p,)
        The point through which the plane goes.
    directions : ndarray, shape (2, p)
        The two orthonormal directions.
    offset : ndarray, shape (2,)
        The coordinates of ``origin``.
    factor : ndarray, shape (p + 1, p + 1)
        The triangular factor of ``[1, X, y]``: the true loss anywhere.
    triangle : ndarray, shape (3, 3)
        The same for the plane: columns along its first direction, its second, and at ``origin``.
    solution : ndarray, shape (p,)
        The exact least-squares parameters.
    n : int
        The rows behind it.
    floor : float
        The mean squared error below which there is only rounding: that of targets which are
        each wrong by one unit of their last place.
    data : Dataset or Summary
        What the loss is on.

    Examples
    --------
    >>> import thalweg
    >>> rows = ([[1.0, 2.0], [2.0, 1.0], [4.0, 4.0]], [3.0, 4.0, 5.0])
    >>> plane = thalweg.surface(rows, along=("x1", "x2"))
    >>> plane.held([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]])
    0.64
    """

    names: tuple[str, ...]
    along: tuple[str, str]
    axes: tuple[Array, Array]
    log10_loss: Array
    origin: Array
    directions: Array
    offset: Array
    solution: Array
    factor: Array
    triangle: Array
    n: int
    floor: float
    data: Dataset | Summary

    def __repr__(self) -> str:
        spans = (
            f"{name} from {axis[0]:.6g} to {axis[-1]:.6g}"
            for name, axis in zip(self.along, self.axes, strict=True)
        )
        return f"Surface({', '.join(spans)}, {len(self.axes[0])} × {len(self.axes[1])} points)"

    @property
    def loss(self) -> Array:
        """The mean squared error on the grid, shape (m, m), in squared units of the target."""
        first, second = self.axes
        a, b = np.meshgrid(first - self.offset[0], second - self.offset[1])
        return self._on_plane(a, b)

    def project(self, points: ArrayLike) -> Array:
        """Give the coordinates on the plane of points (k, p), or below them: shape (k, 2)."""
        away: Array = np.asarray(points, dtype=np.float64) - self.origin
        return away @ self.directions.T + self.offset

    def lift(self, coordinates: ArrayLike) -> Array:
        """Give the parameters (k, p) at coordinates (k, 2) on the plane."""
        away: Array = np.asarray(coordinates, dtype=np.float64) - self.offset
        return self.origin + away @ self.directions

    def loss_at(self, points: ArrayLike) -> Array:
        """Give the true mean squared error at points (k, p), on the plane or not: shape (k,)."""
        points = np.asarray(points, dtype=np.float64)
        residual = points @ self.factor[:, :-1].T - self.factor[:, -1]
        squares: Array = np.einsum("...i,...i", residual, residual)
        return squares / self.n

    def loss_below(self, points: ArrayLike) -> Array:
        """Give the mean squared error on the plane below points (k, p): shape (k,)."""
        a, b = np.moveaxis(self.project(points) - self.offset, -1, 0)
        return self._on_plane(a, b)

    def held(self, path: ArrayLike) -> float:
        """Give the share of a path's movement that the plane holds, from 0 to 1.

        The movement is the sum of the squared distances of the recorded points from the last
        one: the measure by which the main directions are the best plane.
        """
        path = _finite(np.asarray(path, dtype=np.float64))
        moves = path - path[-1]
        scale = np.abs(moves).max()
        if scale == 0:
            return 1.0
        moves /= scale  # squares of tiny or huge moves would leave float64
        return float(min(1.0, ((moves @ self.directions.T) ** 2).sum() / (moves**2).sum()))

    def contains(self, path: ArrayLike) -> bool:
        """Tell whether a path lies in the plane, up to rounding (1e-9 of its extent)."""
        if len(self.names) == 2:
            return True
        path = _finite(np.asarray(path, dtype=np.float64))
        beside = np.abs(path - self.lift(self.project(path))).max()
        return bool(beside <= 1e-9 * np.abs(path - self.origin).max())

    def _on_plane(self, a: Array, b: Array) -> Array:
        t = self.triangle
        first = t[0, 0] * a + t[0, 1] * b + t[0, 2]
        second = t[1, 1] * b + t[1, 2]
        squares: Array = first**2 + second**2 + t[2, 2] ** 2
        return squares / self.n


def surface(
    data: Data,
    y: Any = None,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    points: int = 100,
    along: Along | None = None,
    through: ArrayLike | None = None,
    path: RunOrPath | Sequence[RunOrPath] | None = None,
    ranges: tuple[Interval, Interval] | None = None,
    intercept: bool = True,
    **parameters: Interval,
) -> Surface:
    """Give the decimal logarithms of the mean squared error over a plane of the parameters.

    Parameters
    ----------
    data : array-like, frame, path, Dataset, Scan, Summary or pair
        The rows that the loss is on, with or without their target.
    y, target, features, categories
        As :func:`thalweg.fit` takes them.
    points : int
        Values per axis. Default 100, the lesson's.
    along : pair of str, "curvature" or "path", optional
        The plane's directions: two parameters, the directions of the loss's largest and
        smallest curvature, or the two in which the path moved most. Default: the parameters
        that have a range; both where there are only two; else ``"path"`` where there is one,
        else ``"curvature"``.
    through : array-like, shape (p,), optional
        A point of the plane. Default: the exact solution; for ``"path"`` the path's end.
    path : Run or array (k, p), or a sequence of them, optional
        What the automatic ranges shall contain beside the exact solution.
    ranges : pair of pairs, optional
        From where to where, for each axis: values of the parameter, or distances from
        ``through`` along the direction.
    intercept : bool
        Whether there is a bias.
    **parameters : pair of float
        The same by the parameter's name, ``bias=(-1000, 1000)``; a single feature's weight is
        called ``weight``, or by the feature's name. A parameter whose name another argument has
        takes ``_2``: ``points_2=(0, 1)``. Axes are in the order of a path's columns.

    Returns
    -------
    Surface

    Raises
    ------
    InvalidSetting
        On a name that no parameter has, on a range that is none, on directions that make no
        plane.

    Notes
    -----
    Where no range is given and no path, the axis goes as far from the exact solution as makes
    the predictions wrong by the target's own standard deviation.

    Examples
    --------
    >>> import thalweg
    >>> plane = thalweg.surface(thalweg.salammbo(), bias=(-1000, 1000), weight=(0, 0.15))
    >>> plane.log10_loss.shape
    (100, 100)
    >>> float(plane.log10_loss.min().round(3))
    3.281
    """
    intercept = check_flag("intercept", intercept)
    points = _POINTS.take("points", points)
    if isinstance(data, Summary) and (y, target, features, categories) == (None,) * 4:
        known: Dataset | Summary = data
    else:
        rows = take(
            data, y, target=target, features=features, categories=categories, intercept=intercept
        )
        known = rows if isinstance(rows, Dataset) else rows.summary
    summary = known if isinstance(known, Summary) else known.summary
    names = parameter_names(summary.features, intercept=intercept)
    named = name_ranges(parameters, names, summary.features, ranges)
    paths = read_paths(path, len(names))
    chosen = choose_directions(along, named, names, has_path=len(paths) > 0)
    factor, exact = exact_triangle(known, intercept=intercept)
    warn_of_dependence(exact, summary.n)
    solution = exact.parameters
    origin, titles, directions = _place(chosen, names, summary, solution, paths)
    if through is not None:
        origin = check_parameters("through", through, len(names))
    # Axes of parameters show their values; the others show distances from the origin.
    offset = directions @ origin if titles is chosen else np.zeros(2)
    limits = np.empty((2, 2))
    for axis, given in enumerate(map(named.get, titles) if ranges is None else ranges):
        if given is not None:
            limits[axis] = check_range(titles[axis], given)
        else:
            found = automatic_range(factor, directions[axis], origin, exact, paths)
            limits[axis] = np.add(found, offset[axis])
    first, second, grid, triangle, floor, beyond = evaluate(
        factor, origin, directions, offset, limits, summary.n, points
    )
    log10_loss = np.log10(grid, out=grid)
    if beyond:
        log10_beyond(log10_loss, first - offset[0], second - offset[1], triangle, summary.n)
    plane = Surface.__new__(Surface)  # a frozen class sets field by field, in 2 µs
    vars(plane).update(
        names=names,
        along=titles,
        axes=(first, second),
        log10_loss=log10_loss,
        origin=origin,
        directions=directions,
        offset=offset,
        solution=solution,
        factor=factor,
        triangle=triangle,
        n=summary.n,
        floor=floor,
        data=known,
    )
    return plane


def _place(
    chosen: Along,
    names: tuple[str, ...],
    summary: Summary,
    solution: Array,
    paths: Sequence[Array],
) -> tuple[Array, tuple[str, str], Array]:
    """Find the plane's point, the names of its directions, and the directions, shape (2, p)."""
    if chosen == "curvature":
        intercept = len(names) > len(summary.features)
        return solution, CURVATURE, curvature_directions(summary, intercept=intercept)
    if chosen == "path":
        return paths[0][-1], MAIN, main_directions(paths)
    directions = np.zeros((2, len(names)))
    for axis in (0, 1):
        directions[axis, names.index(chosen[axis])] = 1.0
    return solution, chosen, directions


def _finite(path: Array) -> Array:
    return path[np.isfinite(path).all(axis=1)]
