"""How runs, datasets, summaries and diagnoses show themselves in a notebook: one small table each.

Colours are the page's own (``currentColor``), so light and dark notebooks read alike; nothing is
loaded and no script runs. Not here: figures (:mod:`thalweg.figures`), whole pages
(:mod:`thalweg.pages.report`).
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from thalweg.arrays import Array
from thalweg.data.names import parameter_names
from thalweg.errors import and_more
from thalweg.numbers import counted, number
from thalweg.runs.observed import Observed

if TYPE_CHECKING:
    from thalweg.data.dataset import Dataset
    from thalweg.diagnosis.diagnosis import Diagnosis
    from thalweg.runs.run import Run
    from thalweg.settings import Settings
    from thalweg.summary.solution import Solution
    from thalweg.summary.summary import Summary

# A table stays on one screen: more columns than this are counted, not listed.
SHOWN = 12
LINE_POINTS = 120
LINE_WIDTH, LINE_HEIGHT = 240, 48


def run_html(run: Run) -> str:
    """Show a run: what was asked, how it ended, where, and its loss as a line."""
    settings = run.settings
    ends = zip(run.names, run.parameters, strict=True)
    ended = [f"{name} = {number(value, 6)}" for name, value in ends]
    rows = [
        ("Optimiser", _optimizer(settings)),
        *_asked(run, settings),
        ("Outcome", run.outcome.value),
        ("Ended at", and_more(ended, SHOWN)),
    ]
    if run.epochs:
        for name, values in (("Loss", run.loss), ("Gradient norm", run.gradient_norm)):
            rows.append((name, f"{number(values[0], 6)} → {number(values[-1], 6)}"))
    body = [_row(name, _left(escape(text))) for name, text in rows]
    line = loss_line(run.loss)
    if line:
        body.append(_row("Loss by epoch", _left(line)))
    return _table(f"Run: {run.target} from {and_more(run.features, SHOWN)}", body)


def _asked(run: Run, settings: Settings | Observed) -> list[tuple[str, str]]:
    if isinstance(settings, Observed):
        return [("Epochs", f"{run.epochs:,}")]
    return [
        ("Rows a step", _regime(settings)),
        ("Epochs", f"{run.epochs:,} of {settings.epochs:,}"),
        ("Engine", f"{settings.engine}, {settings.dtype}"),
    ]


def solution_html(solution: Solution) -> str:
    """Show an exact answer: each parameter, and the loss."""
    values = [*zip(solution.names, solution.parameters, strict=True)]
    shown = values if len(values) <= SHOWN else values[: SHOWN - 1]
    body = [_row(name, _right(number(value, 6))) for name, value in shown]
    if len(shown) < len(values):
        body.append(_row(f"and {len(values) - len(shown):,} more", _right("")))
    body.append(_row("loss", _right(number(solution.loss, 6))))
    return _table("Exact solution", body)


def dataset_html(data: Dataset) -> str:
    """Show a dataset: its rows, and the spread of each column."""
    d = len(data.features)
    shown = data.features if d < SHOWN else data.features[: SHOWN - 2]
    X = data.X if data.is_dense else data.select(shown).X  # not the whole table for a few columns
    body = [_row("Column", *map(_right, ("mean", "std. dev.", "least", "largest")))]
    body += [_spread(data, name, X[:, j]) for j, name in enumerate(shown)]
    if len(shown) < d:
        body.append(_row(f"and {d - len(shown):,} more features", *[_right("")] * 4))
    body.append(_spread(data, data.target, data.y))
    name = f" {data.name!r}" if data.name else ""
    return _table(f"Dataset{name}: {counted(len(data), 'row')}", body)


def _spread(data: Dataset, name: str, values: Array) -> str:
    label = f"{data.label(name)}{', the target' if name == data.target else ''}"
    spread = (values.mean(), values.std(), values.min(), values.max())
    return _row(label, *(_right(number(value, 6)) for value in spread))


def summary_html(summary: Summary) -> str:
    """Show a summary: what it stands for, and the exact solution's names."""
    rows = [
        ("Rows", f"{summary.n:,}"),
        ("Target", summary.target),
        ("Features", and_more(summary.features, SHOWN)),
        ("Parameters", and_more(parameter_names(summary.features), SHOWN)),
    ]
    body = [_row(name, _left(escape(text))) for name, text in rows]
    return _table("Summary: enough for loss, gradient and exact solution", body)


