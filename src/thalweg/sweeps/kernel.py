"""Thousands of runs of batch descent at once, side by side in the lanes of vector code.

All runs of a sweep share the data, the rule and its settings but for the learning rate; each has
its own start. A tile of runs is walked together, a parameter at a time: a loop over its runs has
no branch and nothing that waits, so that it becomes vector code; threads take tiles in turn.
Not here: sweeps over other settings, which are sweeps of this kind one after another, and the
single run (:mod:`thalweg.descent.full_batch`), whose steps these are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.descent.kernel import (
    CHOSEN,
    MATRIX,
    VECTOR,
    bases_of,
    exact,
    kernel_of,
    next_powers,
    powers_at,
    schedule,
    slot_count,
    slots_of,
    update,
)
from thalweg.descent.plan import DIVERGENCE
from thalweg.native import processors
from thalweg.optimizers.rule import Coefficients, Pair, Slots, canonical, declared

# Runs in a tile. Enough for vector loops to be worth their entry, few enough for a tile of a few
# parameters to stay in the fastest caches.
LANES = 256

# What one call of the kernel may take, in updates of a number: some milliseconds, so that a sweep
# can be interrupted. Scheduling and updating a parameter count as so many of them. A tile of many
# parameters has fewer runs, but not so few that its loops are not worth their entry.
UPDATES, OF_A_STEP, FEWEST_LANES = 30_000_000, 20, 16


class SweepTrace(NamedTuple):
    """What the runs of a sweep did."""

    parameters: Array  # (runs, p), at the end
    loss: Array  # (runs,), at those parameters; of a run that diverged, its last epoch's
    epochs: NDArray[np.int64]  # (runs,), walked
    diverged: NDArray[np.bool_]  # (runs,), whether the last of them was beyond all bounds
    path: Array | None  # (runs, epochs + 1, p), the start first; NaN after a divergence


# A tile is one array of rows of LANES numbers, at distances known when it is compiled: only then
# can the compiler tell that they do not overlap without asking at each loop. First the rows that
# a run has once:
LR, LOSS, LIMIT, SPREAD, SCALARS, STEP = 0, LANES, 2 * LANES, 3 * LANES, 4 * LANES, 6 * LANES
SHARED = 12 * LANES
# Then a block for each parameter: its value, gradient and residual, and what the rule remembers.
GRADIENT, RESIDUAL, MEMORY, BLOCK = LANES, 2 * LANES, 3 * LANES, 6 * LANES

# Points of the path go first into an array (POINTS * p, ROW) of their own and then, together, to
# where they stay: epoch by epoch they would fall on a new page each, at twice the time. Its rows
# are no power of two long, or a column of it would fall on few lines of the cache.
POINTS, ROW = 16, LANES + 8

LARGEST = sys.float_info.max
ENDED = -np.inf  # the limit of a run that has ended: no loss is within it


class Runs(NamedTuple):
    """The whole sweep: what is read and what is written."""

    lr: Array  # (runs,)
    starts: Array  # (runs, p)
    memory_start: Array  # (slots, runs)
    scalars_start: Array  # (2, runs)
    parameters: Array  # (runs, p), written
    loss: Array  # (runs,), written
    epochs: NDArray[np.int64]  # (runs,), written
    diverged: NDArray[np.bool_]  # (runs,), written
    path: Array  # (runs, (epochs + 1) * p), written; of size 0 where it is not asked for


class Leg(NamedTuple):
    """What one call of the kernel walks."""

    first: int  # run, the first of the tile
    lanes: int  # the runs in the tile
    begin: int  # the epochs walked before; at 0 the tile is filled
    until: int  # the epochs walked after
    epochs: int  # the epochs of the sweep; when they are reached, every run is at its end


def memory_at_start(rule: Any, lr: Array) -> tuple[Array, Array]:
    """Give what a rule remembers before the first step: (slots, runs) and (2, runs)."""
    known = declared(type(rule))
    memory, scalars = np.zeros((len(known.slots), lr.size)), np.zeros((2, lr.size))
    # What starts at the learning rate starts at each run's own.
    for slot, one in enumerate(known.slots):
        memory[slot] = lr if one.initial == "lr" else one.value(rule)
    for at, one in enumerate(known.scalars[1:]):
        scalars[at] = lr if one.initial == "lr" else one.value(rule)
    return memory, scalars


def with_lr(rule: Any, lr: float) -> Any:
    """Give a rule with another learning rate."""
    return rule._replace(lr=lr)


def recall_lane(rule: Any, block: Array, lane: int) -> Slots:
    """Read what the rule remembers of one run's parameter."""
    return tuple(block[MEMORY + lane :: LANES][: slot_count(rule)])


