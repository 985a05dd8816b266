"""The rows and what a descent makes of them: data, fitted lines, predicted against actual.

Not here: the path that led there (:mod:`thalweg.figures.descent`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from thalweg.arrays import Array
from thalweg.checks import check_choice
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.figures.animation import Part, add_animation, points_until
from thalweg.figures.downsample import compact, sample
from thalweg.figures.labels import Runs, as_text, describe, name_runs
from thalweg.figures.still import StillFigure
from thalweg.figures.theme import NEUTRAL, lay_out, style
from thalweg.figures.traces import dashed
from thalweg.summary.exact import exact_solution

if TYPE_CHECKING:
    from thalweg.runs.run import Run

_ROWS = 20_000  # drawn at most: more are one blot, and slow
_PREDICTED = 400  # rows of predicted against actual: each frame repeats them
_CROSS = {"symbol": "x-thin", "size": 8, "line": {"width": 1.8, "color": NEUTRAL}}


def data_figure(data: Data, *, feature: str | None = None, theme: str = "light") -> go.Figure:
    """Draw the target against a feature.

    Parameters
    ----------
    data : Dataset or pair (X, y)
        Of more than 20,000 rows an even sample is drawn, and the figure says so.
    feature : str, optional
        Which one; the first where it is left out.
    theme : str
        ``"light"`` or ``"dark"``.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import thalweg
    >>> figure = data_figure(thalweg.salammbo())
    >>> figure.layout.xaxis.title.text
    'characters (count per chapter)'
    """
    rows = take(data).read()
    feature = rows.features[0] if feature is None else feature
    check_choice("feature", feature, rows.features)
    figure = StillFigure(_data_trace(rows, feature))
    lay_out(
        figure,
        theme_name=theme,
        title=f"{rows.target} against {feature}",
        subtitle=describe(rows, _ROWS),
        height=380,
    )
    figure.update_xaxes(title_text=as_text(rows.label(feature)))
    figure.update_yaxes(title_text=as_text(rows.label(rows.target)))
    return figure


def fit_figure(
    data: Data, runs: Runs, *, exact: bool = True, first_style: int = 0, theme: str = "light"
) -> go.Figure:
    """Draw the fitted line of each run over the data; it can be played.

    With several features, the predicted against the actual target.

    Parameters
    ----------
    data : Dataset or pair (X, y)
        The rows.
    runs : Run, sequence of Run, or mapping of str to Run
        Whose lines.
    exact : bool
        Whether to add the exact least-squares line, where there is one feature.
    first_style, theme
        As for :func:`~thalweg.figures.path_figure`.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import thalweg
    >>> chapters = thalweg.salammbo()
    >>> figure = fit_figure(chapters, {"batch": thalweg.fit(chapters, epochs=20)})
    >>> [trace.name for trace in figure.data]
    ['data', 'exact solution', 'batch']
    """
    rows, named = take(data).read(), name_runs(runs)
    one = len(rows.features) == 1
    figure = StillFigure()
    if one:
        figure.add_trace(_data_trace(rows, rows.features[0]))
        X, drawn = _ends(rows), _ROWS
    else:
        chosen = sample(len(rows), _PREDICTED)
        X, drawn = np.asarray(rows.table[chosen]), _PREDICTED
        ends = np.array([rows.y.min(), rows.y.max()])
        figure.add_trace(dashed(ends, ends, "predicted = actual"))
    across = X[:, 0] if one else rows.y[chosen]
    if exact and one:
        intercept = all(run.settings.intercept for run in named.values())
        solution = exact_solution(rows, intercept=intercept)
        figure.add_trace(dashed(across, X @ solution.weights + solution.bias, "exact solution"))
    parts = []
    for index, (name, run) in enumerate(named.items(), first_style):
        parts.append(_moving(run, X, len(figure.data)))
        figure.add_trace(_fit_trace(name, index, across, parts[-1].at(np.inf)["y"], one=one))
    lay_out(
        figure,
        theme_name=theme,
        title="The fitted line" if one else "Predicted against actual",
        subtitle=describe(rows, drawn),
        legend=True,
        height=400,
    )
    ends_only = [part.at(np.inf)["y"] for part in parts]
    figure.update_xaxes(title_text=as_text(rows.label(rows.features[0] if one else rows.target)))
    figure.update_yaxes(
        title_text=("" if one else "predicted ") + as_text(rows.label(rows.target)),
        range=_readable(rows.y, ends_only),
    )
    add_animation(figure, parts, [run.recorded_epochs for run in named.values()], below=56)
    return figure


def _data_trace(rows: Dataset, feature: str) -> go.Scatter:
    chosen = sample(len(rows), _ROWS)
    across, up = as_text(feature), as_text(rows.target)
    return go.Scatter(
        x=compact(np.asarray(rows.table[chosen])[:, rows.features.index(feature)]),
        y=compact(rows.y[chosen]),
        mode="markers",
        marker=_CROSS,
        name="data",
        hovertemplate=f"{across} %{{x:,}}<br>{up} %{{y:,}}<extra></extra>",
    )


def _ends(rows: Dataset) -> Array:
    """Give the feature's smallest and largest value as two rows: a line needs no more."""
    return np.array([[rows.X.min()], [rows.X.max()]])


def _fit_trace(name: str, index: int, x: Array, y: Array, *, one: bool) -> go.Scatter:
    color, dash, symbol = style(index)
    if one:
        look: dict[str, Any] = {
            "mode": "lines+markers",
            "line": {"color": color, "dash": dash, "width": 2.5},
            "marker": {"color": color, "symbol": symbol, "size": 9},
        }
    else:
        look = {
            "mode": "markers",
            "marker": {"color": color, "symbol": f"{symbol}-open", "size": 6},
        }
    across = "x" if one else "actual"
    return go.Scatter(
        x=compact(x),
        y=y,
        name=name,
        hovertemplate=(
            f"<b>{name}</b><br>{across} %{{x:,.6~g}}<br>predicted %{{y:,.6~g}}<extra></extra>"
        ),
        **look,
    )


def _moving(run: Run, X: Array, trace: int) -> Part:
    """Say what a run predicts for some rows, at any epoch."""
    epochs, path, first = run.recorded_epochs, run.path, int(run.settings.intercept)

    def predict(epoch: float) -> dict[str, Any]:
        parameters = path[points_until(epochs, epoch) - 1]
        return {"y": compact(X @ parameters[first:] + parameters[:first].sum())}

    return Part(trace, "scatter", predict)


def _readable(y: Array, predicted: list[Any]) -> tuple[float, float]:
    """Span the data, and the last predictions where they are not absurdly far."""
    low, high = float(y.min()), float(y.max())
    extent = high - low or abs(high) or 1.0
    ends = [v for end in predicted for v in end if abs(float(v) - (low + high) / 2) <= 3 * extent]
    low, high = min([low, *ends]), max([high, *ends])
    margin = 0.06 * ((high - low) or 1.0)
    return float(low - margin), float(high + margin)
