"""What a setting may be: its kind, its range and what it means; taking a value normalises it.

After :meth:`Kind.take` a number is Python's own, a flag is a flag: whatever NumPy, a fraction or
PyTorch gave. Nothing heavy is imported here: the command line asks for its options. Not here: which
settings there are (:mod:`thalweg.settings`, :mod:`thalweg.optimizers`).
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from thalweg.errors import LISTED, InvalidSetting, nearest

PRECISIONS = ("float32", "float64")
SHOWN = 200  # characters of a value in an error


class Range(NamedTuple):
    """The finite numbers from ``minimum`` to ``maximum``."""

    minimum: float = -math.inf
    maximum: float = math.inf
    with_minimum: bool = True
    with_maximum: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether a number lies in the range; infinities and NaN never do."""
        above = value >= self.minimum if self.with_minimum else value > self.minimum
        below = value <= self.maximum if self.with_maximum else value < self.maximum
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        low, high = f"{self.minimum:g}", f"{self.maximum:g}"
        if math.isinf(self.minimum):
            return "a finite number"
        if math.isinf(self.maximum):
            if low == "0" and not self.with_minimum:
                return "a positive number"
            return f"a number {'of at least' if self.with_minimum else 'above'} {low}"
        low += "" if self.with_minimum else " (excluded)"
        high += "" if self.with_maximum else " (excluded)"
        return f"a number from {low} to {high}"


ANY = Range()
POSITIVE = Range(0.0, with_minimum=False)
POSITIVE_OR_ZERO = Range(0.0)
FRACTION = Range(0.0, 1.0)


class Span(NamedTuple):
    """From where to where a slider goes that sets a number."""

    low: float
    high: float
    logarithmic: bool = False


UNIT_SPAN = Span(0.0, 0.9999)


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    Parameters
    ----------
    meaning : str
        What the setting does, in one sentence.
    advice : str
        What to try in place of a value that cannot be taken; ``try {name}`` passes ``example``.
    example : object
        A value that does.
    optional : bool
        Whether None is a value of it, meaning what ``meaning`` says.
    """

    meaning: str
    advice: str = ""
    optional: bool = False
    example: Any = None

    expected: ClassVar[str] = ""

    def expects(self, value: object) -> str:
        """Say what an error expects in place of a value."""
        return self.expected

    def normal(self, value: Any) -> Any:
        """Give the value as Python's own; None where it is not of this kind."""
        raise NotImplementedError

    def take(self, name: str, value: object, default: object = None) -> Any:
        """Give the normal value, or refuse it.

        Raises
        ------
        InvalidSetting
            Where it is not of this kind; PyTorch's ``default`` is advised where nothing else is.
        """
        if value is None and self.optional:
            return None
        normal = self.normal(value)
        if normal is None:
            advice = self.advise(value) or f"PyTorch's default is {default!r}"
            raise InvalidSetting(
                name,
                got=_shown(value),
                expected=self.expects(value),
                advice=advice,
                suggest={name: self.example},
            )
        return normal

    def advise(self, value: object) -> str:
        """Say what to do about a value that is refused."""
        return self.advice


@dataclass(frozen=True)
class Number(Kind):
    """A finite real number in a range, as a float."""

    range: Range = ANY
    span: Span = UNIT_SPAN

    def expects(self, value: object) -> str:
        """Say what an error expects in place of a value."""
        return str(self.range)

    def normal(self, value: Any) -> float | None:
        """Give the float."""
        if type(value) is not float:
            if not is_number(value):
                return None
            try:
                value = float(value)
            except (OverflowError, TypeError):  # TypeError: NumPy calls its durations whole numbers
                return None
        return value if self.range.holds(value) else None


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number between two bounds, both included, as an int."""

    low: int | None = None
    high: int | None = None

    def expects(self, value: object) -> str:
        """Say what an error expects; the end of a computer's word only where it is passed."""
        number = _as_whole(value)
        below, above = (False, False) if number is None else self._outside(number)
        low = "" if self.low in _WORDS and not below else _bound(self.low)
        high = "" if self.high in _WORDS and not above else _bound(self.high)
        if low and high:
            return f"a whole number from {low} to {high}"
        if low or high:
            return f"a whole number of at {f'least {low}' if low else f'most {high}'}"
        return "a whole number"

    def normal(self, value: Any) -> int | None:
        """Give the int."""
        number = _as_whole(value)
        return None if number is None or any(self._outside(number)) else number

    def _outside(self, number: int) -> tuple[bool, bool]:
        """Tell whether a number lies below, or above."""
        return (
            self.low is not None and number < self.low,
            self.high is not None and number > self.high,
        )


