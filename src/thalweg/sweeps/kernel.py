"""Thousands of runs of batch descent at once, side by side in the lanes of vector code.

All runs of a sweep share the data, the rule and its settings but for the learning rate; each has
its own start. A tile of runs is walked together, a parameter at a time: a loop over its runs has
no branch and nothing that waits, so that it becomes vector code; threads take tiles in turn.
Not here: sweeps over other settings, which are sweeps of this kind one after another, and the
single run (:mod:`thalweg.descent.full_batch`), whose steps these are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    schedule,
    update,
)
from thalweg.descent.plan import DIVERGENCE
from thalweg.optimizers.rule import Coefficients, Pair, Slots, canonical, declared

# Runs in a tile. Enough for vector loops to be worth their entry, few enough for a tile of a few
# parameters to stay in the fastest cache.
LANES = 64


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
LR, LOSS, LIMIT, SPREAD, CARRIED, NOW = 0, LANES, 2 * LANES, 3 * LANES, 4 * LANES, 6 * LANES
SHARED = 12 * LANES
# Then a block for each parameter: its value, gradient and residual, and what the rule remembers.
GRADIENT, RESIDUAL, MEMORY, BLOCK = LANES, 2 * LANES, 3 * LANES, 6 * LANES


class Runs(NamedTuple):
    """The whole sweep: what is read and what is written."""

    lr: Array  # (runs,)
    starts: Array  # (runs, p)
    memory_start: Array  # (slots, runs)
    numbers_start: Array  # (2, runs)
    parameters: Array  # (runs, p), written
    loss: Array  # (runs,), written
    ended: NDArray[np.int64]  # (runs,), written: epochs walked by a run that diverged, or 0
    path: Array  # (epochs + 1, p, runs), written; of size 0 where it is not asked for


def with_lr(rule: Any, lr: float) -> Any:
    """Give a rule with another learning rate."""
    return rule._replace(lr=lr)


def recall_lane(rule: Any, block: Array, lane: int) -> Slots:
    """Read what the rule remembers of one run's parameter."""
    return tuple(block[MEMORY + lane :: LANES][: len(declared(type(rule)).slots)])


def keep_lane(rule: Any, block: Array, lane: int, remembered: Slots) -> None:
    """Write what :func:`recall_lane` reads."""
    block[MEMORY + lane :: LANES][: len(declared(type(rule)).slots)] = remembered


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
    return _RECALL[len(declared(rule.instance_class).slots)]


@overload(keep_lane, **CHOSEN)
def _choose_keep(rule, block, lane, remembered):  # type: ignore[no-untyped-def]
    return _KEEP[len(declared(rule.instance_class).slots)]


@exact
def block_of(tile: Array, j: int) -> Array:
    """Give the block of parameter j."""
    return tile[SHARED + j * BLOCK : SHARED + (j + 1) * BLOCK]


@exact
def load(tile: Array, runs: Runs, first: int, lanes: int) -> None:
    """Put runs into a tile, at their start."""
    slots = runs.memory_start.shape[0]
    for lane in range(lanes):
        run = first + lane
        tile[LR + lane] = runs.lr[run]
        tile[CARRIED + lane] = runs.numbers_start[0, run]
        tile[CARRIED + LANES + lane] = runs.numbers_start[1, run]
        for j in range(runs.starts.shape[1]):
            block = block_of(tile, j)
            block[lane] = runs.starts[run, j]
            for slot in range(slots):
                block[MEMORY + slot * LANES + lane] = runs.memory_start[slot, run]


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
        carried = (tile[CARRIED + lane], tile[CARRIED + LANES + lane])
        now, carried = schedule(own, float(step), bases, powers, carried)
        tile[CARRIED + lane], tile[CARRIED + LANES + lane] = carried
        tile[NOW + lane], tile[NOW + LANES + lane] = now[0], now[1]
        tile[NOW + 2 * LANES + lane], tile[NOW + 3 * LANES + lane] = now[2], now[3]
        tile[NOW + 4 * LANES + lane], tile[NOW + 5 * LANES + lane] = now[4], now[5]
        tile[SPREAD + lane] = 0.0


@exact
def scheduled(tile: Array, lane: int) -> Coefficients:
    """Read what the updates of a run's step need."""
    return (
        tile[NOW + lane],
        tile[NOW + LANES + lane],
        tile[NOW + 2 * LANES + lane],
        tile[NOW + 3 * LANES + lane],
        tile[NOW + 4 * LANES + lane],
        tile[NOW + 5 * LANES + lane],
    )


@exact
def make_step(tile: Array, rule: Any, p: int, lanes: int) -> None:
    """Update the parameters of every run."""
    for j in range(p):
        block = block_of(tile, j)
        for lane in range(lanes):
            own, now = with_lr(rule, tile[LR + lane]), scheduled(tile, lane)
            remembered = recall_lane(rule, block, lane)
            w, remembered = update(own, now, block[lane], block[GRADIENT + lane], remembered)
            keep_lane(rule, block, lane, remembered)
            block[lane] = w
            tile[SPREAD + lane] += w * 0.0  # NaN as soon as one parameter is not finite


