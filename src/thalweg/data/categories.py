"""Columns of words as features: a column of zeros and ones for each level, as pandas names them.

On their way here rows hold a level's number in place of its word (:class:`Codes`); a
:class:`Coding` makes features of them, a few rows at a time. Not here: which columns are taken so
(:mod:`thalweg.data.columns`), rows that are kept as numbers of levels
(:mod:`thalweg.data.compact`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.data.names import unique_names
from thalweg.errors import InvalidData, InvalidSetting, and_more
from thalweg.numbers import counted

if TYPE_CHECKING:
    import pyarrow as pa

Categories: TypeAlias = "Literal['all'] | Sequence[str] | Mapping[str, Sequence[str]] | None"
"""Which columns are categories: names, all of words, or names with their levels."""

ALL: Literal["all"] = "all"
LEVELS_SHOWN = 5

# How many features one table may become. Their matrix of products is factorised in twice the
# working precision: some NANOSECONDS a cubed feature, in some MATRICES of such matrices.
MOST_FEATURES = 6_000
NANOSECONDS, MATRICES = 1.2, 4
MOST_WORDS = 2**20  # of one column, while its levels are being found


def as_categories(given: Any) -> Categories:
    """Check what a user says of categories; levels are taken as they print.

    Raises
    ------
    InvalidSetting

    Examples
    --------
    >>> as_categories("all"), as_categories("region"), as_categories({"size": ["S", "M"]})
    ('all', ('region',), {'size': ('S', 'M')})
    """
    if given is None:
        return None
    if isinstance(given, str):
        return ALL if given == ALL else (given,)
    try:
        if not isinstance(given, Mapping):
            return tuple(map(str, given))
        levels = {str(name): tuple(map(str, words)) for name, words in given.items()}
        several = not any(isinstance(words, str) for words in given.values())
        if several and all(words and len(set(words)) == len(words) for words in levels.values()):
            return levels
    except TypeError:
        pass
    raise InvalidSetting(
        "categories",
        got=repr(given),
        expected="names of columns, 'all', or a mapping from names to their different levels",
        advice="try categories='all' for all columns of words",
    )


def no_columns(X: object) -> InvalidSetting:
    """Refuse categories where no column has a name."""
    return InvalidSetting(
        "categories",
        got=f"a setting for a {type(X).__name__}",
        expected="rows whose columns have names: a frame or a file",
        advice="make a frame of it, as in pandas.DataFrame(X)",
    )


@dataclass(frozen=True)
class Coding:
    """How the columns of a table become features.

    Parameters
    ----------
    columns : tuple of str
        The table's c columns that features are made of, in their order.
    target : str
        The target's name, which no feature gets.
    levels : mapping of str to tuple of str
        The words of each column that is a category, in their order.
    intercept : bool
        Whether there is one: it stands for the first level of each category, which has no
        feature then.
    kept : tuple of str, optional
        Which features are made, in this order; all when left out.

    Examples
    --------
    >>> coding = Coding(("age", "region"), "y", {"region": ("east", "north", "south")})
    >>> coding.features
    ('age', 'region_north', 'region_south')
    >>> coding.expanded(np.array([[50.0, 0.0], [60.0, 2.0]]))
    array([[50.,  0.,  0.],
           [60.,  0.,  1.]])
    """

    columns: tuple[str, ...]
    target: str
    levels: Mapping[str, tuple[str, ...]]
    intercept: bool = True
    kept: tuple[str, ...] | None = None

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The d features' names."""
        return self._all if self.kept is None else self.kept

    @cached_property
    def _all(self) -> tuple[str, ...]:
        wanted = [self.target]
        for column in self.columns:
            levels = self._with_feature(column)
            wanted += [column] if levels is None else [f"{column}_{level}" for level in levels]
        return unique_names(wanted)[1:]

    def _with_feature(self, column: str) -> tuple[str, ...] | None:
        """Give the levels of a category that have a feature; None for a column of numbers."""
        levels = self.levels.get(column)
        return None if levels is None else levels[int(self.intercept) :]

    @cached_property
    def _places(self) -> list[NDArray[np.intp]]:
        """Where among the features each column stands, or each of its levels: -1 for nowhere."""
        place_of = {name: place for place, name in enumerate(self.features)}
        names, places = iter(self._all), []
        for column in self.columns:
            levels = self._with_feature(column)
            count = 1 if levels is None else len(levels)
            own = [place_of.get(next(names), -1) for _ in range(count)]
            left_out = levels is not None and self.intercept
            places.append(np.array([-1] * left_out + own, np.intp))
        return places

    def expanded(self, coded: Array) -> Array:
        """Make features, shape (b, d), of columns with levels' numbers in them, shape (b, c)."""
        features = np.zeros((len(coded), len(self.features)))
        for j, (column, places) in enumerate(zip(self.columns, self._places, strict=True)):
            if column in self.levels:
                place = places[coded[:, j].astype(np.intp)]
                rows = np.flatnonzero(place >= 0)
                features[rows, place[rows]] = 1.0
            elif places[0] >= 0:
                features[:, places[0]] = coded[:, j]
        return features

    def is_of(self, other: Coding) -> bool:
        """Tell whether another coding has this one's columns, the same ones of words."""
        return set(self.columns) <= set(other.columns) and (
            set(self.levels) == set(other.levels) & set(self.columns)
        )

    def recoded(self, coded: Array, other: Coding) -> Array:
        """Give columns that another coding has coded with this one's numbers, shape (b, c).

        Raises
        ------
        InvalidData
            On a word in them that is none of this one's levels.
        """
        columns = coded[:, [other.columns.index(column) for column in self.columns]]
        for j, column in enumerate(self.columns):
            if column in self.levels:
                codes, numbers = Codes(column, self.levels[column]), columns[:, j].astype(np.intp)
                of_number = np.full(len(other.levels[column]), math.nan)
                for k in np.unique(numbers):
                    of_number[k] = codes.number(other.levels[column][k])
                columns[:, j] = of_number[numbers]
        return columns

    def select(self, features: Sequence[str]) -> Coding:
        """Make some of the features alone, in this order."""
        return replace(self, kept=tuple(features))

    def narrowed(self) -> Coding:
        """Make the features that were chosen from the columns that these need, and no others.

        Examples
        --------
        >>> coding = Coding(("age", "region"), "y", {"region": ("east", "north")})
        >>> coding.select(["region_north"]).narrowed().columns
        ('region',)
        """
        if self.kept is None:
            return self
        used = zip(self.columns, self._places, strict=True)
        columns = tuple(column for column, places in used if (places >= 0).any())
        levels = {name: words for name, words in self.levels.items() if name in columns}
        narrow = replace(self, columns=columns, levels=levels)
        return narrow if set(self.kept) <= set(narrow._all) else self  # names may have shifted

    def for_intercept(self, intercept: bool) -> Coding:
        """Make the features that go with an intercept, or without one; chosen ones stay."""
        if self.kept is not None or intercept == self.intercept:
            return self
        return replace(self, intercept=intercept).checked()

    def checked(self) -> Coding:
        """Refuse features that are none at all, or so many that nothing can be done with them."""
        d = len(self.features)
        sizes = sorted(((len(w), name) for name, w in self.levels.items()), reverse=True)
        said = and_more([f"{name!r} ({counted(k, 'level')})" for k, name in sizes], LEVELS_SHOWN)
        if d == 0:
            raise InvalidData(
                "categories",
                got=f"no feature beside the intercept from {said}",
                expected="a column with two levels at least, or one of numbers",
                advice="take other columns",
            )
        if d > MOST_FEATURES:
            minutes = NANOSECONDS * d**3 / 60e9
            out = self._too_many([name for _, name in sizes])
            left = [column for column in self.columns if column not in out]
            them = "it" if len(out) == 1 else "them"
            grouped = f"group the levels of {and_more(map(repr, out), LEVELS_SHOWN)}"
            raise InvalidData(
                "categories",
                got=f"{d:,} features, of {said}",
                expected=f"{MOST_FEATURES:,} at most: so many would take some "
                f"{MATRICES * 16 * d**2 / 2**30:,.0f} GiB and {minutes:,.0f} minutes",
                advice=f"{grouped}, or leave {them} out with {{features}}" if left else grouped,
                suggest={"features": left},
            )
        return self

    def _too_many(self, by_size: Sequence[str]) -> list[str]:
        """Say which categories to leave out, those with most levels first."""
        d, out = len(self.features), []
        for column in by_size:
            if d > MOST_FEATURES:
                out.append(column)
                d -= len(self._with_feature(column) or ())
        return out


