"""The lesson: linear regression with PyTorch on *Salammbô*, replayed by ``fit`` and its kin.

Here: the descents, the numbers, and how they compare with those that the notebook prints. The
words are in ``templates/lesson.html``. PyTorch is the lesson's subject: this module needs it.
Not here: descending, drawing, the page's frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg import figures
from thalweg.data.chapters import salammbo
from thalweg.data.dataset import Dataset
from thalweg.data.texts import count_letters
from thalweg.descent.fit import fit
from thalweg.errors import MissingExtra
from thalweg.gradient_check import Gradients, gradients
from thalweg.numbers import fixed
from thalweg.pages.page import Drawn, render
from thalweg.runs.run import Run

try:
    import torch
except ImportError as error:
    raise MissingExtra("The lesson", "torch") from error

if TYPE_CHECKING:
    from thalweg.summary.solution import Solution

SEED = 4321
SECTIONS = (
    ("data", "The data"),
    ("plot", "Looking at the data"),
    ("model", "The model"),
    ("batch", "Batch descent"),
    ("stochastic", "Stochastic descent"),
    ("mini-batch", "Mini-batch descent"),
    ("loader", "With a DataLoader"),
    ("final", "The fitted line"),
    ("gradients", "The gradients, by hand"),
    ("fresh", "With a fresh optimiser each time"),
    ("solution", "How far from the answer"),
    ("numbers", "Every number, compared"),
)
# The notebook slices rows i to i + 4 for i = 0, 1, 2: three windows that overlap.
NOTEBOOK_BATCHES = ((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5))
# The settings of the notebook's five descents; the engine and the precision are PyTorch's own.
PARTS: Mapping[str, Mapping[str, Any]] = {
    "batch": {"epochs": 250},
    "stochastic": {"epochs": 20, "batch_size": 1},
    "mini-batch": {"epochs": 40, "batch_sampler": NOTEBOOK_BATCHES},
    "loader": {"epochs": 100, "batch_size": 4, "shuffle": True},
    "final": {"epochs": 250},
}
NAMES = {
    "batch": "batch",
    "stochastic": "stochastic",
    "mini-batch": "mini-batch",
    "loader": "DataLoader",
    "final": "batch again",
}
OPENING = "C'était à Mégara, faubourg de Carthage, dans les jardins d'Hamilcar."


class Comparison(NamedTuple):
    """A number that the notebook prints, beside ours.

    ``printed`` keeps the notebook's digits. They agree when they differ by at most one unit of
    the last of them; where the notebook prints a float32 to more digits than it has, by at most
    one float32; and by ``relative`` where the number is what float32's cancellation leaves.
    """

    section: str
    what: str
    printed: str
    got: float
    relative: float = 0.0

    @property
    def difference(self) -> Decimal:
        """How far the two are apart."""
        return abs(Decimal(float(self.got)) - Decimal(self.printed))

    @property
    def to_the_digit(self) -> bool:
        """Whether they differ by at most one unit of the last printed digit."""
        return self.difference <= Decimal(1).scaleb(_exponent(Decimal(self.printed)))

    @property
    def agrees(self) -> bool:
        """Whether the two are the same number, as far as it was printed."""
        printed, got = np.float32(self.printed), np.float32(self.got)
        next_to_it = bool(abs(printed - got) <= np.spacing(abs(printed)))
        loosely = self.difference <= abs(Decimal(self.printed)) * Decimal(self.relative)
        return self.to_the_digit or next_to_it or loosely

    @property
    def shown(self) -> str:
        """Ours, to as many digits as the notebook prints."""
        decimals = max(0, -_exponent(Decimal(self.printed)))
        return fixed(self.got, decimals).replace(",", "")

    @property
    def verdict(self) -> str:
        """The agreement in a word."""
        if self.to_the_digit:
            return "yes"
        if not self.agrees:
            return "no"
        return f"to {self.relative:.1%}" if self.relative else "to float32's last bit"


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - printed numbers are finite
    return exponent


@dataclass(frozen=True, eq=False)
class Lesson:
    """Everything the lesson computes.

    Attributes
    ----------
    data : Dataset
        The 15 chapters.
    runs : mapping of str to Run
        The five descents of the notebook, the optimiser carried over from one to the next.
    fresh : mapping of str to Run
        The same with a fresh optimiser each, from the same starts.
    sliced : Run
        The mini-batch descent over true slices of four rows, the last three chapters dropped.
    by_hand, exactly : Gradients
        The gradients where the last descent ended, in float32 and in float64.
    solution : Solution
        The least-squares answer.
    comparisons : tuple of Comparison
        Every number that the notebook prints.
    """

    data: Dataset
    runs: Mapping[str, Run]
    fresh: Mapping[str, Run]
    sliced: Run
    by_hand: Gradients
    exactly: Gradients
    solution: Solution
    comparisons: tuple[Comparison, ...]


def replay(progress: Callable[[str], object] = lambda part: None) -> Lesson:
    """Walk the whole lesson.

    Parameters
    ----------
    progress : callable
        Called with a few words before each part.
    """
    data = salammbo()
    runs: dict[str, Run] = {}
    fresh: dict[str, Run] = {}
    for part, settings in PARTS.items():
        progress(f"{NAMES[part]} descent")
        runs[part] = _walk(data, settings, list(runs.values())[-1:], carried=True)
        fresh[part] = _walk(data, settings, list(fresh.values())[-1:], carried=False)
    progress("gradients and exact solution")
    sliced = fit(
        data,
        engine="reference",
        epochs=40,
        batch_size=4,
        drop_last=True,
        start=runs["stochastic"].continuation(fresh_parameters=True),
    )
    end = runs["final"].parameters
    by_hand = gradients(data, parameters=end, dtype="float32")
    return Lesson(
        data=data,
        runs=runs,
        fresh=fresh,
        sliced=sliced,
        by_hand=by_hand,
        exactly=gradients(data, parameters=end),
        solution=data.summary.solve(),
        comparisons=_compare(data, runs, by_hand),
    )


def steps_of_replay() -> int:
    """Count the calls that :func:`replay` makes to its ``progress``."""
    return len(PARTS) + 1


def _walk(data: Dataset, settings: Mapping[str, Any], before: list[Run], *, carried: bool) -> Run:
    """Descend as the notebook does: new parameters from the stream, the optimiser's old state."""
    if not before:
        return fit(data, engine="reference", seed=SEED, **settings)
    start = before[0].continuation(fresh_parameters=True, fresh_optimizer=not carried)
    return fit(data, engine="reference", start=start, **settings)