def keep_lane(rule: Any, block: Array, lane: int, remembered: Slots) -> None:
    """Write what :func:`recall_lane` reads."""
    block[MEMORY + lane :: LANES][: slot_count(rule)] = remembered


@overload(with_lr, **CHOSEN)
def _choose_with_lr(rule, lr):  # type: ignore[no-untyped-def]
    rule_class = rule.instance_class

    def replace(rule, lr):  # type: ignore[no-untyped-def]
        return rule_class(lr, *rule[1:])

    return replace


_RECALL: dict[int, Callable[..., Slots]] = {
    0: lambda rule, block, lane: (),
    1: lambda rule, block, lane: (block[MEMORY + lane],),
    2: lambda rule, block, lane: (block[MEMORY + lane], block[MEMORY + LANES + lane]),
    3: lambda rule, block, lane: (
        block[MEMORY + lane],
        block[MEMORY + LANES + lane],
        block[MEMORY + 2 * LANES + lane],
    ),
}


def _keep_0(rule: Any, block: Array, lane: int, remembered: Slots) -> None:
    pass


def _keep_1(rule: Any, block: Array, lane: int, remembered: Slots) -> None:
    block[MEMORY + lane] = remembered[0]


def _keep_2(rule: Any, block: Array, lane: int, remembered: Slots) -> None:
    block[MEMORY + lane] = remembered[0]
    block[MEMORY + LANES + lane] = remembered[1]


def _keep_3(rule: Any, block: Array, lane: int, remembered: Slots) -> None:
    block[MEMORY + lane] = remembered[0]
    block[MEMORY + LANES + lane] = remembered[1]
    block[MEMORY + 2 * LANES + lane] = remembered[2]


_KEEP: dict[int, Callable[..., None]] = {0: _keep_0, 1: _keep_1, 2: _keep_2, 3: _keep_3}


@overload(recall_lane, **CHOSEN)
def _choose_recall(rule, block, lane):  # type: ignore[no-untyped-def]
    return _RECALL[slots_of(rule.instance_class)]


@overload(keep_lane, **CHOSEN)
def _choose_keep(rule, block, lane, remembered):  # type: ignore[no-untyped-def]
    return _KEEP[slots_of(rule.instance_class)]


@exact
def block_of(tile: Array, j: int) -> Array:
    """Give the block of parameter j."""
    return tile[SHARED + j * BLOCK : SHARED + (j + 1) * BLOCK]


@exact
def check_shapes(rule: Any, R: Array, runs: Runs, tile: Array, points: Array, leg: Leg) -> None:
    """Refuse arrays that the walk would read or write beyond their ends."""
    count, p = runs.starts.shape
    read = (
        R.shape == (p + 1, p + 1)
        and runs.lr.shape == (count,)
        and runs.memory_start.shape == (slot_count(rule), count)
        and runs.scalars_start.shape == (2, count)
    )
    written = (
        runs.parameters.shape == (count, p)
        and runs.loss.shape == (count,)
        and runs.epochs.shape == (count,)
        and runs.diverged.shape == (count,)
        and tile.shape == (SHARED + p * BLOCK,)
        and (runs.path.size == 0 or runs.path.shape == (count, (leg.epochs + 1) * p))
        and (runs.path.size == 0 or points.shape == (POINTS * p, ROW))
    )
    inside = (
        leg.first >= 0
        and 0 < leg.lanes <= LANES
        and leg.lanes <= count - leg.first
        and 0 <= leg.begin < leg.until <= leg.epochs
    )
    if not (read and written and inside):
        raise ValueError("the arrays of a sweep do not fit one another")


