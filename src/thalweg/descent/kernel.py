"""The descent in native code: a whole fit in one call, for any rule and any loss.

:func:`walk_triangle` is batch descent on the squared error, which needs no rows: with the
triangle R of ``[1, X, y]`` loss and gradient cost O(p²), whatever n. :func:`walk_line` is the
same for two parameters. :func:`walk_rows` takes any loss and any batches. A rule's arithmetic is
chosen by its type when a walk is compiled.

What the machine code is made of stands in several files, while Numba stamps what it keeps on
disk by one: each kernel is therefore given a digest of them all as its first argument's type.
Not here: arguments and results (:mod:`thalweg.descent.compiled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload
from numpy.typing import NDArray

from thalweg import losses, optimizers
from thalweg.dataset import Array
from thalweg.descent import torch_random
from thalweg.descent.plan import DIVERGENCE
from thalweg.descent.torch_random import Words, seed_twister, shuffle
from thalweg.losses import Loss, value_and_slope
from thalweg.native import digest, entry_point
from thalweg.optimizers import ARITHMETIC, Now, Pair, Scalars, Walked, memory_of

# The powers in a schedule are running products, a tenth of the cost of powers, which start afresh
# from powers at each multiple of so many steps: off by 1e-14 at most, and the same wherever a walk
# is cut in two.
AFRESH = 64

# Features up to which updates are not made in vector code: the compiler finds it not worth it.
SHORT = 16

OUT_OF_EPOCHS, CONVERGED, DIVERGED, UNSURE = 0, 1, 2, 3

EXACT = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}
# Sums over a row may be taken in any order; nothing else may.
REORDERED = {
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
    "forceinline": True,
}


# --- Chosen by type -------------------------------------------------------------------------------


def bases_of(rule: Walked) -> Pair:
    """Give the numbers whose powers the rule's schedule needs."""
    return ARITHMETIC[type(rule)].bases(rule)


