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
import operator
from typing import Any, TypeAlias

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.native import native

LANES = 8  # on every processor, for the order of the sums depends on them
BLOCK = 512  # rows: few enough to stay in the first caches, enough to pay for the sums after them
ERROR = 2.0**-89  # of an entry, as a part of the product of its columns' norms: see above
WIDE = 32  # columns from which on it pays to look for those that are mostly zero
SPARSE = 4  # one that holds something in no more than a quarter of the vectors of rows
STRIDE = BLOCK + 8  # a power of two would put all columns into the same few cache sets

# Whether the sums of two columns by two stay in registers: eight lanes take one of AVX-512's 32,
# but two of AVX2's 16, enough for one column by two. The sums are the same.
HAS_WIDE_REGISTERS = bool(llvmlite.binding.get_host_cpu_features().get("avx512f"))

EXPONENT = np.int64(0x7FF0000000000000)  # the bits of a float64 that hold it
SLACK = 1.0 + 2.0**-40  # more than a block's norm can be off by

MATRIX = types.Array(types.float64, 2, "A", readonly=True, aligned=False)  # any strides
VECTOR = types.Array(types.float64, 1, "A", readonly=True, aligned=False)
RESULT = types.Array(types.float64, 2, "C")
PAIR: Any = types.UniTuple(RESULT, 2)  # type: ignore[no-untyped-call]


Numbers: TypeAlias = NDArray[np.int64]
"""Whole numbers, in arrays."""


# --- Eight rows of a column in one register -------------------------------------------------------

Rows: TypeAlias = Any
"""What the kernels below work on: ``+``, ``-`` and :func:`_fused` act lane by lane."""

_LANES = ir.VectorType(ir.DoubleType(), LANES)


class _RowsType(types.Type):
    """Numba's type of it.

    Of loops over scalars the compiler makes code four times slower, or vectors whose width
    depends on the processor.
    """

    def __init__(self) -> None:
        super().__init__(name="Rows")


@register_model(_RowsType)
class _RowsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _LANES)  # type: ignore[no-untyped-call]


_rows_type = _RowsType()


def _declare_load(typing: Any, columns: Any, column: Any, row: Any) -> Any:
    """Give rows ``row`` … of a column of a packed block."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        stride = ir.Constant(arguments[1].type, STRIDE)
        place = builder.gep(data, [builder.add(builder.mul(arguments[1], stride), arguments[2])])
        return builder.load(builder.bitcast(place, _LANES.as_pointer()), align=8)

    return _rows_type(columns, column, row), emit


def _declare_fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Give ``a * b + c``, rounded once."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        kind = ir.FunctionType(_LANES, [_LANES] * 3)
        name = f"llvm.fma.v{LANES}f64"
        function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module, kind, name
        )
        return builder.call(function, arguments)

    return _rows_type(a, b, c), emit


def _declare_arithmetic(operation: str) -> Any:
    def declare(typing: Any, a: Any, b: Any) -> Any:
        def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
            return getattr(builder, operation)(*arguments)

        return _rows_type(a, b), emit

    return declare


def _declare_filled(typing: Any, value: Any) -> Any:
    """Give a value in all lanes."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        first = builder.insert_element(
            ir.Constant(_LANES, ir.Undefined), arguments[0], ir.Constant(_INDEX, 0)
        )
        return builder.shuffle_vector(first, first, _mask([0] * LANES))

    return _rows_type(types.float64), emit


def _declare_total(typing: Any, rows: Any) -> Any:
    """Add the upper half of the lanes to the lower one until a single lane is left."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        rows, lanes = arguments[0], LANES
        while lanes > 1:
            lanes //= 2
            lower = builder.shuffle_vector(rows, rows, _mask(range(lanes)))
            upper = builder.shuffle_vector(rows, rows, _mask(range(lanes, 2 * lanes)))
            rows = builder.fadd(lower, upper)
        return builder.extract_element(rows, ir.Constant(_INDEX, 0))

    return types.float64(rows), emit


_INDEX = ir.IntType(32)


def _mask(lanes: Any) -> ir.Constant:
    return ir.Constant(ir.VectorType(_INDEX, len(lanes)), list(lanes))


_load: Any = intrinsic(_declare_load)
_fused: Any = intrinsic(_declare_fused)
_filled: Any = intrinsic(_declare_filled)
_total: Any = intrinsic(_declare_total)
_plus, _minus, _times = (
    intrinsic(_declare_arithmetic(operation)) for operation in ("fadd", "fsub", "fmul")
)


def _overload(symbol: Any, function: Any) -> None:
    def lane_by_lane(a: Any, b: Any) -> Any:
        return function(a, b)

    @overload(symbol)
    def act(a: Any, b: Any) -> Any:
        return lane_by_lane if isinstance(a, _RowsType) and isinstance(b, _RowsType) else None


_overload(operator.add, _plus)
_overload(operator.sub, _minus)
_overload(operator.mul, _times)


# --- A block of rows ------------------------------------------------------------------------------


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
    """Bound each column's norm in the block; two sums side by side."""
    for j in range(len(norms)):
        even = odd = _filled(0.0)
        for step in range(0, steps, 2):
            a, b = _load(columns, j, step * LANES), _load(columns, j, (step + 1) * LANES)
            even, odd = even + a * a, odd + b * b
        norms[j] = math.sqrt(_total(even + odd)) * SLACK


