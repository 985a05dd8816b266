"""The descent: its path in a plane of two parameters, and its loss by epoch.

Not here: the surface that it went down (:mod:`thalweg.figures.surfaces`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from thalweg.arrays import Array
from thalweg.checks import check_choice
from thalweg.conditioning.curvature import mean_squared_error
from thalweg.errors import InvalidData
from thalweg.figures.animation import DRAWN, Part, add_animation, points_until
from thalweg.figures.downsample import compact, downsample
from thalweg.figures.labels import Runs, Units, name_runs
from thalweg.figures.theme import NEUTRAL, Style, lay_out, style

if TYPE_CHECKING:
    from thalweg.runs.run import Run

_LINE_POINTS = 2000  # of a loss curve, which does not move
_MARKERS = 30  # recorded points up to which each is marked
STAR = {
    "symbol": "star",
    "size": 14,
    "color": "#ffffff",
    "line": {"color": "#1f2328", "width": 1.5},
}


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
    figure, parts = go.Figure(), []
    for index, (name, run) in enumerate(named.items(), first_style):
        drawn = downsample(run.path[:, columns], DRAWN)
        epochs, parameters = run.recorded_epochs[drawn], run.path[drawn]
        details = np.column_stack([compact(epochs), compact(_losses(run, parameters))])
        parts += add_path(
            figure, name, style(index), parameters[:, columns], epochs, details,
            path_hover(name, across, up),
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
    figure.update_xaxes(title_text=units.parameter(across))
    figure.update_yaxes(title_text=units.parameter(up))
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
    figure = go.Figure()
    for index, (name, run) in enumerate(named.items(), first_style):
        figure.add_trace(_loss_trace(name, style(index), run))
    floor = 0.0
    if exact and kinds == {"mse"} and first.solution.loss > first.solution.loss_error:
        floor = first.solution.loss  # more than rounding
    if floor > 0:
        last = max(run.epochs for run in named.values())
        figure.add_trace(
            go.Scatter(
                x=[1, last],
                y=[floor, floor],
                mode="lines",
                line={"color": NEUTRAL, "width": 1.5, "dash": "dash"},
                name="exact solution",
                hovertemplate="exact solution<br>loss %{y:,.6~g}<extra></extra>",
            )
        )
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
    figure.update_yaxes(title_text=units.loss(kinds.pop()) if len(kinds) == 1 else "loss")
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
    few = len(drawn) <= _MARKERS
    return go.Scatter(
        x=epochs[drawn],
        y=run.loss[drawn],
        mode="lines+markers",
        name=name,
        line={"color": look.color, "dash": look.dash, "width": 2.2},
        marker=_markers(look, few=few),
        hovertemplate=f"<b>{name}</b><br>epoch %{{x:,}}<br>loss %{{y:,.6~g}}<extra></extra>",
    )


def _markers(look: Style, *, few: bool) -> dict[str, Any]:
    """Mark every point of a short line, some of a long one."""
    return {
        "color": look.color,
        "symbol": look.symbol,
        "size": 6,
        "maxdisplayed": 0 if few else 12,
    }


def _losses(run: Run, parameters: Array) -> Array:
    """Give the mean squared error at points (k, p) of a path: shape (k,)."""
    triangle = run.summary.triangle(intercept=run.settings.intercept)
    return mean_squared_error(triangle, run.summary.n, parameters)


def _exact(run: Run) -> Array:
    return run.solution.parameters


def need_runs(runs: Runs) -> dict[str, Run]:
    """Name the runs, of which there must be one at least."""
    named = name_runs(runs)
    if not named:
        raise InvalidData(
            "runs",
            got="no run",
            expected="at least one",
            advice="pass what thalweg.fit returned",
        )
    return named


def describe_runs(named: dict[str, Run]) -> str:
    """Say which rows the runs were fitted to, where they are the same."""
    names = {run.source.name for run in named.values() if run.source is not None}
    return names.pop() if len(names) == 1 else ""


def path_hover(name: str, across: str, up: str) -> str:
    """Say what the pointer reads from a path: epoch, both coordinates, the loss."""
    return (
        f"<b>{name}</b><br>epoch %{{customdata[0]:,.6~g}}<br>"
        f"{across} %{{x:,.6~g}}<br>{up} %{{y:,.6~g}}<br>"
        "loss %{customdata[1]:,.6~g}"
    )


def add_path(
    figure: go.Figure,
    name: str,
    look: Style,
    points: Array,
    epochs: Array,
    details: Array,
    hover: str,
    *,
    ghost: str | None = None,
) -> list[Part]:
    """Draw a path in two dimensions: all of it faintly, what is walked, and where it stands.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    name : str
        For the legend.
    look : Style
    points : ndarray, shape (k, 2)
    epochs : ndarray, shape (k,)
    details : ndarray, shape (k, m)
        What ``hover`` calls ``customdata``.
    hover : str
        The template of the hover text.
    ghost : str, optional
        The colour of the faint line beneath; the path's own where left out.

    Returns
    -------
    list of Part
        The two traces that move.
    """
    x, y = compact(points[:, 0]), compact(points[:, 1])
    few = len(points) <= _MARKERS
    beneath = {"color": ghost or look.color, "width": 5 if ghost else 1.5}
    shared = {"x": x, "y": y, "legendgroup": name, "name": name}
    figure.add_trace(
        go.Scatter(
            **shared,
            mode="lines",
            line=beneath,
            opacity=0.55 if ghost else 0.35,
            showlegend=False,
            hoverinfo="skip",
        )
    )
    line = len(figure.data)
    figure.add_trace(
        go.Scatter(
            **shared,
            mode="lines+markers",
            line={"color": look.color, "dash": look.dash, "width": 2.2},
            marker=_markers(look, few=few),
            customdata=details,
            hovertemplate=hover + "<extra></extra>",
        )
    )
    head = {"color": look.color, "symbol": look.symbol, "size": 12}
    figure.add_trace(
        go.Scatter(
            x=x[-1:],
            y=y[-1:],
            legendgroup=name,
            name=name,
            mode="markers",
            marker={**head, "line": {"color": "#ffffff", "width": 1.5}},
            showlegend=False,
            hoverinfo="skip",
        )
    )

    def grow(epoch: float) -> dict[str, Any]:
        count = points_until(epochs, epoch)
        return {"x": x[:count], "y": y[:count]}

    def move(epoch: float) -> dict[str, Any]:
        at = points_until(epochs, epoch) - 1
        return {"x": x[at : at + 1], "y": y[at : at + 1]}

    return [Part(line, "scatter", grow), Part(line + 1, "scatter", move)]


def star(at: Array, across: str, up: str) -> go.Scatter:
    """Mark the exact solution."""
    return go.Scatter(
        x=[at[0]],
        y=[at[1]],
        mode="markers",
        name="exact solution",
        marker=STAR,
        hovertemplate=(
            f"<b>exact solution</b><br>{across} %{{x:,.6~g}}<br>{up} %{{y:,.6~g}}<extra></extra>"
        ),
    )
