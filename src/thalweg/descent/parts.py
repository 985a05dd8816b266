"""A long fit walked in parts: progress on the way, checkpoints, and an end at the user's word.

Each part goes on exactly where the last one ended, so the whole is the uninterrupted fit to the
bit, however it was cut. Not here: the walking (the engines), what a checkpoint looks like on
disk (:mod:`thalweg.runs.run_file`), drawing a progress bar (:mod:`thalweg.progress`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from time import monotonic, perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.checks import check_number
from thalweg.data.source import Source
from thalweg.descent.engines import descend, loss_limit
from thalweg.descent.plan import Plan, Trace
from thalweg.descent.task import Task, prepare
from thalweg.errors import InvalidSetting, sentence
from thalweg.progress import Bar, Callback, Progress
from thalweg.runs.run import InitialState, Outcome, ResumeState, Run
from thalweg.runs.run_file import read, save
from thalweg.settings import Settings

# A part takes about this long: often enough for a bar that moves and for Ctrl-C, seldom enough
# that calling the engine costs nothing beside it.
PART_SECONDS = 0.15
# The first epochs of a process compile or load kernels; no part is more than this many times
# as long as the one before.
GROWTH = 8


def fit_in_parts(
    rows: Source,
    start: ArrayLike | int | Run | ResumeState | None,
    settings: Settings,
    *,
    progress: bool | Callback,
    checkpoint: str | os.PathLike[str] | None,
    every: float,
    resume: str | os.PathLike[str] | None,
) -> Run:
    """Fit as :func:`thalweg.fit` does, to the same bits, with progress and checkpoints.

    The first three are those of :func:`thalweg.descent.fit.prepare`; the others are described, with
    what is raised, at :func:`thalweg.fit`.
    """
    check_number("every", every, low=0.0, advice="try every=60")
    with _shown(progress, rows) as show:
        if checkpoint is not None or resume is not None:
            rows.digest  # noqa: B018  # of a scan in the summary's pass, not in one of its own
        task = prepare(rows, start, settings)
        walk = _Walk(task)
        if resume is not None:
            walk.go_on_from(*_matching(resume, task))
            checkpoint = resume if checkpoint is None else checkpoint
        keeper = _Keeper(walk, checkpoint, every)
        try:
            while walk.outcome is Outcome.STOPPED:
                rate = walk.step()
                keeper.keep_if_due()
                if show is not None:
                    show(_progress(walk, rate))
        except KeyboardInterrupt:
            if not walk.parts:
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


class _Part(NamedTuple):
    """One part's trace, with the epochs and updates made up to its end."""

    trace: Trace
    epochs: int
    steps: int


class _Walk:
    """The parts walked so far, and the next one."""

    def __init__(self, task: Task) -> None:
        self.task = task
        # All that is known of the walk: one append adds a part whole, whenever Ctrl-C comes.
        self.parts: list[_Part] = []
        self.next_epochs = 1

    @property
    def epochs(self) -> int:
        """The epochs walked so far."""
        return self.parts[-1].epochs if self.parts else 0

    @property
    def outcome(self) -> Outcome:
        """How it ended; stopped, where there is more to walk."""
        last = self.parts[-1].trace.outcome if self.parts else Outcome.OUT_OF_EPOCHS
        more = last is Outcome.OUT_OF_EPOCHS and self.epochs < self.task.plan.epochs
        return Outcome.STOPPED if more else last

    def step(self) -> float:
        """Walk one part; give its epochs per second."""
        epochs = min(self.next_epochs, self.task.plan.epochs - self.epochs)
        before = perf_counter()
        trace = descend(self._plan(epochs), self.task.settings)
        seconds = max(perf_counter() - before, 1e-9)
        self._take(trace)
        fitting = max(1, int(epochs * PART_SECONDS / seconds))
        self.next_epochs = min(fitting, GROWTH * epochs)
        return len(trace.loss) / seconds

    def go_on_from(self, run: Run, loss_limit: float) -> None:
        """Take the run of a checkpoint as the first part."""
        stopped = run.outcome is Outcome.STOPPED
        self._take(
            Trace(
                path=run.scaled_path,
                steps=run.steps,
                loss=run.loss,
                gradient_norm=run.gradient_norm,
                outcome=Outcome.OUT_OF_EPOCHS if stopped else run.outcome,
                optimizer_state=run.optimizer_state,
                generator=run.generator,
                loss_limit=loss_limit,
            )
        )

    def run(self) -> Run:
        """Give the run so far."""
        traces = [part.trace for part in self.parts]
        return self.task.run(_join(traces, self.task.plan.record_every, self.outcome))

    def _plan(self, epochs: int) -> Plan:
        plan = self.task.plan._replace(epochs=epochs)
        if not self.parts:
            return plan
        last = self.parts[-1]
        return plan._replace(
            start=last.trace.path[-1],
            optimizer_state=last.trace.optimizer_state,
            generator=last.trace.generator,
            steps_before=last.steps,
            loss_limit=self._loss_limit,
        )

    @cached_property
    def _loss_limit(self) -> float:
        """The loss beyond which the whole fit counts as diverged: that of its first start."""
        limit = self.parts[0].trace.loss_limit
        return loss_limit(self.task.plan) if math.isnan(limit) else limit

    def _take(self, trace: Trace) -> None:
        steps = int(trace.steps[-1]) + (self.parts[-1].steps if self.parts else 0)
        self.parts.append(_Part(trace, self.epochs + len(trace.loss), steps))


