"""The Gram matrix of the columns ``[1, X, y]`` in twice the working precision, one pass over rows.

Products of two columns are summed over blocks of :data:`BLOCK` rows, a vector of rows at each
step. A block's sum starts from 3/2 times a power of two that no partial sum can move to another
binade. One fused multiply-add then gives the sum's high part, whose change is exact, and a second
one gives what the high part left out::

    high' = fma(a, b, high);  low' = low + fma(a, b, high - high')

That is four operations a product, where a compensated sum takes ten. Blocks are added up in
double-double arithmetic. Each entry is off by some 1e-30 of the product of its columns' norms
(measured), and by :data:`ERROR` of it at most. Squaring the condition number, as a Gram matrix
does, so costs digits that are there: a QR factorisation in working precision keeps fewer.

The order of all sums is written down here and not left to the compiler, and so the bits are the
same on every processor. What may differ is how many sums are kept in registers at a time. Not
here: which rows, and threads (:mod:`thalweg.summary.gram`), what is made of
the matrix (:mod:`thalweg.summary.double_double`).

Why the bound holds: with N the product of the norms in one block, 2ᵉ ≤ N its binade, the high
part of a lane stays in the binade of 4 · 2ᵉ, so what it leaves out is at most 2ᵉ⁻⁵¹ a product.
Of BLOCK / LANES = 64 such terms the low part, when it has taken k of them, is rounded by at most
k · 2ᵉ⁻¹⁰⁴; in all 2ᵉ⁻⁹³ a lane, 2ᵉ⁻⁹⁰ a block. By Cauchy and Schwarz the N of all blocks sum up to
the product of the columns' norms at most. Adding up blocks in double-double arithmetic, 128 in
their order and the rest as a tree, is off by less than 2⁻⁹⁶ of it.

References
----------
S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point summation", SIAM J. Sci. Comput. 31
(2008), for sums that start from a power of two.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from thalweg.arrays import Array
from thalweg.native import native

LANES = 8  # on every processor, for the order of the sums depends on them
BLOCK = 512  # rows: few enough to stay in the first caches, enough to pay for the sums after them
ERROR = 2.0**-89  # of an entry, as a part of the product of its columns' norms: see above
STRIDE = BLOCK + 8  # a power of two would put all columns into the same few cache sets

# Columns by columns whose sums stay in registers: eight lanes take one of AVX-512's 32 registers,
# or two of AVX2's 16. The sums are the same.
TILE = (2 if llvmlite.binding.get_host_cpu_features().get("avx512f") else 1, 2)
PAD = 2  # the columns are padded to a multiple of this, and of both sides of a tile

EXPONENT = 0x7FF0000000000000  # the bits of a float64 that hold it
SLACK = 1.0 + 2.0**-40  # more than a block's norm can be off by

MATRIX = types.Array(types.float64, 2, "A", readonly=True, aligned=False)  # any strides
VECTOR = types.Array(types.float64, 1, "A", readonly=True, aligned=False)
RESULT = types.Array(types.float64, 2, "C")
PAIR: Any = types.UniTuple(RESULT, 2)  # type: ignore[no-untyped-call]


class _Emitter:
    """Writes the instructions of one tile; LLVM's own vectoriser must not reorder these sums."""

    def __init__(self, builder: ir.IRBuilder, word: ir.Type) -> None:
        self.builder = builder
        self.word = word
        self.number = ir.DoubleType()
        self.vector = ir.VectorType(self.number, LANES)
        self.fma = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fma.v{LANES}f64",
        )

    def integer(self, value: int) -> ir.Constant:
        return ir.Constant(self.word, value)

    def load(self, data: ir.Value, index: ir.Value) -> ir.Value:
        return self.builder.load(self.builder.gep(data, [index]))

    def load_rows(self, columns: Any, column: ir.Value, step: ir.Value) -> ir.Value:
        """Load a vector of rows of a column."""
        builder = self.builder
        row = builder.mul(step, self.integer(LANES))
        index = builder.add(builder.mul(column, self.integer(STRIDE)), row)
        place = builder.gep(columns.data, [index])
        return builder.load(builder.bitcast(place, self.vector.as_pointer()), align=8)

    def shuffle(self, vector: ir.Value, lanes: list[int]) -> ir.Value:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
        return self.builder.shuffle_vector(vector, vector, mask)

    def broadcast(self, value: ir.Value) -> ir.Value:
        empty = ir.Constant(self.vector, ir.Undefined)
        return self.shuffle(self.builder.insert_element(empty, value, self.integer(0)), [0] * LANES)

    def start(self, norm: ir.Value, other_norm: ir.Value) -> ir.Value:
        """Give the sums' start: 6 · 2ᵉ, where 2ᵉ is the binade of the product of the norms.

        By Cauchy and Schwarz no partial sum, nor the sum of the lanes, reaches 2 · 2ᵉ: it stays
        in the binade of 4 · 2ᵉ.
        """
        builder = self.builder
        bits = builder.bitcast(builder.fmul(norm, other_norm), ir.IntType(64))
        binade = builder.bitcast(
            builder.and_(bits, ir.Constant(ir.IntType(64), EXPONENT)), self.number
        )
        return self.broadcast(builder.fmul(binade, ir.Constant(self.number, 6.0)))

    def sum_of_lanes(self, vector: ir.Value) -> ir.Value:
        """Add the upper half of the lanes to the lower one until a single lane is left."""
        lanes = LANES
        while lanes > 1:
            lanes //= 2
            lower = self.shuffle(vector, list(range(lanes)))
            upper = self.shuffle(vector, list(range(lanes, 2 * lanes)))
            vector = self.builder.fadd(lower, upper)
        return self.builder.extract_element(vector, self.integer(0))

    def add_product(
        self, a: ir.Value, b: ir.Value, high: ir.Value, low: ir.Value
    ) -> tuple[ir.Value, ir.Value]:
        """Add ``a * b`` to ``high + low``: the two lines of the module's head."""
        new_high = self.builder.call(self.fma, [a, b, high])
        change = self.builder.fsub(high, new_high)
        return new_high, self.builder.fadd(low, self.builder.call(self.fma, [a, b, change]))

    def add_in_memory(
        self, high_at: ir.Value, low_at: ir.Value, high: ir.Value, low: ir.Value
    ) -> None:
        """Add ``high + low`` to the double-double number kept at two places."""
        builder = self.builder
        old = builder.load(high_at)
        total = builder.fadd(old, high)
        part = builder.fsub(total, old)
        error = builder.fadd(builder.fsub(old, builder.fsub(total, part)), builder.fsub(high, part))
        error = builder.fadd(error, builder.fadd(builder.load(low_at), low))
        new_high = builder.fadd(total, error)
        builder.store(new_high, high_at)
        builder.store(builder.fsub(error, builder.fsub(new_high, total)), low_at)


