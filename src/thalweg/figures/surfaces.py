"""The loss surface and the paths on it: in three dimensions, and as a contour map.

Not here: the loss itself (:mod:`thalweg.loss_surface`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from thalweg.arrays import Array
from thalweg.data.inputs import Data
from thalweg.figures.animation import DRAWN, Part, add_animation, points_until
from thalweg.figures.downsample import compact, downsample
from thalweg.figures.labels import Runs, Units, as_text, describe, log_ticks, name_runs, percent
from thalweg.figures.still import StillFigure
from thalweg.figures.theme import SURFACE_COLORS, Style, lay_out, style
from thalweg.figures.traces import CASING, STAR, add_path, hover, star
from thalweg.loss_surface.surface import Surface, surface

if TYPE_CHECKING:
    from thalweg.runs.run import Run
    from thalweg.summary.summary import Summary


class _Track(NamedTuple):
    """A run's path as the surface sees it, downsampled for drawing."""

    name: str
    label: str  # with the share of the movement that the plane holds, where that is not all
    look: Style
    epochs: Array  # (k,)
    flat: Array  # (k, 2), coordinates on the plane
    loss: Array  # (k,), the true loss
    below: Array | None  # (k,), the loss on the plane, where the path lies off it


def surface_figure(
    plane: Surface | Summary | Data,
    runs: Runs | None = None,
    *,
    first_style: int = 0,
    theme: str = "light",
) -> go.Figure:
    """Draw the loss surface in three dimensions, with the paths on it; they can be played.

    A path's height is the true loss at its parameters. Where a path leaves the plane, the loss
    on the plane below is drawn as well, dotted, and the legend says what share of the path's
    movement the plane holds. Points beyond the surface's edges are left out, and counted.

    Parameters
    ----------
    plane : Surface, Dataset, Summary or pair (X, y)
        The surface; for data, one that contains the paths and the exact solution.
    runs : Run, sequence of Run, or mapping of str to Run, optional
        Whose paths.
    first_style, theme
        As for :func:`~thalweg.figures.path_figure`.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), epochs=20)
    >>> figure = surface_figure(thalweg.salammbo(), {"batch": run})
    >>> figure.layout.scene.zaxis.title.text
    'mean squared error<br>(A²)'
    """
    named = name_runs(runs)
    plane = _as_surface(plane, named)
    tracks = _tracks(plane, named, first_style)
    first, second = plane.axes
    figure = StillFigure(
        go.Surface(
            x=compact(first),
            y=compact(second),
            z=compact(plane.log10_loss),
            colorscale=SURFACE_COLORS,
            showscale=False,
            opacity=0.92,
            name="loss",
            contours={"z": _level_lines(plane)},
            lighting={"ambient": 0.75, "diffuse": 0.5, "specular": 0.05, "roughness": 0.9},
            hovertemplate=_surface_hover(plane),
        )
    )
    parts: list[Part] = []
    outside = 0
    for track in tracks:
        inside = _inside(plane, track.flat)
        outside += int((~inside).sum())
        parts += _add_path_3d(figure, plane, track, inside)
    figure.add_trace(_star_3d(plane))
    lay_out(
        figure,
        theme_name=theme,
        title="Loss surface",
        subtitle=_beyond(outside) or describe(plane.data),
        legend=True,
        height=430,
    )
    figure.update_layout(scene=_scene(plane, tracks, figure))
    add_animation(figure, parts, [run.recorded_epochs for run in named.values()], below=8)
    return figure


