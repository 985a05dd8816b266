"""Whether the parts of a run that was read from a file agree with one another.

A run file may come from anybody: a right checksum says that nobody cut it, not who wrote it. Not
here: reading one (:mod:`thalweg.runs.run_file`), which also holds what it read against what it
would write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg.batches import batches_of
from thalweg.checks import is_text
from thalweg.data.categories import Coding
from thalweg.kinds import Whole
from thalweg.optimizers.choice import TorchRule
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import canonical, declared
from thalweg.runs.run import Outcome, Run
from thalweg.settings import kind_of
from thalweg.summary.scaling import Scaling
from thalweg.torch_random import Generator, initial_parameters

_DRAWN = Whole("", low=0, high=2**63 - 1)


def check_agreement(run: Run) -> None:
    """Refuse a run that no fit can have made.

    Raises
    ------
    ValueError
        Naming the parts that contradict one another.
    """
    for what, holds in _claims(run):
        if not holds:
            raise ValueError(what)


def _claims(run: Run) -> Iterator[tuple[str, bool]]:
    """Give what is true of every run, in words, and whether it is of this one."""
    settings, p = run.asked, len(run.features) + run.asked.intercept
    names = [*run.features, run.target]
    yield "a column without a name", all(is_text(name) for name in names)
    yield "two columns of one name", len(set(names)) == len(names) > 1
    summary = run.stored_summary
    if summary is not None:
        same = (summary.features, summary.target) == (run.features, run.target)
        yield "a summary of other columns", same
        yield "a name that is no text", is_text(summary.name)
        units = summary.units.items()
        yield "units of no column", all(key in names and is_text(unit) for key, unit in units)
    yield "another number of parameters", run.scaled_path.shape == (len(run.steps), p)
    yield "another number of losses", len(run.loss) == len(run.gradient_norm)
    yield "more epochs than were asked for", run.epochs <= settings.epochs
    yield "steps that no epochs make", _are_steps(run)
    yield "negative losses", not (run.loss < 0.0).any()
    yield "negative norms", not (run.gradient_norm < 0.0).any()
    yield "an outcome of another run", _is_outcome(run)
    if run.coding is not None:
        yield "features of other columns", _is_coding(run.coding, run)
    yield "a scaling that was not asked for", (run.scaling is None) != settings.standardize
    if run.scaling is not None:
        yield "a scaling of other columns", _is_scaling(run.scaling, len(run.features))
    yield "no random stream", _is_generator(run.generator)
    yield "another optimiser's state", _is_state(run.optimizer_state, run, p)
    initial = run.initial_state
    if initial is not None:
        yield "no random stream at the start", _is_generator(initial.generator)
        yield "another optimiser's first state", _is_state(initial.optimizer_state or {}, run, p)
        yield "no limit of the loss", isinstance(initial.loss_limit, float)
        if initial.drawn:
            drawn, _ = initial_parameters(initial.generator, len(run.features), settings.intercept)
            yield "a start that was not drawn", np.array_equal(drawn, run.scaled_path[0])


def _are_steps(run: Run) -> bool:
    """Tell whether the recorded steps are those that the settings make of so many epochs."""
    last, epochs = int(run.steps[-1]), run.epochs
    if run.stored_summary is not None:
        per_epoch = batches_of(run.asked, run.stored_summary.n).steps_per_epoch(
            run.stored_summary.n
        )
    else:
        per_epoch = last // epochs if epochs else 0
    if last != epochs * per_epoch or not 0 <= last < 2**62:
        return False
    record = run.asked.record
    if isinstance(record, str):
        record = 1 if record == "step" else max(per_epoch, 1)
    due = np.arange(0, last + 1, record)
    return np.array_equal(run.steps, due if due[-1] == last else np.append(due, last))


def _is_outcome(run: Run) -> bool:
    asked, reached = run.asked, run.epochs == run.asked.epochs
    finite = np.isfinite(run.loss).all() and np.isfinite(run.scaled_path).all()
    match run.outcome:
        case Outcome.DIVERGED | Outcome.STOPPED:  # this one perhaps before its limit was known
            return True
        case Outcome.CONVERGED:
            return bool(finite and asked.tolerance is not None)
        case Outcome.OUT_OF_EPOCHS:
            return bool(finite and reached)


def _is_coding(coding: Coding, run: Run) -> bool:
    """Tell whether the features are those that the columns and their levels make."""
    texts = [*coding.columns, *(word for words in coding.levels.values() for word in words)]
    made = replace(coding, kept=None).features
    return (
        all(isinstance(text, str) and is_text(text) for text in texts)
        and set(coding.levels) <= set(coding.columns)
        and all(words and len(set(words)) == len(words) for words in coding.levels.values())
        and len({*coding.columns, run.target}) == len(coding.columns) + 1
        and isinstance(coding.intercept, bool)
        and (coding.kept is not None or coding.intercept == run.settings.intercept)
        and coding.features == run.features
        and set(coding.features) <= set(made)
    )


def _is_scaling(scaling: Scaling, d: int) -> bool:
    means, scales = scaling
    shapes = means.shape == scales.shape == (d,)
    return bool(shapes and np.isfinite(means).all() and np.isfinite(scales).all() and scales.all())


def _is_generator(generator: Generator) -> bool:
    kind_of("seed").take("seed", generator.seed)
    _DRAWN.take("drawn", generator.drawn)
    return True


def _is_state(state: Mapping[str, Any], run: Run, p: int) -> bool:
    """Tell whether an optimiser may remember such things, each of its shape.

    A run that goes on from another keeps what its own settings have no use for.
    """
    rule = run.asked.rule
    kind = RULES.get(run.asked.optimizer)
    if isinstance(rule, TorchRule) and (rule.torch_class is not None or kind is None):
        return all(_may_be_torchs(name, value, p) for name, value in state.items())
    made: Any = kind() if isinstance(rule, TorchRule) and kind is not None else rule
    known = [declared(type(one)) for one in (made, canonical(made))]
    slots = {slot.name for one in known for slot in one.slots}
    scalars = {scalar.name for one in known for scalar in one.scalars}
    return all(
        np.shape(value) == (p,) if name in slots else name in scalars and isinstance(value, float)
        for name, value in state.items()
    )


def _may_be_torchs(name: str, value: object, p: int) -> bool:
    """Tell what is known of PyTorch's own: which shape a parameter's part has, only it knows."""
    owner, _, key = name.rpartition(".")
    if not key.isidentifier() or owner not in ("", "weight", "bias"):
        return False
    if isinstance(value, np.ndarray):
        return owner != "" or value.shape == (p,)
    return not owner and isinstance(value, float)
