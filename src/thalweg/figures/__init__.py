"""Figures of data, descents and loss surfaces, for light and dark pages.

Each function returns a ``plotly.graph_objects.Figure``; nothing is shown or written here. A run
has the same colour, dash and marker on every figure, so that nothing is said by colour alone.

Not here: the loss on a plane (:mod:`thalweg.loss_surface`), pages (:mod:`thalweg.pages.page`).
"""

from thalweg.figures.data import data_figure, fit_figure
from thalweg.figures.descent import loss_figure, path_figure
from thalweg.figures.directions import directions_figure, distances_figure
from thalweg.figures.surfaces import contour_figure, surface_figure
from thalweg.figures.sweeps import rates_figure, settings_map_figure
from thalweg.figures.theme import theme

__all__ = [
    "contour_figure",
    "data_figure",
    "directions_figure",
    "distances_figure",
    "fit_figure",
    "loss_figure",
    "path_figure",
    "rates_figure",
    "settings_map_figure",
    "surface_figure",
    "theme",
]
