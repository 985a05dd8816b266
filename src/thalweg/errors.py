"""The errors and warnings that Thalweg raises on purpose, and how their sentences are built.

::

    ThalwegError
    ├── InvalidData (ValueError)      rows that cannot be fitted: shapes, types, missing values
    ├── InvalidSetting (ValueError)   a setting that does not exist, or a value it cannot take
    ├── UnreadableFile (ValueError)   a file that is not what it should be
    ├── UnwritableFile (OSError)      a place where no file can be written
    └── MissingExtra (ImportError)    an optional dependency that is not installed

    ThalwegWarning (UserWarning)      a result that holds, with something to know about it

Each sentence says four things: which argument, what it got, what it expects, what to do.
Not here: messages of a run's outcome (:mod:`thalweg.runs.run`).
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ThalwegError(Exception):
    """Anything that Thalweg raises on purpose."""


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


def nearest(name: str, valid: Iterable[str]) -> str:
    """Advise the valid name nearest to a misspelt one, or list them all.

    Examples
    --------
    >>> nearest("nadm", ["adam", "nadam", "sgd"])
    "did you mean 'nadam'?"
    >>> nearest("zzz", ["adam", "sgd"])
    "choose one of 'adam', 'sgd'"
    """
    names = list(valid)
    close = get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if close:
        match = next(n for n in names if n.lower() == close[0])
        return f"did you mean {match!r}?"
    return "choose one of " + ", ".join(map(repr, names))
