"""The open pages of a lab: the socket of each, its uploads, its downloads, its turn.

One request of a page is worked on at a time, off the event loop; heavy ones and explanations
queue behind one another, so that they hold up no light one. Not here: the page's own files
(:mod:`thalweg.lab.server`), what a request says (:mod:`thalweg.lab.messages`), what is done with
it (:mod:`thalweg.lab.page_state`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from thalweg.data.dataset import Dataset
from thalweg.errors import InvalidData, InvalidSetting, ThalwegError
from thalweg.lab import messages
from thalweg.lab.controls import controls
from thalweg.lab.downloads import DOWNLOADS, explanation
from thalweg.lab.gradient_inspection import autograd, inspect_gradient
from thalweg.lab.messages import Source, View
from thalweg.lab.page_state import HEAVY, LabData, PageState
from thalweg.lab.uploads import UPLOAD_BYTES, ReadTable, Uploads, rows_of, too_large

PAGES = 200
"""How many pages may be open at once."""
REQUESTS_PER_SECOND = 200.0
"""What a page gets at most, lastingly: a hand on a slider makes 60."""
BURST = 60.0
WAITING = 4
"""How many slow requests of one page may wait."""
_TRY_LATER = 1013

T = TypeVar("T")
log = logging.getLogger(__name__)


class Bucket:
    """How fast one page may ask: each request takes a token, and they come back over time.

    Examples
    --------
    >>> bucket = Bucket(rate=10.0, burst=1.0)
    >>> bucket.take(now=0.0), bucket.take(now=0.0)
    (0.0, 0.1)
    """

    def __init__(self, rate: float = REQUESTS_PER_SECOND, burst: float = BURST) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a token, and say how many seconds to wait before going on."""
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        self._tokens = min(self.burst, self._tokens + passed * self.rate) - 1.0
        return max(0.0, -self._tokens / self.rate)


class Page:
    """One open page: its socket, its state, its files, its slow requests."""

    def __init__(self, websocket: WebSocket, data: LabData, uploads: Uploads) -> None:
        self.id = secrets.token_urlsafe(16)
        self.websocket = websocket
        self.state = PageState(data)
        self.uploads = uploads
        self.uploading = asyncio.Lock()
        self.waiting: asyncio.Queue[messages.Request] = asyncio.Queue(WAITING)


