"""``thalweg lab``: the live page.

Not here: the lab (:mod:`thalweg.lab`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.app import app


@app.command()
def lab(
    file: Annotated[Path | None, typer.Argument(help="Data to start with.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Where to listen; 8765, or a free one.", show_default=False)
    ] = None,
    host: Annotated[str, typer.Option(help="Another address asks for a token.")] = "127.0.0.1",
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
) -> None:
    """Open the live page: move a slider, watch the descent move."""
    from thalweg.lab import serve

    serve(file, host=host, port=port, open_browser=not no_open)
