"""The exact least-squares answer and loss of rows: from their summary, and from themselves.

The summary has the answer, with a bound of what its loss may be off by. Where that is not enough
and the rows are at hand, they are asked. This is the one place for the exact loss of rows. Not
here: the passes (:mod:`thalweg.summary.refinement`), the answer without rows
(:mod:`thalweg.summary.summary`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from thalweg.arrays import Array
from thalweg.checks import check_flag
from thalweg.data.categories import Categories
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.data.source import Source
from thalweg.summary.gram import Rows, in_blocks, in_same_blocks
from thalweg.summary.refinement import Products, refine
from thalweg.summary.solution import Solution, warn_of_dependence
from thalweg.summary.summary import Summary

Known: TypeAlias = Source | Summary
"""Rows, or what is known of them."""


def solve(
    data: Data,
    y: Any = None,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    intercept: bool = True,
) -> Solution:
    r"""Give the exact least-squares answer, never by descent, never truncated by a default.

    .. math:: \min_{b, w} \frac1n \sum_i (b + x_i^\top w - y_i)^2

    Parameters
    ----------
    data : array-like, frame, path, Dataset, Scan or pair
        The rows, with or without their target.
    y, target, features, categories
        As :func:`thalweg.fit` takes them.
    intercept : bool
        Whether there is a bias.

    Returns
    -------
    Solution
        Where columns depend on one another, that of :meth:`Summary.solve`, which says when they
        do. Otherwise the parameters are right to some units of their last place while the
        condition number of the columns, each scaled to norm one, is below 1e13: where the Gram
        matrix alone would lose digits, passes over the rows correct the answer. The loss has all
        its digits however far from zero the target is.

    Raises
    ------
    InvalidData
        On shapes that do not fit together, values that are not finite numbers, no rows.

    Warns
    -----
    ThalwegWarning
        Where columns depend on one another, or rows are fewer than parameters.

    Examples
    --------
    >>> solution = solve([[1.0], [2.0], [3.0]], [5.0, 7.0, 9.0])
    >>> solution.bias, solution.weights, solution.loss
    (3.0, array([2.]), 0.0)
    """
    intercept = check_flag("intercept", intercept)
    rows = take(
        data,
        y,
        target=target,
        features=features,
        categories=categories,
        intercept=intercept,
        copy=False,
    )
    summary, solution = _answer(rows, intercept)
    warn_of_dependence(solution, summary.n)
    return solution


def exact_solution(source: Known, *, intercept: bool = True) -> Solution:
    """Give the exact answer as well as it can be known from a source: no warning.

    Of a summary it is what :meth:`Summary.solve` gives; of rows, what :func:`solve` gives.

    Examples
    --------
    >>> exact_solution(take([[1.0], [2.0]], [5.0, 7.0])).parameters
    array([3., 2.])
    """
    return _answer(source, intercept)[1]


def exact_loss(source: Known, *, intercept: bool = True) -> tuple[float, float]:
    """Give the least mean squared error of rows, and a bound of what that number is off by.

    Examples
    --------
    >>> y = [1e15 - 1, 1e15 + 1, 1e15 - 1]
    >>> loss, error = exact_loss(take([[0.0], [1.0], [2.0]], y))
    >>> round(loss, 12), error < 1e-14
    (0.888888888889, True)
    >>> loss, error = exact_loss(Summary.of(([[0.0], [1.0], [2.0]], y)))
    >>> error > 0.9
    True
    """
    solution = exact_solution(source, intercept=intercept)
    return solution.loss, solution.loss_error


def exact_triangle(source: Known, *, intercept: bool = True) -> tuple[Array, Solution]:
    """Give R, whose last entry has the digits of the exact loss, and the exact answer.

    Examples
    --------
    >>> R, solution = exact_triangle(take([[0.0], [1.0], [2.0]], [1e15 - 1, 1e15 + 1, 1e15 - 1]))
    >>> float(R[-1, -1].round(12)), round(solution.loss, 12)
    (1.632993161855, 0.888888888889)
    """
    summary, solution = _answer(source, intercept)
    R = summary.triangle(intercept=intercept).copy()
    R[-1, -1] = math.sqrt(summary.n * solution.loss)
    return R, solution


def _answer(known: Known, intercept: bool) -> tuple[Summary, Solution]:
    if isinstance(known, Summary):
        return known, known.solution(intercept=intercept)
    summary = known.summary
    found = summary.refined.get(intercept)
    if found is None:
        first, matrix = summary.solution(intercept=intercept), summary.matrix(intercept=intercept)
        found = refine(lambda work: _pass_over(known, work), summary.n, matrix, first)
        found.weights.flags.writeable = False
        summary.refined[intercept] = found
    return summary, found


def _pass_over(rows: Source, work: Callable[[Rows], Products]) -> Iterable[Products]:
    """Give what is made of each block of the rows."""
    if isinstance(rows, Dataset):
        return in_blocks(work, rows.table, rows.y)
    return in_same_blocks(work, rows.batches())
