"""Which engine walks a plan; each is imported only when it runs."""

from __future__ import annotations

from thalweg.data.dataset import Dataset
from thalweg.descent.plan import Plan, Trace
from thalweg.settings import Settings


def descend(plan: Plan, settings: Settings) -> Trace:
    """Call the engine that was chosen."""
    if settings.engine == "reference":
        from thalweg.descent import reference

        return reference.descend(plan)
    if not isinstance(plan.data, Dataset):
        from thalweg.descent import streaming

        return streaming.descend(plan)
    from thalweg.descent import compiled

    return compiled.descend(plan)


def loss_limit(plan: Plan) -> float:
    """Give the loss beyond which a plan's walk counts as diverged, where an engine left it open."""
    if not isinstance(plan.data, Dataset):
        from thalweg.descent import streaming

        return streaming.loss_limit(plan)
    from thalweg.descent import compiled  # the reference engine always says it

    return compiled.loss_limit(plan)