@exact
def load(tile: Array, runs: Runs, first: int, lanes: int) -> None:
    """Put runs into a tile, at their start."""
    for lane in range(lanes):
        run = first + lane
        tile[LR + lane] = runs.lr[run]
        tile[SCALARS + lane] = runs.scalars_start[0, run]
        tile[SCALARS + LANES + lane] = runs.scalars_start[1, run]
        for j in range(runs.starts.shape[1]):
            block = block_of(tile, j)
            block[lane] = runs.starts[run, j]
            for slot in range(runs.memory_start.shape[0]):
                block[MEMORY + slot * LANES + lane] = runs.memory_start[slot, run]


@exact
def set_limits(tile: Array, variance: float, lanes: int) -> None:
    """Say from the loss at the start beyond which loss each run has diverged."""
    for lane in range(lanes):
        loss = tile[LOSS + lane]
        limit = DIVERGENCE * (loss if loss > variance else variance)
        tile[LIMIT + lane] = limit if limit < LARGEST else LARGEST  # no infinite loss is within


@exact
def look(tile: Array, R: Array, n: float, lanes: int) -> None:
    """Work out loss and gradient of every run, as `triangle_gradient` does for one."""
    p, share = R.shape[0] - 1, 1.0 / n
    rest = R[p, p] * R[p, p] * share
    for i in range(p):
        own, factor, target = block_of(tile, i), R[i, i], R[i, p]
        for lane in range(lanes):
            own[RESIDUAL + lane] = factor * own[lane] - target
        for j in range(i + 1, p):
            other, factor = block_of(tile, j), R[i, j]
            for lane in range(lanes):
                own[RESIDUAL + lane] += factor * other[lane]
        for lane in range(lanes):
            before = tile[LOSS + lane] if i > 0 else rest
            tile[LOSS + lane] = before + share * own[RESIDUAL + lane] * own[RESIDUAL + lane]
    for j in range(p):
        own, other, factor = block_of(tile, j), block_of(tile, 0), 2.0 * share * R[0, j]
        for lane in range(lanes):
            own[GRADIENT + lane] = factor * other[RESIDUAL + lane]
        for i in range(1, j + 1):
            other, factor = block_of(tile, i), 2.0 * share * R[i, j]
            for lane in range(lanes):
                own[GRADIENT + lane] += factor * other[RESIDUAL + lane]


@exact
def plan_step(tile: Array, rule: Any, step: int, bases: Pair, powers: Pair, lanes: int) -> None:
    """Schedule the step of every run."""
    for lane in range(lanes):
        own = with_lr(rule, tile[LR + lane])
        scalars = (tile[SCALARS + lane], tile[SCALARS + LANES + lane])
        made, scalars = schedule(own, float(step), bases, powers, scalars)
        tile[SCALARS + lane], tile[SCALARS + LANES + lane] = scalars
        tile[STEP + lane], tile[STEP + LANES + lane] = made[0], made[1]
        tile[STEP + 2 * LANES + lane], tile[STEP + 3 * LANES + lane] = made[2], made[3]
        tile[STEP + 4 * LANES + lane], tile[STEP + 5 * LANES + lane] = made[4], made[5]
        tile[SPREAD + lane] = 0.0


@exact
def scheduled(tile: Array, lane: int) -> Coefficients:
    """Read what the updates of a run's step need."""
    return (
        tile[STEP + lane],
        tile[STEP + LANES + lane],
        tile[STEP + 2 * LANES + lane],
        tile[STEP + 3 * LANES + lane],
        tile[STEP + 4 * LANES + lane],
        tile[STEP + 5 * LANES + lane],
    )


@exact
def make_step(tile: Array, rule: Any, p: int, lanes: int) -> None:
    """Update the parameters of every run."""
    for j in range(p):
        block = block_of(tile, j)
        for lane in range(lanes):
            own, coefficients = with_lr(rule, tile[LR + lane]), scheduled(tile, lane)
            remembered = recall_lane(rule, block, lane)
            gradient = block[GRADIENT + lane]
            w, remembered = update(own, coefficients, block[lane], gradient, remembered)
            keep_lane(rule, block, lane, remembered)
            block[lane] = w
            tile[SPREAD + lane] += w * 0.0  # NaN as soon as one parameter is not finite


