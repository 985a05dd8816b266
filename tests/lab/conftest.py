"""What the lab's tests share: a lab served on a free port, and clients that talk to it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from http.client import HTTPConnection
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pytest
import uvicorn
from websockets.sync.client import ClientConnection, connect

from thalweg.lab.host_policy import HostPolicy
from thalweg.lab.messages import MAGIC, VERSION
from thalweg.lab.pages import Lab, chapters
from thalweg.lab.serving import configuration, listen


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A lab on a port of its own, in a thread."""

    lab: Lab

    def __init__(
        self,
        make: Callable[[], Lab] = lambda: Lab(chapters()),
        host_policy: HostPolicy | None = None,
        port: int = 0,
    ) -> None:
        def made() -> Lab:
            self.lab = make()
            return self.lab

        self.host_policy = host_policy or HostPolicy.at("127.0.0.1")
        listener = listen("127.0.0.1", port)
        self.port: int = listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self._server = uvicorn.Server(configuration(made, self.host_policy))
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended before it served"
            time.sleep(0.01)

    @property
    def address(self) -> str:
        return f"http://{self.host}/"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def request(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> Answer:
        """Ask in raw HTTP; ``host`` and ``origin`` are the lab's own unless given."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"host": self.host, **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.putrequest(method, path, skip_host=True)
        content = body.encode() if isinstance(body, str) else body
        if content is not None and "content-length" not in given:
            given["content-length"] = str(len(content))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(content)
        try:
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def post(self, path: str, body: bytes | str, page: str = "") -> Answer:
        """Send something as the page does."""
        return self.request("POST", path, body, origin=f"http://{self.host}", x_thalweg_page=page)

    def open(self, **headers: str) -> Client:
        """Open a socket as the page does."""
        return Client(self, headers)


class Client:
    """One page's socket."""

    socket: ClientConnection

    def __init__(self, served: Served, headers: dict[str, str]) -> None:
        self._connecting = connect(
            f"ws://{served.host}/socket",
            additional_headers={"Origin": f"http://{served.host}", **headers},
            max_size=None,
            compression=None,
            close_timeout=2,
        )
        self._id = 0

    def __enter__(self) -> Client:
        self.socket = self._connecting.__enter__()
        self.hello = self.receive()
        return self

    def __exit__(self, *error: Any) -> None:
        self._connecting.__exit__(*error)

    def receive(self) -> dict[str, Any]:
        message = self.socket.recv(timeout=60)
        return decode_frame(message) if isinstance(message, bytes) else json.loads(message)

    def ask(self, kind: str, **contents: Any) -> dict[str, Any]:
        """Ask, and wait for the answer to this question."""
        self._id += 1
        message = {"version": VERSION, "id": self._id, "type": kind, **contents}
        self.socket.send(json.dumps(message))
        while (answer := self.receive())["id"] != self._id:
            pass
        return answer


def decode_frame(frame: bytes) -> dict[str, Any]:
    """Read a binary frame as its documentation says, independently of the page's own reader."""
    assert frame[:4] == MAGIC
    length = int.from_bytes(frame[4:8], "little")
    assert length % 4 == 0
    body = np.frombuffer(frame[8 + length :], "<f4")

    def resolved(value: Any) -> Any:
        if isinstance(value, dict) and set(value) == {"at", "length"}:
            return body[value["at"] : value["at"] + value["length"]]
        if isinstance(value, dict):
            return {name: resolved(each) for name, each in value.items()}
        return [resolved(each) for each in value] if isinstance(value, list) else value

    header: dict[str, Any] = resolved(json.loads(frame[8 : 8 + length]))
    return header


Decode: TypeAlias = Callable[[bytes], dict[str, Any]]


@pytest.fixture
def decode() -> Decode:
    """The reader of binary frames."""
    return decode_frame


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    """The lab with the built-in chapters."""
    lab = Served()
    yield lab
    lab.stop()


@pytest.fixture(scope="session")
def guarded() -> Iterator[Served]:
    """A lab that asks for its token, as one does that other machines can reach."""
    lab = Served(host_policy=HostPolicy(frozenset({"127.0.0.1"}), False, "right-token"))
    yield lab
    lab.stop()


@pytest.fixture
def serve() -> type[Served]:
    """Start a lab of one's own: who starts one stops it."""
    return Served
