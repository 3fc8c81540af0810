"""Reject requests that two readers could understand in different ways, before anything acts on one of them."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from tenantgate.errors.access import AuthenticationRequired
from tenantgate.route_rules.matching import has_control_characters
from tenantgate.urls import is_host
from tenantgate.web.errors import AmbiguousRequest

# These headers decide the caller, its site, and how the body is read. Several `Cookie` lines, however, are one list
# (RFC 9113 §8.2.3).
_ONCE = frozenset({b"authorization", b"content-length", b"content-type", b"host", b"origin", b"sec-fetch-site"})


class RejectAmbiguousRequests:
    """Raises for a control character in the path, a repeated header that may come once, and a malformed `Host`.

    A regular expression's `$` also matches before a final line feed, so the router would take `/me%0A` for `/me`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if has_control_characters(scope["path"]):
                raise AmbiguousRequest("the path has a control character")
            _check_headers(scope["headers"])
        await self._app(scope, receive, send)


def _check_headers(headers: list[tuple[bytes, bytes]]) -> None:
    seen: set[bytes] = set()
    for name, value in headers:
        if name not in _ONCE:
            continue
        if name in seen:
            if name == b"authorization":
                raise AuthenticationRequired("a header was sent more than once", header="authorization")
            raise AmbiguousRequest("a header was sent more than once", header=name.decode())
        seen.add(name)
        if name == b"host" and not is_host(value.decode("latin-1")):
            raise AmbiguousRequest("malformed Host")
