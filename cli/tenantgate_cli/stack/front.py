"""The front of the gateway on a developer's machine: one canonical host name, and the API's documentation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from lambda_gateway.asgi import AsgiApp, Receive, Scope, Send
from tenantgate.web.canonical_host import CanonicalHost
from tenantgate.web.refused_origins import RefusedOrigins


class Front:
    """An ASGI application that serves `/docs`, and passes all other requests to `app`.

    It redirects browsers to the host name of `url`, as the container does. It reports refused origins, because API
    Gateway responds to a page's preflight request itself and no function gets it.
    """

    def __init__(
        self,
        app: AsgiApp,
        url: str,
        openapi: Path,
        *,
        refused: RefusedOrigins,
        on_refused: Callable[[str, str], None],
    ) -> None:
        """Serve at `url`. `on_refused` gets each refused origin and its remedy, once."""
        self._app = app
        self._refused = refused
        self._on_refused = on_refused
        self._host = urlsplit(url).netloc.encode()
        self._ipv6_host = f"[::1]:{urlsplit(url).port}".encode()
        self._openapi = openapi
        self._documentation: tuple[AsgiApp, frozenset[str]] | None = None
        self._entry = CanonicalHost(self._route, url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._entry(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused.found_in(scope["headers"])
        if refused is not None:
            self._on_refused(*refused)
        if (scope["path"] == "/docs" or scope["path"].startswith("/docs/")) and scope["method"] in ("GET", "HEAD"):
            documentation, paths = self._docs()
            if scope["path"] in paths:
                await documentation(scope, receive, send)
                return
        await self._app(self._named(scope), receive, send)

    def _named(self, scope: Scope) -> Scope:
        # An API has a host name; the gateway rejects the address in brackets that an IPv6 client sends.
        if (b"host", self._ipv6_host) not in scope["headers"]:
            return scope
        named = [
            (name, self._host if (name, value) == (b"host", self._ipv6_host) else value)
            for name, value in scope["headers"]
        ]
        return {**scope, "headers": named}

    def _docs(self) -> tuple[AsgiApp, frozenset[str]]:
        if self._documentation is None:
            from starlette.applications import Starlette  # noqa: PLC0415 - few runs show the documentation

            from tenantgate.web.docs import documentation_routes  # noqa: PLC0415

            routes = documentation_routes(self._openapi)
            # Other paths are the gateway's, whose function responds with the errors of the API.
            self._documentation = Starlette(routes=routes), frozenset(route.path for route in routes)
        return self._documentation