def _as_whole(value: Any) -> int | None:
    """Give a whole number as Python's own."""
    if type(value) is int:
        return value
    if not isinstance(value, Integral) or isinstance(value, bool):
        return None
    try:
        return int(value)
    except TypeError:  # NumPy calls its durations whole numbers
        return None


def _bound(bound: int | None) -> str:
    return "" if bound is None else _WORDS.get(bound, str(bound))


# The bounds of a computer's words, as they are written.
_WORDS = {-(2**63): "-2**63", 2**63 - 1: "2**63 - 1", 2**64 - 1: "2**64 - 1"}


@dataclass(frozen=True)
class Flag(Kind):
    """True or False, and nothing that merely counts as one."""

    expected = "True or False"

    def normal(self, value: Any) -> bool | None:
        """Give the bool."""
        is_flag = isinstance(value, bool) or _is_numpys_flag(value)
        return bool(value) if is_flag else None


@dataclass(frozen=True)
class FlagOrFunction(Flag):
    """True, False, or a function that is called instead of what True does."""

    expected = "True, False or a function"

    def normal(self, value: Any) -> Any:
        """Give the bool, or the function as it is."""
        return value if callable(value) else super().normal(value)


@dataclass(frozen=True)
class File(Kind):
    """The name of a file, as a path; bytes are none."""

    advice: str = "name the file in text or with pathlib.Path"
    expected = "the path of a file"

    def normal(self, value: Any) -> Path | None:
        """Give the path."""
        named = os.fspath(value) if isinstance(value, str | os.PathLike) else None
        return Path(named) if isinstance(named, str) else None


FILE, FILE_OR_NONE = File(""), File("", optional=True)


@dataclass(frozen=True)
class Choice(Kind):
    """One word of several; or, where ``also`` is given, a value of that kind."""

    choices: tuple[str, ...] = ()
    also: Kind | None = None

    def expects(self, value: object) -> str:
        """Say what an error expects in place of a value."""
        words = "one of " + ", ".join(map(repr, self.choices))
        return words if self.also is None else f"{words}, or {self.also.expects(value)}"

    def normal(self, value: Any) -> Any:
        """Give the word, or the other kind's value."""
        if isinstance(value, str):
            return str(value) if value in self.choices else None
        return None if self.also is None else self.also.normal(value)

    def advise(self, value: object) -> str:
        """Give the nearest word."""
        otherwise = self.advice or LISTED
        return nearest(value, self.choices, otherwise) if isinstance(value, str) else otherwise


@dataclass(frozen=True)
class TwoNumbers(Kind):
    """A pair of finite numbers, each in its range, as a tuple of floats."""

    ranges: tuple[Range, Range] = (ANY, ANY)
    spans: tuple[Span, Span] = (UNIT_SPAN, UNIT_SPAN)

    def expects(self, value: object) -> str:
        """Say what an error expects in place of a value."""
        first, second = self.ranges
        return f"a pair, each {first}" if first == second else f"a pair, {first} and {second}"

    def normal(self, value: Any) -> tuple[float, float] | None:
        """Give the tuple."""
        value = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(value, tuple | list) or len(value) != 2:
            return None
        if not all(map(is_number, value)):
            return None
        try:
            pair = (float(value[0]), float(value[1]))
        except (OverflowError, TypeError):
            return None
        holds = (one.holds(number) for one, number in zip(self.ranges, pair, strict=True))
        return pair if all(holds) else None


def _shown(value: object) -> str:
    """Write a value that is refused, which may be of any length."""
    try:
        written = repr(value)
    except ValueError:  # Python writes no whole number of thousands of digits
        written = "a number of thousands of digits"
    return written if len(written) <= SHOWN else written[:SHOWN] + "…"


def is_number(value: object) -> bool:
    """Tell whether something is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_numpys_flag(value: Any) -> bool:
    return str(getattr(value, "dtype", "")) == "bool" and getattr(value, "ndim", None) == 0
