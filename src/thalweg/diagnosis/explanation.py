"""The words of a diagnosis: sentences that say what was computed, and nothing else.

Each function makes one sentence from numbers, or none. Not here: computing the numbers
(:mod:`thalweg.diagnosis` and what it stands on).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.diagnosis.candidates import PROBED
from thalweg.diagnosis.classification import Classification, Verdict
from thalweg.diagnosis.landscape import NEAR
from thalweg.diagnosis.wording import (
    call,
    capital,
    direction_name,
    epochs_in_words,
    listed,
    rate,
    rule_and_rate,
    rule_name,
    told_apart,
)
from thalweg.numbers import counted, number
from thalweg.optimizers.registry import RULES

if TYPE_CHECKING:
    from thalweg.diagnosis.diagnosis import Diagnosis
    from thalweg.runs.run import Run

# A standardised condition number from this on means that columns say nearly the same.
_COLLINEAR = 1_000.0
# A condition number up to this needs no explanation.
_MILD = 100.0

_NEAR = f"{number(100.0 * NEAR)} %"
_SHOWN = 3  # parameters, at most, in a sentence


def _times(loss: float, diagnosis: Diagnosis) -> str:
    """Hold a loss against the exact one; where that is zero, against the target's variance."""
    landscape = diagnosis.landscape
    if loss == 0.0 or (landscape.fits_exactly and not landscape.variance):
        return f"a loss of {number(loss)}"
    if landscape.fits_exactly:
        return f"{number(loss / landscape.variance)} times the target's variance"
    ratio = loss / landscape.exact_loss
    written = f"{ratio:.3f}" if ratio < 10.0 else number(ratio)
    return f"{written} times the exact loss"


# --- What the run did -----------------------------------------------------------------------------


