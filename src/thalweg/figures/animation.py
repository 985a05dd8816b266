"""Playing a descent: frames, a play and a pause button, and a slider over the epochs.

Not here: which traces there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from thalweg.arrays import Array
from thalweg.figures.theme import set_height

FRAMES = 101  # at most: more would weigh on the page and move no smoother
DRAWN = 300  # points of a path at most, for each frame repeats those walked so far
_SECONDS = 6.0  # to play all of it
_ROOM = 100  # pixels: buttons, slider and its labels


class Part(NamedTuple):
    """A trace that moves: its number, its type, and what it shows at an epoch."""

    trace: int
    type: str
    at: Callable[[float], dict[str, Any]]


def add_animation(
    figure: go.Figure, parts: Sequence[Part], epochs: Sequence[Array], *, below: int
) -> None:
    """Make a figure play.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Shows the end; changed in place.
    parts : sequence of Part
        What changes from frame to frame; all the rest is stored once.
    epochs : sequence of ndarray
        When each run was recorded.
    below : int
        Pixels from the plot's lower edge to the slider: room for the axis's ticks and title.
    """
    shown = frame_epochs(epochs)
    if len(shown) < 2:
        return
    traces = [part.trace for part in parts]
    figure.frames = [
        go.Frame(
            name=f"{epoch:.6g}",
            data=[{"type": part.type, **part.at(epoch)} for part in parts],
            traces=traces,
        )
        for epoch in shown
    ]
    pace = {"duration": int(min(200.0, 1000 * _SECONDS / len(shown))), "redraw": True}
    still = {"transition": {"duration": 0}}
    figure.update_layout(
        updatemenus=[_buttons(pace, still, below)],
        sliders=[_slider([frame.name for frame in figure.frames], still, below)],
        margin={"b": below + _ROOM},
    )
    set_height(figure, figure.layout.height + _ROOM)


def frame_epochs(epochs: Sequence[Array]) -> Array:
    """Choose the epochs to show: those recorded, taken evenly to round numbers, and the last.

    Examples
    --------
    >>> frame_epochs([np.arange(251.0)])[[0, 1, 2, -2, -1]]
    array([  0.,   5.,  10., 245., 250.])
    """
    recorded = np.unique(np.concatenate(epochs)) if len(epochs) else np.empty(0)
    if len(recorded) <= FRAMES:
        return recorded
    last = recorded[-1]
    apart = last / (FRAMES - 1)
    decade = 10.0 ** np.floor(np.log10(apart) + 1e-9)
    step = next(decade * k for k in (1, 2, 5, 10) if decade * k >= apart * (1 - 1e-9))
    shown = np.append(np.arange(0.0, last - step / 2, step).round(9), last)
    shown[0] = recorded[0]
    return shown


def points_until(epochs: Array, epoch: float) -> int:
    """Count the points recorded up to an epoch; the start is always there."""
    return max(1, int(np.searchsorted(epochs, epoch, side="right")))


def _buttons(pace: dict[str, Any], still: dict[str, Any], below: int) -> dict[str, Any]:
    play = {"frame": pace, "fromcurrent": True, "mode": "immediate", **still}
    pause = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate", **still}
    return {
        "type": "buttons",
        "direction": "left",
        "showactive": False,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": below},
        "font": {"size": 11},
        "buttons": [
            {"label": "Play", "method": "animate", "args": [None, play]},
            {"label": "Pause", "method": "animate", "args": [[None], pause]},
        ],
    }


def _slider(names: Sequence[str], still: dict[str, Any], below: int) -> dict[str, Any]:
    """Lay the slider below the buttons, and its epoch beside them: it fits a phone."""
    jump = {"frame": {"duration": 0, "redraw": True}, "mode": "immediate", **still}
    return {
        "active": len(names) - 1,
        "x": 0,
        "xanchor": "left",
        "len": 1,
        "y": 0,
        "yanchor": "top",
        "pad": {"t": below + 8, "b": 8, "l": 8, "r": 0},
        "currentvalue": {
            "prefix": "epoch ",
            "xanchor": "right",
            "offset": 20,
            "font": {"size": 12},
        },
        "steps": [
            {"label": name, "value": name, "method": "animate", "args": [[name], jump]}
            for name in names
        ],
    }
