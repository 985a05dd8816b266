"""The exact solution against scikit-learn: a million rows, 10 and 100 features.

Both sides get the same arrays and give bias and weights. ``python -m benchmarks.solve`` measures
them alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from sklearn.linear_model import LinearRegression

from benchmarks.measure import Comparison, in_words, run
from thalweg.arrays import Array
from thalweg.summary.exact import solve

ROWS = 10**6
MARKS = {10: (3.5, 10.0), 100: (8.0, 25.0)}  # features: the ratio that must hold, the aim
AGREEMENT = 1e-10


def comparisons() -> Iterator[Comparison]:
    """Give the comparisons one by one, for the rows of one take a gigabyte."""
    for d, (at_least, aim) in MARKS.items():
        X, y = _rows(d)
        yield Comparison(
            work=f"exact solution, 10⁶ × {d}",
            against="scikit-learn LinearRegression",
            ours=partial(_ours, X, y),
            theirs=partial(_theirs, X, y),
            at_least=at_least,
            aim=aim,
            agree=_agree,
        )


def _rows(d: int) -> tuple[Array, Array]:
    """Make rows like measurements: off zero, on different scales, correlated, with noise."""
    rng = np.random.default_rng(d)
    X = rng.normal(size=(ROWS, d))
    X += 0.5 * rng.normal(size=(ROWS, 1))
    X *= np.geomspace(0.1, 10.0, d)
    X += np.geomspace(20.0, 1.0, d)
    y = 3.0 + X @ np.linspace(-1.0, 2.0, d) + rng.normal(size=ROWS)
    return X, y


def _ours(X: Array, y: Array) -> Array:
    return solve((X, y)).parameters


def _theirs(X: Array, y: Array) -> Array:
    model = LinearRegression().fit(X, y)
    return np.concatenate(([model.intercept_], model.coef_))


def _agree(ours: object, theirs: object) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=AGREEMENT)


if __name__ == "__main__":
    for comparison in comparisons():
        row = run(comparison)
        print(
            f"{comparison.work}: {in_words(row.ours)} against {in_words(row.theirs)}, "
            f"{row.ratio:.1f} times faster (at least {comparison.at_least}, aim {comparison.aim})"
        )
