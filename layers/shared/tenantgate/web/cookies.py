"""The cookies of Tenantgate: their names, and the attributes that each of them carries (RFC 6265bis §4.1).

The `__Host-` prefix binds a cookie to exactly this host, to `Path=/` and to a secure connection, so that neither a
sibling subdomain nor a plain-text page can plant one.

Routes don't write `Set-Cookie` themselves. They queue cookies, and headers that belong to them, on the request's scope,
and the middleware `Cookies` adds them to the response, including the response to an error that the route raises.
"""

from __future__ import annotations

import re
from typing import Protocol

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantgate.identity.session_cookie import SESSION_COOKIE, session_secret

__all__ = [
    "SESSION_COOKIE",
    "Cookies",
    "HasScope",
    "clear_cookie",
    "clear_cookies",
    "session_cookie",
    "set_cookie",
    "set_header",
]

_QUEUE_KEY = "tenantgate.cookies"
# cookie-octet of RFC 6265 §4.1.1: no character that could end the value and begin an attribute.
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*\Z")
_LONGEST = 3800
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"


class HasScope(Protocol):
    """A request."""

    @property
    def scope(self) -> Scope: ...


def session_cookie(request: Request) -> str | None:
    """Return the value of the session cookie that the request carries; None without it.

    Raises `AuthenticationRequired` if two readers could find different ones. `request.cookies` would return the last.
    """
    return session_secret(request.headers.getlist("cookie"))


def set_cookie(request: HasScope, name: str, value: str, *, max_age: int) -> None:
    """Set a cookie with the response to this request; `max_age` in seconds.

    Raises ValueError for a value that a cookie can't hold or that is longer than browsers accept.
    """
    if not _COOKIE_VALUE.match(value) or len(name) + len(value) > _LONGEST:
        raise ValueError(f"the value of cookie {name} can't be sent")
    _queue(request.scope, f"{name}={value}; Max-Age={max_age}; {_ATTRIBUTES}")


def clear_cookie(request: HasScope, name: str) -> None:
    """Clear a cookie with the response to this request. It carries the attributes that the cookie was set with."""
    clear_cookies(request.scope, (name,))


def clear_cookies(scope: Scope, names: tuple[str, ...]) -> None:
    """Clear these cookies with the response to the request of this scope."""
    for name in names:
        _queue(scope, f"{name}=; Max-Age=0; {_ATTRIBUTES}")


def set_header(request: HasScope, name: str, value: str) -> None:
    """Set a header of the response to this request, even if the route raises an error."""
    request.scope[_QUEUE_KEY].append((name.lower().encode("ascii"), value.encode("ascii")))


def _queue(scope: Scope, cookie: str) -> None:
    scope[_QUEUE_KEY].append((b"set-cookie", cookie.encode("ascii")))


class Cookies:
    """Adds the queued cookies to the response, in the order in which they were queued."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Routers may copy the scope; the copies share this list.
        queue: list[tuple[bytes, bytes]] = []
        scope[_QUEUE_KEY] = queue

        async def send_with_cookies(message: Message) -> None:
            if queue and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *queue]
            await send(message)

        await self._app(scope, receive, send_with_cookies)