@exact
def is_inside(tile: Array, lane: int) -> bool:
    """Tell whether a run has neither ended nor just gone beyond all bounds."""
    # Not with `and`, whose branch keeps the loops around this from being vector code.
    inside: bool = (tile[SPREAD + lane] == 0.0) & (tile[LOSS + lane] <= tile[LIMIT + lane])
    return inside


@exact
def count_walking(tile: Array, lanes: int) -> int:
    """Count the runs that have not ended."""
    walking = 0
    for lane in range(lanes):
        walking += 1 if tile[LIMIT + lane] != ENDED else 0
    return walking


@exact
def end_run(tile: Array, runs: Runs, first: int, lane: int, epoch: int, diverged: bool) -> None:
    """Write down the end of a run."""
    run, loss = first + lane, tile[LOSS + lane]
    runs.epochs[run] = epoch
    runs.diverged[run] = diverged
    runs.loss[run] = loss if loss == loss else np.inf  # ∞ - ∞: too large a number for float64
    for j in range(runs.starts.shape[1]):
        runs.parameters[run, j] = block_of(tile, j)[lane]
    tile[LIMIT + lane] = ENDED


@exact
def end_diverged(tile: Array, runs: Runs, first: int, lanes: int, epoch: int, walking: int) -> int:
    """End the runs that have just diverged, and count those that walk on."""
    inside = 0
    for lane in range(lanes):
        inside += 1 if is_inside(tile, lane) else 0
    if inside < walking:
        for lane in range(lanes):
            if tile[LIMIT + lane] != ENDED and not is_inside(tile, lane):
                end_run(tile, runs, first, lane, epoch, True)
    return inside


@exact
def keep_points(tile: Array, points: Array, p: int, lanes: int, kept: int) -> None:
    """Keep the parameters as they are now; NaN for a run that has ended."""
    for j in range(p):
        block, row = block_of(tile, j), points[kept * p + j]
        for lane in range(lanes):
            row[lane] = block[lane] if tile[LIMIT + lane] != ENDED else np.nan


@exact
def write_points(points: Array, runs: Runs, first: int, lanes: int, epoch: int, kept: int) -> None:
    """Write the points that were kept into the path; the last is that after ``epoch``."""
    p = runs.starts.shape[1]
    start = (epoch + 1 - kept) * p
    for lane in range(lanes):
        path = runs.path[first + lane]
        for i in range(kept * p):
            path[start + i] = points[i, lane]


def walk_tile(
    version: int, rule: Any, R: Array, n: float, variance: float, runs: Runs, tile: Array,
    points: Array, leg: Leg,
) -> int:  # fmt: skip
    """Walk the runs of a tile from one epoch to another, and count those that walk on.

    A tile is walked from epoch 0 to the last in one call or in many, with the same result.
    """
    check_shapes(rule, R, runs, tile, points, leg)
    first, lanes, epoch, until, epochs = leg
    recording, p, kept = runs.path.size > 0, runs.starts.shape[1], 0
    if epoch == 0:
        load(tile, runs, first, lanes)
        look(tile, R, n, lanes)
        set_limits(tile, variance, lanes)
        if recording:
            keep_points(tile, points, p, lanes, kept)
            kept += 1
    bases, walking = bases_of(rule), count_walking(tile, lanes)
    powers = powers_at(bases, epoch)
    while epoch < until and (walking > 0 or recording):
        epoch += 1
        if walking > 0:
            look(tile, R, n, lanes)
            powers = next_powers(bases, powers, epoch)
            plan_step(tile, rule, epoch, bases, powers, lanes)
            make_step(tile, rule, p, lanes)
        if recording:
            keep_points(tile, points, p, lanes, kept)
            kept += 1
            if kept == POINTS or epoch == until:
                write_points(points, runs, first, lanes, epoch, kept)
                kept = 0
        if walking > 0:
            walking = end_diverged(tile, runs, first, lanes, epoch, walking)
    if until == epochs and walking > 0:
        look(tile, R, n, lanes)
        for lane in range(lanes):
            if tile[LIMIT + lane] != ENDED:
                end_run(tile, runs, first, lane, epoch, False)
    return walking


