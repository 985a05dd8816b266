"""The directions of curvature: on the contour map, and how near a descent came along each.

Not here: what the directions are (:mod:`thalweg.conditioning.curvature`), why a descent went as
it did (:mod:`thalweg.diagnosis`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from thalweg.arrays import Array
from thalweg.conditioning.curvature import Curvature, principal_axes
from thalweg.diagnosis.wording import direction_name
from thalweg.errors import InvalidData
from thalweg.figures.downsample import downsample
from thalweg.figures.labels import Units, as_text
from thalweg.figures.still import StillFigure
from thalweg.figures.surfaces import contour_figure
from thalweg.figures.theme import lay_out, style
from thalweg.figures.traces import CASING, dashed
from thalweg.loss_surface.surface import surface
from thalweg.numbers import number

if TYPE_CHECKING:
    from thalweg.diagnosis.classification import Classification
    from thalweg.diagnosis.diagnosis import Diagnosis

_ENDS = ("steepest direction", "flattest direction")
_LINES = 6  # directions drawn by epoch, at most: as many as there are colours
_POINTS = 2000
_LEAST = 1e-12  # of the largest distance: below, a logarithm would only show rounding


def directions_figure(diagnosis: Diagnosis, *, theme: str = "light") -> go.Figure:
    """Draw the steepest and the flattest direction through the solution on the contour map.

    Each line reaches to where the loss is higher than the exact one by the target's variance, so
    a long line is a flat direction. With a run, its path is drawn too. With more than two
    parameters the map is the plane of these two directions.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of data, or of a run.
    theme : str
        ``"light"`` or ``"dark"``.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    InvalidData
        If the data determine fewer than two directions.

    Examples
    --------
    >>> import thalweg
    >>> figure = directions_figure(thalweg.explain(thalweg.salammbo()))
    >>> [trace.name for trace in figure.data[-2:]]
    ['steepest direction', 'flattest direction']
    """
    landscape, spectrum = diagnosis.landscape, diagnosis.curvature
    if spectrum.rank < 2:
        raise InvalidData(
            "diagnosis",
            got=f"data that determine {spectrum.rank} direction",
            expected="two at least",
            advice="there is no plane to draw; the text of the diagnosis says all there is",
        )
    run = diagnosis.run
    plane = surface(
        diagnosis.summary,
        along=None if len(spectrum.names) == 2 else "curvature",
        path=None if run is None or not np.isfinite(run.path).all() else run,
        intercept=landscape.intercept,
    )
    figure = contour_figure(plane, run, theme=theme)
    axes = principal_axes(
        spectrum, landscape.solution, rise=landscape.variance or landscape.mean_square or 1.0
    )
    ends = [plane.project(np.array([axis.start, axis.end])) for axis in (axes[0], axes[-1])]
    for line in ends:
        figure.add_trace(_line(line, CASING, "solid", 4.0))
    for index, (name, axis, line) in enumerate(zip(_ENDS, (axes[0], axes[-1]), ends, strict=True)):
        look = style(index + 1)  # 0 is the run's
        trace = _line(line, look.color, look.dash, 2.2)
        trace.update(
            name=name,
            showlegend=True,
            hoverinfo="all",
            hovertemplate=f"<b>{name}</b><br>curvature {number(axis.curvature)}<extra></extra>",
        )
        figure.add_trace(trace)
    figure.update_layout(title={"text": "Directions of curvature"})
    return figure


def _line(ends: Array, color: str, dash: str, width: float) -> go.Scatter:
    return go.Scatter(
        x=ends[:, 0],
        y=ends[:, 1],
        mode="lines",
        line={"color": color, "width": width, "dash": dash},
        showlegend=False,
        hoverinfo="skip",
    )


def distances_figure(diagnosis: Diagnosis, *, theme: str = "light") -> go.Figure:
    r"""Draw the distance to the solution by epoch, along each direction of curvature.

    So that directions can be compared, a distance is measured by what it does to the predictions:
    :math:`\sqrt{\lambda_i / 2}\,|e_i|` is their root-mean-square change, in units of the target.
    The dashed line is how far off they are when the loss is 1 % above the exact one.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of a run. Of many directions, the steepest, the flattest and those that held most of the
        last loss are drawn.
    theme : str
        ``"light"`` or ``"dark"``.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    InvalidData
        If the diagnosis is of data alone.

    Examples
    --------
    >>> import thalweg
    >>> figure = distances_figure(thalweg.explain(thalweg.fit(thalweg.salammbo(), epochs=20)))
    >>> [trace.name for trace in figure.data]
    ['nearly all weight', 'nearly all bias', '1 % above the exact loss']
    """
    run, seen = diagnosis.run, diagnosis.classification
    if run is None or seen is None:
        raise InvalidData(
            "diagnosis",
            got="one of data alone",
            expected="one of a run, whose distances there are",
            advice="pass thalweg.explain(run)",
        )
    apart, landscape = np.sqrt(seen.excess), diagnosis.landscape
    figure = StillFigure(_distances(diagnosis.scaled_landscape.curvature, seen, apart))
    near, last = float(np.sqrt(landscape.allowed_excess)), float(seen.epochs[-1])
    goal = "goal" if landscape.fits_exactly else "1 % above the exact loss"
    figure.add_trace(dashed([0.0, last], [near, near], goal))
    lay_out(
        figure,
        theme_name=theme,
        title="Distance along each direction",
        subtitle="root mean square, as the predictions feel it",
        legend=True,
        height=380,
    )
    unit = Units(run.features, run.target, run.source).target
    figure.update_xaxes(title_text="epoch")
    figure.update_yaxes(
        title_text=f"predictions off by ({as_text(unit)})",
        type="log",
        exponentformat="power",
        range=_range(apart, near),
    )
    return figure


def _distances(spectrum: Curvature, seen: Classification, apart: Array) -> list[go.Scatter]:
    """Draw the distance (k, p) along each direction that tells something."""
    traces = []
    for index, direction in enumerate(_chosen(seen.excess, spectrum.rank)):
        name, look = as_text(direction_name(spectrum, direction)), style(index)
        away = apart[:, direction]
        away = np.where(np.isfinite(away) & (away > 0.0), away, np.nan)
        drawn = downsample(np.log(away)[:, np.newaxis], _POINTS)
        traces.append(
            go.Scatter(
                x=seen.epochs[drawn],
                y=away[drawn],
                mode="lines",
                name=name,
                line={"color": look.color, "dash": look.dash, "width": 2.2},
                hovertemplate=f"<b>{name}</b><br>epoch %{{x:,}}<br>%{{y:,.4~g}}<extra></extra>",
            )
        )
    return traces


def _chosen(excess: Array, rank: int) -> list[int]:
    """Choose the steepest, the flattest, and those that held most of the last loss."""
    if rank <= _LINES:
        return list(range(rank))
    last = np.nan_to_num(excess[-1, :rank], nan=np.inf)
    others = [int(i) for i in np.argsort(-last) if i not in (0, rank - 1)]
    return sorted([0, rank - 1, *others[: _LINES - 2]])


def _range(apart: Array, near: float) -> list[float] | None:
    """Keep a direction that has come down to rounding from stretching the axis."""
    shown = apart[np.isfinite(apart) & (apart > 0.0)]
    if not shown.size or near <= 0.0:
        return None
    high = max(float(shown.max()), near)
    low = max(float(min(shown.min(), near)), high * _LEAST, min(near * 1e-3, high))
    return [float(np.log10(low)) - 0.1, float(np.log10(high)) + 0.1]