def _compare(data: Dataset, runs: Mapping[str, Run], by_hand: Gradients) -> tuple[Comparison, ...]:
    """Set every number that the notebook prints beside ours, in its order."""
    batch, last = runs["batch"], runs["final"]
    numbers = [
        *_compare_counts(data),
        Comparison("model", "first weight", "-0.7489", batch.path[0, 1]),
        Comparison("model", "first bias", "0.0753", batch.path[0, 0]),
        *_compare_optimizer(batch),
        Comparison("batch", "weight after 250 epochs", "0.0676", batch.weights[0]),
        Comparison("batch", "bias after 250 epochs", "0.8920", batch.bias),
    ]
    asked = np.array([[3000.0], [5000.0]])
    by_model = batch.model()(torch.tensor(asked, dtype=torch.float32)).detach().numpy()
    by_hand_first = float(asked[0] @ batch.weights + batch.bias)
    numbers += [
        Comparison(
            "batch", "prediction for 3,000 characters, by the model", "203.5815", by_model[0, 0]
        ),
        Comparison(
            "batch", "prediction for 5,000 characters, by the model", "338.7079", by_model[1, 0]
        ),
        Comparison("batch", "prediction for 3,000 characters, w₁x + w₀", "203.5815", by_hand_first),
        *(
            Comparison(
                "batch", f"prediction for {x:,.0f} characters, XW + w₀", printed, float(value)
            )
            for (x,), value, printed in zip(
                asked, batch.predict(asked), ("203.5815", "338.7079"), strict=True
            )
        ),
        Comparison("batch", "last recorded loss", "3708.039794921875", batch.loss[-1]),
        Comparison(
            "batch", "loss after the last update", "3551.81103515625", _mean_square(batch, data)
        ),
        Comparison("batch", "last recorded bias", "0.8919244408607483", batch.path[-2, 0]),
        Comparison("batch", "last recorded weight", "0.06752170622348785", batch.path[-2, 1]),
    ]
    for part, weight, bias in (
        ("stochastic", "0.0685", "-1.1780"),
        ("mini-batch", "0.0696", "0.2620"),
        ("loader", "0.0684", "1.3601"),
    ):
        epochs = PARTS[part]["epochs"]
        numbers += [
            Comparison(part, f"weight after {epochs} epochs", weight, runs[part].weights[0]),
            Comparison(part, f"bias after {epochs} epochs", bias, runs[part].bias),
        ]
    numbers += [
        Comparison("gradients", f"prediction for chapter {chapter}", printed, float(value))
        for chapter, (value, printed) in enumerate(
            zip(last.predict(data.X), _PRINTED_PREDICTIONS, strict=True), start=1
        )
    ]
    numbers += [
        Comparison("gradients", "loss, by PyTorch", "1905.0551", by_hand.loss),
        Comparison("gradients", "loss, by hand", "1905.0551", _mean_square(last, data)),
        Comparison(
            "gradients", "slope for the weight, by hand", "-94.5000", by_hand.by_hand[1], 1e-3
        ),
        Comparison("gradients", "slope for the bias, by hand", "-2.8976", by_hand.by_hand[0]),
        Comparison(
            "gradients",
            "slope for the weight, by PyTorch",
            "-94.5000",
            by_hand.by_autograd[1],
            1e-3,
        ),
        Comparison(
            "gradients", "slope for the bias, by PyTorch", "-2.8976", by_hand.by_autograd[0]
        ),
    ]
    return tuple(numbers)


