"""What a descent walks on, held against textbook formulas on the rows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from thalweg.diagnosis.landscape import Landscape
from thalweg.summary.summary import Summary


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n", [5, 12, 200])
def test_standard_errors_are_those_of_the_textbook(n: int, intercept: bool) -> None:
    """The residual variance is over the degrees of freedom that are left, not over the rows."""
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 3)) * [1.0, 100.0, 1e-3] + [0.0, 50.0, 1.0]
    y = X @ [1.0, 0.02, 500.0] + rng.normal(size=n)
    A: NDArray[np.float64] = np.column_stack([np.ones(n), X]) if intercept else X
    residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    freedom = n - A.shape[1]
    errors = np.sqrt(residual @ residual / freedom * np.diag(np.linalg.inv(A.T @ A)))
    found = Landscape.of(Summary.of((X, y)), intercept=intercept)
    np.testing.assert_allclose(found.standard_errors, errors, rtol=1e-6)
