"""Redirect browsers on this machine to the host name of `PUBLIC_BASE_URL`. Only for local development.

`localhost`, 127.0.0.1 and [::1] reach the same server but don't share cookies, so that a sign-in that begins at one of
them fails at another (RFC 6265bis §5.7.3). The local gateway uses this, too.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from tenantgate.urls import is_loopback, parse_http_url

_LONGEST_HOST = 300


class CanonicalHost:
    """Redirects a navigation to another loopback name, and passes all other requests to `app`.

    Clients other than browsers keep the name that they use.
    """

    def __init__(self, app: ASGIApp, base_url: str) -> None:
        """Redirect to the origin of `base_url`. Raises ValueError unless that is an http URL of a loopback host."""
        parsed = parse_http_url(base_url, longest=2048)
        if parsed is None or parsed.scheme != "http" or not is_loopback(parsed.host):
            raise ValueError("the canonical host is not a loopback host")
        self._app = app
        self._canonical = parsed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        location = self._location(scope) if scope["type"] == "http" else None
        if location is None:
            await self._app(scope, receive, send)
            return
        headers = [(b"location", location), (b"content-length", b"0"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _location(self, scope: Scope) -> bytes | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["method"] not in ("GET", "HEAD") or not _is_navigation(headers):
            return None
        host = parse_http_url(f"http://{headers.get(b'host', b'').decode('latin-1')}", longest=_LONGEST_HOST)
        if host is None or host.rest or not is_loopback(host.host):
            return None
        if host.host == self._canonical.host or host.port != self._canonical.port:
            return None
        path: bytes = (scope.get("raw_path") or scope["path"].encode()).split(b"?", 1)[0]
        # The path follows the authority directly: `@evil.test` would change it.
        if not path.startswith(b"/"):
            return None
        query: bytes = scope["query_string"]
        return self._canonical.origin.encode() + path + (b"?" + query if query else b"")


def _is_navigation(headers: dict[bytes, bytes]) -> bool:
    mode = headers.get(b"sec-fetch-mode")
    # A script's request would fail at the redirect: that leads to another origin.
    return b"text/html" in headers.get(b"accept", b"") if mode is None else mode == b"navigate"
