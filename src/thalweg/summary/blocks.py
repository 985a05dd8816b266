"""Sums over rows in blocks of a fixed size, added up as a fixed tree.

Adding up in floating point depends on the order. Here it is fixed by the rows' positions alone:
each block of :data:`~thalweg.data.identity.BLOCK_ROWS` rows is summed by itself, blocks 2k and
2k + 1 make a pair, two such pairs the next larger node, and what is left without a partner at
the end is added from the last block on. So the bits are the same for rows in memory and in
files, for batches of any size, for any number of threads or machines that finish in any order.

Not here: the sum over a block (:mod:`thalweg.summary.gram_kernel`), threads
(:mod:`thalweg.summary.gram`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Generic, TypeVar

import numpy as np

from thalweg.arrays import Array
from thalweg.data.identity import BLOCK_ROWS
from thalweg.errors import InvalidData
from thalweg.numbers import counted

Part = TypeVar("Part")


class Tree(Generic[Part]):
    """Adds up numbered parts, 0 to k - 1, as the fixed tree; they may come in any order.

    Parts that come in their order leave log₂ k of them waiting at most.

    Parameters
    ----------
    add : callable
        Gives the sum of two parts, the one that comes first in the rows first.

    Examples
    --------
    >>> tree = Tree(lambda first, second: f"({first} {second})")
    >>> for number in (4, 0, 2, 1, 3):
    ...     tree.put(number, str(number))
    >>> tree.total()
    '(((0 1) (2 3)) 4)'
    """

    def __init__(self, add: Callable[[Part, Part], Part]) -> None:
        self._add = add
        self._nodes: dict[tuple[int, int], Part] = {}  # by height, and number at that height
        self._count = 0
        self._end = 0

    def put(self, number: int, part: Part) -> None:
        """Take the part of that number, each once."""
        height = 0
        self._count += 1
        self._end = max(self._end, number + 1)
        while (height, number ^ 1) in self._nodes:
            other = self._nodes.pop((height, number ^ 1))
            part = self._add(other, part) if number & 1 else self._add(part, other)
            height, number = height + 1, number >> 1
        self._nodes[height, number] = part

    def total(self) -> Part:
        """Give the sum of all the parts.

        Raises
        ------
        InvalidData
            Where there are none, or one of 0 to k - 1 is not among them or came twice.
        """
        heights = [height for height in range(self._end.bit_length()) if self._end >> height & 1]
        places = [(height, (self._end >> height) - 1) for height in heights]
        if not places or self._count != self._end or set(places) != set(self._nodes):
            raise InvalidData(
                "blocks",
                got=f"{counted(self._count, 'block')} with numbers up to {self._end - 1}",
                expected="each number from 0 on once",
                advice="number the blocks in the order of their rows",
            )
        total = self._nodes[places[0]]
        for place in places[1:]:
            total = self._add(self._nodes[place], total)
        return total


class Pieces:
    """Cuts rows that come in batches at places that depend on their positions alone.

    A piece lies in one block and has a multiple of ``rows`` rows, the last of all excepted: at
    most that many rows are kept from one batch to the next.

    Parameters
    ----------
    rows : int
        A divisor of a block's rows.
    d : int
        The number of features.
    """

    def __init__(self, rows: int, d: int) -> None:
        self.rows = rows
        self.given = 0  # rows in pieces so far
        self.kept = 0  # rows that wait for more
        self._X, self._y = np.zeros((rows, d)), np.zeros(rows)

    def of(self, X: Array, y: Array) -> Generator[tuple[Array, Array]]:
        """Give the pieces that end in this batch; use each before the next is taken."""
        start = 0
        if self.kept:
            start = self._keep(X, y, 0)
            if self.kept == self.rows:
                yield from self.rest()
        while len(y) - start >= self.rows and not self.kept:
            room = BLOCK_ROWS - self.given % BLOCK_ROWS
            stop = start + min(room, (len(y) - start) // self.rows * self.rows)
            self.given += stop - start
            yield X[start:stop], y[start:stop]
            start = stop
        self._keep(X, y, start)

    def rest(self) -> Generator[tuple[Array, Array]]:
        """Give the rows that were kept, if any."""
        rows, self.kept = self.kept, 0
        if rows:
            self.given += rows
            yield self._X[:rows], self._y[:rows]

    def _keep(self, X: Array, y: Array, start: int) -> int:
        """Copy rows from ``start`` on behind those that are kept; give where they end."""
        stop = min(len(y), start + self.rows - self.kept)
        end = self.kept + stop - start
        self._X[self.kept : end], self._y[self.kept : end] = X[start:stop], y[start:stop]
        self.kept = end
        return stop