@exact
def count_diverged(tile: Array, lanes: int) -> int:
    """Count the runs that are beyond all bounds, or were: their limit is then -inf."""
    inside = 0
    for lane in range(lanes):
        finite = tile[SPREAD + lane] == 0.0
        inside += 1 if finite and tile[LOSS + lane] <= tile[LIMIT + lane] else 0
    return lanes - inside


@exact
def write_ends(tile: Array, runs: Runs, first: int, lanes: int, epoch: int, diverged: bool) -> None:
    """Write down the ends of the runs that just diverged, or of those that never did."""
    for lane in range(lanes):
        run = first + lane
        inside = tile[SPREAD + lane] == 0.0 and tile[LOSS + lane] <= tile[LIMIT + lane]
        if runs.ended[run] == 0 and inside != diverged:
            runs.loss[run] = tile[LOSS + lane]
            for j in range(runs.starts.shape[1]):
                runs.parameters[run, j] = block_of(tile, j)[lane]
            if diverged:
                runs.ended[run] = epoch
                tile[LIMIT + lane] = -np.inf


@exact
def write_points(tile: Array, runs: Runs, first: int, lanes: int, epoch: int) -> None:
    """Write the parameters after an epoch into the path."""
    for j in range(runs.starts.shape[1]):
        block, point = block_of(tile, j), runs.path[epoch, j]
        for lane in range(lanes):
            point[first + lane] = block[lane]


def walk_tiles(
    version: int, rule: Any, R: Array, n: float, variance: float, epochs: int, runs: Runs,
    tile: Array, first: int, last: int,
) -> int:  # fmt: skip
    """Walk the runs from ``first`` to before ``last``, a tile at a time."""
    bases, recording, p = bases_of(rule), runs.path.size > 0, runs.starts.shape[1]
    for start in range(first, last, LANES):
        lanes = min(LANES, last - start)
        load(tile, runs, start, lanes)
        powers, known, epoch = (1.0, 1.0), 0, 0
        if recording:
            write_points(tile, runs, start, lanes, epoch)
        while epoch < epochs and known < lanes:
            look(tile, R, n, lanes)
            if epoch == 0:
                for lane in range(lanes):
                    loss = tile[LOSS + lane]
                    tile[LIMIT + lane] = DIVERGENCE * (loss if loss > variance else variance)
            epoch += 1
            powers = next_powers(bases, powers, epoch)
            plan_step(tile, rule, epoch, bases, powers, lanes)
            make_step(tile, rule, p, lanes)
            if recording:
                write_points(tile, runs, start, lanes, epoch)
            diverged = count_diverged(tile, lanes)
            if diverged > known:
                write_ends(tile, runs, start, lanes, epoch, True)
                known = diverged
        look(tile, R, n, lanes)
        write_ends(tile, runs, start, lanes, epoch, False)
    return 0


def sweep_descend(
    R: Array,
    n: int,
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
        The triangle of ``[1, X, y]``, or of ``[X, y]``: see :meth:`Summary.triangle`.
    n : int
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
    runs = _runs(same, np.asarray(lr, np.float64), np.asarray(starts, np.float64), epochs, paths)
    count, threads = len(runs.lr), os.cpu_count() or 1
    tiles = -(-count // LANES)
    share = -(-tiles // threads) * LANES
    kernel_of_rule = _tiles_kernel(same)

    def walk(first: int) -> int:
        last = min(first + share, count)
        tile = _tile(runs.starts.shape[1])
        result: int = kernel_of_rule(same, R, float(n), variance, epochs, runs, tile, first, last)
        return result

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(walk, range(0, count, share)):
            pass
    return _trace(runs, epochs)


def _runs(rule: Any, lr: Array, starts: Array, epochs: int, paths: bool) -> Runs:
    count, p = starts.shape
    known = declared(type(rule))
    memory, numbers = np.zeros((len(known.slots), count)), np.zeros((2, count))
    # What starts at the learning rate starts at each run's own.
    for slot, one in enumerate(known.slots):
        memory[slot] = lr if one.initial == "lr" else one.value(rule)
    for slot, one in enumerate(known.scalars[1:]):
        numbers[slot] = lr if one.initial == "lr" else one.value(rule)
    return Runs(
        lr=lr,
        starts=starts,
        memory_start=memory,
        numbers_start=numbers,
        parameters=np.empty((count, p)),
        loss=np.empty(count),
        ended=np.zeros(count, np.int64),
        path=np.empty((epochs + 1, p, count) if paths else (0, 0, 0)),
    )


def _tile(p: int) -> Array:
    return np.empty(SHARED + p * BLOCK)


def _trace(runs: Runs, epochs: int) -> SweepTrace:
    path = None
    if runs.path.size:
        path = runs.path.transpose(2, 0, 1)
        for run in np.flatnonzero(runs.ended):
            path[run, runs.ended[run] + 1 :] = np.nan
    diverged = runs.ended > 0
    walked = np.where(diverged, runs.ended, epochs)
    return SweepTrace(runs.parameters, runs.loss, walked, diverged, path)


def _tiles_kernel(rule: Any) -> Callable[..., Any]:
    """Give :func:`walk_tiles` for a rule, compiled or from the disk."""
    runs = _runs(type(rule)(), VECTOR, MATRIX, 1, paths=True)
    return kernel_of(walk_tiles, (type(rule),), (MATRIX, 1.0, 1.0, 1, runs, _tile(1), 0, 1))
