"""Starting the lab: the file it begins with, the address it listens at, the page it opens.

Not here: what is served (:mod:`thalweg.lab.server`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from thalweg.errors import InvalidSetting, UnreadableFile, printable
from thalweg.lab.host_policy import HostPolicy
from thalweg.lab.server import application

if TYPE_CHECKING:
    from thalweg.lab.pages import Lab

PORT = 8765
_MESSAGE_BYTES = 4 << 20  # beyond it the socket is closed; up to it a sentence says what is wrong


def serve_until_interrupted(
    file: str | os.PathLike[str] | None, *, host: str, port: int | None, open_browser: bool
) -> None:
    """Serve the lab: see :func:`thalweg.lab.serve`."""
    made = None if file is None else make_lab(Path(file))  # what is wrong with it is said at once
    host_policy = HostPolicy.at(host)
    listener = listen(host, port)
    address = page_address(host, listener.getsockname()[1], host_policy)
    server = uvicorn.Server(configuration(lambda: _ready(made or make_lab(None)), host_policy))
    sys.stdout.write(f"Thalweg lab: {address} (Ctrl+C ends it)\n")
    sys.stdout.flush()
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    with listener:
        server.run(sockets=[listener])


def make_lab(file: Path | None) -> Lab:
    """Make the lab, with the rows that its pages start with."""
    from thalweg.lab.messages import Source  # the mathematics: while the browser reads the page
    from thalweg.lab.page_state import LabData
    from thalweg.lab.pages import Lab, chapters
    from thalweg.lab.uploads import rows_of

    if file is None:
        return Lab(chapters())
    if not file.is_file():
        raise UnreadableFile(
            str(file), got="no such file", expected="a table", advice="check the name"
        )
    source = Source("file", drop_missing=True)
    table = asyncio.run(rows_of(file, source, printable(file.name)))
    return Lab(LabData(table.rows, source, table.notes), file=file, columns=table.columns)


def configuration(make: Callable[[], Lab], host_policy: HostPolicy) -> uvicorn.Config:
    """Say how the web server runs."""
    return uvicorn.Config(
        application(make, host_policy),
        log_level="warning",
        access_log=False,  # an address may hold the token
        server_header=False,
        ws_max_size=_MESSAGE_BYTES,
        ws_max_queue=4,
        ws_per_message_deflate=False,  # frames of floats hardly shrink, and must be quick
        timeout_graceful_shutdown=1,
    )


def listen(host: str, port: int | None) -> socket.socket:
    """Open the port that was asked for, or 8765, or any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    wanted = [PORT, 0] if port is None else [port]
    reason = ""
    for number in wanted:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
        except (OSError, OverflowError) as error:
            listener.close()
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            continue
        listener.listen(2048)
        return listener
    raise InvalidSetting(
        "host and port",
        got=f"{host}:{port if port is not None else PORT} ({reason})",
        expected="an address of this machine and a free port",
        advice="leave --port out to take any free one",
    )


def page_address(host: str, port: int, host_policy: HostPolicy) -> str:
    """Write the address of the page, with its token where it needs one."""
    name = socket.gethostname() if host in ("", "0.0.0.0", "::") else host  # noqa: S104  # compared
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}/" + (f"?token={host_policy.token}" if host_policy.token else "")


def _ready(lab: Lab) -> Lab:
    lab.rehearse()
    return lab