def what_happened(d: Diagnosis) -> list[str]:
    """Say what the run did, since when, and where it ended."""
    run, seen = d.run, d.classification
    if run is None or seen is None:
        return [_data_alone(d)]
    end = _times(float(seen.loss[-1]), d)
    where = direction_name(d.scaled_landscape.curvature, seen.direction)
    since = f"{seen.since:,.0f}"
    rule = rule_and_rate(run)
    walked = epochs_in_words(run.epochs)
    low, last = _lowest_and_last(seen)
    grown = "grew from the start" if seen.since == 0 else f"has grown since epoch {since}"
    steady = float(np.median(seen.loss[len(seen.loss) // 2 :]))
    sentence = {
        Verdict.CONVERGED: f"{rule} converged: it has been within {_NEAR} of the exact loss "
        f"since epoch {since}, and ended after {walked} at {end}.",
        Verdict.DIVERGED: f"{rule} diverged: the loss {grown}, from {number(low)} to "
        f"{number(last)} in {walked}.",
        Verdict.CRAWLED: f"{rule} crawled: after {walked} the loss is {end}.",
        Verdict.OUT_OF_EPOCHS: f"{rule} ran out of epochs: after {walked} the loss is {end}.",
        Verdict.OSCILLATED: f"{rule} oscillated: after {walked} the loss is {end}, and the path "
        f"still swings from one side of the solution to the other.",
        Verdict.NOISE: f"{rule} sat on mini-batch noise: since epoch {since} the loss has hovered "
        f"about {_times(steady, d)}, because each batch pulls towards a solution of its own.",
        Verdict.BESIDE: f"{rule} settled beside the exact solution: after {walked} the loss is "
        f"{end}. Its weight decay draws the parameters towards zero, so that is not where it goes.",
    }[seen.verdict]
    return [sentence, _what_is_left(d, seen, where), _parameters(d), _not_converged(d, seen)]


def _lowest_and_last(seen: Classification) -> tuple[float, float]:
    finite = seen.loss[np.isfinite(seen.loss)]
    return (float(finite.min()), float(finite[-1])) if len(finite) else (np.nan, np.nan)


def _what_is_left(d: Diagnosis, seen: Classification, where: str) -> str:
    """Say along which direction the loss that is still to lose lies, and since when."""
    if (
        seen.verdict in (Verdict.CONVERGED, Verdict.DIVERGED)
        or d.scaled_landscape.curvature.rank < 2
    ):
        return ""
    if seen.share < 0.5:
        return "The loss still to lose is spread over several directions of curvature."
    part = "Nearly all" if seen.share > 0.995 else f"{100.0 * seen.share:.0f} %"
    first = f"{part} of the loss still to lose lies along one direction, {where}"
    if seen.share >= 0.9 and 0 < seen.since < seen.epochs[-1]:
        return f"{first}: nine tenths or more since epoch {seen.since:,.0f}."
    return f"{first}."


def _data_alone(d: Diagnosis) -> str:
    landscape = d.landscape
    if landscape.fits_exactly:
        count = counted(landscape.n, "row")
        return f"These data ({count}) can be fitted exactly: the least loss is 0."
    return (
        f"The least mean squared error that {counted(len(d.names), 'parameter')} can have on these "
        f"{counted(landscape.n, 'row')} is {number(landscape.exact_loss)}."
    )


def _parameters(d: Diagnosis) -> str:
    """Say where the parameters that are farthest off ended, and where they should have."""
    ends, exact, errors = d.run.parameters, d.landscape.solution, d.landscape.standard_errors  # type: ignore[union-attr]  # there is a run
    if not np.isfinite(ends).all() or d.verdict is Verdict.DIVERGED or d.dependencies:
        return ""
    away = np.abs(ends - exact)
    usable = np.isfinite(errors).all() and (errors > 0).all() and not d.landscape.fits_exactly
    scale = errors if usable else np.maximum(np.abs(exact), np.finfo(float).tiny)
    if usable and (away < 0.01 * errors).all():
        return "Every parameter is within a hundredth of its standard error of the exact solution."
    with np.errstate(over="ignore"):  # beside an exact zero
        order = np.argsort(-away / scale)
    parts = []
    for j in order[:_SHOWN]:
        end, truth = told_apart(float(ends[j]), float(exact[j]))
        part = f"{d.names[j]} ended at {end}, exactly it is {truth}"
        parts.append(f"{part} ({_errors(away[j] / errors[j])} away)" if usable else part)
    rest = len(order) - len(parts)
    said = "; ".join(parts) + "."
    if usable and d.verdict is Verdict.CONVERGED and (away < errors).all():
        return f"{said} All are within their standard error: the rows tell them no more exactly."
    return f"{said} The other {rest} are nearer." if rest > 1 else said


def _errors(count: float) -> str:
    return f"{number(float(f'{count:.2g}'))} standard errors"


def _not_converged(d: Diagnosis, seen: Classification) -> str:
    open_ones = np.flatnonzero(~seen.converged)
    rank = d.scaled_landscape.curvature.rank
    if seen.verdict is Verdict.DIVERGED or rank < 3 or not len(open_ones):
        return ""
    which = f"{rank} directions of curvature"
    if len(open_ones) == rank:
        return f"None of the {which} has converged."
    names = [direction_name(d.scaled_landscape.curvature, int(i)) for i in open_ones[:_SHOWN]]
    more = f"; and {len(open_ones) - _SHOWN} more" if len(open_ones) > _SHOWN else ""
    done = rank - len(open_ones)
    return (
        f"Of {which} {done} {'has' if done == 1 else 'have'} converged; still missing: "
        f"{'; '.join(names)}{more}."
    )


# --- Why ------------------------------------------------------------------------------------------


def why(d: Diagnosis) -> list[str]:
    """Say what about the data made it so, and what the rule does on them."""
    if not d.curvature.rank:
        return ["All columns are zero, so the loss is the same everywhere."]
    return [_shape(d), _dependence(d), _goal(d), *_rule(d), _needs(d)]


def _shape(d: Diagnosis) -> str:
    raw, standard = d.condition_number, d.condition_number_standardized
    spectrum = d.curvature
    if spectrum.rank < 2:
        return ""
    if d.scaled_landscape.is_standardized:
        near = f": columns nearly say the same{_suspects(d)}" if standard > _COLLINEAR else ""
        return (
            f"Over standardised features the loss's condition number is {number(standard)}{near}."
        )
    steep, flat = direction_name(spectrum, 0), direction_name(spectrum, spectrum.rank - 1)
    if raw <= _MILD:
        return (
            f"The loss is about as curved in all directions: its condition number is {number(raw)}."
        )
    first = (
        f"The loss is {number(raw)} times as curved along its steepest direction ({steep}) as "
        f"along its flattest ({flat}): that is its condition number."
    )
    if raw < 10.0 * standard:
        return (
            f"{first} Standardised features have {number(standard)}: it is not a matter of units, "
            f"but of columns that nearly say the same{_suspects(d)}."
        )
    if standard <= _COLLINEAR:
        return (
            f"{first} With standardised features it is {number(standard)}: the units and offsets "
            f"of the columns make the difference, not what they say."
        )
    return (
        f"{first} With standardised features {number(standard)} is left: the units are one part "
        f"of it, the other is columns that nearly say the same{_suspects(d)}."
    )


def _suspects(d: Diagnosis) -> str:
    """Name the columns of the flattest standardised direction."""
    spectrum = d.curvature_standardized
    shares = spectrum.directions[spectrum.rank - 1] ** 2
    named = [spectrum.names[j] for j in np.argsort(-shares) if shares[j] >= 0.02]
    return f" (foremost {listed(named[:4])})" if len(named) > 1 else ""


def _dependence(d: Diagnosis) -> str:
    if not d.dependencies:
        return ""
    parts = []
    for name, *others in d.dependencies[:_SHOWN]:
        if not others:
            parts.append(f"{name} is zero in every row")
        elif others == ["bias"]:
            parts.append(f"{name} is constant, as the bias is")
        else:
            parts.append(f"{name} is a combination of {listed(others)}")
    more = (
        f", and so are {len(d.dependencies) - _SHOWN} more" if len(d.dependencies) > _SHOWN else ""
    )
    return (
        f"{capital('; '.join(parts))}{more}: many settings of these parameters have the same "
        f"loss, so the loss converges, but where the parameters end depends on where they start."
    )


def _goal(d: Diagnosis) -> str:
    if not d.landscape.fits_exactly:
        return ""
    of = "a millionth of the target's variance, " if d.landscape.variance else ""
    return (
        f"As the least loss is 0, 'within {_NEAR}' means here: a loss of at most {of}"
        f"{number(d.landscape.goal)}."
    )


def _rule(d: Diagnosis) -> list[str]:
    """Say what the chosen rule does with this curvature."""
    walked, plain = d.scaled_landscape, d.scaled_landscape.curvature.largest_stable_rate
    units = "standardised features" if walked.is_standardized else "these data"
    if d.run is None or d.run.settings.optimizer != "sgd":
        return [*_own_step(d), f"Plain SGD is stable only below lr = {rate(plain)} on {units}."]
    run, seen = d.run, d.classification
    bound = d.rule_stable_learning_rate
    lr = run.settings.lr
    sentences = []
    if run.asked.hyperparameters.get("maximize"):
        return ["With maximize=True it climbs the loss: no learning rate is stable."]
    if bound is not None and np.isfinite(bound):
        over = f": {number(lr / bound)} times that" if lr >= bound > 0 else ""
        word = "is" if d.is_batch else "by batches of all the rows is"
        sentences.append(
            f"{capital(rule_name(run))} {word} stable below lr = {rate(bound)} on {units}; "
            f"this run had {number(lr, 6)}{over}."
        )
        if over and not run.asked.hyperparameters.get("momentum"):
            factor = abs(1.0 - lr * walked.curvature.largest)
            sentences.append(
                f"Along the steepest direction, of curvature {number(walked.curvature.largest)}, "
                f"each step multiplies the distance to the solution by "
                f"|1 - lr × curvature| = {number(factor)}."
            )
    if d.certain_learning_rate is not None:
        sentences.append(
            f"With these batches it is stable for certain below lr = "
            f"{rate(d.certain_learning_rate)}."
        )
    if seen is not None and seen.verdict in (Verdict.CRAWLED, Verdict.OUT_OF_EPOCHS):
        sentences.append(_slow(d, lr))
    return sentences


def _slow(d: Diagnosis, lr: float) -> str:
    """Say how little a step takes off along the slowest direction that matters."""
    seen, spectrum = d.classification, d.scaled_landscape.curvature
    if seen is None or d.run is None or d.run.asked.hyperparameters.get("momentum"):
        return ""
    open_ones = np.flatnonzero(~seen.converged)
    slowest = int(open_ones[-1]) if len(open_ones) else seen.direction
    share = lr * float(spectrum.values[slowest])
    if not 0.0 < share < 0.05:
        return ""
    return (
        f"At this rate a step takes off one part in {number(float(f'{1.0 / share:.2g}'))} of the "
        f"distance along {direction_name(spectrum, slowest)}."
    )


def _own_step(d: Diagnosis) -> list[str]:
    """Say how far a rule that does not scale with the gradient went, against the way to go."""
    run = d.run
    if run is None or run.settings.optimizer not in RULES or len(run.scaled_path) < 2:
        return []
    with np.errstate(over="ignore", invalid="ignore"):
        moves = (
            np.abs(np.diff(run.scaled_path, axis=0)) / np.maximum(np.diff(run.steps), 1)[:, None]
        )
    way = np.abs(run.scaled_path[0] - d.scaled_landscape.solution)
    j = int(np.argmax(way))
    if not np.isfinite(moves).all() or way[j] == 0.0:
        return []
    longest, lr = float(moves[:, j].max()), run.settings.lr
    about_lr = f", about lr = {number(lr, 6)}" if 0.3 * lr <= longest <= 3.0 * lr else ""
    said = [
        f"An update of {rule_name(run)} moved {d.names[j]} by {number(longest)} at the most"
        f"{about_lr}, and by {number(float(np.median(moves[:, j])))} at the median, where "
        f"{number(float(way[j]))} were to go."
    ]
    return [*said, _pace(d)]


def _pace(d: Diagnosis) -> str:
    """Say how fast the distance that matters most was shrinking over the second half."""
    seen = d.classification
    if seen is None or seen.verdict not in (Verdict.CRAWLED, Verdict.OUT_OF_EPOCHS):
        return ""
    late = np.flatnonzero(seen.epochs >= 0.5 * seen.epochs[-1])
    before, after = np.abs(seen.distances[[late[0], late[-1]], seen.direction])
    if not 0.0 < after < before or len(late) < 2:
        return ""
    pace = -np.log(after / before) / (seen.epochs[late[-1]] - seen.epochs[late[0]])
    where = direction_name(d.scaled_landscape.curvature, seen.direction)
    return (
        f"Over the second half the distance along the direction that is missing ({where}) shrank "
        f"by one part in {number(float(f'{1.0 / pace:.2g}'))} per epoch."
    )


def _needs(d: Diagnosis) -> str:
    """Say how many epochs of batch descent the chosen settings need."""
    if d.run is None:
        return _plain_needs(d)
    if d.verdict in (Verdict.CONVERGED, Verdict.DIVERGED) or d.choice is None:
        return ""
    if d.verdict is Verdict.OSCILLATED and d.epochs_needed in range(d.run.epochs + 1):
        return f"It first comes within {_NEAR} at epoch {d.epochs_needed:,}, and does not stay."
    regime = "" if d.is_batch else ", by batches of all the rows,"
    if d.epochs_needed is not None:
        return (
            f"From the same start these settings{regime} come within {_NEAR} of the exact loss "
            f"after {epochs_in_words(d.epochs_needed)}."
        )
    if d.is_closed_form:
        return f"From the same start these settings{regime} never come within {_NEAR} of it."
    return (
        f"From the same start these settings{regime} do not come within {_NEAR} of the exact "
        f"loss in {PROBED:,} epochs; more were not tried."
    )


def _plain_needs(d: Diagnosis) -> str:
    """Say what plain SGD would do at the fixed rate that suits these data best."""
    spectrum, lr = d.curvature, d.plain_learning_rate
    if d.epochs_needed is None:
        return "At no fixed rate does it come within reach of the exact loss."
    first = (
        f"At the fixed rate that suits best, lr = {rate(lr)}, it comes within {_NEAR} of the "
        f"exact loss after {epochs_in_words(d.epochs_needed)}"
    )
    half = float(np.log(0.5) / np.log1p(-min(lr * spectrum.smallest, 1.0 - 1e-16)))
    if spectrum.rank < 2 or half < max(1.0, 2.0 * d.epochs_needed):
        return f"{first}."
    return (
        f"{first}; along the flattest direction half of the distance takes "
        f"{epochs_in_words(half)}, and the loss hardly shows it."
    )


# --- What to do -----------------------------------------------------------------------------------


def what_to_do(d: Diagnosis) -> str:
    """Give the recommended setting, and what its run reached."""
    advice = d.recommendation
    where = "" if advice.run is not None else ", on the summary of the rows,"
    reached = f"{_times(advice.loss, d)} in {epochs_in_words(advice.epochs)}"
    if advice.needed is not None and advice.needed < advice.epochs:
        reached += f", within {_NEAR} from epoch {advice.needed:,} on"
    if not advice.reached:
        return (
            f"No setting that was tried came within {_NEAR} of the exact loss; the nearest, "
            f"{call(advice.settings)}, was run{where} and ended at {reached}. "
            f"thalweg.solve(data) gives the exact solution without any descent."
        )
    if not advice.change:
        lead = "Nothing needs to change" if d.run is not None else "Recommended"
        return f"{lead}: {call(advice.settings)} was run{where} and reaches {reached}."
    return (
        f"Recommended: {advice.change}. {call(advice.settings)} was run{where} and reaches "
        f"{reached}.{_long_steps(d)}"
    )


def _long_steps(d: Diagnosis) -> str:
    """Explain a learning rate above 1 of a rule for which it is the length of a step."""
    settings = d.recommendation.settings
    if settings["optimizer"] == "sgd" or settings["lr"] < 1.0 or d.recommendation.run is None:
        return ""
    walked = d.recommendation.run.scaled_path
    j = int(np.argmax(np.abs(walked[-1] - walked[0])))
    return (
        f" Its learning rate is that large because it is about the length of a step: "
        f"{d.names[j]} had {number(float(abs(walked[-1, j] - walked[0, j])))} to go in these "
        f"coordinates."
    )


# --- One sentence for an outcome ------------------------------------------------------------------


def bound_in_words(run: Run, bound: float | None, plain: float) -> str:
    """Say below which rate a run's rule would have been stable."""
    units = "standardised features" if run.asked.standardize else "these data"
    if bound is not None:
        if bound == 0.0:
            return f"{rule_name(run)} is stable at no learning rate with these settings"
        return f"{rule_name(run)} on {units} is stable below lr = {rate(bound)}"
    return f"plain SGD on {units} is stable below lr = {rate(plain)}"
