"""The gateway as an ASGI application: from an HTTP request to an event for a function, and back.

API Gateway's common behaviour is here: size limits, the `Host` header, and responses to failures of the gateway itself.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from traceback import format_exception
from typing import Protocol

from lambda_gateway.apis.backend import Backend
from lambda_gateway.apis.http_api import HttpApi
from lambda_gateway.apis.outcome import Outcome
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
from lambda_gateway.events.request import Request
from lambda_gateway.model import Api, Kind, Template
from lambda_gateway.observer import Handled, Observer
from lambda_gateway.responses.http_api import gateway_response
from lambda_gateway.responses.response import Response
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.runtime.functions import Functions

# Bytes: the limit of the request line and the headers together.
MAX_HEADERS = 10240


class _Api(Protocol):
    """An API of either kind."""

    async def handle(self, request: Request) -> Outcome: ...
    def forget(self, functions: Collection[str]) -> None: ...
    def error(self, request: Request, status: int) -> Response: ...
    def finish(self, request: Request, response: Response) -> None: ...


class Gateway:
    """The APIs of a template and the functions behind them. As an ASGI application it is the first API.

    `environments` is the maximum number of processes of each function.
    """

    def __init__(self, template: Template, *, observer: Observer | None = None, environments: int = 8) -> None:
        self._observer = observer or Observer()
        self.functions = Functions(
            environments=environments, on_output=self._observer.output, on_start=self._observer.started
        )
        self._backend = Backend(self.functions, self._observer)
        self.load(template)

    def load(self, template: Template) -> None:
        """Replace the template. Functions whose description changed restart."""
        self.functions.load(template.functions)
        self._template = template
        self._apis = {api.name: _api(api, self._backend) for api in template.apis}

    @property
    def template(self) -> Template:
        return self._template

    def restart(self, names: Iterable[str]) -> list[str]:
        """Restart functions whose code changed. Return those that were running, the last used first.

        What an authorizer among them decided before is dropped.
        """
        names = list(names)
        for api in self._apis.values():
            api.forget(names)
        return self.functions.restart(names)

    async def retire_idle(self) -> None:
        """Run until cancelled: stop processes that only a burst of requests needed."""
        await self.functions.retire_idle()

    async def stop(self) -> None:
        """Stop every function's processes."""
        await self.functions.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(self._template.api.name, scope, receive, send)

    def api(self, name: str) -> AsgiApp:
        """Return one API as an ASGI application. It follows a reload of the template."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(name, scope, receive, send)

        return serve

    async def _serve(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("the gateway supports only HTTP")
        began = time.perf_counter()
        request = read_request(scope)
        path = request.path
        # A reload may have removed the API.
        api = self._apis.get(name) or HttpApi(Api(name, (), {}), self._backend)
        outcome: Outcome | None = None
        try:
            if not request.has_valid_host:
                response = gateway_response(400)
            elif header_size(scope) > MAX_HEADERS:
                response = api.error(request, 431)
            elif not await read_body(request, receive):
                response = api.error(request, 413)
            else:
                outcome = await api.handle(request)
                response = outcome.response
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - a bug of the gateway is a 500 too, as on AWS
            self._observer.failed("gateway", FunctionError(type(error).__name__, str(error), format_exception(error)))
            response = api.error(request, 500)
        api.finish(request, response)
        await send_response(send, request, response)
        route = outcome.route if outcome is not None else None
        self._observer.handled(
            Handled(
                method=request.method,
                path=path,
                status=response.status,
                seconds=time.perf_counter() - began,
                request_id=request.request_id,
                route_key=route.key if route else "",
                function=outcome.function if outcome is not None else "",
                api=name,
                trace_id=request.trace_id,
                authorization=outcome.authorization if outcome is not None else None,
            )
        )


def _api(api: Api, backend: Backend) -> _Api:
    return RestApi(api, backend) if api.kind is Kind.REST else HttpApi(api, backend)