@native()
def _start(norm: float, other_norm: float) -> Rows:
    """Give the sums' start: 6 · 2ᵉ, where 2ᵉ is the binade of the product of the norms.

    By Cauchy and Schwarz no partial sum, nor the sum of the lanes, reaches 2 · 2ᵉ: it stays in
    the binade of 4 · 2ᵉ.
    """
    bits = np.float64(norm * other_norm).view(np.int64) & EXPONENT
    return _filled(6.0 * np.int64(bits).view(np.float64))


@native()
def _add_entry(
    high: Array, low: Array, i: int, j: int, block_high: Rows, start: Rows, block_low: Rows
) -> None:
    """Add the sum of a block's lanes to the double-double number at [i, j]."""
    added = _total(block_high - start)
    total = high[i, j] + added
    part = total - high[i, j]
    error = (high[i, j] - (total - part)) + (added - part)
    error = error + (low[i, j] + _total(block_low))
    high[i, j] = total + error
    low[i, j] = error - (high[i, j] - total)


@native()
def _add_pair(
    columns: Array, norms: Array, high: Array, low: Array, i: int, j: int, steps: int
) -> None:
    """Add the block's products of column i with columns j, j + 1: the two lines above."""
    start_0, start_1 = _start(norms[i], norms[j]), _start(norms[i], norms[j + 1])
    high_0, high_1 = start_0, start_1
    low_0 = low_1 = _filled(0.0)
    for step in range(steps):
        row = step * LANES
        a = _load(columns, i, row)
        b_0, b_1 = _load(columns, j, row), _load(columns, j + 1, row)
        new_0, new_1 = _fused(a, b_0, high_0), _fused(a, b_1, high_1)
        low_0 = low_0 + _fused(a, b_0, high_0 - new_0)
        low_1 = low_1 + _fused(a, b_1, high_1 - new_1)
        high_0, high_1 = new_0, new_1
    _add_entry(high, low, i, j, high_0, start_0, low_0)
    _add_entry(high, low, i, j + 1, high_1, start_1, low_1)


@native()
def _add_square(
    columns: Array, norms: Array, high: Array, low: Array, i: int, j: int, steps: int
) -> None:
    """Add the block's products of columns i, i + 1 with columns j, j + 1: as :func:`_add_pair`."""
    start_00, start_01 = _start(norms[i], norms[j]), _start(norms[i], norms[j + 1])
    start_10, start_11 = _start(norms[i + 1], norms[j]), _start(norms[i + 1], norms[j + 1])
    high_00, high_01, high_10, high_11 = start_00, start_01, start_10, start_11
    low_00 = low_01 = low_10 = low_11 = _filled(0.0)
    for step in range(steps):
        row = step * LANES
        a_0, a_1 = _load(columns, i, row), _load(columns, i + 1, row)
        b_0, b_1 = _load(columns, j, row), _load(columns, j + 1, row)
        new_00, new_01 = _fused(a_0, b_0, high_00), _fused(a_0, b_1, high_01)
        new_10, new_11 = _fused(a_1, b_0, high_10), _fused(a_1, b_1, high_11)
        low_00 = low_00 + _fused(a_0, b_0, high_00 - new_00)
        low_01 = low_01 + _fused(a_0, b_1, high_01 - new_01)
        low_10 = low_10 + _fused(a_1, b_0, high_10 - new_10)
        low_11 = low_11 + _fused(a_1, b_1, high_11 - new_11)
        high_00, high_01, high_10, high_11 = new_00, new_01, new_10, new_11
    _add_entry(high, low, i, j, high_00, start_00, low_00)
    _add_entry(high, low, i, j + 1, high_01, start_01, low_01)
    _add_entry(high, low, i + 1, j, high_10, start_10, low_10)
    _add_entry(high, low, i + 1, j + 1, high_11, start_11, low_11)


# --- A block whose columns are mostly zero --------------------------------------------------------


@native()
def _find_steps(columns: Array, steps: int, active: Numbers, counts: Numbers) -> bool:
    """Note in which steps each column holds anything; false where most of them do in many.

    ``active`` has shape (w, steps), of which the first ``counts[j]`` of column j are noted.
    """
    few = 0
    for j in range(len(counts)):
        found = 0
        for step in range(steps):
            some = False
            for row in range(step * LANES, (step + 1) * LANES):
                some |= columns[j, row] != 0.0
            if some:
                active[j, found] = step
                found += 1
        counts[j] = found
        few += found * SPARSE <= steps
        if (j + 1 - few) * 2 > len(counts):
            return False
    return True


