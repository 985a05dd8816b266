"""What the compiled walks are made of: a rule's arithmetic chosen by its type, and how one ends.

A rule's arithmetic (:mod:`thalweg.optimizers`) and a loss (:mod:`thalweg.losses`) are plain Python;
:func:`update` and its like stand for them in a kernel, and the type of the rule says which is
meant when the kernel is compiled. What the machine code is made of thus stands in several files,
while Numba stamps what it keeps on disk by one: each kernel is therefore given a digest of them
all as its first argument's type.

Not here: the walks (:mod:`~thalweg.descent.full_batch`, :mod:`~thalweg.descent.mini_batch`,
:mod:`~thalweg.sweeps.kernel`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload
from numpy.typing import NDArray

from thalweg import losses
from thalweg.arrays import Array
from thalweg.losses import value_and_slope
from thalweg.native import digest, entry_point
from thalweg.optimizers.rule import Coefficients, Pair, Slots, declared

# The powers in a schedule are running products, a tenth of the cost of powers, which start afresh
# from powers at each multiple of so many steps: off by 1e-14 at most, and the same wherever a walk
# is cut in two.
AFRESH = 64
# Below it a sum of squares has lost digits of what was squared.
LEAST_SQUARES = 1e-290


# --- Chosen by type -------------------------------------------------------------------------------


def bases_of(rule: Any) -> Pair:
    """Give the numbers whose powers the rule's schedule needs."""
    return _bases(type(rule))(rule)


def schedule(
    rule: Any, step: float, bases: Pair, powers: Pair, scalars: Pair
) -> tuple[Coefficients, Pair]:
    """Give what the rule's step needs that is the same for all parameters."""
    return type(rule).schedule(rule, step, bases, powers, scalars)  # type: ignore[no-any-return]  # any rule's


def update(
    rule: Any, coefficients: Coefficients, parameter: float, gradient: float, slots: Slots
) -> tuple[float, Slots]:
    """Make the rule's step of one parameter."""
    return type(rule).update(rule, coefficients, parameter, gradient, slots)  # type: ignore[no-any-return]  # any rule's


def recall(rule: Any, memory: Array, j: int) -> Slots:
    """Read what the rule keeps of parameter j; ``memory`` is (SLOTS, p)."""
    return tuple(memory[: slot_count(rule), j])


def keep(rule: Any, memory: Array, j: int, slots: Slots) -> None:
    """Write what :func:`recall` reads."""
    memory[: slot_count(rule), j] = slots


def slot_count(rule: Any) -> int:
    """Give the number of slots that :func:`recall` reads."""
    return slots_of(type(rule))


def slots_of(rule: type) -> int:
    """Count what a class of rules keeps of each parameter."""
    return len(declared(rule).slots)


def _bases(rule: Any) -> Callable[..., Pair]:
    return getattr(rule, "bases", _no_bases)


def _no_bases(self: Any) -> Pair:
    return 1.0, 1.0


_RECALL: dict[int, Callable[..., Slots]] = {
    0: lambda rule, memory, j: (),
    1: lambda rule, memory, j: (memory[0, j],),
    2: lambda rule, memory, j: (memory[0, j], memory[1, j]),
    3: lambda rule, memory, j: (memory[0, j], memory[1, j], memory[2, j]),
}


def _keep_0(rule: Any, memory: Array, j: int, slots: Slots) -> None:
    pass


def _keep_1(rule: Any, memory: Array, j: int, slots: Slots) -> None:
    memory[0, j] = slots[0]


def _keep_2(rule: Any, memory: Array, j: int, slots: Slots) -> None:
    memory[0, j], memory[1, j] = slots[0], slots[1]


def _keep_3(rule: Any, memory: Array, j: int, slots: Slots) -> None:
    memory[0, j], memory[1, j], memory[2, j] = slots[0], slots[1], slots[2]


_KEEP: dict[int, Callable[..., None]] = {0: _keep_0, 1: _keep_1, 2: _keep_2, 3: _keep_3}

