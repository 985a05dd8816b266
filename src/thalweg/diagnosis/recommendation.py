"""Choosing a setting that works: candidates are run, and the first that arrives is taken.

Candidates that need few epochs come in the order of how much they change; if none of them
arrives, the others in the order of their epochs. Not here: the candidates
(:mod:`thalweg.diagnosis.candidates`), what counts as arrival
(:mod:`thalweg.diagnosis.landscape`), the words (:mod:`thalweg.diagnosis.explanation`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.data.dataset import Dataset
from thalweg.descent.fit import fit
from thalweg.diagnosis.candidates import (
    AFFORDABLE,
    PATIENCE,
    Candidate,
    Choice,
    batch_descents,
    comfortable,
    drawn_start,
    last_resort,
    mini_batch_descents,
    walk,
)
from thalweg.diagnosis.landscape import Landscape
from thalweg.optimizers.sgd import SGD
from thalweg.runs.run import Run
from thalweg.settings import DEFAULTS

_ROW_VISITS = 2_000_000  # what trying settings of mini-batch descent may cost, in all
_ATTEMPTS = 3  # with half as many epochs again each time


@dataclass(frozen=True, eq=False)
class Recommendation:
    """A setting that was run, and what it reached.

    Attributes
    ----------
    settings : dict
        The keyword arguments for :func:`thalweg.fit`.
    change : str
        What it changes, in words; empty where nothing needs to change.
    run : Run or None
        Its run on the rows; None where the rows are not at hand, and it was run on the summary.
    loss : float
        The mean squared error over all the rows where it ended.
    epochs : int
        The epochs it walked.
    needed : int or None
        The epoch since when it was at the goal; None where it did not end there.
    """

    settings: dict[str, Any]
    change: str
    run: Run | None
    loss: float
    epochs: int
    needed: int | None

    @property
    def reached(self) -> bool:
        """Whether it arrived at the goal."""
        return self.needed is not None


def recommend(
    landscape: Landscape, rows: Dataset | None, choice: Choice | None, *, try_as_is: bool
) -> Recommendation:
    """Find a setting that arrives, and run it.

    Parameters
    ----------
    landscape : Landscape
        In the user's units.
    rows : Dataset or None
        The rows, where they are at hand.
    choice : Choice or None
        What the user chose; None before any fit.
    try_as_is : bool
        Whether the user's own setting may be what is recommended, unchanged.
    """
    asked = choice.epochs if choice else 0
    patience = max(PATIENCE, 4 * asked)
    base = choice or Choice(SGD(), DEFAULTS["epochs"], intercept=landscape.intercept)
    best: Recommendation | None = None
    if not base.as_batches.sees_all(landscape.n):
        if rows is not None:
            best = _first_by_running(landscape, rows, base, try_as_is=try_as_is)
            if best is not None and best.reached:
                return best
        base = base._replace(batches=())
    kept: list[Candidate] = []
    for candidate in batch_descents(landscape, base, fresh=choice is None, try_as_is=try_as_is):
        if candidate.needed is None or candidate.needed > AFFORDABLE:
            continue
        kept.append(candidate)
        if candidate.needed <= patience:
            tried = _run(landscape, rows, candidate)
            if tried.reached:
                return tried
            best = _nearer(best, tried)
    for candidate in sorted(kept, key=lambda c: c.needed or 0):
        if (candidate.needed or 0) > patience:
            tried = _run(landscape, rows, candidate)
            if tried.reached:
                return tried
            best = _nearer(best, tried)
    if best is None:
        best = _run(landscape, rows, last_resort(landscape, base))
    return best


def _first_by_running(
    landscape: Landscape, rows: Dataset, base: Choice, *, try_as_is: bool
) -> Recommendation | None:
    """Try settings that keep the user's batches, within a budget of row visits."""
    best: Recommendation | None = None
    budget = _ROW_VISITS
    for candidate in mini_batch_descents(landscape, rows, base, try_as_is=try_as_is):
        cost = len(rows) * candidate.choice.epochs
        if cost > budget:
            continue
        budget -= cost
        tried = _run_once(landscape, rows, candidate)
        if tried.reached:
            return tried
        best = _nearer(best, tried)
    return best


# --- Running --------------------------------------------------------------------------------------


def _run(landscape: Landscape, rows: Dataset | None, candidate: Candidate) -> Recommendation:
    """Run a candidate, with more epochs where it falls short of its promise."""
    needed = candidate.needed or candidate.choice.epochs
    epochs = comfortable(1.1 * needed) if candidate.change else candidate.choice.epochs
    tried = _run_once(landscape, rows, _with_epochs(candidate, epochs))
    for _ in range(_ATTEMPTS - 1):
        if tried.reached or epochs >= AFFORDABLE:
            break
        epochs = min(comfortable(1.5 * epochs), AFFORDABLE)
        tried = _run_once(landscape, rows, _with_epochs(candidate, epochs))
    return tried


def _with_epochs(candidate: Candidate, epochs: int) -> Candidate:
    return candidate._replace(choice=candidate.choice._replace(epochs=epochs))


def _run_once(landscape: Landscape, rows: Dataset | None, candidate: Candidate) -> Recommendation:
    choice = candidate.choice
    here = landscape.seen(standardize=choice.standardize)
    if rows is not None:
        run = fit(rows, **choice.settings)
        losses = landscape.loss(run.path)
    else:
        run = walk(choice.rule, here, drawn_start(here, choice.seed), choice.epochs)
        losses = here.loss(run.scaled_path)
    outside = np.flatnonzero(~(losses <= landscape.goal))
    arrived = int(outside[-1]) + 1 if len(outside) else 0
    return Recommendation(
        settings=choice.settings,
        change=candidate.change,
        run=run if rows is not None else None,
        loss=float(losses[-1]),
        epochs=run.epochs,
        needed=arrived if arrived < len(losses) else None,
    )


def _nearer(best: Recommendation | None, other: Recommendation) -> Recommendation:
    if best is None or np.isnan(best.loss) or other.loss < best.loss:
        return other
    return best
