"""The errors and warnings that Thalweg raises on purpose, and how their sentences are built.

::

    ThalwegError
    ├── InvalidData (ValueError)      rows that cannot be fitted: shapes, types, missing values
    ├── InvalidSetting (ValueError)   a setting that does not exist, or a value it cannot take
    ├── UnreadableFile (ValueError)   a file that is not what it should be
    ├── UnwritableFile (OSError)      a place where no file can be written
    └── MissingExtra (ImportError)    an optional dependency that is not installed

    ThalwegWarning (UserWarning)      a result that holds, with something to know about it

Each sentence says four things: which argument, what it got, what it expects, what to do. Errors
keep the four, so that the command line can say the last of them in its own words.
Not here: messages of a run's outcome (:mod:`thalweg.runs.run`).
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from unicodedata import category

_CONTROLS = ("Cc", "Zl", "Zp")  # of Unicode: control characters, and what ends a line


class ThalwegError(Exception):
    """Anything that Thalweg raises on purpose.

    Parameters
    ----------
    argument : str
        Which argument, file or table; or, where nothing else is given, the whole message.
    got, expected : str
        What it was, and what it should be.
    advice : str
        What to do. A setting to pass stands in it as its name in braces, ``try {lr}``, after
        the function that takes it where that is another, ``use {read.missing}``; several of them
        stand under any name, with a dict of all as its value.
    suggest : mapping of str to object, optional
        The values of those settings; what the advice does not name is left out. The value ``...``
        has the setting named alone, ``leave {lr} out``.

    Attributes
    ----------
    argument, got, expected : str
        As given; empty where there is only a message.
    advice : str
        What to do, as it is typed in Python.
    suggest : dict of str to object
        The settings that the advice passes, by their names.

    Examples
    --------
    >>> error = InvalidSetting(
    ...     "lr", got="-1.0", expected="a positive number", advice="try {lr}", suggest={"lr": 0.01}
    ... )
    >>> str(error)
    'lr: got -1.0, expected a positive number; try lr=0.01'
    >>> error.advice, error.suggest
    ('try lr=0.01', {'lr': 0.01})
    """

    def __init__(
        self,
        argument: str,
        *,
        got: str = "",
        expected: str = "",
        advice: str = "",
        suggest: Mapping[str, object] | None = None,
    ) -> None:
        self._advice, self._named = advice, dict(suggest or {})
        self.suggest = {
            name: value
            for name, value in self._named.items()
            if f"{{{name}}}" in advice and value is not ...
        }
        if not expected:
            self.argument = self.got = self.expected = self.advice = ""
            super().__init__(printable(argument))
            return
        self.argument, self.got, self.expected = argument, got, expected
        self.advice = self._advised(as_keyword)
        super().__init__(self.worded(as_keyword))

    def worded(self, setting: Callable[[str, object], str]) -> str:
        """Say the sentence with each suggested setting as ``setting(name, value)`` writes it."""
        if not self.expected:
            return str(self)
        return printable(
            sentence(
                self.argument, got=self.got, expected=self.expected, advice=self._advised(setting)
            )
        )

    def _advised(self, setting: Callable[[str, object], str]) -> str:
        def written(place: re.Match[str]) -> str:
            name = place[1]
            return setting(name, self._named[name]) if name in self._named else place[0]

        return re.sub(r"\{([\w.]+)\}", written, self._advice)


def as_keyword(name: str, value: object) -> str:
    """Write a setting as Python passes it, or its name alone.

    Examples
    --------
    >>> as_keyword("lr", 0.01), as_keyword("read.decimal", ",")
    ('lr=0.01', "thalweg.read(…, decimal=',')")
    >>> as_keyword("read.several", {"decimal": ",", "thousands": "."})
    "thalweg.read(…, decimal=',', thousands='.')"
    >>> as_keyword("lr", ...)
    'lr'
    """
    if value is ...:
        return name
    function, _, keyword = name.rpartition(".")
    several = value if isinstance(value, dict) else {keyword: value}
    written = ", ".join(f"{each}={one!r}" for each, one in several.items())
    return f"thalweg.{function}(…, {written})" if function else written


class InvalidData(ThalwegError, ValueError):
    """Rows that cannot be fitted as they are."""


class InvalidSetting(ThalwegError, ValueError):
    """A setting that does not exist, or a value that it cannot take."""


class UnreadableFile(ThalwegError, ValueError):
    """A file that is missing, damaged or not of the expected kind."""


class UnwritableFile(ThalwegError, OSError):
    """A place where no file can be written, or a disk that is full."""


class MissingExtra(ThalwegError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(
            f"{purpose} needs an optional part that is not installed; "
            f"install it with: pip install 'thalweg[{extra}]'"
        )


class ThalwegWarning(UserWarning):
    """A result that holds, with something to know about it."""


def sentence(argument: str, *, got: str, expected: str, advice: str) -> str:
    """Build the one sentence of an error: argument, what it got, what it expects, what to do.

    Examples
    --------
    >>> sentence("lr", got="-1.0", expected="a positive number", advice="try lr=0.01")
    'lr: got -1.0, expected a positive number; try lr=0.01'
    """
    return f"{argument}: got {got}, expected {expected}; {advice}"


def and_more(words: Iterable[str], most: int) -> str:
    """List words, of many the first ones.

    Examples
    --------
    >>> and_more(["a", "b"], 2), and_more(["a", "b", "c"], 2)
    ('a, b', 'a, b and 1 more')
    """
    words = list(words)
    left = len(words) - most
    return ", ".join(words[:most]) + (f" and {left:,} more" if left > 0 else "")


LISTED = "choose one of them"
"""What to do where all the valid names stand in the sentence already."""


def warn(message: str) -> None:
    """Warn at the line by which the user came here, however many calls of ours are between.

    Warns
    -----
    ThalwegWarning
    """
    frame, level = inspect.currentframe(), 1
    while frame is not None and _is_between(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, ThalwegWarning, stacklevel=level)


def _is_between(module: str) -> bool:
    return module.partition(".")[0] in (__name__.partition(".")[0], "functools", "contextlib")


def on_a_line(text: str) -> str:
    r"""Give a name as one line of text that does nothing to a terminal: no control characters.

    Examples
    --------
    >>> on_a_line("red\x1b[31m")
    'red\\x1b[31m'
    """
    written = (ascii(c)[1:-1] if category(c) in _CONTROLS else c for c in printable(text))
    return "".join(written)


def printable(text: str) -> str:
    r"""Give a text that can be written anywhere: bytes of a file's name may be none of any text.

    Examples
    --------
    >>> printable("caf\udce9.csv")
    'caf\\udce9.csv'
    """
    return text.encode(errors="backslashreplace").decode()


def nearest(name: str, valid: Iterable[str], otherwise: str = "") -> str:
    """Advise the valid name nearest to a misspelt one, else what is given, or list them all.

    Examples
    --------
    >>> nearest("nadm", ["adam", "nadam", "sgd"])
    "did you mean 'nadam'?"
    >>> nearest("zzz", ["adam", "sgd"])
    "choose one of 'adam', 'sgd'"
    >>> nearest("zzz", ["adam", "sgd"], LISTED)
    'choose one of them'
    """
    names = list(valid)
    close = get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if close:
        match = next(n for n in names if n.lower() == close[0])
        return f"did you mean {match!r}?"
    return otherwise or "choose one of " + ", ".join(map(repr, names))
