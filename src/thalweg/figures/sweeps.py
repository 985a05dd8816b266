"""Sweeps drawn: the final loss over the learning rate, and over two settings.

Not here: sweeping (:mod:`thalweg.sweeps`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.checks import check_choice
from thalweg.figures.labels import Units, as_text, describe, log_ticks
from thalweg.figures.still import StillFigure
from thalweg.figures.theme import NEUTRAL, SURFACE_COLORS, lay_out, style
from thalweg.figures.traces import dashed
from thalweg.numbers import number
from thalweg.sweeps.sweep import Sweep, is_absent

_STABLE = "rgba(0, 153, 136, 0.12)"  # the palette's green, thin enough for both themes


def rates_figure(sweep: Sweep, *, theme: str = "light") -> go.Figure:
    """Draw the final loss over the learning rate, a line for each optimiser and its settings.

    From several starts a line is the median. Where a run diverged its line breaks off, and a
    cross stands at the upper edge. The region in which plain SGD is stable is marked.

    Parameters
    ----------
    sweep : Sweep
        Of at least two learning rates to be worth looking at.
    theme : str
        ``"light"`` or ``"dark"``.

    Returns
    -------
    plotly.graph_objects.Figure

    Examples
    --------
    >>> import thalweg
    >>> rates = thalweg.sweep(thalweg.salammbo(), lr=[1e-10, 4e-10, 1e-9], optimizer="sgd")
    >>> [trace.name for trace in rates_figure(rates).data]
    ['sgd', 'diverged', 'exact solution']
    """
    figure, lr = StillFigure(), sweep.settings["lr"]
    finite = sweep.loss[~sweep.diverged]
    top = float(finite.max()) if finite.size else sweep.exact_loss or 1.0
    crosses: list[float] = []
    for index, (name, chosen) in enumerate(_lines(sweep).items()):
        color, dash, symbol = style(index)
        rates, losses = _medians(lr[chosen], np.where(sweep.diverged, np.nan, sweep.loss)[chosen])
        crosses += rates[np.isnan(losses)].tolist()
        figure.add_scatter(
            x=rates, y=losses, mode="lines+markers", name=name,
            line={"color": color, "dash": dash, "width": 2},
            marker={"color": color, "symbol": symbol, "size": 6 if len(rates) < 40 else 3},
            hovertemplate=f"{name}<br>lr %{{x:.3g}}<br>loss %{{y:.6g}}<extra></extra>",
        )  # fmt: skip
    if crosses:
        figure.add_scatter(
            x=sorted(set(crosses)), y=[top] * len(set(crosses)), mode="markers", name="diverged",
            marker={"color": NEUTRAL, "symbol": "x", "size": 8},
            hovertemplate="lr %{x:.3g}: diverged<extra></extra>",
        )  # fmt: skip
    ends = [float(lr.min()), float(lr.max())]
    figure.add_trace(dashed(ends, [sweep.exact_loss] * 2, "exact solution"))
    lay_out(
        figure,
        theme_name=theme,
        title="Final loss over the learning rate",
        subtitle=describe(sweep.data),
        legend=True,
        height=400,
    )
    if "sgd" in sweep.settings["optimizer"] and ends[0] < sweep.stable_learning_rate:
        figure.add_vrect(
            x0=ends[0], x1=min(ends[1], sweep.stable_learning_rate), fillcolor=_STABLE,
            line_width=0, layer="below",
        )  # fmt: skip
        # An annotation on a logarithmic axis stands at the logarithm.
        figure.add_annotation(
            x=np.log10(ends[0]), xanchor="left", y=0.0, yref="paper", yanchor="bottom",
            text="plain SGD is stable", showarrow=False,
        )  # fmt: skip
    data = sweep.data
    units = Units(data.features, data.target, data)
    figure.update_xaxes(title_text="learning rate", type="log", exponentformat="power")
    figure.update_yaxes(title_text=as_text(units.loss()), type="log", exponentformat="power")
    return figure


def settings_map_figure(
    sweep: Sweep, *, across: str = "lr", up: str = "momentum", theme: str = "light"
) -> go.Figure:
    """Draw the final loss over two settings; of what else varies, the best.

    Parameters
    ----------
    sweep : Sweep
        In which both settings vary.
    across, up : str
        Names in ``sweep.settings``.
    theme : str
        ``"light"`` or ``"dark"``.

    Returns
    -------
    plotly.graph_objects.Figure
        A cell is left empty where every run diverged.

    Raises
    ------
    InvalidSetting
        If the sweep has not varied one of the two.

    Examples
    --------
    >>> import thalweg
    >>> rates = thalweg.sweep(
    ...     thalweg.salammbo(), lr=[0.1, 0.4], optimizer="sgd", momentum=[0.0, 0.5, 0.9],
    ...     standardize=True, epochs=60,
    ... )
    >>> settings_map_figure(rates).data[0].z.shape
    (3, 2)
    """
    for name, argument in ((across, "across"), (up, "up")):
        check_choice(argument, name, tuple(sweep.settings))
    columns, at_column = _levels(sweep.settings[across])
    rows, at_row = _levels(sweep.settings[up])
    log_loss = np.full((len(rows), len(columns)), np.nan)
    with np.errstate(divide="ignore"):
        logs = np.log10(np.where(sweep.diverged, np.nan, sweep.loss))
    for row, column, value in zip(at_row, at_column, logs, strict=True):
        log_loss[row, column] = np.fmin(log_loss[row, column], value)
    shown = log_loss[np.isfinite(log_loss)]
    # The few cells on the brink of divergence would take the whole scale for themselves.
    low, high = np.quantile(shown, [0.0, 0.95]).tolist() if shown.size else (0.0, 1.0)
    ticks, texts = log_ticks(low, high)
    data = sweep.data
    figure = StillFigure(
        go.Heatmap(
            x=[_word(value) for value in columns],
            y=[_word(value) for value in rows],
            z=log_loss,
            zmin=low,
            zmax=high,
            colorscale=SURFACE_COLORS,
            customdata=10.0**log_loss,
            hoverongaps=False,
            hovertemplate=f"{across} %{{x}}<br>{up} %{{y}}<br>loss %{{customdata:.6g}}"
            "<extra></extra>",
            colorbar={
                "title": {
                    "text": as_text(Units(data.features, data.target, data).loss()),
                    "side": "right",
                },
                "thickness": 12,
                "outlinewidth": 0,
                "tickvals": ticks,
                "ticktext": texts,
            },
        )
    )
    lay_out(
        figure,
        theme_name=theme,
        title=f"Final loss over {across} and {up}",
        subtitle="empty: diverged" if np.isnan(log_loss).any() else describe(data),
        height=400,
    )
    figure.update_xaxes(title_text=_axis(across), type="category", showgrid=False)
    figure.update_yaxes(title_text=_axis(up), type="category", showgrid=False)
    return figure


def _lines(sweep: Sweep) -> dict[str, NDArray[np.intp]]:
    """Name the runs that make a line: all that share optimiser and settings but lr and start."""
    own = [name for name in sweep.settings if name not in ("lr", "start")]
    lines: dict[str, list[int]] = {}
    for run in range(len(sweep)):
        words = [
            _word(sweep.settings[name][run]) if name == "optimizer"
            else f"{name} {_word(sweep.settings[name][run])}"
            for name in own
            if not is_absent(sweep.settings[name][run])
        ]  # fmt: skip
        lines.setdefault(", ".join(words), []).append(run)
    return {name: np.array(runs) for name, runs in lines.items()}


def _medians(lr: Array, loss: Array) -> tuple[Array, Array]:
    """Give each learning rate once, with the median loss; NaN where a run diverged."""
    rates, group = np.unique(lr, return_inverse=True)
    return rates, np.array([np.median(loss[group == i]) for i in range(len(rates))])


def _levels(values: NDArray[Any]) -> tuple[list[Any], list[int]]:
    """Give the different values in order, and the place of each run's."""
    members = values.tolist()
    levels = sorted(set(members), key=lambda value: (isinstance(value, str), value))
    return levels, [levels.index(value) for value in members]


def _word(value: object) -> str:
    return number(value, 3) if isinstance(value, float) else str(value)


def _axis(name: str) -> str:
    return "learning rate" if name == "lr" else name.replace("_", " ")
