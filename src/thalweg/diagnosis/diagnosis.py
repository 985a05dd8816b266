"""Why a descent went as it did, and a setting that works.

``explain`` computes: curvature and what it allows, where a run ended and what kept it, how many
epochs are needed, and a setting that it has run. The parts are modules of this package, the
words among them (:mod:`thalweg.diagnosis.explanation`). Not here: figures
(:mod:`thalweg.figures.directions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from thalweg.arrays import Array
from thalweg.batches import batches_of
from thalweg.checks import check_flag
from thalweg.conditioning.convergence import LONGEST, best_plain
from thalweg.conditioning.curvature import Curvature, dependencies
from thalweg.conditioning.rates import stable_rate
from thalweg.data.categories import Categories
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.diagnosis import explanation, other_loss
from thalweg.diagnosis.candidates import (
    Choice,
    certain_rate_of,
    drawn_start,
    is_closed_form,
    needed_epochs,
)
from thalweg.diagnosis.classification import Classification, Verdict, classify
from thalweg.diagnosis.landscape import Landscape
from thalweg.diagnosis.recommendation import Recommendation, recommend
from thalweg.errors import InvalidData, on_a_line
from thalweg.numbers import number
from thalweg.optimizers.sgd import SGD
from thalweg.runs.run import Outcome, Run
from thalweg.summary.summary import Summary


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """What was found out about some data and a descent on them.

    Attributes
    ----------
    summary : Summary
        Of the rows.
    landscape : Landscape
        The loss in the user's units: exact solution, curvature, goal.
    run : Run or None
        The descent that is explained; None for the data alone.
    choice : Choice or None
        The run's settings, where its rule is one of Thalweg's own.
    classification : Classification or None
        The run held against the exact solution, point by point; None for the data alone, and for
        a run on another loss.
    epochs_needed : int or None
        The epochs of batch descent after which the loss is within 1 % of the exact one: for the
        run's settings from its start, for the data alone for plain SGD at ``plain_learning_rate``.
        None for never, or for more than were tried: see ``is_closed_form``.
    plain_learning_rate : float
        The fixed rate, in the user's units, that brings plain batch descent within 1 % soonest.
    certain_learning_rate : float or None
        For plain SGD on mini-batches: stable for certain below this rate.
    recommendation : Recommendation
        A setting that has been run, and what it reached.
    """

    summary: Summary
    landscape: Landscape
    run: Run | None
    choice: Choice | None
    classification: Classification | None
    epochs_needed: int | None
    plain_learning_rate: float
    certain_learning_rate: float | None
    recommendation: Recommendation

    # --- The data ---------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of a path's columns."""
        return self.landscape.names

    @property
    def exact_loss(self) -> float:
        """The least mean squared error there is, in squared units of the target."""
        return self.landscape.exact_loss

    @property
    def curvature(self) -> Curvature:
        """The curvature of the loss in the user's units."""
        return self.landscape.curvature

    @property
    def curvature_standardized(self) -> Curvature:
        """The curvature of the loss over standardised features."""
        return self.landscape.standardized.curvature

    @property
    def condition_number(self) -> float:
        """The largest curvature over the smallest, in the user's units."""
        return self.curvature.condition_number

    @property
    def condition_number_standardized(self) -> float:
        """The same for standardised features: what units cannot explain."""
        return self.curvature_standardized.condition_number

    @cached_property
    def dependencies(self) -> tuple[tuple[str, ...], ...]:
        """The columns that are combinations of others: each, then those it is made of."""
        found = dependencies(self.landscape.triangle[:-1, :-1])
        return tuple(
            tuple(self.names[i] for i in (column, *others)) for column, others in found.items()
        )

    @property
    def stable_learning_rate(self) -> float:
        """The largest stable rate of plain batch descent, in the user's units."""
        return self.curvature.largest_stable_rate

    # --- The run ----------------------------------------------------------------------------------

    @property
    def scaled_landscape(self) -> Landscape:
        """The loss in the coordinates that the optimiser saw."""
        run = self.run
        return self.landscape.seen(standardize=run is not None and run.scaling is not None)

    @property
    def rule_stable_learning_rate(self) -> float | None:
        """The largest stable rate of the run's rule in batch descent, in its coordinates."""
        if self.choice is None:
            return None
        return stable_rate(self.scaled_landscape.curvature, self.choice.rule)

    @property
    def is_batch(self) -> bool:
        """Whether each of the run's steps sees all the rows."""
        if self.run is None:
            return True
        n = self.landscape.n
        return batches_of(self.run.asked, n).sees_all(n)

    @property
    def is_of_another_loss(self) -> bool:
        """Whether the run was on another loss than the mean squared error.

        Then curvature, exact solution and recommendation are of the mean squared error on the
        same rows, and there is no verdict.
        """
        return self.run is not None and self.run.settings.loss != "mse"

    @property
    def is_closed_form(self) -> bool:
        """Whether ``epochs_needed`` was worked out, not tried: None then means never."""
        if self.run is not None and self.choice is None:
            return False
        return self.choice is None or is_closed_form(self.choice.rule)

    @property
    def verdict(self) -> Verdict | None:
        """What the run did."""
        return self.classification.verdict if self.classification else None

    @property
    def since(self) -> float | None:
        """The epoch since when."""
        return self.classification.since if self.classification else None

    @property
    def parameter_distance(self) -> Array | None:
        """Where the run ended minus the exact solution, in the user's units: shape (p,)."""
        return None if self.run is None else self.run.parameters - self.landscape.solution

    # --- The advice -------------------------------------------------------------------------------

    @property
    def recommended(self) -> dict[str, Any]:
        """The recommended setting: the keyword arguments for :func:`thalweg.fit`."""
        return dict(self.recommendation.settings)

    @property
    def recommended_run(self) -> Run | None:
        """The run of that setting; None where only the summary of the rows is at hand."""
        return self.recommendation.run

    @cached_property
    def text(self) -> str:
        """The explanation in plain words: what happened, why, and the recommendation."""
        about, first = self, list[str]()
        if self.run is not None and self.is_of_another_loss:
            about, first = replace(self, run=None), other_loss.what_happened(self, self.run)
        paragraphs = (
            first,
            explanation.what_happened(about),
            explanation.why(about),
            [explanation.what_to_do(about)],
        )
        joined = (on_a_line(" ".join(filter(None, each))) for each in paragraphs)
        return "\n\n".join(filter(None, joined))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        verdict = f"{self.verdict.value}, " if self.verdict else ""
        return (
            f"Diagnosis({verdict}condition_number={self.condition_number:.3g}, "
            f"recommended={self.recommended!r})"
        )

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import diagnosis_html  # only in a notebook

        return diagnosis_html(self)


