"""Pass the messages of connections to functions, and their responses back."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from functools import partial
from traceback import format_exception
from typing import Any, NamedTuple

from lambda_gateway.apis.backend import Backend, IntegrationFailed, IntegrationTimeout
from lambda_gateway.aws import new_trace_id
from lambda_gateway.events.request import new_request_id
from lambda_gateway.events.websocket import message_event
from lambda_gateway.model import Api, Route
from lambda_gateway.observer import Handled, Observer
from lambda_gateway.responses.websocket import from_message, gateway_message
from lambda_gateway.runtime.failures import FunctionError
from lambda_gateway.websocket.connection import ClientSlow, Connection, Gone
from lambda_gateway.websocket.limits import MAX_PENDING
from lambda_gateway.websocket.routing import MessageRouter


class Messages:
    """The messages of one API. Those of one connection are handled at the same time, so that their order may change."""

    def __init__(self, api: Api, backend: Backend, observer: Observer) -> None:
        self.router = MessageRouter(api)
        self._api = api
        self._backend = backend
        self._observer = observer
        self._pending: dict[Connection, set[asyncio.Task[None]]] = {}

    async def handle(self, connection: Connection, text: str) -> None:
        """Begin to handle a message. Waits while too many messages of the connection are pending."""
        pending = self._pending.setdefault(connection, set())
        while len(pending) >= MAX_PENDING and not connection.closing.done():
            waited: set[asyncio.Future[Any]] = {*pending, connection.closing}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            # The callbacks of tasks that have just ended run a little later.
            pending -= {task for task in pending if task.done()}
        task = asyncio.create_task(self._handle(connection, text))
        pending.add(task)
        task.add_done_callback(partial(self._ended, connection))

    async def stop(self, seconds: float) -> None:
        """Wait for the pending messages, and then cancel them."""
        tasks = {task for pending in self._pending.values() for task in pending}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _handle(self, connection: Connection, text: str) -> None:
        began = time.perf_counter()
        route = self.router.find(text)
        request_id, trace_id = new_request_id(), new_trace_id()
        outcome = _FORBIDDEN
        if route is not None:
            event = message_event(self._api, connection.connected, route.key, text, request_id)
            outcome = await self._invoke(route, event, trace_id)
        reply = outcome.text
        if outcome.error:
            reply = gateway_message(outcome.error, connection.id, request_id)
        if reply:
            with suppress(Gone, ClientSlow):
                await connection.send(reply)
        self._observer.handled(
            Handled(
                method="MESSAGE",
                path=route.key if route else "(no route)",
                status=outcome.status,
                seconds=time.perf_counter() - began,
                request_id=request_id,
                route_key=route.key if route else "",
                function=route.function if route else "",
                api=self._api.name,
                trace_id=trace_id,
                api_id=self._api.id,
            )
        )

    async def _invoke(self, route: Route, event: dict[str, object], trace_id: str) -> _Outcome:
        try:
            read = partial(from_message, responds=route.responds)
            response = await self._backend.integrate(route, json.dumps(event).encode(), trace_id, read)
        except IntegrationTimeout:
            return _Outcome(504, error="Endpoint request timed out")
        except IntegrationFailed:
            return _Outcome(500, error="Internal server error")
        return _Outcome(response.status, response.body.decode("utf-8", "replace"))

    def _ended(self, connection: Connection, task: asyncio.Task[None]) -> None:
        pending = self._pending.get(connection, set())
        pending.discard(task)
        if not pending:
            self._pending.pop(connection, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug of the gateway must not be lost.
            self._observer.failed("gateway", FunctionError(type(error).__name__, str(error), format_exception(error)))


class _Outcome(NamedTuple):
    """The result of a message: the text for the client, or the gateway's own error."""

    status: int
    text: str = ""
    error: str = ""


_FORBIDDEN = _Outcome(403, error="Forbidden")