class Codes:
    """Numbers for the words of one column: as they come, or of levels that are settled.

    Parameters
    ----------
    column : str
        Its name, for errors.
    levels : sequence of str, optional
        The levels; any other word is refused. Left out, each new word gets the next number.
    absent : collection of str
        Words of rows that are not fitted: as missing as something in each of those rows is.

    Examples
    --------
    >>> import pyarrow as pa
    >>> Codes("size", ["S", "M"]).of(pa.array(["M", None, "S"]))
    array([ 1., nan,  0.])
    """

    def __init__(
        self, column: str, levels: Sequence[str] | None = None, absent: Collection[str] = ()
    ) -> None:
        self.column = column
        self.settled = levels is not None
        self._absent = absent
        self._numbers = {word: number for number, word in enumerate(levels or ())}

    @property
    def words(self) -> tuple[str, ...]:
        """The words by their numbers."""
        return tuple(self._numbers)

    def of(self, column: pa.Array) -> Array:
        """Give each value's number, NaN for a missing one: float64, shape (b,).

        Raises
        ------
        InvalidData
            On a word that is none of the levels, on values that are no words.
        """
        import pyarrow.compute as pc
        from pyarrow import types

        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if types.is_null(column.type):  # Arrow would take nothing for a word there
            return np.full(len(column), math.nan)
        if types.is_nested(column.type) or types.is_binary(column.type):
            raise InvalidData(
                f"column {self.column!r}",
                got=f"values of type {column.type}",
                expected="words or numbers, that rows can be told apart by",
                advice="make texts of them, or leave that column out",
            )
        if types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
        encoded = column.dictionary_encode()
        numbers = [self.number(self._called(value)) for value in encoded.dictionary.to_pylist()]
        of_word: Array = np.array([*numbers, math.nan])
        places = encoded.indices.fill_null(len(numbers)).to_numpy(zero_copy_only=False)
        return np.asarray(of_word[places])

    def _called(self, value: object) -> str:
        """Write a value: a whole number in the way that is known, 1 or 1.0, as files differ."""
        word = str(value)
        if word in self._numbers or isinstance(value, bool):
            return word
        other = word
        if isinstance(value, int):
            other = str(float(value))
        elif isinstance(value, float) and value.is_integer():
            other = str(int(value))
        return other if other in self._numbers else word

    def number(self, word: str) -> float:
        """Give the number of one word."""
        number = self._numbers.get(word)
        if number is None:
            if word in self._absent:
                return math.nan
            if self.settled:
                raise InvalidData(
                    f"column {self.column!r}",
                    got=repr(word),
                    expected=f"one of its levels, {and_more(map(repr, self.words), LEVELS_SHOWN)}",
                    advice="take those rows out, or fit again with such rows among the others",
                )
            number = self._numbers[word] = len(self._numbers)
            if number == MOST_WORDS:
                raise InvalidData(
                    f"column {self.column!r}",
                    got=f"more than {MOST_WORDS:,} different words",
                    expected=f"a category, of {MOST_FEATURES:,} levels at most",
                    advice="leave that column out",
                )
        return number