def explain(
    data: Data,
    y: Any = None,
    run: Run | None = None,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    intercept: bool = True,
) -> Diagnosis:
    """Explain why a descent went as it did, and find a setting that works.

    Parameters
    ----------
    data, y, target, features, categories
        The n rows, as :func:`thalweg.fit` takes them; or their summary, where they are too many;
        or a run alone, which knows what it was fitted to.
    run : Run, optional
        The descent to explain, also in the place of ``y``. Without one the data are explained,
        before any fit.
    intercept : bool
        Whether there is a bias; a run says it itself.

    Returns
    -------
    Diagnosis
        ``print`` it; ``fit(data, **diagnosis.recommended)`` follows the advice.

    Raises
    ------
    InvalidData
        If the run was fitted to other columns.

    Notes
    -----
    A run on another loss than ``mse``, which has no exact solution, is told where it ended beside
    the least-squares solution; the rest is then about the mean squared error.

    "Within 1 %" is 1 % above the exact loss over all the rows. Where the data fit exactly it is
    a millionth of the target's variance.

    Examples
    --------
    >>> import thalweg
    >>> chapters = thalweg.salammbo()
    >>> found = thalweg.explain(chapters)
    >>> f"{found.condition_number:.1e}, standardised {found.condition_number_standardized:.1f}"
    '1.2e+10, standardised 1.0'
    >>> found.recommended
    {'optimizer': 'sgd', 'lr': 0.5, 'epochs': 10, 'standardize': True}
    """
    intercept = check_flag("intercept", intercept)
    rows: Dataset | None = None
    if isinstance(y, Run):
        y, run = None, y
    if not (run is None or isinstance(run, Run)):
        raise InvalidData(
            "run",
            got=repr(run),
            expected="a run, as thalweg.fit gives it",
            advice="load one from its file with thalweg.load, or leave it out",
        )
    if isinstance(data, Run):
        run, rows, summary = data, data.data, data.summary
    elif isinstance(data, Summary):
        summary = data
    else:
        taken = take(
            data,
            y,
            target=target,
            features=features,
            categories=categories,
            intercept=intercept if run is None else run.settings.intercept,
        )
        rows, summary = taken if isinstance(taken, Dataset) else None, taken.summary
    if run is None:
        return _of_data(summary, rows, intercept=intercept)
    _check(run, summary)
    if run.settings.loss != "mse":
        return _of_another_loss(summary, rows, run)
    return _of_run(summary, rows, run)