class Lab:
    """All pages of one server.

    Parameters
    ----------
    first : LabData
        What every page starts with; it is read only.
    file : Path, optional
        The table that the lab was started with, and ``columns``, what is in it.
    """

    def __init__(
        self,
        first: LabData,
        *,
        file: Path | None = None,
        columns: list[dict[str, Any]] | None = None,
    ) -> None:
        self.first = first
        self.file = file
        self.columns = columns
        self.pages: dict[str, Page] = {}
        self.light = CapacityLimiter(2)
        self.heavy = CapacityLimiter(1)

    def rehearse(self) -> None:
        """Do once what a page asks first: the second time it is quick."""
        PageState(self.first).show(0, ({},), View())

    # --- The socket -------------------------------------------------------------------------------

    async def socket(self, websocket: WebSocket) -> None:
        """Serve one page until it goes."""
        if len(self.pages) >= PAGES:
            await websocket.close(_TRY_LATER, "too many pages are open")
            return
        await websocket.accept()
        with Uploads() as uploads:
            page = Page(websocket, self.first, uploads)
            self.pages[page.id] = page
            slow = asyncio.create_task(self._serve_slow(page))
            try:
                await self._greet(page)
                await self._serve(page)
            except (WebSocketDisconnect, OSError):
                pass  # the page went: there is nobody left to tell
            finally:
                del self.pages[page.id]
                slow.cancel()
                with suppress(asyncio.CancelledError, WebSocketDisconnect, OSError):
                    await slow

    async def _greet(self, page: Page) -> None:
        described = await self._off(self.light, page.state.data.describe)
        await page.websocket.send_text(
            messages.answer(
                0,
                "hello",
                page=page.id,
                controls=controls(),
                data=described,
                columns=self.columns,
                upload_bytes=UPLOAD_BYTES,
                torch=importlib.util.find_spec("torch") is not None,
                version=messages.VERSION,
            )
        )

    async def _serve(self, page: Page) -> None:
        bucket = Bucket()
        while True:
            message = await page.websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if (delay := bucket.take(time.monotonic())) > 0:
                await asyncio.sleep(delay)
            text = message.get("text")
            reply = (
                messages.error(0, "message: got bytes, expected JSON text; reload the page")
                if text is None
                else await self._guarded(text, self._start(page, text))
            )
            await _send(page.websocket, reply)

    async def _serve_slow(self, page: Page) -> None:
        """Work on what takes its time, one after another."""
        while True:
            request = await page.waiting.get()
            reply = await self._guarded(request.id, self._finish(page, request))
            await _send(page.websocket, reply)

    async def _guarded(
        self, request: int | str, work: Awaitable[str | bytes | None]
    ) -> str | bytes | None:
        """Turn whatever goes wrong with one request into its answer: the page lives on.

        ``request`` is its id, or its text where that was not read yet.
        """
        try:
            return await work
        except ThalwegError as error:
            said = str(error)
        except Exception:  # one request must not take the page down with it
            log.exception("a request failed")
            said = "The lab made a mistake: its terminal says which."
        request_id = messages.find_id(request) if isinstance(request, str) else request
        return messages.error(request_id, said)

    async def _start(self, page: Page, text: str) -> str | bytes | None:
        """Serve a request at once, or let it wait where it is slow: then there is no answer yet."""
        request = messages.parse(text)
        if request.source is not None and not (await self._use_quickly(page, request.source)):
            if request.type != "data":
                raise _not_with_data(request.type)
            self._wait(page, request)
            return None
        match request.type:
            case "data":
                described = await self._off(self.light, page.state.data.describe)
                return messages.answer(request.id, "data", data=described)
            case "move" | "show":
                return await self._fit(page, request)
            case _:
                self._wait(page, request)
                return None

    def _wait(self, page: Page, request: messages.Request) -> None:
        try:
            page.waiting.put_nowait(request)
        except asyncio.QueueFull as error:
            raise InvalidSetting(
                request.type,
                got=f"more than {WAITING} slow requests at once",
                expected="fewer",
                advice="wait for an answer before asking again",
            ) from error

    async def _fit(self, page: Page, request: messages.Request) -> bytes:
        state = page.state
        fresh = request.source is not None
        if request.type == "move":
            work = partial(state.move, request.id, request.runs[0], describe=fresh)
        else:
            work = partial(state.show, request.id, request.runs, request.view, describe=fresh)
        return await self._off(self._lane(state, request.runs), work)

    async def _finish(self, page: Page, request: messages.Request) -> str:
        """Serve what is slow."""
        state = page.state
        if request.type == "data":
            table = await self._read(page, request.source)
            source = request.source or Source("chapters")
            state.use(await self._off(self.heavy, LabData, table.rows, source, table.notes))
            described = await self._off(self.heavy, state.data.describe)
            return messages.answer(request.id, "data", data=described)
        rows, settings = state.data.rows, request.runs[0]
        run = await self._off(self._lane(state, request.runs[:1]), state.run, settings)
        if request.type == "explain":
            found = await self._off(self.heavy, explanation, rows, run)
            return messages.answer(request.id, "explain", **found)
        work = autograd if request.autograd else inspect_gradient
        found = await self._off(self.heavy, work, rows, run, request.epoch)
        return messages.answer(request.id, "moment", **found)

    def _lane(self, state: PageState, runs: tuple[messages.Keywords, ...]) -> CapacityLimiter:
        work = sum(state.work(settings) for settings in runs)
        return self.heavy if work > HEAVY else self.light

    async def _off(self, limiter: CapacityLimiter, work: Callable[..., T], *arguments: Any) -> T:
        """Do some work on a thread, when it is its turn."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=limiter)

    # --- Rows -------------------------------------------------------------------------------------

    async def _use_quickly(self, page: Page, source: Source) -> bool:
        """Take rows that are at hand; tell where they must be read first."""
        if source.kind == "chapters":
            page.state.use(await self._off(self.light, chapters))
        elif source.kind == "rows":
            page.state.use(await self._off(self.light, written_out, source))
        elif source.kind == "file" and self.file is not None and not source.target:
            page.state.use(self.first)
        else:
            return False
        return True

    async def _read(self, page: Page, source: Source | None) -> ReadTable:
        if source is not None and source.kind == "upload":
            return await page.uploads.rows(source)
        if source is None or self.file is None:
            raise InvalidData(
                "data",
                got="the file of another lab",
                expected="one that this lab was started with",
                advice="start it with: thalweg lab FILE",
            )
        return await rows_of(self.file, source, self.file.name)

    # --- Uploads and downloads --------------------------------------------------------------------

    def _page(self, request: Request) -> Page:
        page = self.pages.get(request.headers.get("x-thalweg-page", ""))
        if page is None:
            raise InvalidData(
                "page",
                got="one that is not connected",
                expected="an open page of this lab",
                advice="reload the page",
            )
        return page

    async def upload(self, request: Request) -> Response:
        """Keep a table and say what columns it has; or count letters in texts."""
        kind = request.path_params["kind"]
        try:
            page = self._page(request)
            if int(request.headers.get("content-length") or 0) > UPLOAD_BYTES:
                raise too_large()
            name = Path(request.query_params.get("name", "")).name[:200] or "table"
            async with page.uploading:
                token = await page.uploads.receive(request.stream(), name)
                try:
                    if kind == "texts":
                        letter = request.query_params.get("letter", "a")[:8]
                        counted = await page.uploads.count(token, letter)
                        page.uploads.forget(token)
                        return JSONResponse(counted)
                    return JSONResponse(
                        {"upload": token, "columns": await page.uploads.columns(token)}
                    )
                except BaseException:
                    page.uploads.forget(token)
                    raise
        except (ThalwegError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except ClientDisconnect:
            return Response(status_code=400)

    async def download(self, request: Request) -> Response:
        """Give runs as a file."""
        kind = DOWNLOADS.get(request.path_params["kind"])
        if kind is None:
            return Response(status_code=404)
        try:
            page = self._page(request)
            body = await _limited(request.stream(), messages.MESSAGE_CHARACTERS)
            asked = messages.parse(body.decode())
            state = page.state
            lane = self._lane(state, asked.runs)
            runs = [await self._off(lane, state.run, settings) for settings in asked.runs]
            names = [*asked.names, *(f"run {i + 1}" for i in range(len(asked.names), len(runs)))]
            content = await self._off(self.heavy, kind.make, runs, names[: len(runs)])
        except (ThalwegError, UnicodeDecodeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        except ClientDisconnect:
            return Response(status_code=400)
        name = f'attachment; filename="descent.{kind.suffix}"'
        return Response(content, media_type=kind.media_type, headers={"Content-Disposition": name})


def chapters() -> LabData:
    """Give the built-in rows."""
    import thalweg

    return LabData(thalweg.salammbo(), Source("chapters"))


def written_out(source: Source) -> LabData:
    """Make rows of those that a page wrote out."""
    rows = Dataset(
        source.X,
        source.y,
        features=source.features or None,
        target=source.target or "y",
        units=source.units,
        name=source.name,
    )
    return LabData(rows, source)


def _not_with_data(kind: str) -> InvalidSetting:
    return InvalidSetting(
        kind,
        got="rows that must be read first",
        expected="'data' before it",
        advice="ask for 'data' and wait for its answer",
    )


async def _limited(stream: AsyncIterator[bytes], most: int) -> bytes:
    body = b""
    async for chunk in stream:
        body += chunk
        if len(body) > most:
            raise too_large()
    return body


async def _send(websocket: WebSocket, reply: str | bytes | None) -> None:
    if isinstance(reply, bytes):
        await websocket.send_bytes(reply)
    elif reply is not None:
        await websocket.send_text(reply)
