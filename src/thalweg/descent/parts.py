"""A long fit watched: progress on the way, checkpoints, and an end at the user's word.

The fit is the one that nobody watches, to the bit, whenever it was stopped and gone on with. Not
here: the walking (:mod:`thalweg.descent.engines`), what a checkpoint looks like on disk
(:mod:`thalweg.runs.run_file`), drawing a progress bar (:mod:`thalweg.progress`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.data.source import Source
from thalweg.descent.engines import begin, calls, loss_limit
from thalweg.descent.plan import Plan, Trace
from thalweg.descent.task import Task, prepare
from thalweg.errors import InvalidSetting
from thalweg.progress import Bar, Callback, Progress
from thalweg.runs.run import InitialState, Outcome, ResumeState, Run
from thalweg.runs.run_file import read, save
from thalweg.settings import Settings


def fit_in_parts(
    rows: Source,
    start: ArrayLike | int | Run | ResumeState | None,
    settings: Settings,
    *,
    progress: bool | Callback,
    checkpoint: Path | None,
    every: float,
    resume: Path | None,
) -> Run:
    """Fit as :func:`thalweg.fit` does, to the same bits, with progress and checkpoints.

    The first three are those of :func:`thalweg.descent.task.prepare`; ``checkpoint`` is where the
    run is kept, also where that is ``resume``; the others are described, with what is raised, at
    :func:`thalweg.fit`.
    """
    with _shown(progress, rows) as show:
        if checkpoint is not None:
            rows.digest  # noqa: B018  # of a scan in the summary's pass, not in one of its own
        task = prepare(rows, start, settings)
        earlier = None if resume is None else _matching(resume, task)
        if earlier is not None and earlier.outcome is not Outcome.STOPPED:
            run = task.run(earlier)
            if checkpoint is not None:
                save(run, checkpoint)
            return run
        walk = _Walk(task, earlier)
        keeper = _Keeper(walk, checkpoint, every)
        try:
            for rate in walk.epochs_on():
                keeper.keep_if_due()
                if show is not None:
                    show(_progress(walk, rate))
            keeper.keep()
        except KeyboardInterrupt:  # in the last write too: then it is written again
            if not walk.epochs:
                raise
            keeper.keep()
    return walk.run()


@contextmanager
def _shown(progress: bool | Callback, rows: Source) -> Iterator[Callback | None]:
    """Give what is called with the progress; a bar shows the reading of files too."""
    if callable(progress) or not progress:
        yield progress or None
        return
    with Bar() as bar, rows.watched(bar.rows):
        yield bar.epochs


class _Walk:
    """What was walked so far: in an earlier life, from its checkpoint, and in this one."""

    def __init__(self, task: Task, earlier: Trace | None) -> None:
        self.task, self.earlier = task, earlier
        self.rest = begin(_rest(task.plan, earlier), task.settings)

    @property
    def epochs(self) -> int:
        """The epochs walked so far."""
        return self.rest.epochs + (0 if self.earlier is None else len(self.earlier.loss))

    def epochs_on(self) -> Iterator[float]:
        """Walk to the end; come back now and then after an epoch, with epochs per second."""
        before, done = perf_counter(), self.epochs
        for _ in calls(self.rest):
            if self.epochs > done:
                yield (self.epochs - done) / max(perf_counter() - before, 1e-9)
                before, done = perf_counter(), self.epochs

    def run(self) -> Run:
        """Give the run so far."""
        trace = self.rest.trace()
        if self.earlier is not None:
            trace = _join(self.earlier, trace, self.task.plan.record_every)
        return self.task.run(trace)


def _rest(plan: Plan, earlier: Trace | None) -> Plan:
    """Give the plan of what is left to walk."""
    if earlier is None:
        return plan
    return plan._replace(
        epochs=plan.epochs - len(earlier.loss),
        start=earlier.path[-1],
        optimizer_state=earlier.optimizer_state,
        generator=earlier.generator,
        steps_before=int(earlier.steps[-1]),
        loss_limit=earlier.loss_limit,
    )


class _Keeper:
    """Writes the run so far: after the first part, when it is due, and at the end."""

    def __init__(self, walk: _Walk, path: Path | None, every: float) -> None:
        self.walk, self.path, self.every = walk, path, every
        self.kept_epochs = 0
        self.due = -math.inf

    def keep_if_due(self) -> None:
        if monotonic() >= self.due:
            self.keep()

    def keep(self) -> None:
        if self.path is None or self.kept_epochs == self.walk.epochs:
            return
        save(self.walk.run(), self.path)
        self.kept_epochs = self.walk.epochs
        self.due = monotonic() + self.every


def _progress(walk: _Walk, rate: float) -> Progress:
    epochs, goes_on = walk.task.plan.epochs, walk.rest.outcome is Outcome.STOPPED
    left = (epochs - walk.epochs) / rate if goes_on else 0.0
    return Progress(walk.epochs, epochs, walk.rest.loss, rate, left)


def _join(earlier: Trace, later: Trace, every: int) -> Trace:
    """Join the traces of two parts into the trace of the whole.

    Each records its start, which the earlier one has as its end, and its end, which the whole
    has only where it was due.
    """
    if not len(later.loss):
        return earlier
    before = int(earlier.steps[-1])
    due = slice(None if not every or before % every == 0 else -1)
    return later._replace(
        path=np.concatenate([earlier.path[due], later.path[1:]]),
        steps=np.concatenate([earlier.steps[due], later.steps[1:] + before]),
        loss=np.concatenate([earlier.loss, later.loss]),
        gradient_norm=np.concatenate([earlier.gradient_norm, later.gradient_norm]),
    )


# --- Whether a checkpoint is of the same fit ------------------------------------------------------


def _matching(path: Path, task: Task) -> Trace:
    """Read a checkpoint, and refuse it unless it is of the very fit that is asked for."""
    stored = read(path)
    run, settings = stored.run, task.settings
    asked, kept = settings.keywords(), run.asked.keywords()
    different = [
        name for name in {**asked, **kept} if asked.get(name, _NONE) != kept.get(name, _NONE)
    ]
    if different:
        raise _other_fit(
            got=f"a checkpoint with {_listed(kept, different)}",
            expected=f"one with {_listed(asked, different)}, as asked now",
            advice=_more_epochs(path, settings.epochs - run.epochs)
            if different == ["epochs"] and settings.epochs > run.epochs
            else _SAME,
        )
    if stored.data_digest != task.rows.digest:
        raise _other_fit(got="a checkpoint of other data", expected="one of the data given")
    began = run.initial_state
    if began is None or not _same_start(run.scaled_path[0], began, task):
        raise _other_fit(
            got="a checkpoint that began elsewhere", expected="one with the start that is asked now"
        )
    limit, outcome = began.loss_limit, run.outcome
    if math.isnan(limit) and outcome is Outcome.STOPPED:  # that of the first start, not of the rest
        limit = loss_limit(task.plan)
        if not (run.loss[-1] <= limit and np.isfinite(run.scaled_path[-1]).all()):
            outcome = Outcome.DIVERGED  # stopped while its limit was worked out
    return Trace(
        path=run.scaled_path,
        steps=run.steps,
        loss=run.loss,
        gradient_norm=run.gradient_norm,
        outcome=outcome,
        optimizer_state=run.optimizer_state,
        generator=run.generator,
        loss_limit=limit,
    )


_NONE = object()


def _listed(keywords: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name}={keywords[name]!r}" for name in names if name in keywords)


_SAME = "resume with the data and the settings of the first call, or leave {resume} out"


def _more_epochs(path: Path, more: int) -> str:
    return (
        "to go on from its end, call thalweg.fit in Python with "
        f"start=thalweg.load({str(path)!r}) and epochs={more}"
    )


def _other_fit(*, got: str, expected: str, advice: str = _SAME) -> InvalidSetting:
    return InvalidSetting(
        "resume", got=got, expected=expected, advice=advice, suggest={"resume": ...}
    )


def _same_start(path_start: Array, began: InitialState, task: Task) -> bool:
    plan = task.plan
    if began.generator != plan.generator or began.drawn != (plan.start is None):
        return False
    if plan.start is not None and not np.array_equal(path_start, plan.start.astype(plan.dtype)):
        return False
    mine, other = began.optimizer_state or {}, plan.optimizer_state or {}
    return mine.keys() == other.keys() and all(
        np.array_equal(mine[name], other[name]) for name in mine
    )