def _of_data(summary: Summary, rows: Dataset | None, *, intercept: bool) -> Diagnosis:
    landscape = Landscape.of(rows or summary, intercept=intercept)
    plain, needed = _plain(landscape, drawn_start(landscape, 0))
    return Diagnosis(
        summary=summary,
        landscape=landscape,
        run=None,
        choice=None,
        classification=None,
        epochs_needed=needed,
        plain_learning_rate=plain.lr,
        certain_learning_rate=None,
        recommendation=recommend(landscape, rows, None, try_as_is=False),
    )


def _of_run(summary: Summary, rows: Dataset | None, run: Run) -> Diagnosis:
    landscape = Landscape.of(rows or summary, intercept=run.settings.intercept)
    choice = Choice.of(run.asked)
    walked = landscape.seen(standardize=run.scaling is not None)
    needed = None
    if choice is not None:
        needed = needed_epochs(choice.rule, walked, run.scaled_path[0], LONGEST)
    classification = classify(run, walked, needed, known=choice is not None)
    certain = None
    if choice is not None and rows is not None and choice.rule == SGD(lr=choice.rule.lr):
        certain = certain_rate_of(rows, choice, standardize=choice.standardize)
    return Diagnosis(
        summary=summary,
        landscape=landscape,
        run=run,
        choice=choice,
        classification=classification,
        epochs_needed=needed,
        plain_learning_rate=_plain(landscape, run.path[0])[0].lr,
        certain_learning_rate=certain,
        recommendation=recommend(
            landscape, rows, choice, try_as_is=classification.verdict is Verdict.CONVERGED
        ),
    )


def _of_another_loss(summary: Summary, rows: Dataset | None, run: Run) -> Diagnosis:
    alone = _of_data(summary, rows, intercept=run.settings.intercept)
    # Said in full: whoever lays it over the run's settings changes the loss too.
    settings = {**alone.recommended, "loss": "mse"}
    advice = replace(alone.recommendation, settings=settings)
    return replace(alone, run=run, recommendation=advice)


def _plain(landscape: Landscape, start: Array) -> tuple[SGD, int | None]:
    return best_plain(landscape.curvature, landscape.away(start), landscape.allowed_excess)


def _check(run: Run, summary: Summary) -> None:
    if run.features != summary.features:
        raise InvalidData(
            "run",
            got=f"a run on the features {run.features!r}",
            expected=f"one on {summary.features!r}",
            advice="pass the data that the run was fitted to",
        )


def message(run: Run) -> str:
    """Say in one sentence how a run ended.

    Examples
    --------
    >>> import thalweg
    >>> message(thalweg.fit(thalweg.salammbo(), optimizer="sgd", lr=1e-8))
    'diverged at epoch 4: the loss left all bounds with lr = 10⁻⁸; plain SGD on these data is
    stable below lr = 4.86 × 10⁻¹⁰'
    """
    settings = run.asked
    if run.outcome is Outcome.STOPPED or settings.loss != "mse":
        return run.outcome.value if run.outcome is Outcome.STOPPED else other_loss.message(run)
    landscape = Landscape.of(run.data or run.summary, intercept=settings.intercept)
    walked = landscape.seen(standardize=run.scaling is not None)
    if run.outcome is Outcome.DIVERGED:
        choice = Choice.of(settings)
        bound = stable_rate(walked.curvature, choice.rule) if choice else None
        words = explanation.bound_in_words(run, bound, walked.curvature.largest_stable_rate)
        return (
            f"diverged at epoch {run.epochs:,}: the loss left all bounds with "
            f"lr = {number(settings.lr, 6)}; {words}"
        )
    loss = float(landscape.loss(run.parameters))
    exact = landscape.exact_loss
    held = f"{number(loss)} against the exact solution's {number(exact)}"
    if run.outcome is Outcome.CONVERGED:
        return f"converged at epoch {run.epochs:,}: the loss is {held}"
    return f"out of epochs after {run.epochs:,}: the loss is {held}"
