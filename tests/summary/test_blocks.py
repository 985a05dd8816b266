"""The same rows give the same bytes, however they come: blocks, their tree, batches."""

from __future__ import annotations

import hashlib
import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import thalweg
import thalweg.data.identity
import thalweg.summary.blocks
import thalweg.summary.gram
from thalweg.data.dataset import Dataset
from thalweg.data.identity import BLOCK_ROWS, RowsDigest, combine
from thalweg.errors import InvalidData
from thalweg.native import native
from thalweg.numbers import counted
from thalweg.summary.blocks import Pieces, Tree
from thalweg.summary.gram import GramSums
from thalweg.summary.gram_kernel import ERROR, WIDE, _add_pair, _add_square, add_gram, add_wide_gram
from thalweg.summary.summary import Summary

Array = NDArray[np.float64]


def rows(n: int, d: int, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X = rng.normal(3.0, 1.0, size=(n, d)) * np.geomspace(0.1, 1e6, d)
    return X, 1e6 + X @ np.linspace(-2.0, 3.0, d) + rng.normal(0.0, 0.5, n)


def in_batches(X: Array, y: Array, seed: int, largest: int) -> Iterator[tuple[Array, Array]]:
    rng = np.random.default_rng(seed)
    start = 0
    while start < len(y):
        stop = start + int(rng.integers(0, largest))
        yield X[start:stop], y[start:stop]
        start = min(stop, len(y))


@pytest.fixture(params=[512, 1024, BLOCK_ROWS])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks of a test's size as well as the real ones."""
    for module in (thalweg.data.identity, thalweg.summary.blocks, thalweg.summary.gram):
        monkeypatch.setattr(module, "BLOCK_ROWS", request.param)
    return int(request.param)


# --- The tree -------------------------------------------------------------------------------------


def by_hand(parts: list[str]) -> str:
    """Add up as the module's head says: the largest full tree first, then what is left."""
    if len(parts) == 1:
        return parts[0]
    full = 1 << (len(parts) - 1).bit_length() - 1
    return f"({by_hand(parts[:full])} {by_hand(parts[full:])})"


@pytest.mark.parametrize("count", [*range(1, 18), 63, 64, 65, 100])
def test_the_tree_is_the_same_for_any_order(count: int) -> None:
    parts = [str(number) for number in range(count)]
    expected = by_hand(parts)
    rng = np.random.default_rng(count)
    orders = [range(count), reversed(range(count)), *(rng.permutation(count) for _ in range(5))]
    for order in orders:
        tree = Tree(lambda first, second: f"({first} {second})")
        for number in order:
            tree.put(int(number), parts[int(number)])
        assert tree.total() == expected


def test_parts_in_their_order_leave_few_waiting() -> None:
    tree: Tree[int] = Tree(int.__add__)
    most = 0
    for number in range(10_000):
        tree.put(number, 1)
        most = max(most, len(tree._nodes))
    assert tree.total() == 10_000
    assert most <= 14


@pytest.mark.parametrize("numbers", [[], [1], [0, 2], [0, 0], [0, 1, 1], [1, 1], [0, 1, 3, 3]])
def test_a_tree_with_gaps_is_refused(numbers: list[int]) -> None:
    tree: Tree[int] = Tree(int.__add__)
    for number in numbers:
        tree.put(number, 1)
    with pytest.raises(InvalidData) as caught:
        tree.total()
    assert str(caught.value) == (
        f"blocks: got {counted(len(numbers), 'block')} with numbers up to "
        f"{max(numbers, default=-1)}, expected each number from 0 on once; number the blocks in "
        "the order of their rows"
    )


# --- Rows in batches ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_cut_by_position_alone(seed: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5000))
    X, y = np.arange(2.0 * n).reshape(n, 2), np.arange(float(n))
    pieces = Pieces(64, 2)
    got: list[tuple[Array, Array]] = []
    for batch in in_batches(X, y, seed, int(rng.choice([3, 60, 700]))):
        got += [(a.copy(), b.copy()) for a, b in pieces.of(*batch)]
        assert pieces.kept < 64
    got += [(a.copy(), b.copy()) for a, b in pieces.rest()]
    np.testing.assert_array_equal(np.concatenate([a for a, _ in got]), X)
    np.testing.assert_array_equal(np.concatenate([b for _, b in got]), y)
    ends = np.cumsum([len(b) for _, b in got])
    assert (ends[:-1] % 64 == 0).all()
    starts = ends - [len(b) for _, b in got]
    assert ((ends - 1) // block == starts // block).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_gives_the_bytes_of_the_rows_in_memory(seed: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2 * block, 9 * block)) if block < BLOCK_ROWS else 150_000 + 7 * seed
    X, y = rows(n, 3, seed)
    largest = [5, 600, 3000, 10**5, 300, 70_000][seed]
    largest = max(largest, n // 2000)
    truth = Summary.of((X, y))
    streamed = Summary.of_batches(in_batches(X, y, seed, largest))
    assert streamed.to_bytes() == truth.to_bytes()
    by_columns = Summary.of_batches(
        (np.asfortranarray(a), b) for a, b in in_batches(X, y, seed + 1, largest)
    )
    assert by_columns.to_bytes() == truth.to_bytes()


@pytest.mark.parametrize("processors", [1, 2, 5])
def test_blocks_from_anywhere_give_the_bytes_of_the_whole(
    processors: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 11 * block + 77 if block < BLOCK_ROWS else 3 * block + 77
    X, y = rows(n, 2)
    monkeypatch.setattr(thalweg.summary.gram, "processors", lambda: processors)
    truth = Summary.of((X, y)).to_bytes()
    cuts = [slice(first, first + block) for first in range(0, n, block)]
    blocks = [(k, Summary.of((X[cut], y[cut]))) for k, cut in enumerate(cuts)]
    for seed in range(4):
        np.random.default_rng(seed).shuffle(blocks)
        arrived = [(k, Summary.from_bytes(part.to_bytes())) for k, part in blocks]
        assert Summary.of_blocks(iter(arrived)).to_bytes() == truth


def test_the_bytes_are_those_of_a_fixed_layout() -> None:
    """On every machine: the expected digest was computed once, on one of them."""
    k = np.arange(200_000.0)
    X = np.column_stack([np.remainder(k * 0.618033988749895, 1.0), np.remainder(k * k, 1009.0)])
    y = 1e3 + 2.0 * X[:, 0] + np.remainder(k * 0.7548776662466927, 1.0)
    assert hashlib.sha256(Summary.of((X, y)).to_bytes()).hexdigest() == FIXED_BYTES


FIXED_BYTES = "4c70cfc52a0f20961a235bdc54197a818ad5788c9f908e11c3bdedae425f6b16"


@pytest.mark.parametrize("steps", [2, 64])
def test_both_tiles_of_the_kernel_give_the_same_bits(steps: int) -> None:
    rng = np.random.default_rng(steps)
    columns = np.zeros((4, 520))
    columns[:, : 8 * steps] = rng.standard_cauchy(size=(4, 8 * steps)) * [
        [1.0],
        [1e9],
        [1e-9],
        [3.0],
    ]
    norms = np.linalg.norm(columns, axis=1) * (1 + 2**-40)

    @native()
    def squares(columns: Array, norms: Array, high: Array, low: Array, steps: int) -> None:
        _add_square(columns, norms, high, low, 0, 2, steps)

    @native()
    def pairs(columns: Array, norms: Array, high: Array, low: Array, steps: int) -> None:
        _add_pair(columns, norms, high, low, 0, 2, steps)
        _add_pair(columns, norms, high, low, 1, 2, steps)

    sums = np.zeros((2, 2, 4, 4))
    for kernel, (high, low) in zip((squares, pairs), sums, strict=True):
        for _ in range(3):
            kernel(columns, norms, high, low, steps)
    assert sums[0].tobytes() == sums[1].tobytes()
    np.testing.assert_allclose(sums[0, 0, :2, 2:], 3 * columns[:2] @ columns[2:].T, rtol=1e-12)


@pytest.mark.parametrize("change", ["rows", "high", "low", "narrow"])
def test_the_kernel_checks_what_it_writes_to(change: str) -> None:
    X, y = rows(5, 2)
    width = 2 if change == "narrow" else 4
    high, low = np.zeros((2, width, width))
    with pytest.raises(ValueError, match="shapes that do not belong together"):
        add_gram(
            X,
            y[:4] if change == "rows" else y,
            high[:3].copy() if change == "high" else high,
            np.zeros((6, 6)) if change == "low" else low,
        )


PATTERNS: dict[str, Callable[[Any, int, int], Any]] = {
    "one level a row": lambda rng, n, d: np.eye(d)[rng.integers(0, d, n)],
    "levels that follow one another": lambda rng, n, d: np.eye(d)[np.arange(n) * d // n],
    "few": lambda rng, n, d: rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.01),
    "some columns full": lambda rng, n, d: rng.normal(size=(n, d)) * (
        (rng.random((n, d)) < 0.02) | (rng.random(d) < 0.3)
    ),
    "a quarter of the vectors": lambda rng, n, d: rng.normal(size=(n, d)) * (
        (np.arange(n) % 32 < 8)[:, None] & (rng.random((n, d)) < 0.9)
    ),
    "half": lambda rng, n, d: rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.5),
    "nothing": lambda rng, n, d: np.zeros((n, d)),
    "one value": lambda rng, n, d: 3.0 * (np.arange(n * d) == n * d // 2).reshape(n, d),
    "negative zeros": lambda rng, n, d: np.where(rng.random((n, d)) < 0.02, 1.5, -0.0),
    "subnormal": lambda rng, n, d: 5e-324 * (rng.random((n, d)) < 0.02),
    "far apart": lambda rng, n, d: np.exp2(rng.integers(-250, 250, (n, d))) * (
        rng.random((n, d)) < 0.03
    ),
}  # fmt: skip


@pytest.mark.parametrize("n", [1, 8, 17, 512, 700, 1536])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_passing_over_zeros_changes_no_bit(pattern: str, n: int) -> None:
    rng = np.random.default_rng(n)
    for d in (WIDE - 2, WIDE + 15):
        X = np.asarray(PATTERNS[pattern](rng, n, d), dtype=float)
        for columns, y in ((X, rng.normal(size=n)), (np.asfortranarray(X), X[:, 0].copy())):
            sums = np.zeros((2, 2, d + 2 + d % 2, d + 2 + d % 2))
            add_gram(columns, y, *sums[0])
            add_wide_gram(columns, y, *sums[1])
            assert np.triu(sums[0]).tobytes() == np.triu(sums[1]).tobytes()


def test_sums_over_sparse_rows_are_those_of_rational_arithmetic() -> None:
    rng = np.random.default_rng(4)
    X = np.round(rng.normal(size=(600, WIDE)) * (rng.random((600, WIDE)) < 0.03), 3)
    high, low = np.zeros((2, WIDE + 2, WIDE + 2))
    add_wide_gram(X, X[:, 1], high, low)
    exact = [[Fraction(value) for value in column] for column in X.T.tolist()]
    for i, j in itertools.combinations_with_replacement(range(WIDE), 2):
        truth = sum((a * b for a, b in zip(exact[i], exact[j], strict=True)), Fraction(0))
        found = Fraction(high[i + 1, j + 1]) + Fraction(low[i + 1, j + 1])
        norms = float(np.linalg.norm(X[:, i]) * np.linalg.norm(X[:, j]))
        assert abs(found - truth) <= Fraction(ERROR) * Fraction(norms)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [5, 600])
def test_what_is_not_finite_shows_among_zeros_too(n: int, value: float) -> None:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, WIDE)) * (rng.random((n, WIDE)) < 0.02)
    X[n // 2, 7] = value
    high, low = np.zeros((2, WIDE + 2, WIDE + 2))
    add_wide_gram(X, rng.normal(size=n), high, low)
    assert (~np.isfinite(high.diagonal())).nonzero()[0].tolist() == [8]
    with pytest.raises(InvalidData, match=f"^X: got {value} at row {n // 2}, column 7"):
        thalweg.solve(X, rng.normal(size=n))


def test_wide_batches_need_little_memory() -> None:
    X, y = np.ones((3000, 200)), np.ones(3000)
    sums = GramSums(200)
    sums.add(X, y)
    tracemalloc.start()
    for _ in range(30):
        sums.add(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 8 * 202**2 + 2 * 8 * 520 * 202 + 10**5  # a few matrices and a block of rows


def test_a_stream_is_refused_as_the_rows_in_memory_are() -> None:
    X, y = rows(1500, 2)
    for value in (np.nan, np.inf):
        for place in (0, 400, 1499):
            broken = X.copy()
            broken[place, 1] = value
            batches = [(broken[k : k + 100], y[k : k + 100]) for k in range(0, 1500, 100)]
            with pytest.raises(
                InvalidData,
                match=f"^block {place // 100}, X: got {value} at row {place % 100}, column 1 ",
            ):
                Summary.of_batches(batches)


@pytest.mark.parametrize("size", [1e80, 1e-90, 1e-170])
def test_magnitudes_are_judged_by_all_the_rows(size: float) -> None:
    X, y = rows(1500, 2)
    X[:, 1] = size
    for data in (X, X[::-1]):
        with pytest.raises(InvalidData, match=r"^X: got values as large as .* in column 1"):
            Summary.of_batches((data[k : k + 100], y[k : k + 100]) for k in range(0, 1500, 100))
    X[:, 1] = 0.0
    X[700, 1] = 1.0 if size < 1.0 else 0.0
    X[:300, 1] = min(size, 1e-90)
    if size < 1.0:  # small beside others, and zero, are in order
        batches = [(X[k : k + 100], y[k : k + 100]) for k in range(0, 1500, 100)]
        assert Summary.of_batches(batches).to_bytes() == Summary.of((X, y)).to_bytes()


def test_a_column_of_zeros_is_in_order() -> None:
    X, y = rows(1500, 2)
    X[:, 0] = 0.0
    batches = [(X[k : k + 100], y[k : k + 100]) for k in range(0, 1500, 100)]
    assert Summary.of_batches(batches).to_bytes() == Summary.of((X, y)).to_bytes()


# --- The identity of rows -------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_identity_is_that_of_the_rows_however_they_come(seed: int, block: int) -> None:
    n = 5 * block + 13 if block < BLOCK_ROWS else block + 13
    X, y = rows(n, 2, seed)
    data = Dataset(X, y, features=["a", "b"], target="t")
    streamed = RowsDigest(["a", "b"], "t")
    for batch in in_batches(np.asfortranarray(X), y, seed, max(40, n // 50)):
        streamed.add(*batch)
    cuts = [slice(first, first + block) for first in range(0, n, block)]
    blocks = [
        hashlib.sha256(np.column_stack((X[cut], y[cut])).astype("<f8").tobytes()).digest()
        for cut in cuts
    ]
    assert data.digest == streamed.hexdigest() == combine(("a", "b"), "t", n, blocks)


def test_a_scan_has_the_identity_and_the_bytes_of_its_rows(tmp_path: Path) -> None:
    X, y = rows(150_000, 2)
    data = Dataset(X, y, features=["a", "b"], target="t")
    table = pa.table({"t": y, "a": X[:, 0], "b": X[:, 1]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=40_000)
    scan = thalweg.scan(tmp_path / "rows.parquet", target="t")
    read: list[int] = []
    scan.watcher = lambda rows, expected: read.append(rows)
    assert scan.digest == data.digest
    assert scan.summary.rows_digest == data.digest
    assert scan.summary.to_bytes() == data.summary.to_bytes()
    assert read.count(max(read)) == 1, "one pass for both"
    again = thalweg.scan(tmp_path / "rows.parquet", target="t")
    assert again.summary.rows_digest is None
    assert again.digest == data.digest == again.summary.rows_digest


def test_whatever_changes_changes_the_identity() -> None:
    X, y = rows(1000, 2)
    datasets = [
        Dataset(X, y),
        Dataset(X[::-1], y[::-1]),
        Dataset(X[:-1], y[:-1]),
        Dataset(X[:, ::-1], y),
        Dataset(X, y, features=["a", "b"]),
        Dataset(X, y, features=["a", "b"], target="c"),
        Dataset(X, np.where(np.arange(1000) == 500, np.nextafter(y, 0.0), y)),
        Dataset(np.column_stack([X[:, 0], y]), X[:, 1]),
    ]
    for one, other in itertools.combinations(datasets, 2):
        assert one.digest != other.digest
    assert Dataset(X, y).digest == datasets[0].digest
