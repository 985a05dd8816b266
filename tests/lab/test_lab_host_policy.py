"""Who is let in, over raw HTTP and raw sockets; and what the headers forbid the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from thalweg.lab.host_policy import HostPolicy, cookie_name, is_loopback, same_origin, style_hashes
from thalweg.lab.serving import page_address

if TYPE_CHECKING:
    from lab.conftest import Served

FOREIGN_HOSTS = [
    "evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "",
    "localhost:8765/x", "[::1", "10.0.0.1",
]  # fmt: skip
FOREIGN_ORIGINS = [
    "http://evil.example", "null", "http://127.0.0.1:1", "file://", "ftp://{host}",
    "http://{host}.evil.example", None,
]  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/plotly.js", "/socket"])
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_gets_nothing(served: Served, host: str, path: str) -> None:
    response = served.request("GET", path, host=host)
    assert response.status in (400, 403)  # the web server itself refuses what is no host at all
    assert b"Thalweg lab" not in response.body


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_the_machine_s_own_names_are_let_in(served: Served, host: str) -> None:
    assert served.request("GET", "/", host=f"{host}:{served.port}").status == 200


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_opens_no_socket_and_uploads_nothing(
    served: Served, origin: str | None
) -> None:
    headers = {} if origin is None else {"Origin": origin.format(host=served.host)}
    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(f"ws://{served.host}/socket", additional_headers=headers),
    ):
        pass
    assert refusal.value.response.status_code == 403
    for path in ("/upload/table", "/upload/texts", "/download/run"):
        response = served.request("POST", path, b"x,y\n1,2\n", **headers)
        assert response.status == 403
        assert response.body == b"Only the lab's own page may ask for this."


def test_a_page_from_elsewhere_cannot_even_read(served: Served) -> None:
    assert served.request("GET", "/", origin="http://evil.example").status == 403


def test_every_answer_carries_the_safe_headers(served: Served) -> None:
    for path, host in [
        ("/", served.host),
        ("/nowhere", served.host),
        ("/static/lab.css", served.host),
        ("/", "evil.example"),
    ]:
        response = served.request("GET", path, host=host)
        policy = response.headers["Content-Security-Policy"]
        directives = dict(part.split(" ", 1) for part in policy.split("; "))
        assert directives["default-src"] == "'none'"
        assert directives["script-src"] == "'self'"
        assert "unsafe" not in directives["style-src"]
        assert directives["frame-ancestors"] == "'none'"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_the_page_has_no_inline_script_or_style(served: Served) -> None:
    page = served.request("GET", "/").body.decode()
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert re.findall(r"\sstyle=|\son[a-z]+=|<style", page) == []


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
        "/static/..%2f..%2fserver.py",
    ],
)
def test_only_the_page_s_files_are_served(served: Served, path: str) -> None:
    assert served.request("GET", path).status in (400, 404)


def test_without_the_token_nothing_is_given_away(guarded: Served) -> None:
    for path in ("/", "/static/main.js", "/plotly.js", "/?token=", "/?token=wrong-token",
                 "/static/main.js?token=right-token"):  # fmt: skip
        response = guarded.request("GET", path)
        assert response.status == 403
        assert response.body == (b"The lab asks for its token: open the address that it printed.")
    with (
        pytest.raises(InvalidStatus),
        guarded.open(Cookie=f"{cookie_name(guarded.host)}=wrong-token"),
    ):
        pass
    with pytest.raises(InvalidStatus), guarded.open():
        pass


def test_the_token_becomes_a_cookie_that_scripts_cannot_read(guarded: Served) -> None:
    response = guarded.request("GET", "/?token=right-token")
    assert response.status == 303
    assert response.headers["Location"] == "/"
    kept = f"thalweg-lab-{guarded.port}=right-token"
    assert response.headers["Set-Cookie"] == f"{kept}; HttpOnly; Path=/; SameSite=strict"
    assert guarded.request("GET", "/", cookie=kept).status == 200
    assert guarded.request("GET", "/?token=right-token", cookie=kept).status == 303
    with guarded.open(Cookie=kept) as client:
        assert client.hello["type"] == "hello"


def test_labs_on_one_host_keep_their_own_tokens(guarded: Served) -> None:
    another = f"thalweg-lab-{guarded.port + 1}=its-token"
    both = f"{another}; thalweg-lab-{guarded.port}=right-token"
    assert guarded.request("GET", "/", cookie=both).status == 200
    assert guarded.request("GET", "/", cookie=another).status == 403
    names = {host: cookie_name(host) for host in ("name", "name:80", "[::1]", "[::1]:8765")}
    assert names == {
        "name": "thalweg-lab",
        "name:80": "thalweg-lab-80",
        "[::1]": "thalweg-lab",
        "[::1]:8765": "thalweg-lab-8765",
    }


def test_a_token_is_drawn_for_every_address_that_others_can_reach() -> None:
    assert (
        HostPolicy.at("127.0.0.1").token
        is HostPolicy.at("::1").token
        is HostPolicy.at("localhost").token
        is None
    )
    first, second = HostPolicy.at("0.0.0.0"), HostPolicy.at("0.0.0.0")  # noqa: S104  # not bound
    assert first.token is not None
    assert len(first.token) >= 32
    assert first.token != second.token
    assert page_address("192.168.1.5", 80, first).endswith(f":80/?token={first.token}")


def test_at_all_addresses_a_host_is_an_address_or_the_machine_s_own_name() -> None:
    host_policy = HostPolicy.at("0.0.0.0")  # noqa: S104  # not bound
    assert host_policy.knows("192.168.1.5:8765")
    assert host_policy.knows("[fe80::1]:8765")
    assert not host_policy.knows("evil.example:8765")
    assert not HostPolicy.at("192.168.1.5").knows("192.168.1.6")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_addresses_that_are_this_machine_s_alone(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "", "evil.example"])  # noqa: S104  # not bound
def test_addresses_that_others_reach(address: str) -> None:
    assert not is_loopback(address)


def test_an_origin_is_the_host_with_its_port() -> None:
    assert same_origin("http://127.0.0.1:80", "127.0.0.1:80")
    assert same_origin("https://Lab.local", "lab.local")
    assert not same_origin("http://127.0.0.1:81", "127.0.0.1:80")
    assert not same_origin("http://127.0.0.1", "127.0.0.1:80")


def test_the_styles_of_plotly_are_known_by_their_hashes() -> None:
    from plotly.offline import get_plotlyjs

    assert len(style_hashes(get_plotlyjs())) == 2
    assert style_hashes("") == ["sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
