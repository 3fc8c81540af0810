"""A WebSocket API: the handshake with its authorizer, messages to functions, and the end of each connection.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from lambda_gateway.apis.backend import Backend, IntegrationFailed, IntegrationTimeout
from lambda_gateway.apis.outcome import Outcome
from lambda_gateway.asgi import Receive, Scope, Send
from lambda_gateway.authorizers.results import Authorization, Denied, Reason
from lambda_gateway.aws import new_trace_id
from lambda_gateway.events.request import Request
from lambda_gateway.events.rest_api import flat_context
from lambda_gateway.events.websocket import (
    CONNECT,
    DISCONNECT,
    Connected,
    Handshake,
    connect_event,
    disconnect_event,
)
from lambda_gateway.model import Api, Route
from lambda_gateway.observer import Handled, Observer
from lambda_gateway.responses.response import Response
from lambda_gateway.responses.websocket import from_connect, gateway_response, protocol_note, selected_protocol
from lambda_gateway.websocket.connection import Connection, Connections
from lambda_gateway.websocket.handshake import accept, read_handshake, reject
from lambda_gateway.websocket.limits import STOP_SECONDS, Lifetime
from lambda_gateway.websocket.management import MANAGEMENT, is_management, manage
from lambda_gateway.websocket.messages import Messages

_DENIALS: Mapping[Reason, tuple[int, str]] = {
    Reason.UNAUTHORIZED: (401, "Unauthorized"),
    Reason.EXPLICIT_DENY: (403, "Forbidden"),
    Reason.IMPLICIT_DENY: (403, "Forbidden"),
    Reason.INVALID_RESULT: (500, "Internal server error"),
    Reason.FAILED: (500, "Internal server error"),
}
_GOING_AWAY = (1001, "Going away")


class WebSocketApi:
    def __init__(self, api: Api, backend: Backend, observer: Observer, lifetime: Lifetime) -> None:
        self.api = api
        self._backend = backend
        self._observer = observer
        self._lifetime = lifetime
        self._messages = Messages(api, backend, observer)
        self._gates = backend.gates(api)
        self._connections = Connections()
        self._serving: set[asyncio.Task[object]] = set()

    @property
    def is_serving(self) -> bool:
        """The activity of the API: a connection is open, or its end is being reported."""
        return bool(self._serving)

    async def serve(self, scope: Scope, receive: Receive, send: Send, invalid: Response | None) -> None:
        """Serve one connection until it is closed. `invalid` is the response to a handshake that no API accepts."""
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
        try:
            await receive()
            await self._serve(read_handshake(scope), receive, send, invalid)
        finally:
            if task is not None:
                self._serving.discard(task)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close(*_GOING_AWAY)

    async def stop(self) -> None:
        """Close all connections, and wait for their functions for a moment."""
        self.close()
        if self._serving:
            await asyncio.wait(self._serving, timeout=STOP_SECONDS)
        await self._messages.stop(STOP_SECONDS)

    def forget(self, functions: Collection[str]) -> None:
        """Drop what the authorizers among these functions returned before. Nothing is kept: there is no cache."""
        for gate in self._gates.values():
            gate.forget(functions)

    async def handle(self, request: Request) -> Outcome:
        """Handle an HTTP request, which functions send to reach a connection."""
        path = request.path.removeprefix(self.api.base_path)
        if path != request.path and is_management(path):
            return Outcome(await manage(self._connections, request, path), Route(request.method, MANAGEMENT, ""))
        if request.path.rstrip("/") != self.api.base_path:
            return Outcome(gateway_response(403, "Forbidden"))
        address = f"ws://{request.host}{self.api.base_path}"
        response = gateway_response(426, f"this is a WebSocket API: connect to {address}")
        response.headers += [("upgrade", "websocket"), ("connection", "upgrade")]
        return Outcome(response)

    def error(self, request: Request, status: int) -> Response:
        """Build the response to an HTTP request that wasn't handled: 413, 431 or 500."""
        del request
        return gateway_response(status, "Internal server error" if status == 500 else "Request Too Long")

    def finish(self, request: Request, response: Response) -> None:
        """Add the header that every response has."""
        response.headers.append(("x-amzn-requestid", request.request_id))

    async def _serve(self, handshake: Handshake, receive: Receive, send: Send, invalid: Response | None) -> None:
        began = time.perf_counter()
        outcome, connected = (Outcome(invalid), None) if invalid else await self._open(handshake)
        if connected is None:
            self.finish(handshake, outcome.response)
            with suppress(OSError):
                await reject(send, outcome.response)
            self._report("CONNECT", handshake, outcome, began)
            return
        connection = Connection(connected, send)
        code, reason = 1006, ""
        try:
            # The client may have gone while the function of $connect ran: $disconnect follows then too.
            with suppress(OSError):
                selected = selected_protocol(outcome.response)
                await accept(send, selected)
                note = protocol_note(handshake.header("sec-websocket-protocol"), selected)
                self._report("CONNECT", handshake, replace(outcome, response=Response(101)), began, note)
                self._connections.add(connection)
                code, reason = await self._until_closed(connection, receive, send)
        finally:
            self._connections.remove(connection)
            connection.close(code, reason)
        await self._disconnect(connected, code, reason)

    async def _open(self, handshake: Handshake) -> tuple[Outcome, Connected | None]:
        """Decide on the handshake. Without a connection, the outcome is why."""
        if handshake.path.rstrip("/") != self.api.base_path:
            return Outcome(_rejection(handshake, 403, "Forbidden")), None
        route = self._messages.router.named(CONNECT)
        if route is None:
            return Outcome(Response(200)), Connected(handshake)
        authorization: Authorization | None = None
        authorizer: Mapping[str, object] | None = None
        if route.authorizer is not None:
            began = time.perf_counter()
            decision = await self._gates[route.authorizer].decide(handshake, route, {})
            authorization = decision.authorization
            if isinstance(decision, Denied):
                return Outcome(_rejection(handshake, *_DENIALS[decision.reason]), route, authorization), None
            latency = int((time.perf_counter() - began) * 1000)
            authorizer = flat_context(decision.principal, decision.context, latency)
        connected = Connected(handshake, authorizer)
        response = await self._integrate(route, connected)
        outcome = Outcome(response, route, authorization, route.function)
        return outcome, connected if response.status < 300 else None

    async def _integrate(self, route: Route, connected: Connected) -> Response:
        payload = json.dumps(connect_event(self.api, connected)).encode()
        trace_id = connected.handshake.trace_id
        try:
            return await self._backend.integrate(route, payload, trace_id, from_connect)
        except IntegrationTimeout:
            return _rejection(connected.handshake, 504, "Endpoint request timed out")
        except IntegrationFailed:
            return _rejection(connected.handshake, 502, "Internal server error")

    async def _until_closed(self, connection: Connection, receive: Receive, send: Send) -> tuple[int, str]:
        """Handle messages until the connection is closed. Return the code and the reason."""
        limit = connection.connected.handshake.received + self._lifetime.total
        receiving = asyncio.ensure_future(receive())
        try:
            while True:
                end = min(limit, connection.last_active + self._lifetime.idle)
                left = max(0.0, end - time.time())
                await asyncio.wait((receiving, connection.closing), timeout=left, return_when=asyncio.FIRST_COMPLETED)
                if connection.closing.done():
                    return await _close(send, *connection.closing.result())
                if not receiving.done():
                    # A message to the client may have come in the meantime.
                    if time.time() >= min(limit, connection.last_active + self._lifetime.idle):
                        return await _close(send, *_GOING_AWAY)
                    continue
                message = receiving.result()
                if message["type"] == "websocket.disconnect":
                    return int(message.get("code") or 1005), str(message.get("reason") or "")
                text = message.get("text")
                if text is None:
                    return await _close(send, 1003, "binary messages aren't supported")
                connection.last_active = time.time()
                await self._messages.handle(connection, text)
                receiving = asyncio.ensure_future(receive())
        finally:
            receiving.cancel()

    async def _disconnect(self, connected: Connected, code: int, reason: str) -> None:
        began = time.perf_counter()
        route = self._messages.router.named(DISCONNECT)
        if route is not None:
            payload = json.dumps(disconnect_event(self.api, connected, code, reason)).encode()
            with suppress(IntegrationTimeout, IntegrationFailed):
                await self._backend.integrate(route, payload, new_trace_id(), lambda _: Response(200))
        function = route.function if route else ""
        self._report("CLOSE", connected.handshake, Outcome(Response(code), route, function=function), began)

    def _report(self, method: str, handshake: Handshake, outcome: Outcome, began: float, note: str = "") -> None:
        self._observer.handled(
            Handled(
                method=method,
                path=handshake.path,
                status=outcome.response.status,
                seconds=time.perf_counter() - began,
                request_id=handshake.request_id,
                route_key=outcome.route.key if outcome.route else "",
                function=outcome.function,
                api=self.api.name,
                trace_id=handshake.trace_id,
                authorization=outcome.authorization,
                note=note,
                api_id=self.api.id,
            )
        )


def _rejection(handshake: Handshake, status: int, message: str) -> Response:
    return gateway_response(status, message, connectionId=handshake.connection_id, requestId=handshake.request_id)


async def _close(send: Send, code: int, reason: str) -> tuple[int, str]:
    with suppress(OSError, RuntimeError):
        await send({"type": "websocket.close", "code": code, "reason": reason})
    return code, reason
