"""Paths and rows downsampled to what a figure can show, and stored in as few bytes.

Not here: the drawing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array


def downsample(points: Array, limit: int) -> NDArray[np.int64]:
    """Choose points of a path so that the drawn line keeps its ends and extremes.

    The path is cut into stretches of equal numbers of points; each keeps, of each column, its
    smallest and its largest value, in the path's order.

    Parameters
    ----------
    points : ndarray, shape (k, c)
        The coordinates as they are drawn.
    limit : int
        How many points to keep, at most.

    Returns
    -------
    ndarray, shape (at most limit,)
        The chosen points' numbers, ascending; all of them where there are few.

    Examples
    --------
    >>> downsample(np.sin(np.arange(1000.0))[:, None], 10).size
    10
    """
    k, columns = points.shape
    if k <= limit:
        return np.arange(k)
    stretches = max(1, (limit - 2) // (2 * columns))
    edges = np.linspace(0, k, stretches + 1).astype(np.int64)
    chosen = [0, k - 1]
    for start, stop in pairwise(edges):
        stretch = points[start:stop]
        # What is not finite is no extreme: a line has a gap there.
        low = np.where(np.isfinite(stretch), stretch, np.inf).argmin(axis=0)
        high = np.where(np.isfinite(stretch), stretch, -np.inf).argmax(axis=0)
        chosen += [*(start + low), *(start + high)]
    return np.unique(np.array(chosen, dtype=np.int64))


def sample(n: int, limit: int) -> NDArray[np.int64]:
    """Choose rows evenly: all where there are few; the same ones every time."""
    if n <= limit:
        return np.arange(n)
    return np.linspace(0, n - 1, limit).round().astype(np.int64)


def compact(coordinates: Any) -> NDArray[Any]:
    """Store coordinates in half the bytes where nobody could see the difference.

    Single precision moves a point by 6e-8 of its value; that is kept below 1e-4 of what the
    values span.
    """
    values: Array = np.asarray(coordinates, dtype=np.float64)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return values
    largest, extent = np.abs(finite).max(), np.ptp(finite)
    if largest < 1e38 and (extent == 0 or 6e-8 * largest <= 1e-4 * extent):
        return values.astype(np.float32)
    return values
