"""The descent in native code: a whole fit in one call, for any rule and any loss.

Two walks. :func:`walk_triangle` is batch descent on the squared error, which needs no rows:
with the triangle R of ``[1, X, y]`` loss and gradient cost O(p²), whatever n. :func:`walk_rows`
takes any loss and any batches. A rule's arithmetic is chosen by its type when a walk is compiled.

What the machine code is made of stands in several files, while Numba stamps what it keeps on
disk by one: each kernel is therefore a closure over a digest of them all, which Numba makes part
of the key. Not here: arguments and results (:mod:`thalweg.descent.compiled`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit, typeof
from numba.extending import overload
from numpy.typing import NDArray

from thalweg import losses, optimizers
from thalweg.dataset import Array
from thalweg.descent import torch_random
from thalweg.descent.plan import DIVERGENCE
from thalweg.descent.torch_random import STATE, seed_twister, shuffle
from thalweg.losses import Loss, value_and_slope
from thalweg.native import digest, entry_point
from thalweg.optimizers import ARITHMETIC, Now, Pair, Rule, Scalars, memory_of

# Steps that are scheduled at once. Running products of the schedule start afresh from a power at
# each multiple of it, so that a walk cut in two makes the same products as a whole one.
AHEAD = 64
NUMBERS = 6  # where a scheduled step's numbers begin, after what the update needs

OUT_OF_EPOCHS, CONVERGED, DIVERGED = 0, 1, 2

EXACT = {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True}
# Sums over a row may be taken in any order; nothing else may.
REORDERED = {
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
    "forceinline": True,
}


# --- Chosen by type -------------------------------------------------------------------------------


def bases_of(rule: Rule) -> Pair:
    """Give the numbers whose powers the rule's schedule needs."""
    return ARITHMETIC[type(rule)].bases(rule)


def schedule(rule: Rule, step: float, bases: Pair, powers: Pair, numbers: Pair) -> tuple[Now, Pair]:
    """Give what the rule's step needs that is the same for all parameters."""
    return ARITHMETIC[type(rule)].schedule(rule, step, bases, powers, numbers)