class Coded:
    """The columns of a table with the codes of those that are categories.

    Parameters
    ----------
    columns : sequence of str
        The columns that features are made of.
    target : str
    categories : collection of str
        Those whose words are coded.
    levels : mapping of str to sequence of str
        Of those of which the levels are known.
    absent : mapping of str to collection of str, optional
        Of those, the words that stand in no row that is fitted.
    """

    def __init__(
        self,
        columns: Sequence[str],
        target: str,
        categories: Iterable[str],
        levels: Mapping[str, Sequence[str]],
        absent: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.columns, self.target = tuple(columns), target
        self.codes = {
            self.columns.index(name): Codes(name, levels.get(name), (absent or {}).get(name, ()))
            for name in categories
        }
        self._seen = {place: np.zeros(0, bool) for place in self.codes}

    @property
    def is_settled(self) -> bool:
        """Whether all levels are known."""
        return all(codes.settled for codes in self.codes.values())

    def see(self, X: Array) -> None:
        """Note which levels there are in rows that are fitted."""
        for place, codes in self.codes.items():
            here = np.bincount(X[:, place].astype(np.intp), minlength=len(codes.words)) > 0
            here[: len(self._seen[place])] |= self._seen[place]
            self._seen[place] = here

    def coding(self) -> Coding:
        """Settle the levels: those that were seen, in their order; those that were given."""
        levels = {}
        for place, codes in self.codes.items():
            words = codes.words
            if not codes.settled:
                words = in_order(words[k] for k in np.flatnonzero(self._seen[place]))
            levels[self.columns[place]] = words
        return Coding(self.columns, self.target, levels).checked()

    def absent(self, coding: Coding) -> dict[str, frozenset[str]]:
        """Give the words of each category that are none of the levels that were settled."""
        return {
            codes.column: frozenset(codes.words).difference(coding.levels[codes.column])
            for codes in self.codes.values()
        }

    def recoded(self, X: Array, coding: Coding) -> Array:
        """Give rows with the levels' numbers in place of those that their words had at first."""
        for place, codes in self.codes.items():
            number_of = {w: float(k) for k, w in enumerate(coding.levels[self.columns[place]])}
            numbers = np.array([number_of.get(word, math.nan) for word in codes.words])
            X[:, place] = numbers[X[:, place].astype(np.intp)]
        return X


def in_order(words: Iterable[str]) -> tuple[str, ...]:
    """Put levels in order: numbers by their size, others as texts.

    Examples
    --------
    >>> in_order(["10", "9"]), in_order(["10", "9", "b"])
    (('9', '10'), ('10', '9', 'b'))
    """
    found = sorted(words)
    with suppress(ValueError):
        sizes = [float(word) for word in found]
        if all(map(math.isfinite, sizes)):
            return tuple(word for _, word in sorted(zip(sizes, found, strict=True)))
    return tuple(found)