_PRINTED_PREDICTIONS = (
    "2531.0288", "2987.0583", "1074.8154", "2481.0435", "2050.6228", "2779.3801", "5153.1309",
    "2582.2466", "2115.9460", "1745.3022", "2567.7302", "2766.3701", "5074.3872", "5253.7861",
    "1254.4199",
)  # fmt: skip


_PRINTED_COUNTS = (
    ("36961", "2503"), ("43621", "2992"), ("15694", "1042"), ("36231", "2487"), ("29945", "2014"),
    ("40588", "2805"), ("75255", "5062"), ("37709", "2643"), ("30899", "2126"), ("25486", "1784"),
    ("37497", "2641"), ("40398", "2766"), ("74105", "5047"), ("76725", "5312"), ("18317", "1215"),
)  # fmt: skip


def _compare_counts(data: Dataset) -> list[Comparison]:
    """Compare the data, which the notebook types in and prints."""
    return [
        Comparison("data", f"{column} in chapter {chapter}", printed[which], values[chapter - 1])
        for which, (column, values) in enumerate(
            ((data.features[0], data.X[:, 0]), (data.target, data.y))
        )
        for chapter, printed in enumerate(_PRINTED_COUNTS, start=1)
    ]


def _compare_optimizer(run: Run) -> list[Comparison]:
    """Compare the settings that the notebook prints for NAdam."""
    settings = run.asked.hyperparameters
    beta1, beta2 = settings["betas"]
    return [
        Comparison("model", "NAdam's first beta", "0.9", beta1),
        Comparison("model", "NAdam's second beta", "0.999", beta2),
        Comparison("model", "NAdam's eps", "1e-8", settings["eps"]),
        Comparison("model", "NAdam's lr", "0.01", run.settings.lr),
        Comparison("model", "NAdam's momentum decay", "0.004", settings["momentum_decay"]),
        Comparison("model", "NAdam's weight decay", "0", settings["weight_decay"]),
    ]


