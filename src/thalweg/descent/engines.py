"""Which engine walks a plan, and how a walk is cut into calls.

Not here: the engines (:mod:`~thalweg.descent.compiled`, :mod:`~thalweg.descent.streaming`,
:mod:`~thalweg.descent.reference`); each is imported only when it runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Protocol

from thalweg.data.dataset import Dataset
from thalweg.descent.plan import Plan, Trace
from thalweg.runs.run import Outcome
from thalweg.settings import Settings

# A call takes about this long: native code hears Ctrl-C only between two of them, and calling
# costs nothing beside it.
CALL_SECONDS = 0.05
# No call does more than this many times what the one before did, which may have been quicker
# than those to come.
GROWTH = 8
MOST = 2**40


class Walk(Protocol):
    """A walk under way, in whichever engine."""

    first_budget: int  # of the first call, in whatever the engine counts: a few milliseconds

    @property
    def outcome(self) -> Outcome:
        """How it ended; ``STOPPED`` where there is more to walk."""

    @property
    def epochs(self) -> int:
        """The whole epochs walked."""

    @property
    def loss(self) -> float:
        """The last whole epoch's loss."""

    def go_on(self, budget: int) -> None:
        """Walk on until so much is done."""

    def trace(self) -> Trace:
        """Say what was done in the whole epochs so far."""


def begin(plan: Plan, settings: Settings) -> Walk:
    """Begin the walk of a plan, in the engine that was chosen."""
    if settings.engine == "reference":
        from thalweg.descent import reference

        return reference.Walk(plan)
    if not isinstance(plan.data, Dataset):
        from thalweg.descent import streaming

        return streaming.begin(plan)
    from thalweg.descent import compiled

    return compiled.begin(plan)


def calls(walk: Walk) -> Iterator[None]:
    """Walk to the end in calls that are short to a person, but no more than are needed."""
    budget = walk.first_budget
    while walk.outcome is Outcome.STOPPED:
        before = perf_counter()
        walk.go_on(budget)
        seconds = max(perf_counter() - before, 1e-9)
        budget = max(1, min(int(budget * CALL_SECONDS / seconds), GROWTH * budget, MOST))
        yield


def to_end(walk: Walk) -> Trace:
    """Walk to the end, and say what was done."""
    walk.go_on(walk.first_budget)
    if walk.outcome is Outcome.STOPPED:  # few walks need a clock
        for _ in calls(walk):
            pass
    return walk.trace()


def descend(plan: Plan, settings: Settings) -> Trace:
    """Walk a plan to its end, in the engine that was chosen."""
    return to_end(begin(plan, settings))


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged, where an engine left it open."""
    if not isinstance(plan.data, Dataset):
        from thalweg.descent import streaming

        return streaming.loss_limit(plan)
    from thalweg.descent import compiled  # the reference engine always says it

    return compiled.loss_limit(plan)