def diagnosis_html(diagnosis: Diagnosis) -> str:
    """Show a diagnosis: its sentences, then what became of each direction of curvature."""
    from thalweg.diagnosis.wording import direction_name
    from thalweg.pages.environment import environment  # templates: only for a diagnosis

    spectrum, seen = diagnosis.scaled_landscape.curvature, diagnosis.classification
    head = ["Direction", "Curvature"]
    columns = [
        [direction_name(spectrum, i) for i in range(len(spectrum.values))],
        [number(value) for value in spectrum.values],
    ]
    if seen is not None:
        head += ["Loss still to lose", "At the end"]
        states = ["converged" if done else "not converged" for done in seen.converged]
        states[spectrum.rank :] = ["left open by the data"] * (len(states) - spectrum.rank)
        columns += [[number(value) for value in seen.excess[-1]], states]
    return (
        environment()
        .get_template("diagnosis.html")
        .render(
            paragraphs=diagnosis.text.split("\n\n"),
            head=head,
            rows=list(zip(*columns, strict=True)),
        )
    )


def loss_line(loss: Array) -> str:
    """Draw the loss by epoch as a small line, logarithmic where it is positive throughout.

    Losses that are not finite are left out; with fewer than two there is no line.

    Examples
    --------
    >>> loss_line(np.array([1.0]))
    ''
    """
    epochs = np.unique(np.linspace(0, len(loss) - 1, min(len(loss), LINE_POINTS)).astype(int))
    points = [(int(epoch), float(loss[epoch])) for epoch in epochs if np.isfinite(loss[epoch])]
    if len(points) < 2:
        return ""
    heights = np.array([value for _, value in points])
    logarithmic = bool((heights > 0.0).all())
    # Divided first: the differences of huge losses would overflow.
    heights = np.log10(heights) if logarithmic else heights / np.abs(heights).max()
    across = np.array([epoch for epoch, _ in points]) / points[-1][0] * (LINE_WIDTH - 4) + 2
    low, spread = heights.min(), max(float(np.ptp(heights)), 1e-12)
    down = LINE_HEIGHT - 2 - (heights - low) / spread * (LINE_HEIGHT - 4)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    scale = ", logarithmic" if logarithmic else ""
    first, last = (number(value, 6) for _, value in (points[0], points[-1]))
    return (
        f'<svg role="img" width="{LINE_WIDTH}" height="{LINE_HEIGHT}" '
        f'viewBox="0 0 {LINE_WIDTH} {LINE_HEIGHT}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>Loss by epoch{scale}: from {first} to {last}</title>"
        f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


# --- The words ------------------------------------------------------------------------------------


def _optimizer(settings: Settings | Observed) -> str:
    """Name the optimiser with what was asked beside PyTorch's defaults."""
    if isinstance(settings, Observed):
        return f"{settings.optimizer}, lr={settings.lr!r}, in another loop"
    given = [f"{name}={value!r}" for name, value in settings.own_changes.items()]
    scaled = ["in standardised features"] if settings.standardize else []
    return ", ".join([settings.optimizer, f"lr={settings.lr!r}", *given, *scaled])


def _regime(settings: Settings) -> str:
    if settings.batch_sampler is not None:
        return f"{len(settings.batch_sampler):,} batches written out"
    size = "all" if settings.batch_size is None else f"{settings.batch_size:,}"
    also = [name for name in ("shuffle", "drop_last") if getattr(settings, name)]
    return ", ".join([size, *also])


# --- The table ------------------------------------------------------------------------------------

_CELL = "padding: 2px 8px; vertical-align: top; background: transparent"


def _table(caption: str, rows: Iterable[str]) -> str:
    return (
        '<table style="border-collapse: collapse; color: inherit; background: transparent">'
        '<caption style="text-align: left; font-weight: bold; padding: 2px 8px; '
        f'color: inherit">{escape(caption)}</caption><tbody>{"".join(rows)}</tbody></table>'
    )


def _row(name: str, *cells: str) -> str:
    style = f"{_CELL}; text-align: left; white-space: nowrap"
    head = f'<th scope="row" style="{style}">{escape(name)}</th>'
    return f"<tr>{head}{''.join(cells)}</tr>"


def _left(content: str) -> str:
    return f'<td style="{_CELL}; text-align: left">{content}</td>'


def _right(text: str) -> str:
    return f'<td style="{_CELL}; text-align: right">{escape(text)}</td>'
