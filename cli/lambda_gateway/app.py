"""The gateway as an ASGI application: an HTTP request in, an API Gateway event to a function, its answer back.

What isn't a route's, authorizer's or function's is as API Gateway has it for every API: request ids, limits, CORS, and
its own answers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from traceback import format_exception
from typing import Protocol

from lambda_gateway.apis.backend import Backend
from lambda_gateway.apis.http_api import HttpApi
from lambda_gateway.apis.rest_api import RestApi
from lambda_gateway.asgi import (
    AsgiApp,
    ClientGone,
    Receive,
    Scope,
    Send,
    header_size,
    read_body,
    read_request,
    send_response,
)
from lambda_gateway.events.http_api import Request
from lambda_gateway.model import Api, Kind, Route, Template
from lambda_gateway.responses.http_api import Response, bad_request
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.runtime.functions import Functions, Handled, Observer

__all__ = ["AsgiApp", "Gateway", "Handled", "Observer", "Receive", "Scope", "Send"]

# Request line and header values together.
MAX_HEADERS = 10240


class _Server(Protocol):
    """One API, as a request meets it."""

    async def handle(self, request: Request) -> tuple[Response, Route | None]: ...
    def too_large(self, request: Request) -> Response: ...
    def headers_too_large(self, request: Request) -> Response: ...
    def failed(self, request: Request) -> Response: ...
    def finish(self, request: Request, response: Response) -> None: ...


class Gateway:
    """The APIs of a template and the functions behind them; as an ASGI application it is the first of these APIs.

    `environments` is how many processes a function may have at once.
    """

    def __init__(self, template: Template, *, observer: Observer | None = None, environments: int = 8) -> None:
        self._observer = observer or Observer()
        self.functions = Functions(self._observer, environments=environments)
        self._backend = Backend(self.functions, self._observer)
        self.load(template)

    def load(self, template: Template) -> None:
        """Serve `template` from now on. Functions that it describes differently start anew."""
        self.functions.load(template.functions)
        self._template = template
        self._servers = {api.name: _server(api, self._backend) for api in template.apis}

    @property
    def template(self) -> Template:
        return self._template

    def restart(self, names: Iterable[str]) -> list[str]:
        """Serve from changed code; returns which of `names` were running. These start anew, the last used first."""
        return self.functions.restart(names)

    async def retire_idle(self) -> None:
        """Run for ever: end environments that were needed for a burst of requests only."""
        await self.functions.retire_idle()

    async def stop(self) -> None:
        """End every function's processes."""
        await self.functions.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(self._template.api.name, scope, receive, send)

    def api(self, name: str) -> AsgiApp:
        """One API as an ASGI application, as whatever template is loaded has it."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(name, scope, receive, send)

        return serve

    async def _serve(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("API Gateway speaks HTTP alone here")
        began = time.perf_counter()
        request = read_request(scope)
        path = request.path
        server = self._servers.get(name)
        if server is None:
            # A reload took the API away.
            server = HttpApi(Api(name, (), {}), self._backend)
        route: Route | None = None
        try:
            if not request.has_host:
                response = bad_request()
            elif header_size(scope) > MAX_HEADERS:
                response = server.headers_too_large(request)
            elif not await read_body(request, receive):
                response = server.too_large(request)
            else:
                response, route = await server.handle(request)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the gateway's own mistakes, too, are a 500 of its kind
            self._observer.failed("gateway", FunctionError(type(error).__name__, str(error), format_exception(error)))
            response = server.failed(request)
        server.finish(request, response)
        await send_response(send, request, response)
        self._observer.handled(
            Handled(
                method=request.method,
                path=path,
                status=response.status,
                seconds=time.perf_counter() - began,
                request_id=request.request_id,
                route_key=route.key if route else "",
                function=route.function if route else "",
                api=name,
            )
        )


def _server(api: Api, backend: Backend) -> _Server:
    return RestApi(api, backend) if api.kind is Kind.REST else HttpApi(api, backend)
