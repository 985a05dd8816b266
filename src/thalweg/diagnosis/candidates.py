"""The settings that might help, the smallest change that treats the cause first.

More epochs; another learning rate; standardised features; another rule. How many epochs of batch
descent each needs is worked out where there is a closed form, and tried on the summary where there
is none. Not here: running them on the rows, and choosing (:mod:`thalweg.diagnosis.recommendation`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from thalweg.arrays import Array, design_matrix
from thalweg.batches import Batches
from thalweg.conditioning.convergence import (
    best_momentum,
    best_rate_for,
    epochs_to_reach,
    round_down,
)
from thalweg.conditioning.rates import certain_rate
from thalweg.data.compact import is_too_large
from thalweg.data.dataset import Dataset
from thalweg.descent.fit import fit
from thalweg.diagnosis.landscape import Landscape
from thalweg.optimizers.choice import make_rule
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import Rule, declared
from thalweg.optimizers.sgd import SGD
from thalweg.runs.run import Run
from thalweg.settings import DEFAULTS, Settings
from thalweg.summary.scaling import scaling_of
from thalweg.torch_random import Generator, initial_parameters

PROBED = 16_384
"""The epochs that a rule without a closed form is tried for, on the summary."""

AFFORDABLE = 200_000
"""The most epochs that are ever recommended."""

PATIENCE = 1_000
"""The epochs that nobody minds."""

_FIRST_PROBE = 256


class Choice(NamedTuple):
    """What is kept or changed: the part of a fit's settings that moves the parameters."""

    rule: Rule
    epochs: int
    standardize: bool = False
    batches: tuple[tuple[str, Any], ...] = ()  # batch_size, shuffle, drop_last, where not default
    seed: int = 0
    intercept: bool = True

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword arguments for :func:`thalweg.fit`, defaults left out."""
        return Settings.of(
            optimizer=type(self.rule).__name__,
            **self.rule._asdict(),
            **dict(self.batches),
            epochs=self.epochs,
            standardize=self.standardize,
            seed=self.seed,
            intercept=self.intercept,
        ).call()

    @property
    def as_batches(self) -> Batches:
        """Which rows each step sees."""
        return Batches(**dict(self.batches))

    @classmethod
    def of(cls, settings: Settings) -> Choice | None:
        """Take a run's settings; None where only PyTorch knows the rule."""
        if settings.optimizer not in RULES or settings.batch_sampler is not None:
            return None
        known = declared(RULES[settings.optimizer]).settings
        own = {k: v for k, v in settings.hyperparameters.items() if k in known}
        batches = {name: getattr(settings, name) for name in ("batch_size", "shuffle", "drop_last")}
        return cls(
            rule=make_rule(settings.optimizer, settings.lr, own),
            epochs=settings.epochs,
            standardize=settings.standardize,
            batches=tuple((name, v) for name, v in batches.items() if v != DEFAULTS[name]),
            seed=settings.seed,
            intercept=settings.intercept,
        )


class Candidate(NamedTuple):
    """A setting to try: what it changes, and the batch epochs it should need."""

    choice: Choice
    change: str
    needed: int | None  # None: not known beforehand, only its run tells


# --- How many epochs ------------------------------------------------------------------------------


def drawn_start(landscape: Landscape, seed: int) -> Array:
    """Give the parameters that a fit with this seed starts from, in the landscape's coordinates."""
    d = len(landscape.names) - landscape.intercept
    return initial_parameters(Generator(seed, 0), d, landscape.intercept)[0]


def is_closed_form(rule: Rule) -> bool:
    """Tell whether the epochs that a rule needs are worked out, and not tried."""
    return isinstance(rule, SGD) and rule.weight_decay == 0.0 and not rule.maximize


def needed_epochs(rule: Rule, landscape: Landscape, start: Array, limit: int) -> int | None:
    """Give the first epoch of batch descent at whose end the loss is at the goal.

    SGD's is worked out in closed form; any other rule is run, on the summary.

    Returns
    -------
    int or None
        None where the goal is not reached, or not within ``limit`` epochs; for a rule that has
        to be run, not within :data:`PROBED`.
    """
    if isinstance(rule, SGD) and is_closed_form(rule):
        away, excess = landscape.away(start), landscape.allowed_excess
        return epochs_to_reach(rule, landscape.curvature, away, excess, limit)
    return probe(rule, landscape, start, min(limit, PROBED))


