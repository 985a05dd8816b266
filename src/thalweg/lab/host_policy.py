"""Who may talk to the lab: hosts, origins, the token; and what the page may do.

No web framework checks ``Host`` and ``Origin`` by itself. A foreign ``Host`` is how a page from
elsewhere reaches a server on this machine by DNS rebinding; a foreign ``Origin`` is how it opens
the socket or uploads. Both are refused before anything else is looked at.
Not here: limits on what is asked (:mod:`thalweg.lab.pages`).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

_EMPTY_STYLE = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
_POLICY_VIOLATED = 1008


class HostPolicy(NamedTuple):
    """Which names the server answers to, and the token that a page must have.

    ``token`` is None where the server listens to this machine alone.
    """

    hosts: frozenset[str]
    any_address: bool  # the server listens at all of this machine's addresses
    token: str | None

    @classmethod
    def at(cls, host: str) -> HostPolicy:
        """Make the policy of a server that listens at ``host``."""
        if is_loopback(host):
            return cls(frozenset({"127.0.0.1", "localhost", "::1", host.lower()}), False, None)
        names = {host.lower(), socket.gethostname().lower(), "localhost", "127.0.0.1", "::1"}
        everywhere = host in ("", "0.0.0.0", "::")  # noqa: S104  # compared, not bound
        return cls(frozenset(names), everywhere, secrets.token_urlsafe(24))

    def knows(self, host: str) -> bool:
        """Tell whether a ``Host`` header, with or without a port, names this server."""
        name = urlsplit(f"//{host}").hostname if _looks_like_host(host) else None
        if name is None:
            return False
        if name in self.hosts:
            return True
        # An address cannot be rebound: only names can.
        return self.any_address and _is_address(name)

    def fits(self, token: str | None) -> bool:
        """Tell whether this is the token, in constant time."""
        if self.token is None:
            return True
        return secrets.compare_digest((token or "").encode(), self.token.encode())


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _looks_like_host(host: str) -> bool:
    return re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", host) is not None


def cookie_name(host: str) -> str:
    """Name the token's cookie after the port: a browser sends a host's cookies to all its ports."""
    port = host.rpartition(":")[2]
    return f"thalweg-lab-{port}" if port.isdigit() else "thalweg-lab"


def same_origin(origin: str | None, host: str) -> bool:
    """Tell whether an ``Origin`` header is that of the page that this server gave out."""
    if origin is None:
        return False
    scheme, _, rest = origin.partition("://")
    return scheme in ("http", "https") and rest.lower() == host.lower()


def style_hashes(script: str) -> list[str]:
    """Find the style elements that plotly.js adds to a page, as sources of a security policy.

    It makes one empty element, which it fills through the object model, and one with the rules
    of its maps.
    """
    texts = re.findall(r"""\.textContent='([^'\\]*)'""", script)
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    return [_EMPTY_STYLE, *(f"sha256-{base64.b64encode(d).decode()}" for d in digests)]


def content_security_policy(styles: list[str]) -> str:
    """Write the policy: everything from here, no inline script, only the style elements named."""
    allowed = " ".join(f"'{source}'" for source in styles)
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' {allowed}",
            "style-src-attr 'unsafe-inline'",  # plotly.js writes style attributes on its SVG
            "img-src 'self' blob: data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


class Guard:
    """Lets through what is meant for this server, and puts the safe headers on each answer.

    Parameters
    ----------
    app : ASGI application
    host_policy : HostPolicy
    policy : str
        The content security policy.
    """

    def __init__(self, app: ASGIApp, host_policy: HostPolicy, policy: str) -> None:
        self.app = app
        self.host_policy = host_policy
        self.headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        headers = Headers(scope=scope)
        if (refusal := self._refuse(scope, headers)) is not None:
            if scope["type"] == "websocket":
                await WebSocketClose(_POLICY_VIOLATED, refusal)(scope, receive, send)
            else:
                await PlainTextResponse(refusal, 403)(scope, receive, send_safely)
            return
        if (entry := self._entry(scope)) is not None:
            await entry(scope, receive, send_safely)
            return
        await self.app(scope, receive, send_safely)

    def _refuse(self, scope: Scope, headers: Headers) -> str | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.host_policy.knows(hosts[0]):
            return "This address is not the lab's: open the one that it printed."
        reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        origin = headers.get("origin")
        if not same_origin(origin, hosts[0]) and not (reads and origin is None):
            return "Only the lab's own page may ask for this."
        if not self.host_policy.fits(_cookie(headers, hosts[0])) and not self._has_token(scope):
            return "The lab asks for its token: open the address that it printed."
        return None

    def _has_token(self, scope: Scope) -> bool:
        """Tell whether this is the first visit, with the token in the page's address."""
        if scope["type"] != "http" or scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        return self.host_policy.fits(given[0])

    def _entry(self, scope: Scope) -> RedirectResponse | None:
        """Keep the token in a cookie and take it out of the address, where it would be seen."""
        if self.host_policy.token is None or scope["type"] != "http" or scope["path"] != "/":
            return None
        if not scope["query_string"] or not self._has_token(scope):
            return None
        entry = RedirectResponse("/", 303)
        name = cookie_name(Headers(scope=scope)["host"])
        entry.set_cookie(name, self.host_policy.token, httponly=True, samesite="strict", path="/")
        return entry


def _cookie(headers: Headers, host: str) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(cookie_name(host))
    except CookieError:
        return None
    return morsel.value if morsel else None
