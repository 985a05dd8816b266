"""A run on another loss than the squared error: what can be said of it without its solution.

No exact solution of the absolute error or the Huber loss is computed here, nor a curvature: they
have none in closed form. But the least-squares solution is a point like any other, and a run
that ended above it, on its own loss, has not arrived. Not here: the words about the squared error
(:mod:`thalweg.diagnosis.explanation`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.arrays import Array, design_matrix
from thalweg.data.dataset import Dataset
from thalweg.diagnosis.wording import epochs_in_words, rule_and_rate
from thalweg.losses import NAMES, make_loss, mean_loss
from thalweg.numbers import number
from thalweg.runs.run import Outcome, Run

if TYPE_CHECKING:
    from thalweg.diagnosis.diagnosis import Diagnosis


def what_happened(d: Diagnosis, run: Run) -> list[str]:
    """Say how the run's own loss went, and where it ended beside the least-squares solution."""
    rows = run.data
    sentences = [_course(run)]
    if np.isfinite(run.parameters).all() and run.outcome is not Outcome.DIVERGED:
        if rows is not None:
            sentences.append(_beside(d, run, rows))
        squared = float(d.landscape.loss(run.parameters))
        least = d.landscape.exact_loss
        sentences.append(
            f"Its mean squared error ended at {number(squared)}; the least there is, that of the "
            f"least-squares solution, is {number(least)}."
        )
    return [*sentences, "What follows is about the mean squared error on these rows."]


def message(run: Run) -> str:
    """Say in one sentence how such a run ended."""
    lr = number(run.settings.lr, 6)
    ended = {
        Outcome.CONVERGED: f"converged at epoch {run.epochs:,}",
        Outcome.DIVERGED: f"diverged at epoch {run.epochs:,} with lr = {lr}",
        Outcome.OUT_OF_EPOCHS: f"out of epochs after {run.epochs:,}",
        Outcome.STOPPED: f"stopped after {run.epochs:,} epochs",
    }[run.outcome]
    return f"{ended}: the {_named(run)} is {number(float(run.loss[-1]))} in the last epoch"


def _named(run: Run) -> str:
    label = NAMES[run.settings.loss].label
    if run.settings.loss == "huber":
        return f"{label} with delta = {number(run.settings.delta, 6)}"
    return label


def _course(run: Run) -> str:
    ended = {
        Outcome.CONVERGED: "reached its tolerance after",
        Outcome.DIVERGED: "diverged: its loss left all bounds in",
        Outcome.OUT_OF_EPOCHS: "walked",
        Outcome.STOPPED: "was stopped after",
    }[run.outcome]
    first, last = number(float(run.loss[0])), number(float(run.loss[-1]))
    return (
        f"{rule_and_rate(run)} on the {_named(run)} {ended} {epochs_in_words(run.epochs)}: "
        f"that loss was {first} in the first and {last} in the last."
    )


def _loss_at(parameters: Array, run: Run, rows: Dataset) -> float:
    """Give the run's own loss over all the rows."""
    designs = ((design_matrix(X, intercept=run.settings.intercept), y) for X, y in rows.batches())
    residuals = np.concatenate([design @ parameters - y for design, y in designs])
    return mean_loss(make_loss(run.settings.loss, run.settings.delta), residuals)


def _beside(d: Diagnosis, run: Run, rows: Dataset) -> str:
    ended = _loss_at(run.parameters, run, rows)
    there = _loss_at(d.landscape.solution, run, rows)
    first = (
        f"Over all the rows it ended at {number(ended)}; the least-squares solution has "
        f"{number(there)}"
    )
    if ended > there:
        return f"{first}, so the run has not arrived: at least {number(ended - there)} was to go."
    return f"{first}. How low it can get is not known: no exact solution of it is computed."