def schedule(
    rule: Walked, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    """Give what the rule's step needs that is the same for all parameters."""
    return ARITHMETIC[type(rule)].schedule(rule, step, bases, powers, numbers)


def update(
    rule: Walked, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    """Make the rule's step of one parameter."""
    return ARITHMETIC[type(rule)].update(rule, now, parameter, gradient, memory)


def recall(rule: Walked, memory: Array, j: int) -> Scalars:
    """Read what the rule remembers of parameter j; ``memory`` is (slots, p)."""
    return tuple(memory[: len(memory_of(rule)), j])


def keep(rule: Walked, memory: Array, j: int, remembered: Scalars) -> None:
    """Write what :func:`recall` reads."""
    memory[: len(memory_of(rule)), j] = remembered


def _slots(rule: Any) -> int:
    return len(memory_of(rule.instance_class()))


_RECALL: dict[int, Callable[..., Scalars]] = {
    0: lambda rule, memory, j: (),
    1: lambda rule, memory, j: (memory[0, j],),
    2: lambda rule, memory, j: (memory[0, j], memory[1, j]),
    3: lambda rule, memory, j: (memory[0, j], memory[1, j], memory[2, j]),
}


def _keep_0(rule: Walked, memory: Array, j: int, remembered: Scalars) -> None:
    pass


def _keep_1(rule: Walked, memory: Array, j: int, remembered: Scalars) -> None:
    memory[0, j] = remembered[0]


def _keep_2(rule: Walked, memory: Array, j: int, remembered: Scalars) -> None:
    memory[0, j], memory[1, j] = remembered[0], remembered[1]


def _keep_3(rule: Walked, memory: Array, j: int, remembered: Scalars) -> None:
    memory[0, j], memory[1, j], memory[2, j] = remembered[0], remembered[1], remembered[2]


_KEEP: dict[int, Callable[..., None]] = {0: _keep_0, 1: _keep_1, 2: _keep_2, 3: _keep_3}

# strict=False: the implementations are annotated, the declarations below are not.
CHOSEN: Any = {
    "jit_options": {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True},
    "strict": False,
}


@overload(bases_of, **CHOSEN)
def _choose_bases(rule):  # type: ignore[no-untyped-def]
    return ARITHMETIC[rule.instance_class].bases


@overload(schedule, **CHOSEN)
def _choose_schedule(rule, step, bases, powers, numbers):  # type: ignore[no-untyped-def]
    return ARITHMETIC[rule.instance_class].schedule


@overload(update, **CHOSEN)
def _choose_update(rule, now, parameter, gradient, memory):  # type: ignore[no-untyped-def]
    return ARITHMETIC[rule.instance_class].update


@overload(recall, **CHOSEN)
def _choose_recall(rule, memory, j):  # type: ignore[no-untyped-def]
    return _RECALL[_slots(rule)]


@overload(keep, **CHOSEN)
def _choose_keep(rule, memory, j, remembered):  # type: ignore[no-untyped-def]
    return _KEEP[_slots(rule)]


@overload(value_and_slope, **CHOSEN)
def _choose_loss(loss, residual):  # type: ignore[no-untyped-def]
    return losses.VALUE_AND_SLOPE[loss.instance_class]


# --- What both walks share ------------------------------------------------------------------------

# Everything below is called by kernels alone and compiled into them. Nothing there allocates an
# array or assigns a whole one: either would take longer to compile than all the rest.
exact = njit(error_model="numpy", fastmath={"contract"}, forceinline=True)
# Sums over a row may be taken in any order; nothing else may.
reordered = njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"}, forceinline=True)


class Limits(NamedTuple):
    """When a walk ends, and what it writes down."""

    epochs: int
    record_every: int  # steps
    until_record: int  # steps to the first point after the start
    gradient_tolerance: float
    loss_tolerance: float
    loss_limit: float  # NaN where it is not known


class Arrays(NamedTuple):
    """What a walk reads, moves on and writes; p parameters in the order of the regime."""

    w: Array  # (p,), the parameters, moved on
    memory: Array  # (slots, p), what the rule remembers of each, moved on
    numbers: Array  # (3,), the rule's step count and numbers, moved on
    path: Array  # (points, p), written but for the first: the start
    record: Array  # (2, epochs), written: loss and gradient norm of each epoch
    work: tuple[Array, Array]  # (p,) each, for the walk's own use


@exact
def powers_at(bases: Pair, step: int) -> Pair:
    """Give the bases to the power ``step``, as the running products have them there."""
    since = step % AFRESH
    powers = (bases[0] ** float(step - since), bases[1] ** float(step - since))
    for _ in range(since):
        powers = (powers[0] * bases[0], powers[1] * bases[1])
    return powers


@exact
def next_powers(bases: Pair, powers: Pair, step: int) -> Pair:
    """Give the bases to the power ``step`` from those to the power ``step - 1``."""
    if step % AFRESH == 0:
        return bases[0] ** float(step), bases[1] ** float(step)
    return powers[0] * bases[0], powers[1] * bases[1]


@exact
def judge(loss: float, squares: float, w: Array, limits: Limits, limit: float) -> int:
    """Say whether an epoch ended the walk; ``squares`` is its gradient norm's square."""
    spread = 0.0
    for j in range(w.size):
        spread += w[j] * 0.0  # NaN as soon as one parameter is not finite
    if not (loss <= limit and spread == 0.0):
        return DIVERGED
    tolerance = limits.gradient_tolerance
    if squares <= tolerance * tolerance and tolerance > 0.0:
        return CONVERGED
    return CONVERGED if loss <= limits.loss_tolerance else OUT_OF_EPOCHS


@exact
def take_roots(record: Array, epochs: int) -> None:
    """Turn the squares of the gradient norms into norms, all at once: roots are slow alone."""
    for epoch in range(epochs):
        record[1, epoch] = math.sqrt(record[1, epoch])


# --- Batch descent from the triangle --------------------------------------------------------------


@exact
def triangle_gradient(R: Array, w: Array, z: Array, gradient: Array) -> float:
    """Give ``‖R [w, -1]‖²`` and write half its gradient; ``z`` keeps the residuals."""
    p = w.size
    total: float = R[p, p] * R[p, p]
    for i in range(p):
        residual = -R[i, p]
        for j in range(i, p):
            residual += R[i, j] * w[j]
        z[i] = residual
        gradient[i] = 0.0
        total += residual * residual
    for i in range(p):
        for j in range(i, p):
            gradient[j] += z[i] * R[i, j]
    return total


def walk_triangle(
    version: int, rule: Walked, R: Array, n: float, variance: float, limits: Limits, arrays: Arrays
) -> tuple[int, int, int, float]:
    """Walk batch descent on the squared error.

    Parameters
    ----------
    version : int
        Not looked at: it makes the sources a part of the key on the disk.
    rule : Walked
        The optimiser.
    R : ndarray, shape (p + 1, p + 1)
        The triangle of ``[1, X, y]``, or of ``[X, y]``.
    n, variance : float
        The rows behind it, and their target's variance.
    limits : Limits
        When to end.
    arrays : Arrays
        Parameters in the order of the triangle's columns.

    Returns
    -------
    outcome, epochs, points : int
        How it ended, epochs walked, points recorded.
    limit : float
        The loss beyond which it counts as diverged.
    """
    w, memory, numbers, path, record, work = arrays
    z, gradient = work
    p = w.size
    bases, carried, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    powers = powers_at(bases, step)
    limit, until_record, points = limits.loss_limit, limits.until_record, 1
    outcome, epoch = OUT_OF_EPOCHS, 0
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        loss = triangle_gradient(R, w, z, gradient) / n
        step += 1
        powers = next_powers(bases, powers, step)
        now, carried = schedule(rule, float(step), bases, powers, carried)
        squares = 0.0
        for j in range(p):
            slope = gradient[j] * (2.0 / n)
            squares += slope * slope
            w[j], remembered = update(rule, now, w[j], slope, recall(rule, memory, j))
            keep(rule, memory, j, remembered)
        until_record -= 1
        if until_record == 0:
            for j in range(p):
                path[points, j] = w[j]
            points += 1
            until_record = limits.record_every
        record[0, epoch], record[1, epoch] = loss, squares
        if epoch == 0 and math.isnan(limit):
            limit = DIVERGENCE * (loss if loss > variance else variance)
        outcome = judge(loss, squares, w, limits, limit)
        epoch += 1
    if until_record != limits.record_every:  # the end is always recorded
        for j in range(p):
            path[points, j] = w[j]
        points += 1
    take_roots(record, epoch)
    numbers[0], numbers[1], numbers[2] = step, carried[0], carried[1]
    return outcome, epoch, points, limit


def walk_line(
    version: int, rule: Walked, R: Array, n: float, variance: float, limits: Limits, arrays: Arrays
) -> tuple[int, int, int, float]:
    """Walk as :func:`walk_triangle` does for p = 2, in registers: in half the time.

    Parameters, memory and gradient wait for one another from epoch to epoch, and each passage
    through memory costs as much as a few operations.
    """
    w, memory, numbers, path, record, _ = arrays
    bases, carried, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    powers = powers_at(bases, step)
    w0, memory0 = w[0], recall(rule, memory, 0)
    w1, memory1 = w[1], recall(rule, memory, 1)
    rest = R[2, 2] * R[2, 2]
    limit, until_record, points = limits.loss_limit, limits.until_record, 1
    outcome, epoch = OUT_OF_EPOCHS, 0
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        z0 = R[0, 0] * w0 + (R[0, 1] * w1 - R[0, 2])
        z1 = R[1, 1] * w1 - R[1, 2]
        slope0 = (2.0 / n) * (R[0, 0] * z0)
        slope1 = (2.0 / n) * (R[0, 1] * z0 + R[1, 1] * z1)
        step += 1
        powers = next_powers(bases, powers, step)
        now, carried = schedule(rule, float(step), bases, powers, carried)
        w0, memory0 = update(rule, now, w0, slope0, memory0)
        w1, memory1 = update(rule, now, w1, slope1, memory1)
        w[0], w[1] = w0, w1
        until_record -= 1
        if until_record == 0:
            path[points, 0], path[points, 1] = w0, w1
            points += 1
            until_record = limits.record_every
        loss, squares = (z0 * z0 + z1 * z1 + rest) / n, slope0 * slope0 + slope1 * slope1
        record[0, epoch], record[1, epoch] = loss, squares
        if epoch == 0 and math.isnan(limit):
            limit = DIVERGENCE * (loss if loss > variance else variance)
        outcome = judge(loss, squares, w, limits, limit)
        epoch += 1
    if until_record != limits.record_every:  # the end is always recorded
        path[points, 0], path[points, 1] = w0, w1
        points += 1
    keep(rule, memory, 0, memory0)
    keep(rule, memory, 1, memory1)
    take_roots(record, epoch)
    numbers[0], numbers[1], numbers[2] = step, carried[0], carried[1]
    return outcome, epoch, points, limit


# --- Any loss, any batches, from the rows ---------------------------------------------------------


class Walk(NamedTuple):
    """Which rows each step sees."""

    intercept: bool
    batch_size: int
    steps: int  # in an epoch
    shuffle: bool  # `order` is then drawn afresh each epoch
    seed: int
    drawn: int
    order: NDArray[np.int64]  # (n,) or (r,), the rows in the order they are seen; () as they stand
    bounds: NDArray[np.int64]  # (steps + 1,), where each batch starts in `order`; () evenly
    twisters: tuple[Words, Words]  # memory for the stream and for each epoch's own
    # Of an epoch whose rows come in several calls: (3,), read and moved on; zeros at its beginning.
    so_far: Array  # the losses' sum, the rows seen, and those of them whose batch is not whole yet
    part: bool = False  # the rows are a part of one batch, whose step comes with the rest of it


@exact
def short_product(X: Array, i: int, w: Array) -> float:
    """Multiply a short row with the weights, in an order that has to wait little for itself.

    The reordered sum would read several weights at once that were written one by one a moment
    ago, for which a processor waits until they have left its store buffer.
    """
    d, product = X.shape[1], 0.0
    for k in range(d >> 2):  # by shifts: Numba divides as Python does, for negative numbers too
        j = 4 * k
        first = X[i, j] * w[j] + X[i, j + 1] * w[j + 1]
        product += first + (X[i, j + 2] * w[j + 2] + X[i, j + 3] * w[j + 3])
    for j in range((d >> 2) << 2, d):
        product += X[i, j] * w[j]
    return product


@reordered
def residual(X: Array, y: Array, i: int, w: Array, intercept: bool) -> float:
    """Give prediction − target of row i; ``w`` is [weights…, bias]."""
    d = X.shape[1]
    product = 0.0
    if d >= SHORT:
        for j in range(d):
            product += X[i, j] * w[j]
    else:
        product = short_product(X, i, w)
    offset: float = w[d] - y[i] if intercept else -y[i]
    return product + offset


@exact
def step_on_row(
    rule: Walked, now: Now, X: Array, i: int, slope: float, intercept: bool,
    w: Array, memory: Array, sums: Array,
) -> None:  # fmt: skip
    """Make the step that one row asks for, adding its gradient to ``sums``."""
    d = X.shape[1]
    for j in range(d):
        gradient: float = slope * X[i, j]
        sums[j] += gradient
        w[j], remembered = update(rule, now, w[j], gradient, recall(rule, memory, j))
        keep(rule, memory, j, remembered)
    if intercept:
        sums[d] += slope
        w[d], remembered = update(rule, now, float(w[d]), slope, recall(rule, memory, d))
        keep(rule, memory, d, remembered)


@exact
def add_row(X: Array, i: int, slope: float, intercept: bool, gradient: Array) -> None:
    """Add the gradient of one row to a batch's."""
    d = X.shape[1]
    for j in range(d):
        gradient[j] += slope * X[i, j]
    if intercept:
        gradient[d] += slope


@exact
def step_on_batch(
    rule: Walked, now: Now, size: int, gradient: Array, w: Array, memory: Array, sums: Array
) -> None:
    """Make the step that a batch asks for, and empty its gradient for the next."""
    for j in range(w.size):
        sums[j] += gradient[j]
        w[j], remembered = update(rule, now, w[j], gradient[j] / size, recall(rule, memory, j))
        keep(rule, memory, j, remembered)
        gradient[j] = 0.0


@exact
def write_point(path: Array, k: int, w: Array, intercept: bool) -> None:
    """Write the parameters as [bias, weights…]."""
    last = w.size - 1
    for j in range(last):
        path[k, j + 1 if intercept else j] = w[j]
    path[k, 0 if intercept else last] = w[last]


@exact
def least_variance(y: Array) -> float:
    """Give a lower bound of the target's variance from its first rows alone."""
    few = y.size if y.size < 64 else 64
    mean, total = 0.0, 0.0
    for i in range(few):
        mean += y[i] / few
    for i in range(few):
        total += (y[i] - mean) * (y[i] - mean)
    return total / y.size


def walk_rows(
    version: int,
    rule: Walked,
    loss: Loss,
    X: Array,
    y: Array,
    walk: Walk,
    limits: Limits,
    arrays: Arrays,
) -> tuple[int, int, int, float]:
    """Walk over batches of rows.

    Parameters
    ----------
    version : int
        As in :func:`walk_triangle`.
    rule, loss : Walked, Loss
        The optimiser and the loss.
    X, y : ndarray, shapes (n, d) and (n,)
        The rows.
    walk : Walk
        Which of them each step sees.
    limits : Limits
        When to end.
    arrays : Arrays
        Parameters as [weights…, bias], so that weight j stands beside feature j; the path as
        [bias, weights…].

    Returns
    -------
    outcome, epochs, points : int
        How it ended, epochs walked, points recorded. ``UNSURE`` asks to be called again, from
        the same start, with the loss limit known.
    limit : float
        The loss beyond which it counts as diverged; NaN where it was not needed.
    """
    w, memory, numbers, path, record, work = arrays
    gradient, sums = work
    intercept, order, bounds = walk.intercept, walk.order, walk.bounds
    n, p, written, indirect = y.size, w.size, bounds.size > 0, order.size > 0
    twister, fresh = walk.twisters
    if walk.shuffle:
        seed_twister(twister, walk.seed, walk.drawn)
    bases, carried, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    powers = powers_at(bases, step)
    limit, until_record = limits.loss_limit, limits.until_record
    known = not math.isnan(limit)
    if not known:  # a bound settles all but the strangest fits without a pass over the rows
        limit = DIVERGENCE * least_variance(y)
    total, seen, held = walk.so_far[0], int(walk.so_far[1]), int(walk.so_far[2])
    if held == 0:
        for j in range(p):
            gradient[j] = 0.0
    outcome, epoch, points = OUT_OF_EPOCHS, 0, 1
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        if walk.shuffle:
            shuffle(order, twister, fresh)
        if seen == 0:
            for j in range(p):
                sums[j] = 0.0
        for s in range(walk.steps):
            first, high = s * walk.batch_size - held, (s + 1) * walk.batch_size - held
            if written:
                first, high = bounds[s], bounds[s + 1]
            elif high > n:
                high = n
            low, size = max(first, 0), high - first
            step += 1
            powers = next_powers(bases, powers, step)
            now, carried = schedule(rule, float(step), bases, powers, carried)
            for k in range(low, high):
                i = order[k] if indirect else k
                value, slope = value_and_slope(loss, residual(X, y, i, w, intercept))
                total += value
                if size == 1 and not walk.part:
                    step_on_row(rule, now, X, i, slope, intercept, w, memory, sums)
                else:
                    add_row(X, i, slope, intercept, gradient)
            seen += high - low
            if walk.part:
                held = size
                break
            if size > 1:
                step_on_batch(rule, now, size, gradient, w, memory, sums)
            until_record -= 1
            if until_record == 0:
                write_point(path, points, w, intercept)
                points += 1
                until_record = limits.record_every
        squares = 0.0
        for j in range(p):
            squares += sums[j] * sums[j]
        record[0, epoch], record[1, epoch] = total / seen, squares / seen**2
        outcome = judge(record[0, epoch], record[1, epoch], w, limits, limit)
        if outcome == DIVERGED and not known:
            outcome = UNSURE
        walk.so_far[0], walk.so_far[1] = total, seen
        walk.so_far[2] = held if walk.part else 0
        total, seen, held = 0.0, 0, 0
        epoch += 1
    if until_record != limits.record_every:  # the end is always recorded
        write_point(path, points, w, intercept)
        points += 1
    take_roots(record, epoch)
    if not walk.part:
        numbers[0], numbers[1], numbers[2] = step, carried[0], carried[1]
    return outcome, epoch, points, limit if known else math.nan


def start_and_spread(
    version: int, loss: Loss, X: Array, y: Array, w: Array, intercept: bool
) -> Pair:
    """Give the loss over all rows at ``w``, [weights…, bias], and the target's variance."""
    total, mean, spread = 0.0, 0.0, 0.0
    for i in range(y.size):
        total += value_and_slope(loss, residual(X, y, i, w, intercept))[0]
        mean += y[i] / y.size
    for i in range(y.size):
        spread += (y[i] - mean) * (y[i] - mean)
    return total / y.size, spread / y.size


# --- Kept on disk, one kernel for each rule and loss ----------------------------------------------

_SOURCES = digest(__name__, optimizers.__name__, losses.__name__, torch_random.__name__)

_Walker = Callable[..., tuple[int, int, int, float]]
_kernels: dict[tuple[Any, ...], Callable[..., Any]] = {}


def triangle_kernel(rule: type[Walked], p: int) -> _Walker:
    """Give the walk from the triangle for one rule, compiled or from the disk."""
    walk = walk_line if p == 2 else walk_triangle
    return _kernel(walk, (rule,), (_MATRIX, 1.0, 1.0, _LIMITS, _ARRAYS))


def rows_kernel(rule: type[Walked], loss: type[Loss]) -> _Walker:
    """Give :func:`walk_rows` for one rule and one loss, compiled or from the disk."""
    return _kernel(walk_rows, (rule, loss), (*_ROWS, _WALK, _LIMITS, _ARRAYS))


def start_kernel(loss: type[Loss]) -> Callable[..., Pair]:
    """Give :func:`start_and_spread` for one loss, compiled or from the disk."""
    return _kernel(start_and_spread, (loss,), (*_ROWS, _VECTOR, True))


def _kernel(
    function: Callable[..., Any], chosen_by: tuple[Any, ...], arguments: tuple[Any, ...]
) -> Callable[..., Any]:
    key = (function, *chosen_by)
    if key not in _kernels:
        name = "_".join(part.__name__ for part in key)
        types = (*(settings() for settings in chosen_by), *arguments)
        _kernels[key] = entry_point(function, name, _SOURCES, types)
    return _kernels[key]


# Arguments of the right types: a kernel is compiled for these.
_VECTOR, _MATRIX, _INDICES = np.empty(1), np.empty((1, 1)), np.empty(1, np.int64)
_LIMITS = Limits(1, 1, 1, 0.0, -math.inf, math.nan)
_ARRAYS = Arrays(_VECTOR, _MATRIX, _VECTOR, _MATRIX, _MATRIX, (_VECTOR, _VECTOR))
_WORDS = np.empty(1, np.uint32)
_WALK = Walk(True, 1, 1, False, 0, 0, _INDICES, _INDICES, (_WORDS, _WORDS), _VECTOR, False)
_ROWS = (np.empty((1, 1)), np.empty(1))
for _rows in _ROWS:
    _rows.flags.writeable = False  # as a dataset keeps them
