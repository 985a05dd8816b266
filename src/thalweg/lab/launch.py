"""What ``thalweg.lab.serve`` and ``thalweg lab`` call; cheap to import.

Not here: the web server (:mod:`thalweg.lab.serving`).
"""

from __future__ import annotations

import os

__all__ = ["serve"]


def serve(
    file: str | os.PathLike[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = True,
) -> None:
    """Serve the lab until it is interrupted.

    Parameters
    ----------
    file : path-like, optional
        A table that every page starts with; the built-in chapters where it is left out.
    host : str
        The address to listen at. Any other than this machine's own loopback asks each page for
        the token that is printed at the start.
    port : int, optional
        Where to listen; 8765, or any free one when that is taken, where it is left out.
    open_browser : bool
        Whether to open the page.

    Raises
    ------
    UnreadableFile, InvalidData
        If ``file`` is no table of numbers, or is too large for a page.
    InvalidSetting
        If the address or the port cannot be listened at.
    """
    from thalweg.lab.serving import serve_until_interrupted  # the web server: only where it runs

    serve_until_interrupted(file, host=host, port=port, open_browser=open_browser)
