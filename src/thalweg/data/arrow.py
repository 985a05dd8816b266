"""Arrow's tables as rows: what their columns hold, and float64 arrays of those that are fitted.

Not here: reading the tables (:mod:`thalweg.data.tables`), what missing values mean
(:mod:`thalweg.data.missing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.arrays import Array
from thalweg.data.columns import FLAGS, Column
from thalweg.data.source import Rows

if TYPE_CHECKING:
    import pyarrow as pa

    from thalweg.data.categories import Codes

WORDS = ("text", "category")  # kinds of columns that rows can be told apart by
BATCH_ROWS = 65_536
_WORD, _TENS, _EXACT = 18, 22, 2**53  # digits of int64; powers of ten and whole numbers, exact
BATCH_CELLS = 1 << 20  # 8 MB: keeps the batches of wide tables small


def batch_rows(columns: int) -> int:
    """Say how many rows of a table so wide are read at once."""
    return max(1, min(BATCH_ROWS, BATCH_CELLS // columns))


def arrow_columns(schema: pa.Schema) -> list[Column]:
    """Describe the columns of an Arrow schema."""
    kinds = [_kind(field.type) for field in schema]
    return [
        Column(field.name, *kind, is_text=kind[0] in WORDS)
        for field, kind in zip(schema, kinds, strict=True)
    ]


def _kind(kind: pa.DataType) -> tuple[str, bool]:
    """Say what an Arrow type holds, and whether it holds numbers (or nothing at all)."""
    from pyarrow import types

    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return str(kind), True
    if types.is_null(kind):
        return "empty", True
    if types.is_boolean(kind):
        return FLAGS, True
    if types.is_dictionary(kind):
        return "category", False
    if types.is_date(kind) or types.is_timestamp(kind):
        return "date", False
    if types.is_time(kind) or types.is_duration(kind) or types.is_interval(kind):
        return "time", False
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text", False
    return str(kind), False


def arrow_rows(
    batch: pa.RecordBatch,
    positions: Sequence[int],
    codes: Mapping[int, Codes],
    *,
    has_target: bool = True,
) -> Rows:
    """Copy columns of an Arrow batch into rows; nulls become NaN.

    ``X`` is laid out column by column, as the batch is: that takes a third of the time, and the
    sums over the rows go through it by columns too.

    Parameters
    ----------
    batch : RecordBatch
        Of b rows.
    positions : sequence of int
        Where the d features and then the target stand.
    codes : mapping of int to Codes
        Of those of the features that are categories, by their number.
    has_target : bool
        Whether there is one; ``y`` has shape (b, 0) without.
    """
    features, target = (positions[:-1], positions[-1:]) if has_target else (positions, ())
    X = np.empty((batch.num_rows, len(features)), order="F")
    for j, position in enumerate(features):
        column = batch.column(position)
        X[:, j] = codes[j].of(column) if j in codes else as_numbers(column)
    # Always a copy of its own: a view would keep the batch's memory alive.
    if not target:
        return X, np.empty((batch.num_rows, 0))
    return X, np.array(as_numbers(batch.column(target[0])), dtype=np.float64)


def as_numbers(column: pa.Array) -> Any:
    """See a column of numbers as a NumPy array, without a copy where nothing is missing.

    A decimal becomes the float64 nearest to it, as Python's ``float(Decimal)`` is.
    """
    from pyarrow import float64, types, uint8

    if types.is_null(column.type):
        return np.full(len(column), np.nan)
    if types.is_decimal(column.type):
        return _from_decimals(column)
    if types.is_boolean(column.type):
        column = column.cast(uint8())
    if column.null_count:
        column = column.cast(float64(), safe=False).fill_null(np.nan)
    # Not to_numpy, which imports pandas where there is one: a third of a second.
    return np.from_dlpack(column)


def _from_decimals(column: pa.Array) -> Array:
    from pyarrow import float64, string, types

    kind, n = column.type, len(column)
    if types.is_decimal128(kind) and kind.precision <= _WORD and abs(kind.scale) <= _TENS:
        # Sixteen bytes each, of which the first eight hold so few digits.
        words = np.frombuffer(column.buffers()[1], np.int64)
        digits = words[2 * column.offset : 2 * (column.offset + n) : 2]
        if np.abs(digits).max(initial=0) <= _EXACT:  # both are exact: one rounding is the nearest
            power = 10.0 ** abs(kind.scale)
            found: Array = digits / power if kind.scale >= 0 else digits * power
            if column.null_count:
                found[np.asarray(column.is_null().to_numpy(zero_copy_only=False))] = np.nan
            return found
    return np.asarray(np.from_dlpack(column.cast(string()).cast(float64()).fill_null(np.nan)))