# strict=False: the implementations are annotated, the declarations below are not.
CHOSEN: Any = {
    "jit_options": {"error_model": "numpy", "fastmath": {"contract"}, "forceinline": True},
    "strict": False,
}


@overload(bases_of, **CHOSEN)
def _choose_bases(rule):  # type: ignore[no-untyped-def]
    return _bases(rule.instance_class)


@overload(schedule, **CHOSEN)
def _choose_schedule(rule, step, bases, powers, scalars):  # type: ignore[no-untyped-def]
    return rule.instance_class.schedule


@overload(update, **CHOSEN)
def _choose_update(rule, coefficients, parameter, gradient, slots):  # type: ignore[no-untyped-def]
    return rule.instance_class.update


@overload(recall, **CHOSEN)
def _choose_recall(rule, memory, j):  # type: ignore[no-untyped-def]
    return _RECALL[slots_of(rule.instance_class)]


@overload(keep, **CHOSEN)
def _choose_keep(rule, memory, j, slots):  # type: ignore[no-untyped-def]
    return _KEEP[slots_of(rule.instance_class)]


@overload(slot_count, **CHOSEN)
def _choose_slot_count(rule):  # type: ignore[no-untyped-def]
    slots = slots_of(rule.instance_class)
    return lambda rule: slots


@overload(value_and_slope, **CHOSEN)
def _choose_loss(loss, residual):  # type: ignore[no-untyped-def]
    return losses.VALUE_AND_SLOPE[loss.instance_class]


# --- What the walks share -------------------------------------------------------------------------

# Everything below is called by kernels alone and compiled into them. Nothing there allocates an
# array or assigns a whole one: either would take longer to compile than all the rest.
exact = njit(error_model="numpy", fastmath={"contract"}, forceinline=True)
# Sums over a row may be taken in any order; nothing else may.
reordered = njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"}, forceinline=True)

# How a walk stands. UNFINISHED goes on where it is called again; UNSURE asks for the loss limit
# first: a loss beyond what could be vouched for without it.
OUT_OF_EPOCHS, CONVERGED, DIVERGED, UNSURE, UNFINISHED = 0, 1, 2, 3, 4

# Where things stand in a walk's cursor: see :class:`Arrays`.
OUTCOME, EPOCHS, POINTS, UNTIL_RECORD, ROW, BATCH, SHUFFLED, WHOLE_POINTS, WHOLE_UNTIL = range(9)
CURSOR = 9
LOSS_LIMIT, LOSS_SUM = 0, 1


class Limits(NamedTuple):
    """When a walk ends, and what it writes down."""

    epochs: int
    record_every: int  # steps
    gradient_tolerance: float
    loss_tolerance: float


class Arrays(NamedTuple):
    """What a walk moves on and writes; p parameters in the order of the regime.

    A kernel takes it up where the last call left it, and says in it where it stopped. ``cursor``
    holds how the walk stands, the whole epochs, the points that were due (the start is one), the
    steps to the next, then of the epoch that is begun: its rows, its batches, how far its order
    is shuffled, and the points and steps to the next of when it began. ``losses`` holds the loss
    beyond which the walk counts as diverged (NaN: not known) and the sum of the begun epoch's.
    """

    w: Array  # (p,), the parameters
    slots: Array  # (SLOTS, p), what the rule remembers of each
    scalars: Array  # (3,), the rule's step count and its own numbers
    path: Array  # (points, p), written but for the first: the start
    record: Array  # (2, epochs), written: each epoch's loss and its gradient's norm
    gradient: Array  # (p,), of the batch that is begun
    sums: Array  # (p,), the gradients' sum of the epoch that is begun
    cursor: NDArray[np.int64]  # (CURSOR,)
    losses: Array  # (2,)


