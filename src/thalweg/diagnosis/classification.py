"""Judging a run: where it ended, which directions have converged, what kept the others.

Everything is measured on the loss of all the rows, at the recorded points, along the directions
of curvature in the coordinates that the optimiser saw. Not here: why (words are made in
:mod:`thalweg.diagnosis.explanation`), what to do (:mod:`thalweg.diagnosis.recommendation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.batches import batches_of
from thalweg.conditioning.curvature import distances
from thalweg.diagnosis.landscape import Landscape
from thalweg.runs.run import Outcome, Run

# A run that needs more than so many times its epochs has crawled; up to that, it ran out of them.
_CRAWL = 10
# How much of the loss above the minimum one direction must hold to be all that is left.
_ALL_THAT_IS_LEFT = 0.9


class Verdict(Enum):
    """What a run did."""

    CONVERGED = "converged"
    DIVERGED = "diverged"
    CRAWLED = "crawled"
    OSCILLATED = "oscillated"
    OUT_OF_EPOCHS = "ran out of epochs"
    NOISE = "sat on mini-batch noise"
    BESIDE = "settled beside the exact solution"


@dataclass(frozen=True, eq=False)
class Classification:
    """A run held against the exact solution.

    Attributes
    ----------
    epochs : ndarray, shape (k,)
        The epoch of each recorded point, 0 for the start.
    loss : ndarray, shape (k,)
        The mean squared error over all the rows there; infinite where it left float64.
    distances : ndarray, shape (k, p)
        The signed distance to the solution along each direction, steepest first, in the
        coordinates that the optimiser saw.
    excess : ndarray, shape (k, p)
        What each direction adds to the loss above the exact one: ½ λ times its distance squared.
    converged : ndarray, shape (p,), bool
        The directions that alone would leave the last loss within the goal.
    verdict : Verdict
        What the run did.
    since : float
        The epoch since when: of arrival, of the lowest loss before a divergence, or from which
        one direction held nine tenths of what was left.
    direction : int
        The direction that held most of the loss above the minimum over the second half.
    share : float
        How much of it, from 0 to 1.
    """

    epochs: Array
    loss: Array
    distances: Array
    excess: Array
    converged: NDArray[np.bool_]
    verdict: Verdict
    since: float
    direction: int
    share: float


@np.errstate(over="ignore", invalid="ignore")  # of a path that went as far as numbers go
def classify(
    run: Run, landscape: Landscape, needed: int | None, *, known: bool = True
) -> Classification:
    """Hold a run against the exact solution.

    Parameters
    ----------
    run : Run
        Whose path is in the landscape's coordinates.
    landscape : Landscape
        Standardised where the run is.
    needed : int or None
        The batch epochs that the run's settings need to arrive; None for never, or for more than
        were tried.
    known : bool
        False where that could not be found out.
    """
    epochs = run.recorded_epochs
    away = distances(landscape.curvature, run.scaled_path, landscape.solution)
    excess = 0.5 * landscape.curvature.values * away**2
    loss = np.nan_to_num(landscape.loss(run.scaled_path), nan=np.inf, posinf=np.inf)
    tail = epochs >= 0.5 * epochs[-1]
    held = np.nan_to_num(excess[tail], nan=np.inf, posinf=np.inf).mean(axis=0)
    direction = int(held.argmax())
    verdict = _verdict(run, landscape, loss, away[tail, direction], needed if known else run.epochs)
    return Classification(
        epochs=epochs,
        loss=loss,
        distances=away,
        excess=excess,
        converged=np.nan_to_num(excess[-1], nan=np.inf) <= landscape.allowed_excess,
        verdict=verdict,
        since=float(epochs[_since(verdict, landscape, loss, excess, direction)]),
        direction=direction,
        share=float(held[direction] / held.sum()) if 0.0 < held.sum() < np.inf else 1.0,
    )


def _verdict(
    run: Run, landscape: Landscape, loss: Array, tail: Array, needed: int | None
) -> Verdict:
    if run.outcome is Outcome.DIVERGED or _is_growing(run, loss):
        return Verdict.DIVERGED
    if loss[-1] <= landscape.goal:
        return Verdict.CONVERGED
    centre, spread = abs(float(np.median(tail))), float(np.ptp(tail))
    crossings = int((np.diff(np.signbit(tail)) != 0).sum())
    if batches_of(run.asked, landscape.n).sees_all(landscape.n):
        if crossings >= 2 and centre < 0.5 * spread:
            return Verdict.OSCILLATED
    elif _is_still(tail, centre, spread):
        return Verdict.NOISE
    if needed is None and run.asked.hyperparameters.get("weight_decay", 0.0):
        return Verdict.BESIDE
    if needed is not None and needed <= _CRAWL * int(run.steps[-1]):
        return Verdict.OUT_OF_EPOCHS
    return Verdict.CRAWLED


def _is_growing(run: Run, loss: Array) -> bool:
    """Tell a divergence that was not yet large enough to stop the fit."""
    late = loss[-max(3, len(loss) // 4) :]
    return bool(loss[-1] > loss[0] and len(loss) > 3 and (np.diff(late) > 0).all())


def _is_still(tail: Array, centre: float, spread: float) -> bool:
    """Tell a distance that only fluctuates, or rests beside zero, from one that shrinks."""
    if len(tail) < 4:
        return False
    moved = float(np.abs(np.diff(tail)).sum())
    if centre <= spread and np.signbit(tail).any() != np.signbit(tail).all():
        return True
    directed = abs(float(tail[-1] - tail[0])) / moved if moved > 0 else 0.0
    return directed < 0.5 or moved < 1e-3 * centre


def _since(
    verdict: Verdict, landscape: Landscape, loss: Array, excess: Array, direction: int
) -> int:
    """Find the recorded point since when the verdict holds."""
    if verdict is Verdict.DIVERGED:
        return int(np.argmin(loss))
    if verdict is Verdict.CONVERGED:
        outside = np.flatnonzero(loss > landscape.goal)
        return int(outside[-1]) + 1 if len(outside) else 0
    if verdict is Verdict.NOISE:
        level = np.median(loss[len(loss) // 2 :])
        return int(np.flatnonzero(loss <= level)[0])
    others = np.flatnonzero(excess[:, direction] < _ALL_THAT_IS_LEFT * excess.sum(axis=1))
    return min(int(others[-1]) + 1, len(loss) - 1) if len(others) else 0
