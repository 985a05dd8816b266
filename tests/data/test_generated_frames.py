"""Frames of each library, generated: each is read as the values that it was made of, to the bit.

The values are kept beside the frame in Python's own types, and what is wrong with them is worked
out from those; nothing of the reader is used in that.
"""

from __future__ import annotations

import datetime
import itertools
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import thalweg
from thalweg.data.missing import Missing
from thalweg.errors import InvalidData, InvalidSetting, ThalwegError, ThalwegWarning

Cells = st.SearchStrategy[Any]


class Kind(NamedTuple):
    """What a column may hold, how a library builds one, and as what it is refused, if it is."""

    cells: Cells
    build: Callable[[list[Any]], Any]
    refused: str | None = None  # a pattern
    may_lack: bool = True  # whether a cell may be None


class Made(NamedTuple):
    """A column: its label, its kind, and its cells, None where one is missing."""

    label: Any
    kind: Kind
    cells: list[Any]

    @property
    def name(self) -> str:
        return str(self.label)

    @property
    def fault(self) -> str | None:
        """As what it is refused: where all is missing in a column of any object, it is not."""
        return self.kind.refused if self.kind is not OBJECTS else object_fault(self.cells)

    def values(self) -> list[float]:
        return [as_float(cell) for cell in self.cells]


class Frame(NamedTuple):
    """A frame of some library, and its columns."""

    native: Any
    columns: list[Made]

    def called(self, name: str) -> Made:
        return next(column for column in self.columns if column.name == name)


def as_float(cell: Any) -> float:
    """Say what a cell is in float64; what is too large for it is infinite."""
    if cell is None or cell is pd.NaT or (isinstance(cell, Decimal) and cell.is_nan()):
        return math.nan
    try:
        return float(cell)
    except OverflowError:
        return math.copysign(math.inf, 1 if cell > 0 else -1)


# --- Cells ----------------------------------------------------------------------------------------

DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1))
TIMES = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1))
SPANS = st.integers(-(10**6), 10**6).map(lambda seconds: datetime.timedelta(seconds=seconds))
WORDS = st.sampled_from(["", "1", "nan", "x", "north", "é"])