def update(
    rule: Rule, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    """Make the rule's step of one parameter."""
    return ARITHMETIC[type(rule)].update(rule, now, parameter, gradient, memory)


def recall(rule: Rule, memory: Array, j: int) -> Scalars:
    """Read what the rule remembers of parameter j; ``memory`` is (slots, p)."""
    return tuple(memory[: len(memory_of(rule)), j])


def keep(rule: Rule, memory: Array, j: int, remembered: Scalars) -> None:
    """Write what :func:`recall` reads."""
    memory[: len(memory_of(rule)), j] = remembered


def _slots(rule: Any) -> int:
    return len(memory_of(rule.instance_class()))


_RECALL: dict[int, Callable[..., Scalars]] = {
    1: lambda rule, memory, j: (memory[0, j],),
    2: lambda rule, memory, j: (memory[0, j], memory[1, j]),
    3: lambda rule, memory, j: (memory[0, j], memory[1, j], memory[2, j]),
}


def _keep_1(rule: Rule, memory: Array, j: int, remembered: Scalars) -> None:
    memory[0, j] = remembered[0]


def _keep_2(rule: Rule, memory: Array, j: int, remembered: Scalars) -> None:
    memory[0, j], memory[1, j] = remembered[0], remembered[1]


def _keep_3(rule: Rule, memory: Array, j: int, remembered: Scalars) -> None:
    memory[0, j], memory[1, j], memory[2, j] = remembered[0], remembered[1], remembered[2]


_KEEP: dict[int, Callable[..., None]] = {1: _keep_1, 2: _keep_2, 3: _keep_3}

# strict=False: the implementations are annotated, the declarations below are not.
_CHOSEN = {"jit_options": EXACT, "strict": False}


@overload(bases_of, **_CHOSEN)
def _choose_bases(rule):  # type: ignore[no-untyped-def]
    return ARITHMETIC[rule.instance_class].bases


@overload(schedule, **_CHOSEN)
def _choose_schedule(rule, step, bases, powers, numbers):  # type: ignore[no-untyped-def]
    return ARITHMETIC[rule.instance_class].schedule


@overload(update, **_CHOSEN)
def _choose_update(rule, now, parameter, gradient, memory):  # type: ignore[no-untyped-def]
    return ARITHMETIC[rule.instance_class].update


@overload(recall, **_CHOSEN)
def _choose_recall(rule, memory, j):  # type: ignore[no-untyped-def]
    return _RECALL[_slots(rule)]


@overload(keep, **_CHOSEN)
def _choose_keep(rule, memory, j, remembered):  # type: ignore[no-untyped-def]
    return _KEEP[_slots(rule)]


@overload(value_and_slope, **_CHOSEN)
def _choose_loss(loss, residual):  # type: ignore[no-untyped-def]
    return losses.VALUE_AND_SLOPE[loss.instance_class]


# --- What both walks share ------------------------------------------------------------------------


class Limits(NamedTuple):
    """When a walk ends, and what it writes down."""

    epochs: int
    record_every: int  # steps; 0 records at each epoch's end
    steps_before: int  # made in earlier parts of a longer walk
    gradient_tolerance: float
    loss_tolerance: float
    loss_limit: float  # NaN: not known
    variance: float  # the target's; NaN: not known


@njit(**EXACT)
def plan_ahead(rule: Rule, bases: Pair, step: int, numbers: Pair, ahead: Array) -> None:
    """Schedule the steps from ``step`` to the next multiple of :data:`AHEAD`.

    ``ahead``, (AHEAD, 8): for each step what the update needs, then the rule's numbers after it.
    """
    first = step % AHEAD
    powers = (bases[0] ** float(step - first), bases[1] ** float(step - first))
    for _ in range(first):
        powers = (powers[0] * bases[0], powers[1] * bases[1])
    for row in range(first, AHEAD):
        powers = (powers[0] * bases[0], powers[1] * bases[1])
        now, numbers = schedule(rule, float(step - first + row + 1), bases, powers, numbers)
        for k in range(NUMBERS):
            ahead[row, k] = now[k]
        ahead[row, NUMBERS], ahead[row, NUMBERS + 1] = numbers


@njit(**EXACT)
def scheduled(ahead: Array, step: int) -> Now:
    """Read what the update needs at a step."""
    row = step % AHEAD
    return (
        ahead[row, 0], ahead[row, 1], ahead[row, 2], ahead[row, 3], ahead[row, 4], ahead[row, 5],
    )  # fmt: skip


@njit(**EXACT)
def carried(ahead: Array, step: int) -> Pair:
    """Read the rule's numbers after the last step made."""
    row = (step - 1) % AHEAD
    return ahead[row, NUMBERS], ahead[row, NUMBERS + 1]


@njit(**EXACT)
def judge(loss: float, norm: float, parameters: Array, limits: Limits, limit: float) -> int:
    """Say whether an epoch ended the walk."""
    spread = 0.0
    for j in range(parameters.size):
        spread += parameters[j] * 0.0  # NaN as soon as one parameter is not finite
    if not (loss <= limit and spread == 0.0):
        return DIVERGED
    if limits.gradient_tolerance > 0.0 and norm <= limits.gradient_tolerance:
        return CONVERGED
    return CONVERGED if loss <= limits.loss_tolerance else OUT_OF_EPOCHS


# --- Batch descent from the triangle --------------------------------------------------------------


@njit(**EXACT)
def triangle_loss_gradient(R: Array, n: float, w: Array, z: Array, gradient: Array) -> float:
    """Give ``‖R z‖² / n`` for z = [w, -1] and write its gradient, 2 / n · Rᵀ R z without the y."""
    p = w.size
    total = R[p, p] * R[p, p]
    for i in range(p):
        z[i] = -R[i, p]
        for j in range(i, p):
            z[i] += R[i, j] * w[j]
        total += z[i] * z[i]
    for j in range(p):
        gradient[j] = 0.0
    for i in range(p):
        for j in range(i, p):
            gradient[j] += z[i] * R[i, j]
    for j in range(p):
        gradient[j] *= 2.0 / n
    return total / n


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def walk_triangle(
    rule: Rule,
    R: Array,
    n: float,
    limits: Limits,
    w: Array,
    memory: Array,
    numbers: Array,
    path: Array,
    record: Array,
) -> tuple[int, int, int, float]:
    """Walk batch descent on the squared error.

    Parameters
    ----------
    rule : Rule
        The optimiser.
    R : ndarray, shape (p + 1, p + 1)
        The triangle of ``[1, X, y]``, or of ``[X, y]``.
    n : float
        The rows behind it.
    limits : Limits
        When to end; ``variance`` is known.
    w, memory, numbers : ndarray, shapes (p,), (slots, p), (3,)
        Parameters, what the rule remembers of each, and its step count and numbers; moved on.
    path, record : ndarray, shapes (points, p) and (2, epochs)
        Written: the parameters at the recorded points; loss and gradient norm of each epoch.

    Returns
    -------
    outcome, epochs, points : int
        How it ended, epochs walked, points recorded.
    limit : float
        The loss beyond which it counts as diverged.
    """
    p = w.size
    z, gradient, ahead = np.empty(p), np.empty(p), np.empty((AHEAD, 8))
    bases, pair, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    first, limit = step, limits.loss_limit
    every = max(limits.record_every, 1)
    until_record = every - limits.steps_before % every
    path[0] = w
    outcome, epoch, points = OUT_OF_EPOCHS, 0, 1
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        loss = triangle_loss_gradient(R, n, w, z, gradient)
        if step == first or step % AHEAD == 0:
            if step > first:
                pair = carried(ahead, step)
            plan_ahead(rule, bases, step, pair, ahead)
        now = scheduled(ahead, step)
        squares = 0.0
        for j in range(p):
            squares += gradient[j] * gradient[j]
            w[j], remembered = update(rule, now, w[j], gradient[j], recall(rule, memory, j))
            keep(rule, memory, j, remembered)
        step += 1
        record[0, epoch], record[1, epoch] = loss, math.sqrt(squares)
        if epoch == 0 and math.isnan(limit):
            limit = DIVERGENCE * max(loss, limits.variance)
        outcome = judge(loss, record[1, epoch], w, limits, limit)
        epoch += 1
        until_record -= 1
        if until_record == 0:
            for j in range(p):
                path[points, j] = w[j]
            points += 1
            until_record = every
    if until_record != every:  # the end is always recorded
        path[points] = w
        points += 1
    pair = carried(ahead, step)
    numbers[0], numbers[1], numbers[2] = step, pair[0], pair[1]
    return outcome, epoch, points, limit


# --- Any loss, any batches, from the rows ---------------------------------------------------------


class Walk(NamedTuple):
    """Which rows each step sees; ``rows`` and ``bounds`` are passed apart."""

    intercept: bool
    batch_size: int
    steps: int  # in an epoch
    shuffle: bool
    seed: int
    drawn: int


@njit(**REORDERED)
def residual(X: Array, y: Array, i: int, w: Array, intercept: bool) -> float:
    """Give prediction − target of row i; ``w`` is [weights…, bias]."""
    d = X.shape[1]
    total = w[d] - y[i] if intercept else -y[i]
    product = 0.0
    for j in range(d):
        product += X[i, j] * w[j]
    return total + product


@njit(**EXACT)
def mean_loss(loss: Loss, X: Array, y: Array, w: Array, intercept: bool) -> float:
    """Give the loss over all rows; ``w`` is [weights…, bias]."""
    total = 0.0
    for i in range(y.size):
        total += value_and_slope(loss, residual(X, y, i, w, intercept))[0]
    return total / y.size


@njit(**EXACT)
def variance(y: Array) -> float:
    """Give the mean squared distance from the mean."""
    mean = 0.0
    for i in range(y.size):
        mean += y[i] / y.size
    total = 0.0
    for i in range(y.size):
        total += (y[i] - mean) ** 2
    return total / y.size


@njit(**EXACT)
def step_on_row(
    rule: Rule, now: Now, X: Array, i: int, slope: float, intercept: bool,
    w: Array, memory: Array, sums: Array,
) -> None:  # fmt: skip
    """Make the step that one row asks for, adding its gradient to ``sums``."""
    d = X.shape[1]
    for j in range(d):
        gradient = slope * X[i, j]
        sums[j] += gradient
        w[j], remembered = update(rule, now, w[j], gradient, recall(rule, memory, j))
        keep(rule, memory, j, remembered)
    if intercept:
        sums[d] += slope
        w[d], remembered = update(rule, now, w[d], slope, recall(rule, memory, d))
        keep(rule, memory, d, remembered)


@njit(**EXACT)
def add_row(X: Array, i: int, slope: float, intercept: bool, gradient: Array) -> None:
    """Add the gradient of one row to a batch's."""
    d = X.shape[1]
    for j in range(d):
        gradient[j] += slope * X[i, j]
    if intercept:
        gradient[d] += slope


@njit(**EXACT)
def step_on_batch(
    rule: Rule, now: Now, size: int, gradient: Array, w: Array, memory: Array, sums: Array
) -> None:
    """Make the step that a batch asks for, and empty its gradient for the next."""
    for j in range(w.size):
        sums[j] += gradient[j]
        w[j], remembered = update(rule, now, w[j], gradient[j] / size, recall(rule, memory, j))
        keep(rule, memory, j, remembered)
        gradient[j] = 0.0


@njit(**EXACT)
def bias_last(w: Array, memory: Array) -> None:
    """Turn [bias, weights…] into [weights…, bias], so that weight j stands beside feature j."""
    for j in range(w.size - 1):
        w[j], w[j + 1] = w[j + 1], w[j]
        for slot in range(memory.shape[0]):
            memory[slot, j], memory[slot, j + 1] = memory[slot, j + 1], memory[slot, j]


@njit(**EXACT)
def bias_first(w: Array, memory: Array) -> None:
    """Undo :func:`bias_last`."""
    for j in range(w.size - 1, 0, -1):
        w[j], w[j - 1] = w[j - 1], w[j]
        for slot in range(memory.shape[0]):
            memory[slot, j], memory[slot, j - 1] = memory[slot, j - 1], memory[slot, j]


@njit(**EXACT)
def write_point(path: Array, k: int, w: Array, intercept: bool) -> None:
    """Write the parameters as [bias, weights…]."""
    for j in range(w.size):
        path[k, (j + 1) % w.size if intercept else j] = w[j]


@njit(nogil=True, error_model="numpy", fastmath={"contract"})
def walk_rows(
    rule: Rule,
    loss: Loss,
    X: Array,
    y: Array,
    walk: Walk,
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    limits: Limits,
    w: Array,
    memory: Array,
    numbers: Array,
    path: Array,
    record: Array,
) -> tuple[int, int, int, float]:
    """Walk over batches of rows.

    Parameters
    ----------
    rule, loss : Rule, Loss
        The optimiser and the loss.
    X, y : ndarray, shapes (n, d) and (n,)
        The rows.
    walk : Walk
        Which of them each step sees.
    rows, bounds : ndarray, shapes (r,) and (steps + 1,)
        Batches written out: batch s is ``rows[bounds[s]:bounds[s + 1]]``; both empty otherwise.
    limits, w, memory, numbers, path, record
        As in :func:`walk_triangle`.

    Returns
    -------
    outcome, epochs, points : int
        How it ended, epochs walked, points recorded.
    limit : float
        The loss beyond which it counts as diverged; NaN where it was not needed.
    """
    n, p = y.size, w.size
    intercept, written = walk.intercept, bounds.size > 0
    start = w.copy()
    write_point(path, 0, w, False)
    if intercept:
        bias_last(w, memory)
        start = w.copy()
    gradient, sums, ahead = np.zeros(p), np.empty(p), np.empty((AHEAD, 8))
    twister, fresh = np.empty(STATE + 1, np.uint32), np.empty(STATE + 1, np.uint32)
    order = rows
    if walk.shuffle:
        order = np.empty(n, np.int64)
        seed_twister(twister, walk.seed, walk.drawn)
    indirect = order.size > 0
    bases, pair, step = bases_of(rule), (numbers[1], numbers[2]), int(numbers[0])
    first, limit = step, limits.loss_limit
    every = limits.record_every if limits.record_every > 0 else walk.steps
    until_record = every - limits.steps_before % every
    # A lower bound of the variance settles all but the strangest fits without a pass over y.
    sure = limit
    if math.isnan(limit):
        sure = DIVERGENCE * variance(y[: min(n, 64)]) * min(n, 64) / n
    outcome, epoch, points = OUT_OF_EPOCHS, 0, 1
    while epoch < limits.epochs and outcome == OUT_OF_EPOCHS:
        if walk.shuffle:
            shuffle(order, twister, fresh)
        total, seen = 0.0, 0
        sums[:] = 0.0
        for s in range(walk.steps):
            low = bounds[s] if written else s * walk.batch_size
            high = bounds[s + 1] if written else min(low + walk.batch_size, n)
            if step == first or step % AHEAD == 0:
                if step > first:
                    pair = carried(ahead, step)
                plan_ahead(rule, bases, step, pair, ahead)
            now = scheduled(ahead, step)
            if high - low == 1:
                i = order[low] if indirect else low
                value, slope = value_and_slope(loss, residual(X, y, i, w, intercept))
                total += value
                step_on_row(rule, now, X, i, slope, intercept, w, memory, sums)
            else:
                for k in range(low, high):
                    i = order[k] if indirect else k
                    value, slope = value_and_slope(loss, residual(X, y, i, w, intercept))
                    total += value
                    add_row(X, i, slope, intercept, gradient)
                step_on_batch(rule, now, high - low, gradient, w, memory, sums)
            seen += high - low
            step += 1
            until_record -= 1
            if until_record == 0:
                write_point(path, points, w, intercept)
                points += 1
                until_record = every
        squares = 0.0
        for j in range(p):
            squares += sums[j] * sums[j]
        record[0, epoch], record[1, epoch] = total / seen, math.sqrt(squares) / seen
        if math.isnan(limit) and not total / seen <= sure:
            limit = DIVERGENCE * max(mean_loss(loss, X, y, start, intercept), variance(y))
            sure = limit
        outcome = judge(record[0, epoch], record[1, epoch], w, limits, sure)
        epoch += 1
    if until_record != every:  # the end is always recorded
        write_point(path, points, w, intercept)
        points += 1
    pair = carried(ahead, step)
    numbers[0], numbers[1], numbers[2] = step, pair[0], pair[1]
    if intercept:
        bias_first(w, memory)
    return outcome, epoch, points, limit


# --- Kept on disk, one kernel for each rule and loss ----------------------------------------------

_SOURCES = digest(__name__, optimizers.__name__, losses.__name__, torch_random.__name__)


def _frozen(*shape: int, dtype: type = np.float64) -> NDArray[Any]:
    array = np.empty(shape, dtype)
    array.flags.writeable = False
    return array


@cache
def triangle_kernel(rule: type[Rule]) -> Callable[..., tuple[int, int, int, float]]:
    """Give :func:`walk_triangle` for one rule, compiled or from the disk."""
    version = _SOURCES

    def kernel(rule, R, n, limits, w, memory, numbers, path, record):  # type: ignore[no-untyped-def]
        _ = version
        return walk_triangle(rule, R, n, limits, w, memory, numbers, path, record)

    kernel.__qualname__ = f"walk_triangle_{rule.__name__}"
    vector, matrix = np.empty(1), np.empty((1, 1))
    arguments = (rule(), matrix, 1.0, _LIMITS, vector, matrix, vector, matrix, matrix)
    return entry_point(kernel, tuple(map(typeof, arguments)))


@cache
def rows_kernel(rule: type[Rule], loss: type[Loss]) -> Callable[..., tuple[int, int, int, float]]:
    """Give :func:`walk_rows` for one rule and one loss, compiled or from the disk."""
    version = _SOURCES

    def kernel(  # type: ignore[no-untyped-def]
        rule, loss, X, y, walk, rows, bounds, limits, w, memory, numbers, path, record
    ):
        _ = version
        return walk_rows(
            rule, loss, X, y, walk, rows, bounds, limits, w, memory, numbers, path, record
        )

    kernel.__qualname__ = f"walk_rows_{rule.__name__}_{loss.__name__}"
    vector, matrix, numbers = np.empty(1), np.empty((1, 1)), np.empty(1, np.int64)
    arguments = (
        rule(), loss(), _frozen(1, 1), _frozen(1), _WALK, numbers, numbers, _LIMITS,
        vector, matrix, vector, matrix, matrix,
    )  # fmt: skip
    return entry_point(kernel, tuple(map(typeof, arguments)))


_LIMITS = Limits(1, 0, 0, 0.0, -math.inf, math.nan, math.nan)
_WALK = Walk(True, 1, 1, False, 0, 0)
