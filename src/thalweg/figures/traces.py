"""The traces that several figures draw: paths, the exact solution, lines to compare with.

Not here: what a figure shows of them, how they look on a page (:mod:`thalweg.figures.theme`).
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.figures.animation import Part, points_until
from thalweg.figures.downsample import compact
from thalweg.figures.labels import as_text
from thalweg.figures.theme import NEUTRAL, Style

MARKERS = 30  # recorded points up to which each is marked
CASING = "#ffffff"  # under a line on the map: no colour stands out from all of the scale
STAR = {
    "symbol": "star",
    "size": 14,
    "color": "#ffffff",
    "line": {"color": "#1f2328", "width": 1.5},
}


def dashed(x: ArrayLike, y: ArrayLike, name: str, text: str | None = None) -> go.Scatter:
    """Draw a line to compare with; the pointer reads ``text``, or the name."""
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"},
        hovertemplate=f"{text or name}<extra></extra>",
    )  # fmt: skip


def markers(look: Style, *, few: bool) -> dict[str, Any]:
    """Mark every point of a short line, some of a long one."""
    return {
        "color": look.color,
        "symbol": look.symbol,
        "size": 6,
        "maxdisplayed": 0 if few else 12,
    }


def hover(name: str, across: str, up: str) -> str:
    """Say what the pointer reads from a path: epoch, both coordinates, the loss."""
    across, up = as_text(across), as_text(up)
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
    few = len(points) <= MARKERS
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
            marker=markers(look, few=few),
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
    across, up = as_text(across), as_text(up)
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