def contour_figure(
    plane: Surface | Summary | Data,
    runs: Runs | None = None,
    *,
    first_style: int = 0,
    theme: str = "light",
) -> go.Figure:
    """Draw the loss surface as a contour map, with the paths on it; they can be played.

    Parameters
    ----------
    plane : Surface, Dataset, Summary or pair (X, y)
        The surface; for data, one that contains the paths and the exact solution.
    runs : Run, sequence of Run, or mapping of str to Run, optional
        Whose paths, projected onto the plane; where a path leaves it, the pointer reads both
        the true loss and that on the plane, and the legend says what share of the path's
        movement the plane holds.
    first_style, theme
        As for :func:`~thalweg.figures.path_figure`.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), epochs=20)
    >>> figure = contour_figure(thalweg.salammbo(), {"batch": run})
    >>> figure.data[0].type, figure.data[-1].name
    ('contour', 'exact solution')
    """
    named = name_runs(runs)
    plane = _as_surface(plane, named)
    first, second = plane.axes
    units = _units(plane)
    ticks, texts = log_ticks(float(plane.log10_loss.min()), float(plane.log10_loss.max()))
    figure = StillFigure(
        go.Contour(
            x=compact(first),
            y=compact(second),
            z=compact(plane.log10_loss),
            colorscale=SURFACE_COLORS,
            ncontours=24,
            line={"width": 0.5, "color": "rgba(255, 255, 255, 0.45)"},
            colorbar={
                "title": {"text": as_text(units.loss()), "side": "right"},
                "thickness": 10,
                "xpad": 3,
                "outlinewidth": 0,
                "tickvals": ticks,
                "ticktext": texts,
            },
            name="loss",
            hovertemplate=_surface_hover(plane),
        )
    )
    parts: list[Part] = []
    for track in _tracks(plane, named, first_style):
        parts += add_path(
            figure, track.label, track.look, track.flat, track.epochs,
            _details(track), _hover(plane, track), ghost=CASING,
        )  # fmt: skip
    figure.add_trace(star(plane.project(plane.solution), *plane.along))
    lay_out(
        figure,
        theme_name=theme,
        title="Map of the loss",
        subtitle=describe(plane.data),
        legend=True,
        height=420,
    )
    figure.update_xaxes(
        title_text=as_text(_axis(plane, 0)), range=[first[0], first[-1]], ticks="outside"
    )
    figure.update_yaxes(
        title_text=as_text(_axis(plane, 1)), range=[second[0], second[-1]], ticks="outside"
    )
    add_animation(figure, parts, [run.recorded_epochs for run in named.values()], below=56)
    return figure


def _beyond(outside: int) -> str:
    return f"{outside:,} points of paths lie beyond its edges" if outside else ""


def _as_surface(plane: Surface | Summary | Data, named: dict[str, Run]) -> Surface:
    if isinstance(plane, Surface):
        return plane
    members = list(named.values())
    intercept = all(run.settings.intercept for run in members)
    return surface(plane, path=members or None, intercept=intercept)


def _tracks(plane: Surface, named: dict[str, Run], first_style: int) -> list[_Track]:
    tracks = []
    for index, (name, run) in enumerate(named.items(), first_style):
        finite = np.isfinite(run.path).all(axis=1)
        path, epochs = run.path[finite], run.recorded_epochs[finite]
        loss = plane.loss_at(path)
        lies_in = plane.contains(path)
        drawn = downsample(
            np.column_stack([plane.project(path), np.log10(loss + plane.floor)]), DRAWN
        )
        tracks.append(
            _Track(
                name,
                name if lies_in else f"{name}, {percent(plane.held(path))} in the plane",
                style(index),
                epochs[drawn],
                plane.project(path[drawn]),
                loss[drawn],
                None if lies_in else plane.loss_below(path[drawn]),
            )
        )
    return tracks


def _inside(plane: Surface, flat: Array) -> Any:
    low = np.array([axis[0] for axis in plane.axes])
    high = np.array([axis[-1] for axis in plane.axes])
    return ((flat >= low) & (flat <= high)).all(axis=1)


def _add_path_3d(figure: go.Figure, plane: Surface, track: _Track, inside: Any) -> list[Part]:
    """Draw a path at its true loss, where it stands, and its foot on the plane if it leaves it."""
    heights = {"true": np.log10(np.maximum(track.loss, plane.floor))}
    if track.below is not None:
        heights["below"] = np.log10(np.maximum(track.below, plane.floor))
    parts: list[Part] = []
    details = _details(track)
    for which, height in heights.items():
        true = which == "true"
        gaps = np.where(inside[:, None], np.column_stack([track.flat, height]), np.nan)
        x, y, z = (compact(column) for column in gaps.T)
        name = track.label if true else f"{track.name}: loss on the plane"
        figure.add_trace(
            go.Scatter3d(
                x=x,
                y=y,
                z=z,
                mode="lines",
                name=name,
                legendgroup=track.label,
                showlegend=True,
                line={
                    "color": track.look.color,
                    "dash": track.look.dash if true else "dot",
                    "width": 5 if true else 3,
                },
                customdata=details,
                hovertemplate=_hover(plane, track) + "<extra></extra>",
            )
        )
        parts.append(_growing(len(figure.data) - 1, x, y, z, track.epochs))
        if true:
            figure.add_trace(
                go.Scatter3d(
                    x=x[-1:],
                    y=y[-1:],
                    z=z[-1:],
                    mode="markers",
                    name=name,
                    legendgroup=track.label,
                    showlegend=False,
                    marker={
                        "color": track.look.color,
                        "symbol": track.look.symbol,
                        "size": 6,
                        "line": {"color": "#ffffff", "width": 1},
                    },
                    hoverinfo="skip",
                )
            )
            parts.append(_standing(len(figure.data) - 1, x, y, z, track.epochs))
    return parts


def _growing(trace: int, x: Any, y: Any, z: Any, epochs: Array) -> Part:
    def grow(epoch: float) -> dict[str, Any]:
        count = points_until(epochs, epoch)
        return {"x": x[:count], "y": y[:count], "z": z[:count]}

    return Part(trace, "scatter3d", grow)


