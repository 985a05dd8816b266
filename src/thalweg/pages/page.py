"""One self-contained HTML page: templates filled in, figures and plotly.js inside, nothing fetched.

Not here: what a page says (:mod:`thalweg.pages.lesson`, :mod:`thalweg.pages.report`), what a
figure shows (:mod:`thalweg.figures`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plotly.offline import get_plotlyjs

import thalweg
from thalweg import figures
from thalweg.pages.environment import environment

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Drawn:
    """A figure in its place on a page.

    Parameters
    ----------
    id : str
        The page's name for it.
    figure : plotly.graph_objects.Figure
        What is drawn.
    caption : str
        One or two sentences below it.
    """

    id: str
    figure: go.Figure
    caption: str

    @property
    def title(self) -> str:
        """The figure's title, for readers who do not see it."""
        return str(self.figure.layout.title.text)

    @property
    def height(self) -> int:
        """The room it takes, in pixels, kept free until it is drawn."""
        return int(self.figure.layout.height or 450)

    @property
    def json(self) -> str:
        """The figure as JSON that may stand inside a script element."""
        return _inside_script(self.figure.to_json())


def render(
    template: str, *, sections: Sequence[tuple[str, str]], made_with: str = "", **context: object
) -> str:
    """Fill in a template of ``thalweg/pages/templates`` that extends ``page.html``.

    Parameters
    ----------
    template : str
        The file's name.
    sections : sequence of (id, heading)
        The table of contents, in order.
    made_with : str
        What else had a part in the page's numbers, for its last line.
    **context
        What the template names.
    """
    themes = {name: figures.theme(name) for name in ("light", "dark")}
    return (
        environment()
        .get_template(template)
        .render(
            version=thalweg.__version__,
            made_with=made_with,
            sections=sections,
            plotly_js=get_plotlyjs(),
            themes=_inside_script(json.dumps(themes)),
            **context,
        )
    )


def _inside_script(text: str) -> str:
    """Make JSON safe inside a script element: no end tag, no comment can start there."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