@exact
def write_point(path: Array, k: int, w: Array, intercept: bool) -> None:
    """Write the parameters as [bias, weights…]."""
    last = w.size - 1
    for j in range(last):
        path[k, j + 1 if intercept else j] = w[j]
    path[k, 0 if intercept else last] = w[last]


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
def norm_of(squares: float, values: Array, scale: float) -> float:
    """Give the norm of ``scale * values``, whose squares' sum is at hand, whatever their size."""
    if LEAST_SQUARES < squares < math.inf:
        return math.sqrt(squares)
    largest = 0.0
    for j in range(values.size):
        largest = max(largest, abs(values[j] * scale))
    if not (0.0 < largest < math.inf and not math.isnan(squares)):
        return math.sqrt(squares)
    squares = 0.0
    for j in range(values.size):
        part = values[j] * scale / largest
        squares += part * part
    return largest * math.sqrt(squares)


@exact
def judge(loss: float, norm: float, w: Array, limits: Limits, limit: float) -> int:
    """Say whether an epoch ended the walk, by its loss and its gradient's norm."""
    spread = loss * 0.0  # NaN as soon as it or one parameter is not finite
    for j in range(w.size):
        spread += w[j] * 0.0
    if not (loss <= limit and spread == 0.0):
        return DIVERGED
    tolerance = limits.gradient_tolerance
    if norm <= tolerance and tolerance > 0.0:
        return CONVERGED
    return CONVERGED if loss <= limits.loss_tolerance else UNFINISHED


@exact
def ended(outcome: int, epochs: int, limits: Limits) -> int:
    """Say how a walk stands that no epoch ended."""
    return OUT_OF_EPOCHS if outcome == UNFINISHED and epochs >= limits.epochs else outcome


# --- Memory-safe ----------------------------------------------------------------------------------


@exact
def check_arrays(rule: Any, arrays: Arrays, limits: Limits, steps: int, budget: int) -> None:
    """Refuse arrays that a walk of at most so many steps would overrun: once a call.

    That these fit is the engine's own duty: the sentences are for whoever works on it.
    """
    w, slots, scalars, path, record, gradient, sums, cursor, losses = arrays
    p = w.size
    if cursor.size != CURSOR or losses.size != 2 or scalars.size != 3:
        raise ValueError("internal error: a cursor, losses or scalars of another size")
    if slots.shape[0] < slot_count(rule) or slots.shape[1] != p:
        raise ValueError("internal error: slots of another rule or of another number of parameters")
    if gradient.size != p or sums.size != p or path.shape[1] != p or record.shape[0] != 2:
        raise ValueError("internal error: arrays of another number of parameters")
    every, until, points = limits.record_every, cursor[UNTIL_RECORD], cursor[POINTS]
    if budget < 1 or until < 1 or until > every or points < 1 or steps < 0:
        raise ValueError("internal error: a cursor out of range")
    if points + (steps + every - until) // every > path.shape[0]:
        raise ValueError("internal error: a path too short for the points to come")
    if not 0 <= cursor[EPOCHS] <= limits.epochs <= record.shape[1]:
        raise ValueError("internal error: a record too short for the epochs to come")


# --- Kept on disk ---------------------------------------------------------------------------------

# Arguments of the right types: a kernel is compiled for these.
VECTOR, MATRIX, INDICES = np.empty(1), np.empty((1, 1)), np.empty(1, np.int64)
LIMITS = Limits(1, 1, 0.0, -math.inf)
ARRAYS = Arrays(VECTOR, MATRIX, VECTOR, MATRIX, MATRIX, VECTOR, VECTOR, INDICES, VECTOR)

_kernels: dict[tuple[Any, ...], Callable[..., Any]] = {}


def kernel_of(
    walk: Callable[..., Any], chosen_by: tuple[Any, ...], arguments: tuple[Any, ...]
) -> Callable[..., Any]:
    """Give a walk for certain rules and losses, compiled or from the disk.

    Parameters
    ----------
    walk : callable
        Its first argument is the version, then come the rule or the loss or both.
    chosen_by : tuple of type
        The classes of these.
    arguments : tuple
        An example of each argument after them, for its type.
    """
    key = (walk, *chosen_by)
    if key not in _kernels:
        name = "_".join(part.__name__ for part in key)
        examples = (*(settings() for settings in chosen_by), *arguments)
        _kernels[key] = entry_point(walk, name, digest(*key), examples)
    return _kernels[key]
