"""Parquet as other programs write it: encodings, compressions, pages, types beside one another.

What is read is held against PyArrow's own reading, value for value.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thalweg.data.files import read, scan
from thalweg.errors import InvalidData, UnreadableFile

pytestmark = pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")

N = 400


def _decimals(rng: np.random.Generator, precision: int, scale: int) -> pa.Array:
    most = 10 ** min(precision - 1, 17)
    digits = rng.integers(-most, most, N).tolist()
    values = [None if k % 97 == 5 else Decimal(d).scaleb(-scale) for k, d in enumerate(digits)]
    return pa.array(values, pa.decimal128(precision, scale))


def _some_missing(values: Any) -> pa.Array:
    return pa.array(values, mask=np.arange(N) % 13 == 0)


def _numbers() -> dict[str, pa.Array]:
    rng = np.random.default_rng(1)
    return {
        "i8": pa.array(rng.integers(-100, 100, N), pa.int8()),
        "u16": pa.array(rng.integers(0, 60_000, N), pa.uint16()),
        "i32": _some_missing(rng.integers(-(2**31), 2**31, N).astype(np.int32)),
        "u32": pa.array(rng.integers(0, 2**32, N), pa.uint32()),
        "i64": pa.array(rng.integers(-(2**62), 2**62, N)),
        "u64": pa.array(rng.integers(0, 2**63, N), pa.uint64()),
        "f16": pa.array(rng.standard_normal(N).astype(np.float16)),
        "f32": _some_missing(rng.standard_normal(N).astype(np.float32)),
        "flag": _some_missing(rng.random(N) < 0.5),
        "d32": _decimals(rng, 9, 2),
        "d64": _decimals(rng, 18, 5),
        "d128": _decimals(rng, 38, 10),
        "again": pa.array(np.repeat(rng.standard_normal(N // 100), 100)),
        "f64": pa.array(rng.standard_normal(N)),
    }


def _others() -> dict[str, pa.Array]:
    days = [datetime(2000, 1, 1) + timedelta(hours=k) for k in range(N)]
    return {
        "nested": pa.array([{"f64": k, "list": [k, k]} for k in range(N)]),
        "list": pa.array([[1.0] * (k % 4) for k in range(N)]),
        "map": pa.array([[("key", k)] for k in range(N)], pa.map_(pa.string(), pa.int64())),
        "day": pa.array(days),
        "word": pa.array([f"w{k % 5}" for k in range(N)]),
        "long": pa.array([f"{'x' * 5_000}{k % 3}" for k in range(N)], pa.large_string()),
        "bytes": pa.array([b"\0\xff"] * N),
    }


def _table() -> pa.Table:
    """Put columns that are none of numbers between those that are."""
    pairs = itertools.zip_longest(_others().items(), _numbers().items())
    return pa.table(dict(pair for two in pairs for pair in two if pair is not None))


TABLE = _table()
NUMBERS = [*_numbers()]
*FEATURES, TARGET = NUMBERS


def _ways() -> Iterator[dict[str, Any]]:
    for compression in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
        for version, page in (("1.0", "1.0"), ("2.4", "2.0"), ("2.6", "1.0"), ("2.6", "2.0")):
            yield {"compression": compression, "version": version, "data_page_version": page,
                   "row_group_size": 130}  # fmt: skip
    floats = ["f16", "f32", "f64", "again"]
    encodings = {
        "PLAIN": [*NUMBERS, "word", "long"],
        "DELTA_BINARY_PACKED": ["i8", "u16", "i32", "u32", "i64", "u64"],
        "BYTE_STREAM_SPLIT": [*floats, "i32", "i64", "d32", "d64", "d128"],
        "RLE": ["flag"],
        "DELTA_LENGTH_BYTE_ARRAY": ["word", "long"],
        "DELTA_BYTE_ARRAY": ["word", "long"],
    }
    for (encoding, columns), page in itertools.product(encodings.items(), ("1.0", "2.0")):
        yield {"use_dictionary": False, "column_encoding": dict.fromkeys(columns, encoding),
               "data_page_version": page, "store_decimal_as_integer": page == "2.0"}  # fmt: skip
    yield {"dictionary_pagesize_limit": 100}
    yield {"write_statistics": False, "store_schema": False}
    yield {"write_page_index": True, "write_page_checksum": True}
    yield {"data_page_size": 64, "write_batch_size": 7}
    yield {"use_deprecated_int96_timestamps": True, "flavor": "spark"}


def _expected(table: pa.Table) -> Any:
    """Give the rows of numbers as float64, those with a hole left out."""
    columns = []
    for name in NUMBERS:
        column = table.column(name)
        if pa.types.is_decimal(column.type):
            columns.append([np.nan if v is None else float(v) for v in column.to_pylist()])
        else:
            values = column.cast(pa.float64(), safe=False).fill_null(np.nan)
            columns.append(values.to_numpy().tolist())
    rows = np.array(columns).T
    return rows[~np.isnan(rows).any(axis=1)]


def _check(path: Path, way: object) -> None:
    table = pq.read_table(path)
    rows = _expected(table)
    data = read(path, target=TARGET, features=FEATURES, missing="drop")
    assert np.array_equal(np.column_stack([data.X, data.y]), rows), way
    batches = scan(path, target=TARGET, features=FEATURES, missing="drop").batches()
    assert np.array_equal(np.vstack([np.column_stack(batch) for batch in batches]), rows), way
    words = read(path, target=TARGET, features=["word", "long"], categories="all")
    assert len(words.features) == 4 + 2
    for j, name in enumerate(words.features):
        column, _, level = name.partition("_")
        assert words.X[:, j].tolist() == [word == level for word in table[column].to_pylist()], way


def test_each_way_of_writing_is_read_as_arrow_reads_it(tmp_path: Path) -> None:
    for number, way in enumerate(_ways()):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(TABLE, path, **way)
        _check(path, way)


def test_row_groups_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    with pq.ParquetWriter(path, TABLE.schema) as writer:
        for first, count in ((0, 0), (0, 5), (5, 0), (5, 200), (0, 0), (205, N)):
            writer.write_table(TABLE.slice(first, count))
    _check(path, "empty row groups")
    pq.write_table(TABLE.slice(0, 0), path)
    with pytest.raises(InvalidData, match="got no rows"):
        read(path, target=TARGET, features=FEATURES)


def test_a_wrong_checksum_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    x = np.random.default_rng(2).standard_normal(N)
    pq.write_table(
        pa.table({"x": x, "y": x}), path, write_page_checksum=True, use_dictionary=False,
        compression="none",
    )  # fmt: skip
    content = bytearray(path.read_bytes())
    content[content.index(x.tobytes()) + 100] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match="CRC checksum verification failed"):
        read(path, target="y")


def test_what_is_no_number_is_left_out_as_the_error_says(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(TABLE, path)
    with pytest.raises(InvalidData, match=r"'nested' \(struct.*'list' \(.*'map' .*'day' ") as error:
        read(path, target=TARGET, categories="all", missing="drop")
    names = [name for name in TABLE.column_names if name in {*FEATURES, "word", "long"}]
    assert error.value.suggest == {"features": names}
    data = read(path, target=TARGET, categories="all", missing="drop", features=names)
    assert len(data.features) == len(FEATURES) + 4 + 2


def test_files_that_come_with_arrow() -> None:
    """They were written by versions of long ago."""
    files = sorted((Path(pa.__file__).parent / "tests" / "data" / "parquet").glob("*.parquet"))
    if not files:
        pytest.skip("this PyArrow comes without its tests")
    for path in files:
        table = pq.ParquetFile(path).read()
        kinds = {field.name: field.type for field in table.schema}
        *features, target = (
            name
            for name, kind in kinds.items()
            if pa.types.is_integer(kind) or pa.types.is_floating(kind)
        )
        data = read(path, target=target, features=features)
        assert data.y.tolist() == table[target].to_pylist()
        for j, name in enumerate(features):
            assert data.X[:, j].tolist() == table[name].to_pylist()