def probe(rule: Rule, landscape: Landscape, start: Array, limit: int) -> int | None:
    """Run batch descent on the summary until it arrives; give the epoch, or None."""
    epochs = min(_FIRST_PROBE, limit)
    while True:
        run = walk(rule, landscape, start, epochs)
        with np.errstate(invalid="ignore"):
            arrived = np.flatnonzero(landscape.loss(run.scaled_path) <= landscape.goal)
        if len(arrived):
            return int(run.steps[arrived[0]])
        if epochs >= limit or run.epochs < epochs:
            return None
        epochs = min(8 * epochs, limit)


def walk(rule: Rule, landscape: Landscape, start: Array, epochs: int) -> Run:
    """Walk a landscape by batch descent, without any row: the path is in its coordinates."""
    settings = {k: v for k, v in rule._asdict().items() if k != "lr"}
    return fit(
        landscape.rows,
        optimizer=type(rule).__name__.lower(),
        lr=rule.lr,
        epochs=epochs,
        start=start,
        intercept=False,
        **settings,
    )


def comfortable(epochs: float) -> int:
    """Round a number of epochs up to two digits, and to tens.

    Examples
    --------
    >>> comfortable(41), comfortable(1234)
    (50, 1300)
    """
    step = 10 ** max(1, math.floor(math.log10(max(epochs, 1))) - 1)
    return int(math.ceil(epochs / step) * step)


# --- Candidates of batch descent -----------------------------------------------------------------


def blames_units(landscape: Landscape) -> bool:
    """Tell whether it is the units and offsets of the columns that make the loss hard to walk.

    At a rate that the steepest direction can bear, the flattest takes about as many epochs as
    the condition number: beyond the patience, no other rate will do.
    """
    raw = landscape.curvature.condition_number
    return raw > PATIENCE and raw > 10.0 * landscape.standardized.curvature.condition_number


def batch_descents(
    landscape: Landscape, base: Choice, *, fresh: bool, try_as_is: bool
) -> Iterator[Candidate]:
    """List settings of batch descent, the smallest change that treats the cause first."""
    here = landscape.seen(standardize=base.standardize)
    standard = base._replace(standardize=True)
    needed = None
    if not fresh:
        needed = needed_epochs(base.rule, here, drawn_start(here, base.seed), AFFORDABLE)
    if try_as_is and needed is not None and needed <= base.epochs:
        yield Candidate(base, "", needed)
    words = "standardised features, and a learning rate for them"
    if not base.standardize and blames_units(landscape):
        # Other rates would leave the flat directions where they are.
        yield from _retuned(landscape.standardized, standard, words)
    else:
        if needed is not None:
            yield Candidate(base, "more epochs", needed)
        yield from _retuned(here, base, "a learning rate that fits the curvature")
        if isinstance(base.rule, SGD):
            tuned = "momentum tuned to the curvatures that matter"
            yield from _by_curvature(here, base, momentum=True, words=tuned)
        if not base.standardize:
            yield from _retuned(landscape.standardized, standard, words)
    for momentum, words in (
        (False, "plain SGD at its best fixed rate, on standardised features"),
        (True, "standardised features, and momentum tuned to the curvatures that matter"),
    ):
        yield from _by_curvature(landscape.standardized, standard, momentum=momentum, words=words)


def _retuned(here: Landscape, base: Choice, change: str) -> Iterator[Candidate]:
    """Keep the rule, choose its learning rate: by the curvature for SGD, by trying for others."""
    rule = base.rule
    if isinstance(rule, SGD):
        away = here.away(drawn_start(here, base.seed))
        # Weight decay moves the goal, and climbing leaves it.
        change += " without weight decay" * (rule.weight_decay > 0.0)
        change += ", descending" * rule.maximize
        rule = rule._replace(weight_decay=0.0, maximize=False)
        rule, needed = best_rate_for(rule, here.curvature, away, here.allowed_excess)
        if needed is not None:
            yield Candidate(base._replace(rule=rule), change, needed)
        return
    best: Candidate | None = None
    for lr in _rates(here, base):
        tried = rule._replace(lr=lr, maximize=False)
        limit = PROBED if best is None or best.needed is None else best.needed
        needed = probe(tried, here, drawn_start(here, base.seed), limit)
        if needed is not None and (best is None or needed < (best.needed or 0)):
            best = Candidate(base._replace(rule=tried), change, needed)
    if best is not None:
        yield best


