"""The lab's server: the page and its files, and the way to what pages ask.

It answers before the mathematics is loaded: that is done while the browser of the first page reads
plotly.js. Not here: who is let in (:mod:`thalweg.lab.host_policy`), the work of each open page
(:mod:`thalweg.lab.pages`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from plotly.offline import get_plotlyjs
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from starlette.websockets import WebSocket

from thalweg.lab.host_policy import Guard, HostPolicy, content_security_policy, style_hashes

if TYPE_CHECKING:  # the mathematics: what the first page waits least for
    from thalweg.lab.pages import Lab

STATIC = Path(__file__).with_name("static")
_PLOTLY = """\
//# allFunctionsCalledOnLoad
{{ const {{ stackTraceLimit }} = Error; delete Error.stackTraceLimit;
{plotly}
Error.stackTraceLimit = stackTraceLimit; }}
"""
"""What makes plotly.js quicker to start. The first line is V8's hint to compile a script whole in
the background. Without the limit no stack is traced for the errors that plotly.js throws and
catches as it loads: under developer tools that takes 0.7 s, a look through all its source each."""
_NO_CACHE = {"Cache-Control": "no-cache"}


class _Static(StaticFiles):
    """The page's files, asked for anew each time: an update of the package is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_NO_CACHE)
        return response


def application(make: Callable[[], Lab], host_policy: HostPolicy) -> Starlette:
    """Put the lab behind its guard.

    Parameters
    ----------
    make : callable
        Gives the lab; called once, on a thread, when a page first asks for more than files.
    host_policy : HostPolicy
        Whom it lets in.
    """
    plotly = get_plotlyjs()
    policy = content_security_policy(style_hashes(plotly))
    script = _PLOTLY.format(plotly=plotly).encode()

    labs: list[Lab] = []
    making = anyio.Lock()

    async def made() -> Lab:
        async with making:
            if not labs:
                labs.append(await anyio.to_thread.run_sync(make))
        return labs[0]

    async def plotly_js(request: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=86400"}
        ready = BackgroundTask(made)
        return Response(script, media_type="text/javascript", headers=headers, background=ready)

    async def index(request: Request) -> Response:
        page = await anyio.Path(STATIC / "index.html").read_bytes()
        return Response(page, media_type="text/html", headers=_NO_CACHE)

    async def no_icon(request: Request) -> Response:
        return Response(status_code=204)

    async def upload(request: Request) -> Response:
        return await (await made()).upload(request)

    async def download(request: Request) -> Response:
        return await (await made()).download(request)

    async def socket(websocket: WebSocket) -> None:
        await (await made()).socket(websocket)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/favicon.ico", no_icon),
            Route("/plotly.js", plotly_js),
            Route("/upload/{kind:str}", upload, methods=["POST"]),
            Route("/download/{kind:str}", download, methods=["POST"]),
            WebSocketRoute("/socket", socket),
            Mount("/static", _Static(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, host_policy=host_policy, policy=policy)],
    )