def _standing(trace: int, x: Any, y: Any, z: Any, epochs: Array) -> Part:
    def move(epoch: float) -> dict[str, Any]:
        at = slice(points_until(epochs, epoch) - 1, points_until(epochs, epoch))
        return {"x": x[at], "y": y[at], "z": z[at]}

    return Part(trace, "scatter3d", move)


def _star_3d(plane: Surface) -> go.Scatter3d:
    flat = plane.project(plane.solution)
    height = np.log10(np.maximum(plane.loss_at(plane.solution), plane.floor))
    first, second = map(as_text, plane.along)
    return go.Scatter3d(
        x=flat[:1], y=flat[1:], z=[height],
        mode="markers",
        name="exact solution",
        showlegend=True,
        marker={"symbol": "diamond", "size": 5, "color": STAR["color"], "line": STAR["line"]},
        hovertemplate=(
            f"<b>exact solution</b><br>{first} %{{x:,.6~g}}<br>{second} %{{y:,.6~g}}<extra></extra>"
        ),
    )  # fmt: skip


def _scene(plane: Surface, tracks: list[_Track], figure: go.Figure) -> dict[str, Any]:
    heights = [np.asarray(trace.z, dtype=np.float64).ravel() for trace in figure.data]
    every = np.concatenate(heights)
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    ticks, texts = log_ticks(low, high)
    margin = 0.03 * (high - low or 1.0)
    first, second = plane.axes
    small = {"tickfont": {"size": 12}}
    return {
        "xaxis": {"title": _title(_axis(plane, 0)), "range": [first[0], first[-1]], **small},
        "yaxis": {"title": _title(_axis(plane, 1)), "range": [second[0], second[-1]], **small},
        "zaxis": {
            **small,
            "title": _title(_units(plane).loss()),
            "range": [low - margin, high + margin],
            "tickvals": ticks,
            "ticktext": texts,
        },
        "aspectmode": "manual",
        "aspectratio": {"x": 1.15, "y": 1.15, "z": 0.8},
        "camera": {"eye": _eye(plane, tracks), "center": {"z": -0.15}},
    }


def _title(text: str) -> dict[str, Any]:
    """Title an axis in two short lines: a scene on a phone has no room for one long one."""
    as_it_is = text.replace("<", "<\u200b")  # a scene knows tags, and neither entities nor fields
    lines = as_it_is.replace(": ", "<br>").replace(" (", "<br>(")
    return {"text": lines, "font": {"size": 13}}


def _eye(plane: Surface, tracks: list[_Track]) -> dict[str, float]:
    """Look from across the surface: a path that starts on the near ridge goes down out of sight."""
    eye = np.array([1.35, -1.53])
    if tracks:
        extents = np.array([axis[-1] - axis[0] for axis in plane.axes])
        start = (tracks[0].flat[0] - plane.project(plane.solution)) / extents
        eye = np.where(start * eye > 0.05, -eye, eye)
    return {"x": float(eye[0]), "y": float(eye[1]), "z": 0.9}


def _level_lines(plane: Surface) -> dict[str, Any]:
    low, high = float(plane.log10_loss.min()), float(plane.log10_loss.max())
    return {
        "show": True,
        "start": np.ceil(low * 2) / 2,
        "end": high,
        "size": 0.5,
        "color": "rgba(255, 255, 255, 0.35)",
        "width": 1,
    }


def _units(plane: Surface) -> Units:
    return Units(plane.data.features, plane.data.target, plane.data)


def _axis(plane: Surface, axis: int) -> str:
    """Label an axis: a parameter with its unit, or a direction with what it mostly changes."""
    name = plane.along[axis]
    if name in plane.names:
        return _units(plane).parameter(name)
    strongest = int(np.abs(plane.directions[axis]).argmax())
    if plane.directions[axis][strongest] ** 2 > 0.5:
        return f"{name}: mostly {plane.names[strongest]}"
    return name


def _surface_hover(plane: Surface) -> str:
    first, second = map(as_text, plane.along)
    return f"{first} %{{x:,.6~g}}<br>{second} %{{y:,.6~g}}<br>loss 10^%{{z:.3f}}<extra></extra>"


def _details(track: _Track) -> Any:
    """Give what the hover text reads beside the coordinates: epoch, loss, loss on the plane."""
    columns = [track.epochs, track.loss, track.below]
    return np.column_stack([compact(column) for column in columns if column is not None])


def _hover(plane: Surface, track: _Track) -> str:
    text = hover(track.label, *plane.along)
    return text if track.below is None else f"{text}<br>on the plane below %{{customdata[2]:,.6~g}}"
