"""The loss on a grid over a plane, in one native call.

Once reduced to a 3×3 triangle a point costs two multiplications, and a logarithm of NumPy's.

Not here: which plane (:mod:`thalweg.loss_surface.plane`), what is done with the grid
(:mod:`thalweg.loss_surface`).
"""

from __future__ import annotations

import numpy as np

from thalweg.arrays import Array
from thalweg.native import native

_EPSILON = float(np.finfo(np.float64).eps)
_SMALLEST = float(np.finfo(np.float64).tiny)  # the smallest normal number
_HALF = 512  # half the exponents of float64: numbers scaled by 2**-512 can be squared


@native()
def reduce_to_plane(factor: Array, origin: Array, directions: Array) -> Array:
    """Give the 3×3 triangle T with ``‖factor [origin + a·u + b·v, -1]‖ = ‖T [a, b, 1]‖``.

    Parameters
    ----------
    factor : ndarray, shape (p + 1, p + 1)
        The triangle of [1, X, y].
    origin : ndarray, shape (p,)
    directions : ndarray, shape (2, p)
        u and v.
    """
    rows, p = factor.shape[0], origin.shape[0]
    columns = np.empty((3, rows))
    for i in range(rows):
        u, v, residual = 0.0, 0.0, -factor[i, p]
        for j in range(p):
            u += factor[i, j] * directions[0, j]
            v += factor[i, j] * directions[1, j]
            residual += factor[i, j] * origin[j]
        columns[0, i], columns[1, i], columns[2, i] = u, v, residual
    triangle = np.zeros((3, 3))
    for j in range(3):  # Gram-Schmidt, modified: its triangle is as good as Householder's
        norm = np.sqrt((columns[j] ** 2).sum())
        triangle[j, j] = norm
        if norm == 0.0:
            continue
        for k in range(j + 1, 3):
            shadow = (columns[j] * columns[k]).sum() / norm
            triangle[j, k] = shadow
            columns[k] -= columns[j] * (shadow / norm)
    return triangle


@native(fastmath={"contract"})
def evaluate(
    factor: Array,
    origin: Array,
    directions: Array,
    offset: Array,
    limits: Array,
    n: int,
    points: int,
) -> tuple[Array, Array, Array, Array, float, bool]:
    """Evaluate the mean squared error on a grid.

    Parameters
    ----------
    factor, origin, directions
        As in :func:`reduce_to_plane`.
    offset : ndarray, shape (2,)
        The coordinates of the origin.
    limits : ndarray, shape (2, 2)
        From where to where, for each axis.
    n, points : int
        Rows of the data, values per axis.

    Returns
    -------
    first, second : ndarray, shape (points,)
        The values on the axes.
    grid : ndarray, shape (points, points)
        Entry [i, j]: at second[i], first[j]; infinite where it is beyond float64.
    triangle : ndarray, shape (3, 3)
    floor : float
        Below it there is only rounding: the loss is cut there.
    beyond : bool
        Whether there is an infinity.
    """
    triangle = reduce_to_plane(factor, origin, directions)
    target = (factor[:, -1] ** 2).sum()
    floor = max(_EPSILON * _EPSILON * target / n, _SMALLEST)
    first, second = np.empty(points), np.empty(points)
    for j in range(points):  # as numpy.linspace: the last value is the limit itself
        first[j] = limits[0, 0] + j * ((limits[0, 1] - limits[0, 0]) / (points - 1))
        second[j] = limits[1, 0] + j * ((limits[1, 1] - limits[1, 0]) / (points - 1))
    first[-1], second[-1] = limits[0, 1], limits[1, 1]
    grid = np.empty((points, points))
    t = triangle / np.sqrt(n)
    ahead = first - offset[0]
    for i in range(points):
        b = second[i] - offset[1]
        across = t[0, 1] * b + t[0, 2]
        beneath = (t[1, 1] * b + t[1, 2]) ** 2 + t[2, 2] ** 2
        for j in range(points):
            residual = t[0, 0] * ahead[j] + across
            loss = residual * residual + beneath
            # Beyond float64 the residual may even be ∞ - ∞.
            grid[i, j] = max(loss, floor) if loss < np.inf else np.inf
    beyond = False
    for i in (0, points - 1):  # the loss is convex: its largest values are at the corners
        for j in (0, points - 1):
            beyond = beyond or grid[i, j] == np.inf
    return first, second, grid, triangle, floor, beyond


def log10_beyond(log10: Array, ahead: Array, across: Array, triangle: Array, n: int) -> None:
    """Write the logarithms of losses that are beyond float64, where there is an infinity.

    Parameters
    ----------
    log10 : ndarray, shape (m, m)
    ahead, across : ndarray, shapes (m,) and (m,)
        The distances from the origin along the two directions.
    triangle, n
        As from :func:`evaluate`.
    """
    scaled = np.ldexp(triangle, [0, 0, -_HALF])
    a, b = np.meshgrid(np.ldexp(ahead, -_HALF), np.ldexp(across, -_HALF))
    residual = np.hypot(
        scaled[0, 0] * a + scaled[0, 1] * b + scaled[0, 2],
        np.hypot(scaled[1, 1] * b + scaled[1, 2], scaled[2, 2]),
    )
    whole = 2.0 * (np.log10(residual) + _HALF * np.log10(2.0)) - np.log10(n)
    np.copyto(log10, whole, where=np.isinf(log10))
