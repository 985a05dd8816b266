"""A figure of Plotly's that stands still until somebody plays it.

Plotly plays a page's animations when it opens, from their first frame on: a map is drawn anew for
each, and shows nothing meanwhile. Not here: what plays (:mod:`thalweg.figures.animation`).
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go


class StillFigure(go.Figure):  # type: ignore[misc]  # Plotly has no types
    """A figure whose ``show``, ``write_html`` and ``to_html`` take ``auto_play=False`` as given."""

    def show(self, *args: Any, auto_play: bool = False, **options: Any) -> Any:
        """Show the figure, as Plotly's own does."""
        return super().show(*args, auto_play=auto_play, **options)

    def to_html(self, *args: Any, auto_play: bool = False, **options: Any) -> str:
        """Give the figure as HTML, as Plotly's own does."""
        page: str = super().to_html(*args, auto_play=auto_play, **options)
        return page

    def write_html(self, *args: Any, auto_play: bool = False, **options: Any) -> None:
        """Write the figure to a page, as Plotly's own does."""
        super().write_html(*args, auto_play=auto_play, **options)

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> Any:
        return super()._repr_mimebundle_(*args, **{"auto_play": False, **options})

    def _ipython_display_(self) -> None:
        import plotly.io

        if plotly.io.renderers.render_on_display and plotly.io.renderers.default:
            self.show()
        else:
            print(repr(self))  # noqa: T201  # as Plotly's own does
