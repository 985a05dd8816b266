"""How standardised features come from the user's, and parameters from one to the other.

Everything that standardises takes its shift and scale from here. Not here: the summary of the
standardised rows (:meth:`thalweg.summary.summary.Summary.rescaled`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thalweg.arrays import Array
from thalweg.summary.solution import DEPENDENCE

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary

PIECE_ROWS = 4096  # few enough to stay in the caches, and for Ctrl-C to be heard between them


class Scaling(NamedTuple):
    """How standardised features come from the user's: ``(X - means) / scales``, each (d,)."""

    means: Array
    scales: Array

    def rows(self, X: Array, summary: Summary) -> Array:
        """Standardise features, shape (n, d), of rows whose summary this is.

        A feature of which the shift leaves nothing in all of them becomes zero, as in
        :meth:`thalweg.summary.summary.Summary.rescaled`.
        """
        varies = summary.varies(self.means)
        standardized = np.empty(X.shape)  # written piece by piece
        for first in range(0, len(X), PIECE_ROWS):
            piece = standardized[first : first + PIECE_ROWS]
            np.subtract(X[first : first + PIECE_ROWS], self.means, out=piece)
            piece /= self.scales
            if not varies.all():
                piece[:, ~varies] = 0.0
        return standardized

    def to_user(self, parameters: Array, *, intercept: bool) -> Array:
        """Turn parameters (…, p) of standardised features into those of the user's units."""
        if not intercept:
            return parameters / self.scales
        weights = parameters[..., 1:] / self.scales
        bias = parameters[..., 0] - weights @ self.means
        return np.concatenate([bias[..., np.newaxis], weights], axis=-1)

    def from_user(self, parameters: Array, *, intercept: bool) -> Array:
        """Turn parameters (…, p) in the user's units into those of standardised features."""
        if not intercept:
            return parameters * self.scales
        bias = parameters[..., 0] + parameters[..., 1:] @ self.means
        return np.concatenate([bias[..., np.newaxis], parameters[..., 1:] * self.scales], axis=-1)


def scaling_of(summary: Summary, *, intercept: bool) -> Scaling:
    """Give the scaling to mean 0 and mean square 1, or without an intercept to mean square 1.

    Without an intercept nothing could make up for a shift: features are only scaled. A constant
    feature is only shifted, and becomes zero.

    Examples
    --------
    >>> from thalweg.summary.summary import Summary
    >>> scaling_of(Summary.of(([[1.0], [3.0]], [5.0, 9.0])), intercept=True)
    Scaling(means=array([2.]), scales=array([1.]))
    >>> scaling_of(Summary.of(([[1.0], [7.0]], [5.0, 9.0])), intercept=False)
    Scaling(means=array([0.]), scales=array([5.]))
    """
    _, means, scales = summary.standardized(intercept=intercept)
    return Scaling(means, scales)


def weighted_scaling(X: Array, weights: Array, *, intercept: bool) -> Scaling:
    """Give the same for rows that count differently.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    weights : ndarray, shape (n,)
        How much each row counts; their scale does not matter.
    intercept : bool

    Examples
    --------
    >>> weighted_scaling(np.array([[1.0], [3.0]]), np.array([3.0, 1.0]), intercept=True)
    Scaling(means=array([1.5]), scales=array([0.8660254]))
    """
    share = weights / weights.sum()
    means = share @ X if intercept else np.zeros(X.shape[1])
    left = share @ (X - means) ** 2
    varies = left > DEPENDENCE * (share @ X**2)
    if intercept:  # a constant's mean is itself, not what rounding makes of it
        means = np.where(varies, means, X[weights.argmax()])
    return Scaling(means, np.sqrt(np.where(varies, left, 1.0)))
