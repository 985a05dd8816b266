"""How figures look: colours, dashes and markers of runs, light and dark pages, room for parts.

Not here: what a figure shows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import plotly.graph_objects as go

from thalweg.checks import check_choice
from thalweg.figures.labels import as_text

THEMES = ("light", "dark")

# Paul Tol's vibrant and bright schemes: told apart in colour-blind vision. Of them those that
# stand out by about 3 to 1 or more from a white page and from a dark one.
COLORS = ("#CC3311", "#0077BB", "#EE7733", "#009988", "#EE3377", "#AA3377")
# Lengths without a common divisor with that of the colours: 30 runs before a pair comes again.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "cross", "x")  # those that 3-D traces have as well
NEUTRAL = "#808080"  # data and exact solution: reads on white and on black
SURFACE_COLORS = "Cividis"

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
_GRID = "rgba(128, 128, 128, 0.25)"
_LINE = "rgba(128, 128, 128, 0.6)"
_CLEAR = "rgba(0, 0, 0, 0)"
_LINE_SPACING = 1.3  # Plotly's, in units of the font's size


class Style(NamedTuple):
    """How a run is drawn on every figure."""

    color: str
    dash: str
    symbol: str


def style(index: int) -> Style:
    """Give the style of the run with this number."""
    return Style(
        COLORS[index % len(COLORS)],
        DASHES[index % len(DASHES)],
        SYMBOLS[index % len(SYMBOLS)],
    )


def theme(name: str) -> dict[str, Any]:
    """Give what a page passes to ``Plotly.relayout`` to turn a figure light or dark.

    Parameters
    ----------
    name : str
        ``"light"`` or ``"dark"``. Backgrounds are transparent in both: the page's own shows.

    Returns
    -------
    dict
        Plain values, ready for JSON; the same for every figure.

    Examples
    --------
    >>> theme("dark")["template"]["layout"]["font"]["color"]
    '#e6e6e6'
    """
    check_choice("theme", name, THEMES)
    ink, ground, edge = {
        "light": ("#1f2328", "#ffffff", "#57606a"),
        "dark": ("#e6e6e6", "#1f2328", "#9aa4af"),
    }[name]
    axis = {"gridcolor": _GRID, "zerolinecolor": _LINE, "linecolor": _LINE, "tickcolor": _LINE}
    scene_axis = {**axis, "backgroundcolor": _CLEAR, "showspikes": False}
    hover = {"bgcolor": ground, "bordercolor": edge, "font": {"color": ink, "family": _FONT}}
    layout = {
        "font": {"family": _FONT, "size": 13, "color": ink},
        "title": {"font": {"size": 17}, "subtitle": {"font": {"size": 13, "color": ink}}},
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "hoverlabel": {**hover, "align": "left"},
        "legend": {"bgcolor": _CLEAR},
        "xaxis": axis,
        "yaxis": axis,
        "scene": {"xaxis": scene_axis, "yaxis": scene_axis, "zaxis": scene_axis},
        "modebar": {"bgcolor": _CLEAR, "color": edge, "activecolor": ink},
        # Plotly paints a button under the pointer near-white in any theme: so dark on light.
        "updatemenudefaults": {
            "bgcolor": "#e9ecef",
            "bordercolor": edge,
            "font": {"color": "#1f2328"},
        },
        "sliderdefaults": {
            "bgcolor": edge,
            "bordercolor": edge,
            "activebgcolor": ink,
            "tickcolor": edge,
            "font": {"color": ink},
        },
    }
    return {"template": {"layout": layout}}


def lay_out(
    figure: go.Figure,
    *,
    theme_name: str,
    title: str,
    subtitle: str = "",
    legend: bool = False,
    height: int,
) -> None:
    """Give a figure its theme, its title, and where it says so a legend between title and plot.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Changed in place.
    theme_name, title, subtitle : str
    legend : bool
    height : int
        Pixels for the plot with its axes.
    """
    head = 62 if subtitle else 40
    figure.update_layout(
        theme(theme_name),
        margin={"t": head + 26 * legend, "l": 12, "r": 12, "b": 12},
        title={
            "text": as_text(_shorten(title, 40)),
            "subtitle": {"text": as_text(_shorten(subtitle, 52))},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "yref": "container",
            "yanchor": "bottom",
            "pad": {"l": 12},
        },
        showlegend=legend,
        legend={
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "tracegroupgap": 0,
            "itemsizing": "constant",
            # An empty heading as high as the figure's title. The legend takes as many rows as
            # the page's width makes of it, and Plotly moves the plot down for all of its box:
            # so it never meets the title, on a phone either.
            "title": {
                "text": "\u00a0<br>\u00a0",
                "side": "top",
                "font": {"size": round(head / (2 * _LINE_SPACING))},
            },
        },
        hovermode="closest",
    )
    set_height(figure, head + 26 * legend + height)
    plain = {"automargin": True, "title": {"standoff": 10}, "minexponent": 6}
    figure.update_xaxes(**plain, separatethousands=True)
    figure.update_yaxes(**plain, separatethousands=True)


def set_height(figure: go.Figure, height: int) -> None:
    """Make a figure so many pixels high, its title's line 30 below the upper edge."""
    figure.update_layout(height=height, title={"y": 1 - 30 / height})


def _shorten(text: str, length: int) -> str:
    """Cut what would not fit on a phone: Plotly wraps no titles."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