def whole(bits: int, *, signed: bool) -> Cells:
    """Whole numbers of a type, its ends and those next to what float64 holds among them."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    ends = [low, high, 0, 1, 2**53 + 1, 2**54 + 6, 2**63 - 513, 2**63 + 1025, 2**100 + 2**47 + 1]
    return st.one_of(
        st.sampled_from([end for end in ends if low <= end <= high]),
        st.integers(max(low, -50), min(high, 50)),
        st.integers(low, high),
    )


def decimals(precision: int, scale: int) -> Cells:
    """Decimals of a type, made digit by digit: arithmetic would round them."""

    def made(unscaled: int) -> Decimal:
        digits = tuple(map(int, str(abs(unscaled))))
        return Decimal((int(unscaled < 0), digits, -scale))

    most = 10**precision - 1
    small, long = st.integers(-min(most, 999), min(most, 999)), st.integers(most // 9, most)
    return st.one_of(small, long, long.map(int.__neg__)).map(made)


def is_plain_number(cell: Any) -> bool:
    return isinstance(cell, int | float | Decimal | Fraction | np.floating | np.integer)


def object_fault(cells: list[Any]) -> str | None:
    """Say as what a column of any objects is refused."""
    told = [cell for cell in cells if cell is not None and cell is not pd.NaT]
    if all(map(is_plain_number, told)):
        return None
    return "text|object|date|time|unknown"


MIXED = st.one_of(
    st.integers(-5, 5), st.integers(-(10**400), 10**400), st.floats(), decimals(5, 2),
    st.decimals(), st.fractions(), st.sampled_from([np.float32(0.1), np.int8(-3), 10**400]),
)  # fmt: skip
ODD = st.one_of(WORDS, st.booleans(), DAYS, st.complex_numbers(), st.just(pd.NaT))


# --- Libraries ------------------------------------------------------------------------------------


def arrow(kind: pa.DataType) -> Callable[[list[Any]], pa.Array]:
    if kind == pa.float16():
        return lambda cells: pa.array([c if c is None else np.float16(c) for c in cells], kind)
    return lambda cells: pa.array(cells, kind)


def of_arrow(cells: Cells, kind: pa.DataType, refused: str | None = None) -> Kind:
    return Kind(cells, arrow(kind), refused)


DECIMALS = [
    *(pa.decimal128(p, s) for p, s in [(5, 2), (18, 0), (18, 18), (19, 4), (38, 10), (7, -3)]),
    *(pa.decimal32(6, 2), pa.decimal64(18, 9), pa.decimal256(76, 5), pa.decimal256(40, -2)),
]
ARROW: list[Kind] = [
    *(of_arrow(whole(8 * 2**k, signed=True), kind)
      for k, kind in enumerate([pa.int8(), pa.int16(), pa.int32(), pa.int64()])),
    *(of_arrow(whole(8 * 2**k, signed=False), kind)
      for k, kind in enumerate([pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()])),
    of_arrow(st.floats(width=16), pa.float16()),
    of_arrow(st.floats(width=32), pa.float32()),
    of_arrow(st.floats(-10, 10), pa.float64()),
    of_arrow(st.floats(), pa.float64()),
    of_arrow(st.booleans(), pa.bool_()),
    *(of_arrow(decimals(kind.precision, kind.scale), kind) for kind in DECIMALS),
    of_arrow(st.none(), pa.null()),
    *(of_arrow(WORDS, kind, "text")
      for kind in (pa.string(), pa.large_string(), pa.string_view())),
    of_arrow(DAYS, pa.date32(), "date"),
    of_arrow(TIMES, pa.timestamp("us"), "date"),
    of_arrow(SPANS, pa.duration("s"), "time"),
    of_arrow(st.just(b"1"), pa.binary(), "binary"),
    of_arrow(st.just([1.0]), pa.list_(pa.float64()), "list.*"),
    Kind(st.integers(0, 2), lambda cells: pa.array(cells, pa.int64()).dictionary_encode(),
         "category"),
]  # fmt: skip


def of_polars(cells: Cells, kind: Any, refused: str | None = None) -> Kind:
    return Kind(cells, lambda cells: pl.Series(cells, dtype=kind), refused)


POLARS: list[Kind] = [
    *(of_polars(whole(8 * 2**k, signed=True), kind)
      for k, kind in enumerate([pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128])),
    *(of_polars(whole(8 * 2**k, signed=False), kind)
      for k, kind in enumerate([pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64])),
    of_polars(st.floats(width=32), pl.Float32),
    of_polars(st.floats(-10, 10), pl.Float64),
    of_polars(st.floats(), pl.Float64),
    of_polars(st.booleans(), pl.Boolean),
    *(of_polars(decimals(p, s), pl.Decimal(p, s))
      for p, s in [(5, 2), (18, 0), (18, 18), (38, 10)]),
    of_polars(st.none(), pl.Null),
    of_polars(WORDS, pl.String, "text"),
    of_polars(WORDS, pl.Categorical, "category"),
    of_polars(st.sampled_from(["a", "b"]), pl.Enum(["a", "b"]), "category"),
    of_polars(DAYS, pl.Date, "date"),
    of_polars(TIMES, pl.Datetime, "date"),
    of_polars(SPANS, pl.Duration, "time"),
    of_polars(st.just([1.0]), pl.List(pl.Float64), "list.*"),
]  # fmt: skip


def of_pandas(
    cells: Cells, kind: Any, refused: str | None = None, *, may_lack: bool = True
) -> Kind:
    return Kind(cells, lambda cells: pd.Series(cells, dtype=kind), refused, may_lack)


OBJECTS = of_pandas(st.sampled_from([MIXED] * 19 + [ODD]).flatmap(lambda one: one), object)
PANDAS: list[Kind] = [
    *(of_pandas(whole(8 * 2**k, signed=True), f"int{8 * 2**k}", may_lack=False) for k in range(4)),
    *(of_pandas(whole(8 * 2**k, signed=False), f"uint{8 * 2**k}", may_lack=False)
      for k in range(4)),
    *(of_pandas(whole(8 * 2**k, signed=True), f"Int{8 * 2**k}") for k in range(4)),
    *(of_pandas(whole(8 * 2**k, signed=False), f"UInt{8 * 2**k}") for k in range(4)),
    *(of_pandas(st.floats(width=16), "float16"), of_pandas(st.floats(width=32), "float32")),
    *(of_pandas(st.floats(-10, 10), "float64"), of_pandas(st.floats(), "float64")),
    *(of_pandas(st.floats(width=32), "Float32"), of_pandas(st.floats(), "Float64")),
    of_pandas(st.booleans(), "bool", may_lack=False),
    of_pandas(st.booleans(), "boolean"),
    *(Kind(kind.cells, lambda cells, build=kind.build: pd.Series(  # type: ignore[misc]
        pd.arrays.ArrowExtensionArray(build(cells))), kind.refused) for kind in ARROW),
    *(OBJECTS,) * 4,
    of_pandas(WORDS, "str", "text"),
    of_pandas(WORDS, "string", "text"),
    of_pandas(st.integers(0, 2), "category", "category"),
    of_pandas(WORDS, "category", "category"),
    of_pandas(TIMES, "datetime64[us]", "date"),
    of_pandas(SPANS, "timedelta64[s]", "time"),
    of_pandas(st.complex_numbers(), "complex128", "unknown", may_lack=False),
]  # fmt: skip

LIBRARIES = {"pandas": PANDAS, "polars": POLARS, "lazy": POLARS, "arrow": ARROW, "batch": ARROW}


def put_together(draw: st.DrawFn, library: str, columns: list[Made], n: int) -> Any:
    """Make a frame; of a larger one its end, as one often comes by it, or of several parts."""
    twice = draw(st.booleans())
    built = [column.kind.build(column.cells[::-1] * twice + column.cells) for column in columns]
    labels = [column.label for column in columns]
    skip = n if twice else 0
    cut = draw(st.integers(0, n))
    if library == "pandas":
        frame = pd.concat(built, axis=1) if built else pd.DataFrame()
        frame.columns = pd.Index(labels, dtype=object)
        frame = frame.iloc[skip:]
        frame.index = draw(st.sampled_from(INDICES))(n)
        return frame
    if library in ("polars", "lazy"):
        whole_frame = pl.DataFrame(dict(zip(labels, built, strict=True)))[skip:]
        parted = pl.concat([whole_frame[:cut], whole_frame[cut:]], rechunk=False)
        return parted if library == "polars" else parted.lazy()
    if library == "batch":
        return pa.RecordBatch.from_arrays(built, names=labels)[skip:]
    table = pa.Table.from_arrays(built, names=labels)[skip:]
    return pa.concat_tables([table[:cut], table[cut:]])


INDICES: list[Callable[[int], pd.Index]] = [
    lambda n: pd.RangeIndex(n),
    lambda n: pd.Index([7] * n, name="y"),
    lambda n: pd.Index([f"r{i}" for i in reversed(range(n))], name="x"),
    lambda n: pd.MultiIndex.from_arrays([[1] * n, list(range(n))], names=["a", "b"]),
    lambda n: pd.date_range("2020", periods=n),
]
NAMES = ["x", "y", "z", "a,b", "", "__index_level_0__", "two\nlines", "🙂", "{features}", "it's",
         "1", "bias", "loss", "None", "\x1b[31m"]  # fmt: skip
LABELS: list[Any] = [*NAMES, 0, 1, None, 2.5, ("a", "b")]


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    library = draw(st.sampled_from(sorted(LIBRARIES)))
    n = draw(st.integers(0, 5))
    width = draw(st.integers(1, 4))
    unique = library in ("polars", "lazy") or draw(st.integers(0, 9)) > 0
    texts = library != "pandas" or draw(st.booleans())
    names: st.SearchStrategy[Any] = st.sampled_from(NAMES[:3] if draw(st.booleans()) else NAMES)
    labels = draw(
        st.lists(
            names if texts else st.sampled_from(LABELS),
            min_size=min(width, 3), max_size=min(width, 3), unique=unique,
        )
    )  # fmt: skip
    only_numbers = draw(st.integers(0, 3)) > 0
    kinds = [kind for kind in LIBRARIES[library] if not only_numbers or kind.refused is None]
    gaps = draw(st.sampled_from([0, 0, 0, 1, 3]))
    columns = []
    for label in labels:
        kind = draw(st.sampled_from(kinds))
        cells = draw(st.lists(kind.cells, min_size=n, max_size=n))
        if gaps and kind.may_lack:
            holes = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
            cells = [None if hole < gaps else c for c, hole in zip(cells, holes, strict=True)]
        columns.append(Made(label, kind, cells))
    return Frame(put_together(draw, library, columns, n), columns)


# --- What a frame must come to --------------------------------------------------------------------


class Rows(NamedTuple):
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    features: tuple[str, ...]
    dropped: int


class Refused(NamedTuple):
    error: type[ThalwegError]
    got: str  # a pattern


def expected(frame: Frame, target: str, features: list[str] | None, missing: str) -> Rows | Refused:
    """Work out from the kept cells what reading a frame must give."""
    counts = Counter(column.name for column in frame.columns)
    refused = ambiguous_labels(frame)
    if refused is not None:
        return refused
    if len(frame.columns) < 2:
        return Refused(InvalidData, "one column, .*")
    unknown = [name for name in [target] if name not in counts]
    unknown = unknown or [name for name in features or () if name not in counts]
    if unknown:
        return Refused(InvalidSetting, re.escape(", ".join(map(repr, unknown))))
    wanted = features
    if wanted is None:
        wanted = [column.name for column in frame.columns if column.name != target]
    elif not wanted or len(set(wanted)) < len(wanted) or target in wanted:
        return Refused(InvalidSetting, r"\[.*\] with target .*")
    chosen = [*wanted, target]
    refused = ambiguous(chosen, counts) or not_numbers(frame, chosen, by_default=features is None)
    return refused or sifted(frame, chosen, missing)


def ambiguous_labels(frame: Frame) -> Refused | None:
    labels = Counter(column.label for column in frame.columns)
    several = sorted({str(label) for label, count in labels.items() if count > 1})
    if several:
        return Refused(
            InvalidData, re.escape(f"several columns called {', '.join(map(repr, several))}")
        )
    return None


def ambiguous(chosen: Sequence[str], counts: Counter[str]) -> Refused | None:
    """Refuse labels that print alike."""
    several = dict.fromkeys(name for name in chosen if counts[name] > 1)
    if several:
        told = ", ".join(f"{counts[name]} columns called {name!r}" for name in several)
        return Refused(InvalidData, re.escape(told))
    return None


def not_numbers(frame: Frame, chosen: Sequence[str], *, by_default: bool) -> Refused | None:
    faults = {name: frame.called(name).fault for name in chosen}
    told = {name: fault for name, fault in faults.items() if fault}
    indices = [name for name in chosen[:-1] if name in ("", "__index_level_0__")]
    if by_default and indices:
        if not told:
            listed = re.escape(", ".join(map(repr, indices)))
            return Refused(InvalidData, f"{listed} among the features, named as an index is")
        told |= dict.fromkeys(indices, r"an index\?")
    if not told:
        return None
    listed = ", ".join(f"{re.escape(repr(name))} \\(({fault})\\)" for name, fault in told.items())
    return Refused(InvalidData, f"columns that are not numbers: {listed}")


def sifted(frame: Frame, chosen: Sequence[str], missing: str) -> Rows | Refused:
    """Leave out the rows that lack something, or refuse them."""
    table = np.array([frame.called(name).values() for name in chosen]).T
    n = len(table)
    lacking = np.isnan(table).any(axis=1)
    if np.isinf(table[~lacking]).any():
        row, column = next(
            (i, j) for i, j in itertools.product(range(n), range(len(chosen)))
            if not lacking[i] and math.isinf(table[i, j])
        )  # fmt: skip
        told = f"{table[row, column]} in column {chosen[column]!r}, row {row} (counted from 0)"
        return Refused(InvalidData, re.escape(told))
    rows = "1 row" if n == 1 else f"{n} rows"
    if lacking.any() and missing == "error":
        holes = np.isnan(table).sum(axis=0)
        where = ", ".join(
            f"{name!r} ({count})" for name, count in zip(chosen, holes, strict=True) if count
        )
        told = f"missing values in {lacking.sum()} of {rows}, in columns {where}; row"
        return Refused(InvalidData, re.escape(told) + ".*")
    if n == 0:
        return Refused(InvalidData, "no rows")
    if lacking.all():
        return Refused(InvalidData, f"missing values in each of the {rows}")
    kept = table[~lacking]
    return Rows(kept[:, :-1], kept[:, -1], tuple(chosen[:-1]), int(lacking.sum()))


def came_to(make: Callable[[], Any]) -> Any:
    """Give what came of it: a result, or the error."""
    try:
        return make()
    except ThalwegError as error:
        return error


def check_refused(got: object, refused: Refused) -> None:
    assert type(got) is refused.error, got
    assert re.fullmatch(refused.got, got.got, re.DOTALL), (got.got, refused.got)
    assert got.advice


def same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Compare to the bit."""
    return one.shape == other.shape and one.tobytes() == np.ascontiguousarray(other).tobytes()