@native()
def _add_in_steps(
    columns: Array, norms: Array, high: Array, low: Array, i: int, j: int, steps: Numbers
) -> None:
    """Add the block's products of columns i and j, one of which is zero in all other steps.

    A product with zero changes no sum: the bits are those of :func:`_add_pair`.
    """
    start = _start(norms[i], norms[j])
    sums, rest = start, _filled(0.0)
    for step in steps:
        a, b = _load(columns, i, step * LANES), _load(columns, j, step * LANES)
        new = _fused(a, b, sums)
        rest = rest + _fused(a, b, sums - new)
        sums = new
    _add_entry(high, low, min(i, j), max(i, j), sums, start, rest)


@native()
def _add_sparse(
    columns: Array,
    norms: Array,
    high: Array,
    low: Array,
    steps: int,
    active: Numbers,
    counts: Numbers,
) -> None:
    """Add the block's products, but only of columns that have a row in common.

    Those that hold something in many steps count as having one with all.
    """
    width, rows = len(counts), steps * LANES
    many = np.flatnonzero(counts * SPARSE > steps)
    first = np.zeros(rows + 1, np.int64)
    held = np.empty(width * steps * LANES // SPARSE, np.int64)  # read as far as it is written
    for fill in range(2):  # how many sparse columns hold something in each row, then which
        for j in range(width):
            if counts[j] * SPARSE > steps:
                continue
            for step in active[j, : counts[j]]:
                for row in range(step * LANES, (step + 1) * LANES):
                    if columns[j, row] != 0.0:
                        if fill:
                            held[first[row]] = j
                            first[row] += 1
                        else:
                            first[row + 1] += 1
        if not fill:
            for row in range(rows):  # not an assignment of arrays, which takes seconds to compile
                first[row + 1] += first[row]
    met = np.full(width, -1)
    for i in range(width):
        noted = active[i, : counts[i]]
        for dense in many:
            if counts[i] * SPARSE <= steps or dense >= i:
                _add_in_steps(columns, norms, high, low, i, int(dense), noted)
        if counts[i] * SPARSE > steps:
            continue
        for step in noted:
            for row in range(step * LANES, (step + 1) * LANES):
                if columns[i, row] == 0.0:
                    continue
                for at in range(first[row - 1] if row else 0, first[row]):
                    other = held[at]
                    if other >= i and met[other] != i:
                        met[other] = i
                        _add_in_steps(columns, norms, high, low, i, other, noted)


@native()
def _room(X: Array, y: Array, high: Array, low: Array) -> Array:
    """Give room for a block of columns, where the sums have theirs."""
    padded = len(high)
    if X.shape[0] != len(y) or padded != X.shape[1] + 2 + X.shape[1] % 2:
        raise ValueError("shapes that do not belong together")
    if high.shape != (padded, padded) or low.shape != (padded, padded):
        raise ValueError("shapes that do not belong together")
    # From a cache line's start on: a vector that lies in two lines takes twice the time to load.
    store = np.zeros(padded * STRIDE + 8)
    start = (-(store.ctypes.data // 8)) % 8
    return store[start : start + padded * STRIDE].reshape(padded, STRIDE)


@native()
def _take_block(X: Array, y: Array, first: int, columns: Array, norms: Array) -> int:
    """Pack the next block and bound its columns' norms; give how many vectors of rows it has."""
    rows = min(BLOCK, len(y) - first)
    steps = (rows + 2 * LANES - 1) // (2 * LANES) * 2  # even, for the sums of squares
    _pack(X, y, first, rows, steps * LANES, columns)
    _bound_norms(columns, steps, norms)
    return steps


@native()
def _add_dense(columns: Array, norms: Array, high: Array, low: Array, steps: int) -> None:
    """Add the block's products of all columns."""
    for i in range(0, len(norms), 2):
        for j in range(i, len(norms), 2):
            if HAS_WIDE_REGISTERS:
                _add_square(columns, norms, high, low, i, j, steps)
            else:
                _add_pair(columns, norms, high, low, i, j, steps)
                _add_pair(columns, norms, high, low, i + 1, j, steps)


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
    columns, norms = _room(X, y, high, low), np.zeros(len(high))
    for first in range(0, len(y), BLOCK):
        steps = _take_block(X, y, first, columns, norms)
        _add_dense(columns, norms, high, low, steps)


@native(types.void(MATRIX, VECTOR, RESULT, RESULT))
def add_wide_gram(X: Array, y: Array, high: Array, low: Array) -> None:
    """Do what :func:`add_gram` does, in less time where most of the columns are mostly zero.

    The bits are the same. It pays from :data:`WIDE` columns on.
    """
    columns, norms = _room(X, y, high, low), np.zeros(len(high))
    # For each block they are written as far as they are read in it.
    active, counts = np.empty((len(high), BLOCK // LANES), np.int64), np.empty(len(high), np.int64)
    for first in range(0, len(y), BLOCK):
        steps = _take_block(X, y, first, columns, norms)
        if _find_steps(columns, steps, active, counts):
            _add_sparse(columns, norms, high, low, steps, active, counts)
        else:
            _add_dense(columns, norms, high, low, steps)


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
