"""What a source of rows is, wherever the rows are: the one thing that all above the readers know.

:class:`thalweg.Dataset` is one whose rows are in memory; what :func:`thalweg.scan` gives is one
that reads them anew for each pass. Not here: either of them, or how one is made of what users
pass (:mod:`thalweg.data.inputs`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from thalweg.arrays import Array

if TYPE_CHECKING:
    from thalweg.data.categories import Coding
    from thalweg.data.dataset import Dataset
    from thalweg.data.reading import Reading
    from thalweg.summary.summary import Summary

Rows: TypeAlias = tuple[Array, Array]
"""A block of rows: ``X``, shape (b, d), and ``y``, shape (b,)."""


Watcher: TypeAlias = Callable[[int, int | None], object]
"""Called with the rows read so far in a pass and, where that can be told, those of a pass."""


class Source(Protocol):
    """Rows with names, that can be gone through as often as is needed, in the same order."""

    @property
    def features(self) -> tuple[str, ...]:
        """The d features' names."""
        ...

    @property
    def target(self) -> str:
        """The target's name."""
        ...

    @property
    def name(self) -> str:
        """What the rows are, for titles; may be empty."""
        ...

    @property
    def source(self) -> str:
        """What the rows are called in errors."""
        ...

    @property
    def origin(self) -> tuple[Path, ...]:
        """The files and folders that the rows were read from; none for rows made in memory."""
        ...

    @property
    def units(self) -> Mapping[str, str]:
        """The units of the columns that have one."""
        ...

    @property
    def reading(self) -> Reading | None:
        """How files were read, where the rows come from some."""
        ...

    @property
    def coding(self) -> Coding | None:
        """How features were made of categories, where some were."""
        ...

    @property
    def n(self) -> int:
        """How many rows there are; may take a pass over them."""
        ...

    @property
    def summary(self) -> Summary:
        """What one pass over the rows leaves."""
        ...

    @property
    def digest(self) -> str:
        """Tells whether two sources have the same rows and names."""
        ...

    def batches(self) -> Generator[Rows]:
        """Go through the rows once, in blocks of one row at least."""
        ...

    def read(self) -> Dataset:
        """Give all the rows in memory."""
        ...

    def watched(self, watcher: Watcher) -> AbstractContextManager[None]:
        """Have ``watcher`` called with what is read, in the block that follows."""
        ...

    def select(self, features: Sequence[str]) -> Source:
        """Give the same rows with some of the features, in the order named."""
        ...

    def for_intercept(self, intercept: bool) -> Source:
        """Give the same rows with the features that go with an intercept, or without one."""
        ...