class Question(NamedTuple):
    frame: Frame
    target: str
    features: list[str] | None
    missing: Missing


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Give a frame, the target, the features and what is asked about missing values."""
    frame = draw(frames())
    names = [column.name for column in frame.columns]
    target = draw(st.sampled_from([*names, *names, *names, "y"]))
    others = [name for name in names if name != target]
    features = draw(
        st.one_of(
            st.none(),
            st.permutations(others),
            st.lists(st.sampled_from([*names, "absent"]), max_size=3),
        )
    )
    answers: list[Missing] = ["error", "drop"]
    return Question(frame, target, features, draw(st.sampled_from(answers)))


@given(question=questions())
@settings(max_examples=500)
def test_a_frame_is_read_as_its_values(
    question: Question,
) -> None:
    frame, target, features, missing = question
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        got = came_to(
            lambda: thalweg.read(frame.native, target=target, features=features, missing=missing)
        )
    rows = expected(frame, target, features, missing)
    if isinstance(rows, Refused):
        check_refused(got, rows)
        return
    assert isinstance(got, thalweg.Dataset), got
    assert (got.features, got.target) == (rows.features, target)
    assert same(np.ascontiguousarray(got.X), rows.X)
    assert same(got.y, rows.y)
    told = [(type(w.message), str(w.message).split(" of ")[0]) for w in warned]
    assert told == ([(ThalwegWarning, f"frame: {rows.dropped}")] if rows.dropped else [])


def solved(*data: Any, **named: Any) -> NDArray[np.float64]:
    return thalweg.solve(*data, **named).parameters


def fitted(*data: Any, **named: Any) -> NDArray[np.float64]:
    return thalweg.fit(*data, **named, epochs=2, lr=1e-3).path


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")  # of few and dependent rows
@given(question=questions())
@settings(max_examples=150)
def test_a_frame_is_fitted_and_solved_as_its_values(
    question: Question,
) -> None:
    frame, target, features, _ = question
    rows = expected(frame, target, features, "error")
    for act in (solved, fitted):
        got = came_to(partial(act, frame.native, target=target, features=features))
        if isinstance(rows, Refused):
            check_refused(got, rows)
            continue
        values = came_to(partial(act, rows.X, rows.y, target=target, features=rows.features))
        if isinstance(values, ThalwegError):
            assert type(got) is type(values)
        else:
            assert same(got, values)


@cache
def run_of(d: int) -> thalweg.Run:
    X = np.random.default_rng(d).normal(1.0, 2.0, (6, d))
    return thalweg.fit(X, X.sum(axis=1), epochs=3)


@given(frame=frames(), data=st.data())
@settings(max_examples=150)
def test_a_frame_is_predicted_for_as_its_values(frame: Frame, data: st.DataObject) -> None:
    names = sorted({column.name for column in frame.columns})
    features = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    run = replace(run_of(len(features)), features=tuple(features))
    got = came_to(lambda: run.predict(frame.native))
    counts = Counter(column.name for column in frame.columns)
    refused = (
        ambiguous_labels(frame)
        or ambiguous(features, counts)
        or not_numbers(frame, [*features], by_default=False)
    )
    if refused is not None:
        check_refused(got, refused)
        return
    X = np.array([frame.called(name).values() for name in features]).T
    if np.isfinite(X).all():
        assert same(got, run.predict(X))
    else:
        row, column = map(int, np.argwhere(~np.isfinite(X))[0])
        told = f"{X[row, column]} at row {row}, column {column} ("
        check_refused(got, Refused(InvalidData, re.escape(told) + ".*"))
