"""Which columns of a table are fitted: the target, the features, and what cannot be either.

The same rules for files and frames: names are exact, nothing that is not a number is turned into
one, and each refusal names all the columns at fault and what to paste instead.
Not here: reading the values (:mod:`thalweg.data.arrow`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from thalweg.data.categories import ALL, Categories
from thalweg.errors import LISTED, InvalidData, InvalidSetting, and_more, nearest

STRAYS_SHOWN = 3

FLAGS = "true or false"
"""The kind of a column of truth values: they are read as 1 and 0."""


class Marks(NamedTuple):
    """The marks in numbers: the decimal one, and what stands between groups of three digits."""

    decimal: str
    thousands: str | None


class Column(NamedTuple):
    """A column as a table presents it: its name, what it holds, whether those are numbers."""

    name: str
    kind: str
    numeric: bool
    marks: frozenset[Marks] = frozenset()
    """Of text: the other marks with which all its cells would be numbers."""
    is_text: bool = False
    """Whether its cells are words, that rows could be told apart by."""
    stray: str | None = None
    """Of text: the only word among numbers, which may stand for a missing value."""

    def as_words(self) -> Column:
        """Describe it with its cells taken as words, whatever they are."""
        return self._replace(kind="text", numeric=False)


class ChosenColumns(NamedTuple):
    """The columns that are fitted: names and positions of the d features and of the target."""

    features: tuple[str, ...]
    target: str
    positions: tuple[int, ...]
    """Where the d features and then the target stand in the table."""
    categories: tuple[str, ...] = ()
    """Those of the features whose words are levels of a category."""


def choose(
    columns: Sequence[Column],
    *,
    target: str,
    features: Sequence[str] | None,
    categories: Categories = None,
    source: str,
) -> ChosenColumns:
    """Find the target and the features among a table's columns.

    Parameters
    ----------
    columns : sequence of Column
        All of the table's, in its order.
    target : str
        The target's name.
    features : sequence of str, optional
        The features' names, in the order wanted; every column but the target when left out.
    categories : "all", sequence of str or mapping, optional
        Which of the features are categories: those named, or all that hold words.
    source : str
        What the table is called in an error.

    Raises
    ------
    InvalidSetting
        On names that the table does not have, that repeat, or that are none at all.
    InvalidData
        On fewer than two columns, and on chosen columns that are ambiguous or not numbers.

    Examples
    --------
    >>> table = [Column("day", "date", False)]
    >>> table += [Column("x", "int64", True), Column("y", "int64", True)]
    >>> choose(table, target="y", features=["x"], source="ice.csv").positions
    (1, 2)
    >>> choose(table, target="y", features=None, source="ice.csv")
    Traceback (most recent call last):
    thalweg.errors.InvalidData: ice.csv: got columns that are not numbers: 'day' (date), ...
    """
    names = [column.name for column in columns]
    if len(names) < 2:
        raise InvalidData(
            source,
            got="one column, " + repr(names[0]) if names else "no columns",
            expected="a target and at least one feature",
            advice="in a text, check that comma, semicolon, tab or | separates the columns, and "
            "skip lines above them with {skip_rows}; an index of pandas is no column",
            suggest={"skip_rows": ...},
        )
    _check_names("target", [target], names, source)
    wanted = _wanted(features, target, names, source)
    positions = tuple(names.index(name) for name in (*wanted, target))
    _check_unambiguous(wanted, target, names, source)
    chosen = [columns[position] for position in positions[:-1]]
    coded = _categories(categories, chosen, source)
    by_name = set(wanted if features is not None else () if categories == ALL else coded)
    _check_numeric(chosen, columns[positions[-1]], coded=coded, by_name=by_name, source=source)
    return ChosenColumns(wanted, target, positions, coded)


def find_features(
    columns: Sequence[Column],
    *,
    features: Sequence[str],
    categories: Collection[str] = (),
    source: str,
) -> tuple[int, ...]:
    """Find where the features stand in a table that needs no target.

    Raises as :func:`choose` does.

    Examples
    --------
    >>> table = [Column("x1", "int64", True), Column("x2", "int64", True)]
    >>> find_features(table, features=["x2"], source="new.csv")
    (1,)
    """
    names = [column.name for column in columns]
    _check_names("features", features, names, source)
    _check_unambiguous(tuple(features), None, names, source)
    positions = tuple(map(names.index, features))
    chosen = [columns[position] for position in positions]
    _check_numeric(chosen, None, coded=categories, by_name=features, source=source)
    return positions


def _categories(categories: Categories, chosen: list[Column], source: str) -> tuple[str, ...]:
    """Say which of the features are categories."""
    if categories == ALL:  # words that are numbers in other marks are refused as such
        return tuple(column.name for column in chosen if column.is_text and not column.marks)
    names = [column.name for column in chosen]
    _check_names("categories", categories or (), names, source, what="feature")
    return tuple(name for name in names if name in (categories or ()))


def _wanted(
    features: Sequence[str] | None, target: str, names: list[str], source: str
) -> tuple[str, ...]:
    """Take the features as named, or every column but the target."""
    if features is None:
        return tuple(name for name in names if name != target)
    wanted = (features,) if isinstance(features, str) else tuple(features)
    _check_names("features", wanted, names, source)
    if not wanted or len(set(wanted)) < len(wanted) or target in wanted:
        raise InvalidSetting(
            "features",
            got=f"{list(wanted)!r} with target {target!r}",
            expected="at least one name, each once, and not the target's",
            advice="leave {features} out to take every column but the target",
            suggest={"features": ...},
        )
    return wanted


def _check_names(
    argument: str, wanted: Iterable[str], names: list[str], source: str, *, what: str = "column"
) -> None:
    """Refuse names that the table does not have, all of them at once."""
    unknown = [name for name in wanted if name not in names]
    if not unknown:
        return
    one = len(unknown) == 1
    near = {name: nearest(str(name), names, LISTED) for name in unknown}
    advice = [how if one else f"for {name!r} {how}" for name, how in near.items() if how != LISTED]
    if LISTED in near.values():  # the names are listed once, for however many
        listed = "choose one of " + ", ".join(map(repr, names))
        advice.append(f"for the others {listed}" if advice else listed)
    raise InvalidSetting(
        argument,
        got=", ".join(map(repr, unknown)),
        expected=f"{f'a {what}' if one else f'{what}s'} of {source}",
        advice="; ".join(advice),
    )


def _check_unambiguous(
    wanted: tuple[str, ...], target: str | None, names: list[str], source: str
) -> None:
    """Refuse names that stand for several columns of the table."""
    counts = Counter(names)
    several = {
        name: counts[name] for name in (*wanted, target) if name is not None and counts[name] > 1
    }
    if not several:
        return
    left_out = dict.fromkeys(wanted) if target is not None else ()
    single = [name for name in left_out if counts[name] == 1]
    raise InvalidData(
        source,
        got=", ".join(f"{n} columns called {name!r}" for name, n in several.items()),
        expected="a name of its own for each column that is fitted",
        advice="rename them" + (", or leave them out with {features}" if single else ""),
        suggest={"features": single},
    )


# How pandas leaves its index in a file: without a name in CSV, under this one in Parquet.
_INDEX = re.compile(r"|__index_level_\d+__")


def _check_numeric(
    features: list[Column],
    target: Column | None,
    *,
    coded: Collection[str],
    by_name: Collection[str],
    source: str,
) -> None:
    """Refuse columns that are not numbers, and an index that slipped in among the features.

    Those that are ``coded`` as categories need not be numbers; one that was asked for ``by_name``
    may be called as an index is.
    """
    numbers = [column for column in features if column.name not in coded]
    chosen = numbers if target is None else [*numbers, target]
    faults = {column.name: column.kind for column in chosen if not column.numeric}
    slipped_in = [column.name for column in features if column.name not in by_name]
    indices = list(filter(_INDEX.fullmatch, slipped_in))
    if indices and not faults:
        raise _index(source, indices, [column.name for column in features])
    faults |= dict.fromkeys(indices, "an index?")
    if not faults:
        return
    left = [column.name for column in features if column.name not in faults]
    words = [
        column.name
        for column in numbers
        if column.name in faults.keys() - indices and column.is_text and not column.marks
    ]
    categories = [column.name for column in features if column.name in {*coded, *words}]
    if target is None:
        advice = "turn them into numbers first, as they were for the fit"
    elif target.name in faults:
        advice = "turn them into numbers first, or name another target"
    elif len(words) == len(faults):
        advice = "take them as categories with {categories}"
        advice += ", or leave them out with {features}" if left else ""
    elif left:
        advice = "leave them out with {features}, or turn them into numbers first"
        advice += "; words may be taken with {categories}" if words else ""
    else:
        advice = "turn them into numbers first: no feature is left without them"
    settings, how = advise_marks(_marks_of_all(chosen))
    if how:
        advice = f"{how}; else {advice}"
    strays = list(dict.fromkeys(c.stray for c in chosen if c.stray is not None and not c.marks))
    if strays:
        said = and_more(map(repr, strays), STRAYS_SHOWN)
        advice = f"where {said} stands for a missing value use {{read.na_values}}; else {advice}"
        settings["read.na_values"] = strays
    raise InvalidData(
        source,
        got="columns that are not numbers: "
        + ", ".join(f"{name!r} ({kind})" for name, kind in faults.items()),
        expected="numbers in each column that is fitted",
        advice=advice,
        suggest={"features": left, "categories": categories, **settings},
    )


def _marks_of_all(chosen: list[Column]) -> frozenset[Marks]:
    """Give the marks with which all these columns are numbers that can be."""
    if not any(column.marks for column in chosen if not column.numeric):
        return frozenset()
    return frozenset.intersection(*(column.marks for column in chosen if column.marks))


def advise_marks(fitting: frozenset[Marks]) -> tuple[dict[str, Any], str]:
    """Say with which settings cells are numbers, all of them where there are several.

    Examples
    --------
    >>> advise_marks(frozenset({Marks(",", None), Marks(",", ".")}))[1]
    'for a decimal comma use {read.comma}'
    >>> advise_marks(frozenset({Marks(",", None), Marks(".", ",")}))[1]
    "for a decimal comma use {read.comma}, for ',' between thousands {read.grouped}"
    """
    plain = {marks.decimal for marks in fitting if marks.thousands is None}
    grouped = sorted(
        (marks for marks in fitting if marks.thousands is not None and marks.decimal not in plain),
        key=lambda marks: marks.decimal == ",",
    )
    settings: dict[str, Any] = {}
    said = []
    if "," in plain:
        settings["read.comma"] = {"decimal": ","}
        said.append("for a decimal comma use {read.comma}")
    if grouped:  # where no cell has a decimal mark, the point is as good as the comma
        decimal, thousands = grouped[0]
        settings["read.grouped"] = {"thousands": str(thousands)}
        if decimal != ".":
            settings["read.grouped"] = {"decimal": decimal, "thousands": str(thousands)}
        use = "" if said else "use "
        said.append(f"for {thousands!r} between thousands {use}{{read.grouped}}")
    return settings, ", ".join(said)


def _index(source: str, indices: list[str], features: list[str]) -> InvalidData:
    """Refuse what looks like an index among numbers, saying how to take it all the same."""
    left = [name for name in features if name not in indices]
    out = "leave it out with {features}, or name it among the features to take it"
    return InvalidData(
        source,
        got=f"{', '.join(map(repr, indices))} among the features, named as an index is",
        expected="columns with names of their own",
        advice=out if left else "take it with {features}",
        suggest={"features": left or indices},
    )
