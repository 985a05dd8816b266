"""Checks of single values, each refusing with a sentence (:class:`thalweg.errors.ThalwegError`).

Not here: rows (:mod:`thalweg.data.dataset`), settings that must fit together
(:mod:`thalweg.settings`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import InvalidData, InvalidSetting, nearest

if TYPE_CHECKING:
    from thalweg.arrays import Array


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether something is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def check_number(
    name: str,
    value: object,
    *,
    low: float,
    advice: str,
    suggest: Mapping[str, object] | None = None,
) -> None:
    """Refuse what is not a finite number above ``low``."""
    if is_number(value) and low < float(value) < math.inf:
        return
    expected = "a positive number" if low == 0 else f"a number above {low}"
    raise InvalidSetting(name, got=repr(value), expected=expected, advice=advice, suggest=suggest)


def check_count(
    name: str,
    value: object,
    *,
    low: int | None,
    advice: str,
    suggest: Mapping[str, object] | None = None,
) -> None:
    """Refuse what is not a whole number of at least ``low``."""
    if (
        isinstance(value, Integral)
        and not isinstance(value, bool)
        and (low is None or int(value) >= low)
    ):
        return
    expected = "a whole number" if low is None else f"a whole number of at least {low}"
    raise InvalidSetting(name, got=repr(value), expected=expected, advice=advice, suggest=suggest)


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if not isinstance(value, bool | np.bool_):
        raise InvalidSetting(
            name, got=repr(value), expected="True or False", advice="say one of the two"
        )


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is not one of ``choices``."""
    if value not in choices:
        expected = "one of " + ", ".join(map(repr, choices))
        advice = nearest(str(value), choices)
        raise InvalidSetting(name, got=repr(value), expected=expected, advice=advice)


def check_parameters(argument: str, parameters: ArrayLike, p: int) -> Array:
    """Refuse what is not one finite number per parameter."""
    try:
        w = np.asarray(parameters, dtype=np.float64)
    except (TypeError, ValueError):
        w = np.array([])
    if w.shape != (p,) or not np.isfinite(w).all():
        raise InvalidData(
            argument,
            got=f"{parameters!r}",
            expected=f"{p} finite numbers, [bias, weights…]",
            advice="give one value for each parameter",
        )
    return w
