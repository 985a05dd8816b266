"""The descent: its path in a plane of two parameters, and its loss by epoch.

Not here: the surface that it went down (:mod:`thalweg.figures.surfaces`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from thalweg.arrays import Array
from thalweg.checks import check_choice
from thalweg.conditioning.curvature import mean_squared_error
from thalweg.figures.animation import DRAWN, add_animation
from thalweg.figures.downsample import compact, downsample
from thalweg.figures.labels import Runs, Units, as_text, describe_runs, need_runs
from thalweg.figures.still import StillFigure
from thalweg.figures.theme import Style, lay_out, style
from thalweg.figures.traces import MARKERS, add_path, dashed, hover, markers, star

if TYPE_CHECKING:
    from thalweg.runs.run import Run

_LINE_POINTS = 2000  # of a loss curve, which does not move


def path_figure(
    runs: Runs,
    *,
    axes: tuple[str, str] | None = None,
    exact: bool = True,
    first_style: int = 0,
    theme: str = "light",
) -> go.Figure:
    """Draw the paths of two parameters; they can be played.

    Parameters
    ----------
    runs : Run, sequence of Run, or mapping of str to Run
        Whose paths. Long ones are downsampled for drawing; ends and extremes are kept.
    axes : pair of str, optional
        Which two parameters, across and up: the first two where left out, ``bias`` and ``weight``.
    exact : bool
        Whether to mark the exact least-squares answer.
    first_style : int
        The number of the first run's colour, dash and marker, so that a run looks the same on
        figures that show it beside others and alone.
    theme : str
        ``"light"`` or ``"dark"``.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), epochs=20)
    >>> figure = path_figure({"batch": run})
    >>> figure.layout.xaxis.title.text, len(figure.frames)
    ('bias (A)', 21)
    """
    named = need_runs(runs)
    first = next(iter(named.values()))
    across, up = axes or first.names[:2]
    check_choice("axes", across, first.names)
    check_choice("axes", up, first.names)
    columns = [first.names.index(across), first.names.index(up)]
    units = Units(first.features, first.target, first.source)
    figure, parts = StillFigure(), []
    for index, (name, run) in enumerate(named.items(), first_style):
        drawn = downsample(run.path[:, columns], DRAWN)
        epochs, parameters = run.recorded_epochs[drawn], run.path[drawn]
        details = np.column_stack([compact(epochs), compact(_losses(run, parameters))])
        parts += add_path(
            figure, name, style(index), parameters[:, columns], epochs, details,
            hover(name, across, up),
        )  # fmt: skip
    if exact:
        figure.add_trace(star(_exact(first)[columns], across, up))
    lay_out(
        figure,
        theme_name=theme,
        title=f"Path of {across} and {up}",
        subtitle=describe_runs(named),
        legend=True,
        height=400,
    )
    figure.update_xaxes(title_text=as_text(units.parameter(across)))
    figure.update_yaxes(title_text=as_text(units.parameter(up)))
    add_animation(figure, parts, [run.recorded_epochs for run in named.values()], below=56)
    return figure


def loss_figure(
    runs: Runs, *, exact: bool = True, first_style: int = 0, theme: str = "light"
) -> go.Figure:
    """Draw the loss of each epoch, with the exact solution's loss as the floor.

    A run records an epoch's loss over the rows as the epoch saw them: in batch descent, before
    the epoch's update. The axis is logarithmic where the losses span more than a decade.

    Parameters
    ----------
    runs : Run, sequence of Run, or mapping of str to Run
        Whose losses. Long ones are downsampled for drawing; ends and extremes are kept.
    exact : bool
        Whether to draw the floor; only the mean squared error has one that is known.
    first_style, theme
        As for :func:`path_figure`.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), epochs=20)
    >>> [trace.name for trace in loss_figure({"batch": run}).data]
    ['batch', 'exact solution']
    """
    named = need_runs(runs)
    first = next(iter(named.values()))
    kinds = {run.settings.loss for run in named.values()}
    figure = StillFigure()
    for index, (name, run) in enumerate(named.items(), first_style):
        figure.add_trace(_loss_trace(name, style(index), run))
    floor = 0.0
    if exact and kinds == {"mse"} and first.solution.loss > first.solution.loss_error:
        floor = first.solution.loss  # more than rounding
    if floor > 0:
        last = max(run.epochs for run in named.values())
        text = "exact solution<br>loss %{y:,.6~g}"
        figure.add_trace(dashed([1, last], [floor, floor], "exact solution", text))
    lay_out(
        figure,
        theme_name=theme,
        title="Loss by epoch",
        subtitle=describe_runs(named),
        legend=True,
        height=380,
    )
    units = Units(first.features, first.target, first.source)
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(title_text=as_text(units.loss(kinds.pop())) if len(kinds) == 1 else "loss")
    losses = np.concatenate([run.loss for run in named.values()] + [np.full(1, floor)])
    positive = losses[np.isfinite(losses) & (losses > 0)]
    if positive.size and positive.max() > 10 * positive.min():
        figure.update_yaxes(type="log", exponentformat="power")
    return figure


def _loss_trace(name: str, look: Style, run: Run) -> go.Scatter:
    epochs = np.arange(1, run.epochs + 1)
    # Thinned by the logarithm too: a spike that is small beside the start must stay.
    with np.errstate(divide="ignore"):
        drawn = downsample(np.column_stack([run.loss, np.log(np.abs(run.loss))]), _LINE_POINTS)
    few = len(drawn) <= MARKERS
    return go.Scatter(
        x=epochs[drawn],
        y=run.loss[drawn],
        mode="lines+markers",
        name=name,
        line={"color": look.color, "dash": look.dash, "width": 2.2},
        marker=markers(look, few=few),
        hovertemplate=f"<b>{name}</b><br>epoch %{{x:,}}<br>loss %{{y:,.6~g}}<extra></extra>",
    )


def _losses(run: Run, parameters: Array) -> Array:
    """Give the mean squared error at points (k, p) of a path: shape (k,)."""
    triangle = run.summary.triangle(intercept=run.settings.intercept)
    return mean_squared_error(triangle, run.summary.n, parameters)


def _exact(run: Run) -> Array:
    return run.solution.parameters