def _rates(here: Landscape, base: Choice) -> list[float]:
    """List rates to try for a rule that moves each parameter by about lr: shares of the way."""
    way = float(np.abs(here.solution - drawn_start(here, base.seed)).max())
    shares = {round_down(way / share, 1) for share in (3, 10, 30, 100, 300) if way > 0.0}
    gradient_scaled = {round_down(share * here.curvature.best_rate, 1) for share in (0.5, 0.9)}
    found = shares | (gradient_scaled if type(base.rule).__name__ == "ASGD" else set())
    return [base.rule.lr, *sorted(found - {base.rule.lr, 0.0}, reverse=True)]


def _by_curvature(
    there: Landscape, base: Choice, *, momentum: bool, words: str
) -> Iterator[Candidate]:
    away = there.away(drawn_start(there, base.seed))
    if momentum:
        rule, needed = best_momentum(there.curvature, away, there.allowed_excess)
    else:
        rule, needed = best_rate_for(SGD(), there.curvature, away, there.allowed_excess)
    if needed is not None:
        yield Candidate(base._replace(rule=rule), words, needed)


def last_resort(landscape: Landscape, base: Choice) -> Candidate:
    """Give the fastest rule there is all the epochs that are affordable."""
    there = landscape.standardized
    away = there.away(drawn_start(there, base.seed))
    rule, _ = best_momentum(there.curvature, away, there.allowed_excess)
    if rule.momentum == 0.0:
        rule = SGD(lr=round_down(1.9 / there.curvature.largest), momentum=0.9)
    choice = base._replace(rule=rule, standardize=True)
    return Candidate(choice, "momentum, on standardised features", AFFORDABLE)


# --- Candidates of mini-batch descent: only running tells -----------------------------------------


def mini_batch_descents(
    landscape: Landscape, rows: Dataset, base: Choice, *, try_as_is: bool
) -> Iterator[Candidate]:
    """List settings that keep the user's batches, the smallest change first."""
    if try_as_is:
        yield Candidate(base, "", None)
    more = base._replace(epochs=comfortable(4 * base.epochs))
    yield Candidate(more, "more epochs", None)
    for share in (0.1, 0.01):
        slower = base.rule._replace(lr=round_down(share * base.rule.lr))
        yield Candidate(base._replace(rule=slower), "a lower learning rate", None)
        yield Candidate(more._replace(rule=slower), "a lower learning rate and more epochs", None)
    words = "standardised features, and a learning rate for batches of this size"
    for lr in _batch_rates(landscape, rows, base):
        tuned = base.rule._replace(lr=lr)
        yield Candidate(base._replace(rule=tuned, standardize=True), words, None)
        yield Candidate(
            more._replace(rule=tuned, standardize=True), f"{words}, and more epochs", None
        )


def _batch_rates(landscape: Landscape, rows: Dataset, base: Choice) -> list[float]:
    """List rates for mini-batches of standardised features, fastest first."""
    if isinstance(base.rule, SGD):
        bound = certain_rate_of(rows, base, standardize=True)
        slowdown = 1.0 - base.rule.momentum
        if bound is None or not math.isfinite(bound) or slowdown <= 0.0:
            return []
        return [round_down(share * slowdown * bound, 1) for share in (0.5, 0.1, 0.02)]
    return _rates(landscape.standardized, base)[1:]


def certain_rate_of(rows: Dataset, choice: Choice, *, standardize: bool) -> float | None:
    """Give the rate below which plain descent on these batches is stable for sure.

    Returns
    -------
    float or None
        None for batch descent, whose bound is exact: see
        :func:`thalweg.conditioning.rates.stable_rate`; and for rows of which no table is made.
    """
    batches = choice.as_batches
    if batches.batch_size is None or batches.sees_all(len(rows)) or is_too_large(rows.table):
        return None
    X = rows.X
    if standardize:
        X = scaling_of(rows.summary, intercept=choice.intercept).rows(X, rows.summary)
    return certain_rate(
        design_matrix(X, intercept=choice.intercept),
        batches.batch_size,
        shuffle=batches.shuffle,
        drop_last=batches.drop_last,
    )
