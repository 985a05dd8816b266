"""What a descent walks on: the exact solution, the goal and the curvature in its coordinates.

A landscape is made from the summary alone, in the user's units or in those of standardised
features. Whatever the number of rows, it can be walked: p + 1 rows of its triangle have the same
loss everywhere. Not here: judging a run (:mod:`thalweg.diagnosis.classification`), what to advise
(:mod:`thalweg.diagnosis.recommendation`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.conditioning.curvature import (
    Curvature,
    curvature_of,
    distances,
    mean_squared_error,
)
from thalweg.data.dataset import Dataset
from thalweg.data.names import parameter_names
from thalweg.summary.exact import exact_triangle
from thalweg.summary.scaling import scaling_of

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary

NEAR = 0.01
"""How near the exact loss is near enough: within 1 %."""

# A mean square below this share of the target's is rounding: a residual of some hundred units in
# the target's last place.
_ROUNDING = 1e-26
# For data that fit exactly 1 % of nothing is nothing: the goal is then this share of the
# target's variance.
_EXACT_GOAL = 1e-6


@dataclass(frozen=True, eq=False)
class Landscape:
    """The mean squared error of some rows, in one set of coordinates.

    Attributes
    ----------
    summary : Summary
        Of the rows in these coordinates.
    names : tuple of str
        The p parameters' names, ``bias`` first where there is an intercept.
    triangle : ndarray, shape (p + 1, p + 1)
        The triangle of ``[1, X, y]``, or of ``[X, y]`` without an intercept.
    solution : ndarray, shape (p,)
        The exact solution.
    exact_loss : float
        The mean squared error there: the least there is, in squared units of the target.
    intercept : bool
        Whether the first parameter is the bias.
    is_standardized : bool
        Whether the features are standardised.
    """

    summary: Summary
    names: tuple[str, ...]
    triangle: Array
    solution: Array
    exact_loss: float
    intercept: bool
    is_standardized: bool

    @classmethod
    def of(cls, known: Summary | Dataset, *, intercept: bool) -> Landscape:
        """Make the landscape of rows or of their summary, in the user's units."""
        summary = known.summary if isinstance(known, Dataset) else known
        # No warning: columns that depend on one another are part of the explanation.
        triangle, exact = exact_triangle(known, intercept=intercept)
        return cls(
            summary=summary,
            names=parameter_names(summary.features, intercept=intercept),
            triangle=triangle,
            solution=exact.parameters,
            exact_loss=exact.loss,
            intercept=intercept,
            is_standardized=False,
        )

    @property
    def n(self) -> int:
        """The number of rows."""
        return self.summary.n

    @cached_property
    def standardized(self) -> Landscape:
        """The same rows once their features are standardised."""
        if self.is_standardized:
            return self
        scaling = scaling_of(self.summary, intercept=self.intercept)
        summary = self.summary.rescaled(*scaling)
        triangle = summary.triangle(intercept=self.intercept).copy()
        triangle[-1, -1] = self.triangle[-1, -1]  # the exact loss, with the digits of the rows
        return replace(
            self,
            summary=summary,
            triangle=triangle,
            solution=scaling.from_user(self.solution, intercept=self.intercept),
            is_standardized=True,
        )

    def seen(self, *, standardize: bool) -> Landscape:
        """Give the same rows as an optimiser sees them, their features standardised or not."""
        return self.standardized if standardize else self

    @cached_property
    def curvature(self) -> Curvature:
        """The curvature of the loss; it is the same everywhere."""
        return curvature_of(self.summary, intercept=self.intercept)

    @cached_property
    def mean_square(self) -> float:
        """The target's mean square."""
        return float(self.triangle[:, -1] @ self.triangle[:, -1]) / self.n

    @cached_property
    def variance(self) -> float:
        """The target's variance about its mean, or its mean square without an intercept."""
        own = self.triangle[int(self.intercept) :, -1]
        variance = float(own @ own) / self.n
        return variance if variance > _ROUNDING * self.mean_square else 0.0

    @cached_property
    def fits_exactly(self) -> bool:
        """Whether the exact loss is nothing but rounding."""
        return self.exact_loss <= _ROUNDING * self.mean_square

    @cached_property
    def goal(self) -> float:
        """The loss that counts as arrival.

        1 % above the exact loss; for data that fit exactly, a millionth of the target's variance.
        """
        if not self.fits_exactly:
            return (1.0 + NEAR) * self.exact_loss
        return self.exact_loss + _EXACT_GOAL * (self.variance or self.mean_square or 1.0)

    @property
    def allowed_excess(self) -> float:
        """How far above the exact loss the goal is."""
        return self.goal - self.exact_loss

    @cached_property
    def standard_errors(self) -> Array:
        """How well the data determine each parameter, shape (p,); NaN where they cannot tell."""
        spectrum = self.curvature
        free = self.n - spectrum.rank
        if free <= 0 or spectrum.rank < len(self.names):
            return np.full(len(self.names), np.nan)
        squares = (spectrum.directions**2 / (self.n * spectrum.values[:, None] / 2.0)).sum(axis=0)
        return np.asarray(np.sqrt(squares * self.exact_loss * self.n / free))

    @cached_property
    def rows(self) -> Dataset:
        """As few rows as have the same loss everywhere: p + 1, to be fitted without intercept."""
        m = len(self.triangle)
        scaled = self.triangle * np.sqrt(m / self.n)
        names = [f"p{j}" for j in range(m - 1)]
        return Dataset(scaled[:, :-1], scaled[:, -1], features=names, target="loss")

    def away(self, start: Array) -> Array:
        """Give the signed distance of a point to the solution along each direction: (p,)."""
        (away,) = distances(self.curvature, start[None, :], self.solution)
        return np.asarray(away)

    def loss(self, parameters: ArrayLike) -> Any:
        """Evaluate the mean squared error at points (…, p): shape (…)."""
        return mean_squared_error(self.triangle, self.n, parameters)