def _no_unrolling(module: ir.Module) -> Any:
    """Name a loop that is to stay as it is: unrolled, its sums would leave the registers."""
    loop = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
    loop.operands = (loop, *loop.operands)  # a loop's name starts with itself
    return loop


def _emit_tile(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Constant:
    """Write the loop over the block's rows, and the sums' way to memory after it."""
    columns, norms, high, low = (
        context.make_array(kind)(context, builder, argument)
        for kind, argument in zip(signature.args[:4], arguments[:4], strict=True)
    )
    i, j, steps = arguments[4:]
    emit = _Emitter(builder, i.type)
    rows = [builder.add(i, emit.integer(a)) for a in range(TILE[0])]
    cols = [builder.add(j, emit.integer(b)) for b in range(TILE[1])]
    pairs = list(product(range(TILE[0]), range(TILE[1])))
    starts = [
        emit.start(emit.load(norms.data, rows[a]), emit.load(norms.data, cols[b])) for a, b in pairs
    ]
    before, loop, after = builder.block, *map(builder.append_basic_block, ("rows", "sums"))
    builder.branch(loop)

    builder.position_at_end(loop)
    step = builder.phi(i.type)
    highs, lows = ([builder.phi(emit.vector) for _ in pairs] for _ in range(2))
    left, right = (
        [emit.load_rows(columns, index, step) for index in indices] for indices in (rows, cols)
    )
    sums = [
        emit.add_product(left[a], right[b], highs[at], lows[at]) for at, (a, b) in enumerate(pairs)
    ]
    next_step = builder.add(step, emit.integer(1))
    zeros = ir.Constant(emit.vector, [0.0] * LANES)
    for phi, initial, value in (
        (step, emit.integer(0), next_step),
        *zip(highs, starts, (high for high, _ in sums), strict=True),
        *((phi, zeros, low) for phi, (_, low) in zip(lows, sums, strict=True)),
    ):
        phi.add_incoming(initial, before)
        phi.add_incoming(value, loop)
    branch = builder.cbranch(builder.icmp_signed("<", next_step, steps), loop, after)
    branch.set_metadata("llvm.loop", _no_unrolling(builder.module))

    builder.position_at_end(after)
    width = builder.extract_value(high.shape, 1)
    for (a, b), initial, (block_high, block_low) in zip(pairs, starts, sums, strict=True):
        place = builder.add(builder.mul(rows[a], width), cols[b])
        emit.add_in_memory(
            builder.gep(high.data, [place]),
            builder.gep(low.data, [place]),
            emit.sum_of_lanes(builder.fsub(block_high, initial)),
            emit.sum_of_lanes(block_low),
        )
    return context.get_dummy_value()


def _declare_tile(
    typing: Any,
    columns: Any,
    norms: Any,
    high: Any,
    low: Any,
    i: Any,
    j: Any,
    steps: Any,
) -> Any:
    """Add the block's products of columns i … with columns j …, a tile, to ``high + low``."""
    return types.void(columns, norms, high, low, i, j, steps), _emit_tile


_add_tile: Any = intrinsic(_declare_tile)


def _emit_squares(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
    """Write the loop over the block's rows, for a few columns and two steps side by side."""
    columns, norms = (
        context.make_array(kind)(context, builder, argument)
        for kind, argument in zip(signature.args[:2], arguments[:2], strict=True)
    )
    j, steps = arguments[2:]
    emit = _Emitter(builder, j.type)
    indices = [builder.add(j, emit.integer(b)) for b in range(PAD)]
    zeros = ir.Constant(emit.vector, [0.0] * LANES)
    before, loop, after = builder.block, *map(builder.append_basic_block, ("rows", "sums"))
    builder.branch(loop)

    builder.position_at_end(loop)
    step = builder.phi(j.type)
    places = [(index, offset) for index in indices for offset in (0, 1)]
    sums = [builder.phi(emit.vector) for _ in places]
    values = [
        emit.load_rows(columns, index, builder.add(step, emit.integer(offset)))
        for index, offset in places
    ]
    new = [builder.fadd(s, builder.fmul(v, v)) for s, v in zip(sums, values, strict=True)]
    next_step = builder.add(step, emit.integer(2))
    for phi, initial, value in (
        (step, emit.integer(0), next_step),
        *((s, zeros, value) for s, value in zip(sums, new, strict=True)),
    ):
        phi.add_incoming(initial, before)
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", next_step, steps), loop, after)

    builder.position_at_end(after)
    for at, index in enumerate(indices):
        square = emit.sum_of_lanes(builder.fadd(new[2 * at], new[2 * at + 1]))
        builder.store(square, builder.gep(norms.data, [index]))
    return context.get_dummy_value()


def _declare_squares(typing: Any, columns: Any, norms: Any, j: Any, steps: Any) -> Any:
    """Put the sums of the squares of columns j, j + 1 into ``norms``."""
    return types.void(columns, norms, j, steps), _emit_squares


_sum_squares: Any = intrinsic(_declare_squares)


@native()
def _pack(X: Array, y: Array, first: int, rows: int, filled: int, columns: Array) -> None:
    """Copy a block of ``[1, X, y]``, a column after the other, with zeros from ``rows`` on."""
    d = X.shape[1]
    if abs(X.strides[0]) < abs(X.strides[1]):
        for j in range(d):
            for row in range(rows):
                columns[j + 1, row] = X[first + row, j]
    else:
        for row in range(rows):
            for j in range(d):
                columns[j + 1, row] = X[first + row, j]
    for row in range(rows):
        columns[0, row] = 1.0
        columns[d + 1, row] = y[first + row]
    for j in range(d + 2):
        columns[j, rows:filled] = 0.0


@native()
def _bound_norms(columns: Array, steps: int, norms: Array) -> None:
    """Bound each column's norm in the block."""
    for j in range(0, len(norms), PAD):
        _sum_squares(columns, norms, j, steps)
    for j in range(len(norms)):
        norms[j] = math.sqrt(norms[j]) * SLACK


@native(types.void(MATRIX, VECTOR, RESULT, RESULT))
def add_gram(X: Array, y: Array, high: Array, low: Array) -> None:
    """Add the upper triangle of ``[1, X, y]ᵀ [1, X, y]`` to ``high + low``.

    Rows may come in several calls: where each but the last has a multiple of :data:`BLOCK` rows,
    the bits are those of one call.

    Parameters
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    high, low : ndarray, shape (w, w)
        With w the even number of d + 2 and d + 3; what is added is not finite where a value of
        ``X`` or ``y`` is not.

    Examples
    --------
    >>> high, low = np.zeros((2, 4, 4))
    >>> add_gram(np.array([[1.0], [2.0]]), np.array([3.0, 5.0]), high, low)
    >>> np.triu(high)[:3, :3]
    array([[ 2.,  3.,  8.],
           [ 0.,  5., 13.],
           [ 0.,  0., 34.]])
    """
    n, width = len(y), X.shape[1] + 2
    padded = width + width % PAD
    if X.shape[0] != n or high.shape != (padded, padded) or low.shape != (padded, padded):
        raise ValueError("shapes that do not belong together")
    # From a cache line's start on: a vector that lies in two lines takes twice the time to load.
    store, norms = np.zeros(padded * STRIDE + 8), np.zeros(padded)
    start = (-(store.ctypes.data // 8)) % 8
    columns = store[start : start + padded * STRIDE].reshape(padded, STRIDE)
    for first in range(0, n, BLOCK):
        rows = min(BLOCK, n - first)
        steps = (rows + 2 * LANES - 1) // (2 * LANES) * 2  # even, for the sums of squares
        _pack(X, y, first, rows, steps * LANES, columns)
        _bound_norms(columns, steps, norms)
        for i in range(0, padded, TILE[0]):
            for j in range(i - i % TILE[1], padded, TILE[1]):
                _add_tile(columns, norms, high, low, i, j, steps)


@native(PAIR(RESULT, RESULT, types.int64))
def symmetric(high: Array, low: Array, width: int) -> tuple[Array, Array]:
    """Give the whole matrices, (width, width), whose upper triangles :func:`add_gram` has summed.

    Examples
    --------
    >>> symmetric(np.array([[1.0, 2.0], [0.0, 3.0]]), np.zeros((2, 2)), 2)[0]
    array([[1., 2.],
           [2., 3.]])
    """
    whole_high, whole_low = np.zeros((width, width)), np.zeros((width, width))
    for i in range(width):
        for j in range(i, width):
            whole_high[i, j], whole_low[i, j] = high[i, j], low[i, j]
            whole_high[j, i], whole_low[j, i] = high[i, j], low[i, j]
    return whole_high, whole_low
