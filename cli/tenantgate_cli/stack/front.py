"""The front of the gateway on a developer's machine: one canonical host name, and the API's documentation."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit

from lambda_gateway.asgi import AsgiApp, Receive, Scope, Send


class Front:
    """An ASGI application that passes all other requests to `app`.

    A browser that opens a page at `localhost` is redirected to the canonical host: the two don't share cookies, so that
    a sign-in that begins at one would fail at the other.
    """

    def __init__(self, app: AsgiApp, url: str, openapi: Path) -> None:
        self._app = app
        self._url = url
        self._host = urlsplit(url).netloc
        self._openapi = openapi
        self._documentation: AsgiApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._is_foreign_page(scope):
            await self._redirect(scope, send)
        elif scope["path"] == "/docs" or scope["path"].startswith("/docs/"):
            await self._docs()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_foreign_page(self, scope: Scope) -> bool:
        if scope["method"] not in ("GET", "HEAD"):
            return False
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if host == self._host or host.rpartition(":")[0] not in ("localhost", "[::1]"):
            return False
        return b"text/html" in headers.get(b"accept", b"")

    async def _redirect(self, scope: Scope, send: Send) -> None:
        path = scope.get("raw_path") or quote(scope["path"]).encode()
        query = scope["query_string"]
        # The location begins with the base URL's authority, so that no path can redirect to another host.
        location = self._url.encode() + path + (b"?" + query if query else b"")
        headers = [(b"location", location), (b"content-length", b"0"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _docs(self) -> AsgiApp:
        if self._documentation is None:
            from starlette.applications import Starlette  # noqa: PLC0415 - few runs show the documentation

            from tenantgate.web.docs import documentation_routes  # noqa: PLC0415

            self._documentation = Starlette(routes=documentation_routes(self._openapi))
        return self._documentation