def sweep_descend(
    R: Array,
    n: float,
    variance: float,
    rule: Any,
    lr: Array,
    starts: Array,
    epochs: int,
    *,
    paths: bool = False,
) -> SweepTrace:
    """Walk many runs of batch descent on the squared error, on all processors.

    Parameters
    ----------
    R : ndarray, shape (p + 1, p + 1)
        The triangle of ``[1, X, y]``, or of ``[X, y]``: see :meth:`thalweg.Summary.triangle`.
    n : float
        The rows behind it.
    variance : float
        Their target's variance, for noticing divergence.
    rule : Rule
        The optimiser with the settings that all runs share; its learning rate is not looked at.
    lr : ndarray, shape (runs,)
        Each run's learning rate.
    starts : ndarray, shape (runs, p)
        Each run's start.
    epochs : int
        Epochs to walk.
    paths : bool
        Whether to keep the parameters after every epoch: 8 · runs · (epochs + 1) · p bytes.

    Returns
    -------
    SweepTrace

    Examples
    --------
    >>> from thalweg.optimizers.sgd import SGD
    >>> R = np.array([[2.0, 1.0, 3.0], [0.0, 1.0, 2.0], [0.0, 0.0, 0.5]])  # of four rows
    >>> trace = sweep_descend(R, 4, 1.0, SGD(), np.array([0.5, 9.0]), np.zeros((2, 2)), 60)
    >>> trace.parameters[0].round(3), trace.diverged
    (array([0.5, 2. ]), array([False,  True]))
    """
    same = canonical(rule)
    runs = _runs(same, np.asarray(lr), np.asarray(starts), epochs, paths)
    _walk(same, np.ascontiguousarray(R, np.float64), float(n), float(variance), epochs, runs)
    path = runs.path.reshape(len(starts), epochs + 1, -1) if paths else None
    return SweepTrace(runs.parameters, runs.loss, runs.epochs, runs.diverged, path)


def _runs(rule: Any, lr: Array, starts: Array, epochs: int, paths: bool) -> Runs:
    count, p = starts.shape
    memory_start, scalars_start = memory_at_start(rule, np.ascontiguousarray(lr, np.float64))
    return Runs(
        lr=np.ascontiguousarray(lr, np.float64),
        starts=np.ascontiguousarray(starts, np.float64),
        memory_start=memory_start,
        scalars_start=scalars_start,
        parameters=np.full((count, p), np.nan),
        loss=np.full(count, np.nan),
        epochs=np.zeros(count, np.int64),
        diverged=np.zeros(count, np.bool_),
        # Left as it is found, for filling it takes as long as the walk; the tests show that
        # every element is written.
        path=np.empty((count, (epochs + 1) * p) if paths else (0, 0)),
    )


def _work(p: int, recording: bool) -> tuple[Array, Array]:
    """Make a tile, and where points of the path are kept."""
    return np.zeros(SHARED + p * BLOCK), np.zeros((POINTS * p, ROW) if recording else (0, 0))


def _walk(rule: Any, R: Array, n: float, variance: float, epochs: int, runs: Runs) -> None:
    """Walk every run to its end, a tile to a thread at a time and a piece of it to a call."""
    count, p = runs.starts.shape
    kernel, stopped, recording = _tile_kernel(rule), Event(), runs.path.size > 0
    of_a_run = p * (p + OF_A_STEP)
    size = min(LANES, max(FEWEST_LANES, UPDATES // of_a_run))
    piece = max(1, UPDATES // (size * of_a_run))

    def walk(first: int) -> None:
        work, lanes, walking = _work(p, recording), min(size, count - first), size
        for begin in range(0, epochs, piece):
            if stopped.is_set() or (walking == 0 and not recording):
                return
            leg = Leg(first, lanes, begin, min(begin + piece, epochs), epochs)
            walking = kernel(rule, R, n, variance, runs, *work, leg)

    with ThreadPoolExecutor(processors()) as pool:
        try:
            for _ in pool.map(walk, range(0, count, size)):
                pass
        finally:  # where the user interrupts, what is being walked ends with its piece
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _tile_kernel(rule: Any) -> Callable[..., int]:
    """Give :func:`walk_tile` for a rule, compiled or from the disk."""
    runs = _runs(type(rule)(), VECTOR, MATRIX, 1, paths=True)
    example = (MATRIX, 1.0, 1.0, runs, *_work(1, True), Leg(0, 1, 0, 1, 1))
    return kernel_of(walk_tile, (type(rule),), example)
