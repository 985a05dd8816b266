"""Files: the summary's pass against PyArrow's own reading, and the memory that it takes.

Parquet of ten million rows and ten features against a scan by PyArrow alone; CSV of two million
rows against PyArrow's parse alone. Memory is measured in processes of their own, above what they
hold before they read, up to a hundred million rows (9 GB in the temporary folder, a few minutes):
``python -m benchmarks once``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

import thalweg
from benchmarks.measure import Comparison, in_words

FEATURES = 10
PARQUET_ROWS, CSV_ROWS, HUGE_ROWS = 10**7, 2 * 10**6, 10**8
AT_ONCE = 10**6  # rows in memory while a file is made: a row group of Parquet
BATCH = 65_536

MOST_MEMORY = 150  # MB above the process's base

# A child that says how many MB its peak lay above its base. The base is taken after all is
# loaded that reads and computes: a small file of the same kind has been through it. Not
# getrusage's peak, in which a process begins with that of its parent.
CHILD = """
import sys
import thalweg
def megabytes(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(what))
thalweg.scan(sys.argv[1], target="y").summary.solve()
base = megabytes("VmRSS")
thalweg.scan(sys.argv[2], target="y").summary.solve()
print(megabytes("VmHWM") - base)
"""


def comparisons() -> Iterator[Comparison]:
    """Give the comparisons one by one: the files of one are gone before the next."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_parquet(Path(folder) / "rows.parquet", PARQUET_ROWS)
        yield Comparison(
            work=f"summary of Parquet, 10⁷ × {FEATURES}",
            against="PyArrow's scan alone",
            ours=partial(_summary, path),
            theirs=partial(_scan_alone, path),
            at_least=0.5,
            aim=1.0,
            agree=_agree,
        )
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "rows.csv", CSV_ROWS)
        yield Comparison(
            work=f"summary of CSV, 2·10⁶ × {FEATURES}",
            against="PyArrow's parse alone",
            ours=partial(_summary, path),
            theirs=partial(_parse_alone, path),
            at_least=1 / 1.5,
            aim=1.0,
            agree=_agree,
        )


def memory(path: Path) -> float:
    """Give the peak of a summary's pass over a Parquet file, in MB above the process's base."""
    with tempfile.TemporaryDirectory() as folder:
        small = write_parquet(Path(folder) / "small.parquet", 1000)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, small, path], check=True, capture_output=True, text=True
        )
    return float(done.stdout)


def write_parquet(path: Path, rows: int) -> Path:
    """Write rows like measurements, as PyArrow does by default."""
    names = [*(f"x{j}" for j in range(FEATURES)), "y"]
    schema = pa.schema([(name, pa.float64()) for name in names])
    with pq.ParquetWriter(path, schema) as writer:
        for table in _tables(rows):
            writer.write_table(table.rename_columns(names))
    return path


def write_csv(path: Path, rows: int) -> Path:
    """Write the same rows as text."""
    with path.open("wb") as file:
        for number, table in enumerate(_tables(rows)):
            names = [*(f"x{j}" for j in range(FEATURES)), "y"]
            options = pa.csv.WriteOptions(include_header=number == 0, quoting_style="none")
            pa.csv.write_csv(table.rename_columns(names), file, options)
    return path


def _tables(rows: int) -> Iterator[pa.Table]:
    rng = np.random.default_rng(0)
    for first in range(0, rows, AT_ONCE):
        n = min(AT_ONCE, rows - first)
        X = rng.normal(size=(n, FEATURES)) * np.geomspace(0.1, 10.0, FEATURES) + 5.0
        y = 3.0 + X @ np.linspace(-1.0, 2.0, FEATURES) + rng.normal(size=n)
        yield pa.table([*map(pa.array, X.T.copy()), pa.array(y)], names=list(map(str, range(11))))


def _summary(path: Path) -> int:
    return thalweg.scan(path, target="y").summary.n


def _scan_alone(path: Path) -> int:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        return sum(batch.num_rows for batch in file.iter_batches(BATCH))


def _parse_alone(path: Path) -> int:
    return int(pa.csv.read_csv(path).num_rows)  # on all threads, the whole table in memory


def _agree(ours: object, theirs: object) -> None:
    if ours != theirs:
        raise AssertionError(f"{ours} rows, not {theirs}")


def once() -> Iterator[str]:
    """Measure Parquet files of ten and of a hundred million rows once: each side, and memory."""
    for rows in (PARQUET_ROWS, HUGE_ROWS):
        with tempfile.TemporaryDirectory() as folder:
            path = write_parquet(Path(folder) / "rows.parquet", rows)
            seconds = {}
            for work in (_scan_alone, _summary):
                start = time.perf_counter()
                work(path)
                seconds[work] = time.perf_counter() - start
            said = (
                f"Summary of Parquet, {rows:,} × {FEATURES}: {in_words(seconds[_summary])}, "
                f"{seconds[_summary] / seconds[_scan_alone]:.2f} times PyArrow's scan alone "
                f"({in_words(seconds[_scan_alone])}; at most 2 times); peak memory "
                f"{memory(path):.0f} MB above the process's base (at most {MOST_MEMORY} MB)."
            )
            print(said, flush=True)
            yield said
