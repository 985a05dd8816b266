"""The type of arrays that every room shares, and the columns that the parameters multiply.

Not here: checking arrays (:mod:`thalweg.data`).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


def design_matrix(X: Array, *, intercept: bool) -> Array:
    """Put a column of ones before the features where there is a bias: (n, p).

    Examples
    --------
    >>> design_matrix(np.array([[3.0], [5.0]]), intercept=True)
    array([[1., 3.],
           [1., 5.]])
    """
    return np.column_stack([np.ones(len(X)), X]) if intercept else X