class _Keeper:
    """Writes the run so far: after the first part, when it is due, and at the end."""

    def __init__(self, walk: _Walk, path: str | os.PathLike[str] | None, every: float) -> None:
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
    epochs = walk.task.plan.epochs
    left = (epochs - walk.epochs) / rate if walk.outcome is Outcome.STOPPED else 0.0
    return Progress(walk.epochs, epochs, float(walk.parts[-1].trace.loss[-1]), rate, left)


def _join(traces: list[Trace], record_every: int, outcome: Outcome) -> Trace:
    """Join the traces of consecutive parts into the trace of the whole.

    Each part records its start, which the part before has as its end, and its end, which the
    whole has only where it was due.
    """
    points: list[Array] = []
    steps: list[Any] = []
    before = 0
    for number, trace in enumerate(traces):
        last = before + int(trace.steps[-1])
        first_kept = 0 if number == 0 else 1
        due = number == len(traces) - 1 or not record_every or last % record_every == 0
        kept = slice(first_kept, None if due else -1)
        points.append(trace.path[kept])
        steps.append(trace.steps[kept] + before)
        before = last
    return traces[-1]._replace(
        path=np.concatenate(points),
        steps=np.concatenate(steps),
        loss=np.concatenate([trace.loss for trace in traces]),
        gradient_norm=np.concatenate([trace.gradient_norm for trace in traces]),
        outcome=outcome,
    )


# --- Whether a checkpoint is of the same fit ------------------------------------------------------


def _matching(path: str | os.PathLike[str], task: Task) -> tuple[Run, float]:
    """Read a checkpoint, and refuse it unless it is of the very fit that is asked for.

    Given back with the loss beyond which that fit counts as diverged.
    """
    stored = read(path)
    run, settings = stored.run, task.settings
    asked, kept = settings.keywords(), run.settings.keywords()
    different = [
        name for name in {**asked, **kept} if asked.get(name, _NONE) != kept.get(name, _NONE)
    ]
    if different:
        raise _other_fit(
            got=f"a checkpoint with {_listed(kept, different)}",
            expected=f"one with {_listed(asked, different)}, as asked now",
        )
    if stored.data_digest != task.rows.digest:
        raise _other_fit(got="a checkpoint of other data", expected="one of the data given")
    began = run.initial_state
    if began is None or not _same_start(run.scaled_path[0], began, task):
        raise _other_fit(
            got="a checkpoint that began elsewhere", expected="one with the start that is asked now"
        )
    return run, began.loss_limit


_NONE = object()


def _listed(keywords: dict[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name}={keywords[name]!r}" for name in names if name in keywords)


def _other_fit(*, got: str, expected: str) -> InvalidSetting:
    advice = "resume with the data and the settings of the first call, or leave resume out"
    return InvalidSetting(sentence("resume", got=got, expected=expected, advice=advice))


def _same_start(walked: Array, began: InitialState, task: Task) -> bool:
    plan = task.plan
    if began.generator != plan.generator or began.drawn != (plan.start is None):
        return False
    if plan.start is not None and not np.array_equal(walked, plan.start.astype(plan.dtype)):
        return False
    mine, other = began.optimizer_state or {}, plan.optimizer_state or {}
    return mine.keys() == other.keys() and all(
        np.array_equal(mine[name], other[name]) for name in mine
    )