def _mean_square(run: Run, data: Dataset) -> float:
    """Work out the loss where a run ended, from its predictions and in their precision."""
    predicted = run.predict(data.X)
    error = predicted - data.y.astype(predicted.dtype)
    return float((error * predicted.dtype.type(1.0 / len(data))) @ error)


def page(lesson: Lesson) -> str:
    """Write the lesson as one self-contained HTML page."""
    return render(
        "lesson.html",
        sections=SECTIONS,
        made_with=f"PyTorch {torch.__version__.partition('+')[0]}",
        lesson=lesson,
        names=NAMES,
        facts=_facts(lesson),
        drawn=_draw(lesson),
        opening=OPENING,
    )


def _facts(lesson: Lesson) -> dict[str, float]:
    """Work out the numbers that prove the page's notes."""
    data, batch, summary = lesson.data, lesson.runs["batch"], lesson.data.summary
    plain = count_letters([OPENING])
    alphabetic = count_letters([OPENING], alphabetic_only=True)
    folded = count_letters([OPENING], fold_accents=True)
    curvatures = np.linalg.svd(summary.hessian(), compute_uv=False)
    moved = np.abs(np.diff(batch.path[:, 0]))
    to_go = abs(lesson.solution.bias - batch.bias)
    return {
        "characters": plain.X[0, 0],
        "alphabetic": alphabetic.X[0, 0],
        "unaccented": plain.y[0],
        "folded": folded.y[0],
        "condition": curvatures[0] / curvatures[-1],
        "stable_lr": 2.0 / curvatures[0],
        "step": float(moved.mean()),
        "to_go": to_go,
        "epochs_to_go": to_go / float(moved.mean()),
        "loss_before": batch.loss[-1],
        "loss_after": _mean_square(batch, data),
        "loss_first": batch.loss[0],
        "notebook_mini_loss": lesson.runs["mini-batch"].loss[-1] * 12 / 15,
        "true_slope": lesson.exactly.by_hand[1],
    }


def _draw(lesson: Lesson) -> dict[str, Drawn]:
    """Draw every figure of the notebook, and the maps that it does not have."""
    data, runs = lesson.data, {NAMES[part]: run for part, run in lesson.runs.items()}
    four = {name: run for name, run in runs.items() if name != NAMES["final"]}
    drawn = [
        Drawn("data-figure", figures.data_figure(data), "A cross for each of the 15 chapters."),
        Drawn(
            "batch-path",
            figures.path_figure({"batch": runs["batch"]}),
            "The bias and the weight after each epoch of batch descent.",
        ),
        Drawn(
            "fit-figure",
            figures.fit_figure(data, runs),
            "The chapters and the line that each descent ended with.",
        ),
        Drawn(
            "map-figure",
            figures.contour_figure(data, four),
            "The same valley seen from above, with the first four descents and the exact solution.",
        ),
    ]
    captions = {
        "batch": "250 epochs of batch descent",
        "stochastic": "20 epochs of stochastic descent, 15 updates each",
        "mini-batch": "40 epochs of mini-batch descent, 3 updates each",
        "DataLoader": "100 epochs through a shuffling DataLoader, 4 updates each",
    }
    for number, (name, run) in enumerate(four.items()):
        id_ = name.lower()
        drawn += [
            Drawn(
                f"{id_}-loss",
                figures.loss_figure({name: run}, first_style=number),
                f"The loss of each epoch: {captions[name]}.",
            ),
            Drawn(
                f"{id_}-surface",
                figures.surface_figure(data, {name: run}, first_style=number),
                f"The loss surface, log scale, with {captions[name]}. Drag to turn it; play it.",
            ),
        ]
    return {figure.id: figure for figure in drawn}
