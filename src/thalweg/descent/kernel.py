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

from thalweg import losses, torch_random
from thalweg.arrays import Array
from thalweg.descent import plan
from thalweg.losses import value_and_slope
from thalweg.native import digest, entry_point
from thalweg.optimizers import registry
from thalweg.optimizers.rule import Coefficients, Pair, Slots, declared

# The powers in a schedule are running products, a tenth of the cost of powers, which start afresh
# from powers at each multiple of so many steps: off by 1e-14 at most, and the same wherever a walk
# is cut in two.
AFRESH = 64

OUT_OF_EPOCHS, CONVERGED, DIVERGED, UNSURE = 0, 1, 2, 3


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
    """Read what the rule keeps of parameter j; ``memory`` is (slots, p)."""
    return tuple(memory[: slots_of(type(rule)), j])


def keep(rule: Any, memory: Array, j: int, slots: Slots) -> None:
    """Write what :func:`recall` reads."""
    memory[: slots_of(type(rule)), j] = slots


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


@overload(value_and_slope, **CHOSEN)
def _choose_loss(loss, residual):  # type: ignore[no-untyped-def]
    return losses.VALUE_AND_SLOPE[loss.instance_class]


# --- What the walks share -------------------------------------------------------------------------

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


# --- Kept on disk ---------------------------------------------------------------------------------

# Arguments of the right types: a kernel is compiled for these.
VECTOR, MATRIX = np.empty(1), np.empty((1, 1))
LIMITS = Limits(1, 1, 1, 0.0, -math.inf, math.nan)
ARRAYS = Arrays(VECTOR, MATRIX, VECTOR, MATRIX, MATRIX, (VECTOR, VECTOR))

_MADE_OF = (
    __name__,
    *sorted({rule.__module__ for rule in registry.RULES.values()}),
    losses.__name__,
    torch_random.__name__,
    plan.__name__,
)
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
        version = digest(walk.__module__, *_MADE_OF)
        examples = (*(settings() for settings in chosen_by), *arguments)
        _kernels[key] = entry_point(walk, name, version, examples)
    return _kernels[key]
