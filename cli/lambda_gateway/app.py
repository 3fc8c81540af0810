"""The gateway as an ASGI application: from an HTTP request to an event for a function, and back.

API Gateway's common behaviour is here: size limits, the `Host` header, and responses to failures of the gateway itself.
"""

from __future__ import annotations

import asyncio
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
from lambda_gateway.logs.delivery import Deliveries
from lambda_gateway.model import Api, Kind, Template
from lambda_gateway.observer import Handled, Observer
from lambda_gateway.responses.http_api import gateway_response
from lambda_gateway.responses.response import Response
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.runtime.functions import Functions
from lambda_gateway.websocket.api import WebSocketApi
from lambda_gateway.websocket.handshake import reject
from lambda_gateway.websocket.limits import Lifetime

# Bytes: the limit for the result of `header_size`.
MAX_HEADERS = 10240
# Seconds in which lines that wait are delivered when the gateway stops.
DELIVERED_FOR = 5.0


class _Api(Protocol):
    """An API of any kind."""

    api: Api

    async def handle(self, request: Request) -> Outcome: ...
    def forget(self, functions: Collection[str]) -> None: ...
    def error(self, request: Request, status: int) -> Response: ...
    def finish(self, request: Request, response: Response) -> None: ...


class Gateway:
    """The APIs of a template and the functions behind them. As an ASGI application it is the first API.

    `environments` is the maximum number of processes of each function, `lifetime` that of WebSocket connections.
    """

    def __init__(
        self,
        template: Template,
        *,
        observer: Observer | None = None,
        environments: int = 8,
        lifetime: Lifetime | None = None,
    ) -> None:
        self._observer = observer or Observer()
        self._lifetime = lifetime or Lifetime()
        self._apis: dict[str, _Api] = {}
        # WebSocket APIs of earlier templates, whose connections are closing.
        self._replaced: list[WebSocketApi] = []
        self.functions = Functions(environments=environments, on_output=self._output, on_start=self._observer.started)
        self._deliveries: dict[str, list[Deliveries]] = {}
        self._backend = Backend(self.functions, self._observer)
        self.load(template)

    def load(self, template: Template) -> None:
        """Replace the template. Functions whose description changed restart.

        The connections of a WebSocket API that changed or was removed are closed, those of others remain open.
        """
        self.functions.load(template.functions)
        self._template = template
        self._subscribe(template)
        before = self._apis
        self._apis = {api.name: self._api(api, before.get(api.name)) for api in template.apis}
        self._replaced = [api for api in self._replaced if api.is_serving]
        for api in before.values():
            if isinstance(api, WebSocketApi) and self._apis.get(api.api.name) is not api:
                api.close()
                self._replaced.append(api)

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

    async def close_websockets(self) -> None:
        """Close every connection of WebSocket APIs, and wait for their functions for a moment."""
        websockets = [api for api in self._apis.values() if isinstance(api, WebSocketApi)]
        await asyncio.gather(*(api.stop() for api in (*websockets, *self._replaced)))

    async def stop(self) -> None:
        """Close every connection and stop every function's processes."""
        await self.close_websockets()
        await asyncio.gather(*(one.stop(DELIVERED_FOR) for of_group in self._deliveries.values() for one in of_group))
        await self.functions.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._serve(self._template.api.name, scope, receive, send)

    def api(self, name: str) -> AsgiApp:
        """Return one API as an ASGI application. It follows a reload of the template."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(name, scope, receive, send)

        return serve

    async def _serve(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(name, scope, receive, send)
            return
        if scope["type"] != "http":
            raise NotImplementedError("the gateway supports only HTTP and WebSocket")
        began = time.perf_counter()
        request = read_request(scope)
        path = request.path
        # A reload may have removed the API.
        api = self._apis.get(name) or HttpApi(Api(name, (), {}), self._backend)
        outcome: Outcome | None = None
        try:
            if not request.has_valid_host:
                response = gateway_response(400)
            elif header_size(scope, api.api.kind) > MAX_HEADERS:
                response = api.error(request, 431)
            elif not await read_body(request, receive):
                response = api.error(request, 413)
            else:
                outcome = await api.handle(request)
                response = outcome.response
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - a bug of the gateway is a 500 too, as on AWS
            self._report_bug(error)
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
                api_id=api.api.id,
            )
        )

    async def _connect(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        api = self._apis.get(name)
        invalid: Response | None = None
        if not read_request(scope).has_valid_host:
            invalid = gateway_response(400)
        elif header_size(scope, Kind.WEBSOCKET) > MAX_HEADERS:
            invalid = gateway_response(431)
        if not isinstance(api, WebSocketApi):
            # A reload has removed it, or made it an API of another kind.
            await receive()
            await reject(send, gateway_response(404))
            return
        try:
            await api.serve(scope, receive, send, invalid)
        except Exception as error:  # noqa: BLE001 - uvicorn closes the connection
            self._report_bug(error)

    def _subscribe(self, template: Template) -> None:
        """Begin the deliveries that the template has. Those of an unchanged subscription continue."""
        known = {one.subscription: one for of_group in self._deliveries.values() for one in of_group}
        self._deliveries = {}
        for each in template.subscriptions:
            made = known.get(each) or Deliveries(each, self.functions.invoke)
            self._deliveries.setdefault(each.log_group, []).append(made)

    def _output(self, name: str, line: str) -> None:
        self._observer.output(name, line)
        spec = self._template.functions.get(name)
        for one in self._deliveries.get((spec.log_group or "") if spec is not None else "", ()):
            one.line(line)

    def _report_bug(self, error: Exception) -> None:
        self._observer.failed("gateway", FunctionError(type(error).__name__, str(error), format_exception(error)))

    def _api(self, api: Api, before: _Api | None) -> _Api:
        match api.kind:
            case Kind.REST:
                return RestApi(api, self._backend)
            case Kind.HTTP:
                return HttpApi(api, self._backend)
            case Kind.WEBSOCKET:
                if isinstance(before, WebSocketApi) and before.api == api:
                    return before
                return WebSocketApi(api, self._backend, self._observer, self._lifetime)
