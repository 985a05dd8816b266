"""Values as JSON has them.

Not here: the exact numbers of a run file (:mod:`thalweg.runs.run_file`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Turn values into what JSON has: lists for arrays, null for what is not finite.

    Examples
    --------
    >>> plain({"loss": np.array([1.5, np.inf]), "rows": np.int64(3)})
    {'loss': [1.5, None], 'rows': 3}
    """
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
