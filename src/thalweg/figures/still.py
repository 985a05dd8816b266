"""A figure of Plotly's that stands still until somebody plays it, and that a notebook keeps.

Plotly plays a page's animations when it opens, from their first frame on: a map is drawn anew for
each, and shows nothing meanwhile. Of a figure in a notebook Plotly keeps what its own extension
draws, and an exported page shows nothing; here it keeps a page's part too, and the first one in a
session the library that draws, so that no network is needed. Not here: what plays
(:mod:`thalweg.figures.animation`).
"""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import plotly.io

FOR_THE_EXTENSION = "plotly_mimetype"
"""What Plotly itself chooses in a notebook; another choice, the user's own, is left as it is."""


class StillFigure(go.Figure):  # type: ignore[misc]  # Plotly has no types
    """A figure whose ``show``, ``write_html`` and ``to_html`` take ``auto_play=False`` as given."""

    _has_library = False  # whether a page's part that this session has shown holds it

    def show(self, *args: Any, auto_play: bool = False, **options: Any) -> Any:
        """Show the figure, as Plotly's own does."""
        if plotly.io.renderers.default == FOR_THE_EXTENSION and not (args or options):
            from IPython.display import display  # there is one where that is chosen

            return display(self._for_notebook(auto_play=auto_play), raw=True)
        return super().show(*args, auto_play=auto_play, **options)

    def _for_notebook(self, *, auto_play: bool) -> dict[str, Any]:
        """Give what an extension draws, and a page's part for where there is none."""
        page = self.to_html(
            auto_play=auto_play, full_html=False, include_plotlyjs=not StillFigure._has_library
        )
        StillFigure._has_library = True
        return {**self._repr_mimebundle_(), "text/html": page}

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
        if plotly.io.renderers.render_on_display and plotly.io.renderers.default:
            self.show()
        else:
            print(repr(self))  # noqa: T201  # as Plotly's own does
