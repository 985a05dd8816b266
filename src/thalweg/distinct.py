"""NamedTuples that equal only those of their own class.

A tuple equals any tuple of the same values, so an ``Adam`` equals an ``NAdam`` of the same numbers,
and what is kept by one is found by the other. Not here: any such tuple.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T", bound=type)


def distinct(cls: T) -> T:
    """Make instances of a NamedTuple equal only to instances of the same class.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> @distinct
    ... class Metres(NamedTuple):
    ...     length: float
    >>> Metres(1.0) == Metres(1.0), Metres(1.0) == (1.0,)
    (True, False)
    """
    changed: Any = cls
    changed.__eq__ = _is_same
    changed.__ne__ = lambda self, other: not _is_same(self, other)
    changed.__hash__ = lambda self: hash((type(self), tuple(self)))
    return cls


def _is_same(self: Any, other: Any) -> bool:
    return type(self) is type(other) and tuple.__eq__(self, other)
