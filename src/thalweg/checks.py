"""Checks of single values, each refusing with a sentence (:class:`thalweg.errors.ThalwegError`).

Not here: rows (:mod:`thalweg.data.dataset`), settings that must fit together
(:mod:`thalweg.settings`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from thalweg.errors import LISTED, InvalidData, InvalidSetting, nearest
from thalweg.kinds import Flag

if TYPE_CHECKING:
    from thalweg.arrays import Array

_FLAG = Flag("", "say one of the two")


def check_flag(name: str, value: object) -> bool:
    """Refuse what is neither true nor false, and what merely counts as one of them."""
    return bool(_FLAG.take(name, value))


def is_text(value: object) -> bool:
    """Tell whether something is a text that can be written, not half of a character."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(name: str, *values: object) -> None:
    """Refuse what is no text that can be written."""
    for value in values:
        if not is_text(value):
            raise InvalidData(
                name,
                got=repr(value),
                expected="a text of whole characters",
                advice="write it as str",
            )


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is not one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        expected = "one of " + ", ".join(map(repr, choices))
        advice = nearest(str(value), choices, LISTED)
        raise InvalidSetting(name, got=repr(value), expected=expected, advice=advice)


def check_parameters(argument: str, parameters: ArrayLike, p: int) -> Array:
    """Refuse what is not one finite number per parameter."""
    try:
        w = np.asarray(parameters, dtype=np.float64)
        flags = any(isinstance(one, bool) for one in np.asarray(parameters, dtype=object).flat)
    except (TypeError, ValueError, OverflowError):
        w, flags = np.array([]), False
    if flags or w.shape != (p,) or not np.isfinite(w).all():
        raise InvalidData(
            argument,
            got=f"{parameters!r}",
            expected=f"{p} finite numbers, [bias, weights…]",
            advice="give one value for each parameter",
        )
    return w
