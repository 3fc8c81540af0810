"""Limits for connections: their number, the time for a request to arrive, and its size.

Of these limits, uvicorn has only the idle time-out: a client that sends its headers slowly, or never, keeps its
connection forever. Each error response has the API's error shape.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, cast, override
from weakref import WeakKeyDictionary

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from container.overload import Overload
from tenantgate.context import RequestContext, begin_request, choose_request_id
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import Overloaded
from tenantgate.web.errors import HeadersTooLarge, MalformedRequest, RequestTooSlow
from tenantgate.web.middleware import REJECTION_KEY
from tenantgate.web.plain_lambda import lambda_error_response
from tenantgate.web.request_body import BODY_DEADLINE_KEY

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

_log = logging.getLogger(__name__)

_HEALTH = b"/api/v1/health/"
_overloads: WeakKeyDictionary[asyncio.AbstractEventLoop, Overload] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of each worker process.

    `connections`: connections that are served; a request on an additional one gets a 503. `spare_connections`: open
    connections beyond those that can receive the 503; any other is closed at once. `requests`: requests in progress,
    without those whose body is still arriving; an additional one gets a 503 at once, unless it is a health check, since
    it would wait for the others. It is twice the number that may wait for a provider, whose slowness must not keep out
    the rest. `undisturbed_requests`: requests in progress up to which the loop's delay doesn't count. `delay_seconds`:
    the delay of the event loop from which a growing share gets a 503; at `longest_delay_seconds`, all of them.
    `header_seconds`: from the connection, or a request's first byte, to the end of its headers.
    `body_seconds`: from there to the end of a body that the route reads; `request_seconds`: to the end of any body.
    `response_seconds`: the time that written data may stay unread by the client. `idle_seconds`: between two requests;
    longer than common load balancers wait, so that they close the connection. `header_bytes`: size of request line and
    headers. `queued_requests`: pipelined requests that wait on one connection. Connections and requests together are
    below the usual limit of 1,024 descriptors.
    """

    connections: int = 800
    requests: int = 128
    undisturbed_requests: int = 16
    delay_seconds: float = 0.05
    longest_delay_seconds: float = 0.25
    spare_connections: int = 64
    header_seconds: float = 10.0
    body_seconds: float = 20.0
    request_seconds: float = 30.0
    response_seconds: float = 30.0
    idle_seconds: int = 75
    header_bytes: int = 32 * 1024
    queued_requests: int = 100


class BoundedProtocol(HttpToolsProtocol):
    """One connection, limited by `limits`."""

    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    _arrival: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _running: RequestResponseCycle | None = None
    _in_headers = False
    _header_bytes = 0
    _chunk_bytes = 0
    _is_admitted = True

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive = self.limits.idle_seconds
        is_open = len(self.connections)
        self._is_admitted = is_open <= self.limits.connections
        if is_open > self.limits.connections + self.limits.spare_connections:
            self._abort()
            return
        self._arrive_within(self.limits.header_seconds, self._headers_are_late)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._give_up_running()
        self.resume_writing()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        if self._arrival is None:
            # The first byte after a complete request, or an empty line before the next one: start the only timer.
            self._arrive_within(self.limits.header_seconds, self._headers_are_late)
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._in_headers and not self.transport.is_closing():
            # An estimate, because the headers may never be complete; then they are counted exactly.
            self._header_bytes += len(data)
            if self._header_bytes > self.limits.header_bytes:
                self._refuse(HeadersTooLarge())

    # Events of the parser

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        # The preceding bytes of this chunk belong to another request.
        self._in_headers, self._header_bytes = True, -self._chunk_bytes
        if self._arrival is None:
            # The request begins in the chunk in which another one ends.
            self._arrive_within(self.limits.header_seconds, self._headers_are_late)

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer must not become a header (RFC 9110 §6.5.1): a proxy has checked only the headers.
        if self._in_headers:
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._in_headers = False
        if len(self.pipeline) >= self.limits.queued_requests:
            # The parser reports this error as a bad request.
            raise ValueError("too many requests at once")
        length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if not self._is_admitted:
            self._note(REJECTION_KEY, Overloaded("too many connections", retry_after=1))
        elif length > self.limits.header_bytes:
            self._note(REJECTION_KEY, HeadersTooLarge())
        elif not self.url.startswith(_HEALTH) and (reason := self._overload()):
            self._note(REJECTION_KEY, Overloaded(reason, retry_after=1))
        self._arrive_within(self.limits.request_seconds, self._close)
        self._note(BODY_DEADLINE_KEY, self.loop.time() + self.limits.body_seconds)
        super().on_headers_complete()
        if not self._is_admitted:
            self.cycle.keep_alive = False

    @override
    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()
        if self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # The rest of a body arrived after the response and stopped the idle timer.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(MalformedRequest(msg))

    @override
    def _unsupported_upgrade_warning(self) -> None:
        """Log nothing: a request whose upgrade is ignored is an ordinary request (RFC 9110 §7.8)."""

    # The response

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            # The transport closes once everything is sent, which a client that never reads would delay forever.
            self.pause_writing()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.response_seconds, self._abort)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    @override
    def timeout_keep_alive_handler(self) -> None:
        self._close()

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)
        self._loop_overload().measure(self.loop, self.tasks)

    def _arrive_within(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._stop_waiting()
        self._arrival = self.loop.call_later(seconds, otherwise)

    def _stop_waiting(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _note(self, name: str, value: object) -> None:
        """Pass a value to the application in the scope."""
        scope: dict[str, object] = cast("dict[str, object]", self.scope)
        scope[name] = value

    def _headers_are_late(self) -> None:
        if self._is_serving():
            # The request waits for its turn, and reading may be paused.
            self._arrive_within(self.limits.header_seconds, self._headers_are_late)
        elif self._in_headers:
            self._refuse(RequestTooSlow("the headers"))
        else:
            # No request has begun, so there is nothing to respond to.
            self._close()

    def _overload(self) -> str:
        """Return the reason to shed the request, empty to serve it."""
        if len(self.tasks) < min(self.limits.requests, self.limits.undisturbed_requests):
            return ""
        # Clients that never complete a body must not keep out the others. A request whose client has disconnected
        # counts: otherwise, clients that repeat a slow request would begin it without a limit.
        others = (other for other in self.connections if isinstance(other, BoundedProtocol))
        in_progress = len(self.tasks) - sum(other._awaits_body() for other in others)  # noqa: SLF001
        if in_progress >= self.limits.requests:
            return "too many requests in progress"
        if in_progress >= self.limits.undisturbed_requests and self._loop_overload().sheds():
            return "the event loop is late"
        return ""

    def _loop_overload(self) -> Overload:
        # Each worker process has one loop.
        if (known := _overloads.get(self.loop)) is None:
            limits = self.limits
            known = Overload(begin_seconds=limits.delay_seconds, full_seconds=limits.longest_delay_seconds)
            _overloads[self.loop] = known
        return known

    def _awaits_body(self) -> bool:
        running = self._running
        return running is not None and running.more_body and not running.response_complete

    def _is_serving(self) -> bool:
        return self._running is not None and not self._running.response_complete

    def _refuse(self, failure: TenantgateError) -> None:
        """Send an error without the application, which has no request yet, and close."""
        running = self._running
        if running is not None and not running.response_complete:
            if not running.more_body:
                # The error is for a later request, and the client would take it as the response to the current one. So
                # finish the current one and close.
                self._stop_waiting()
                self.flow.pause_reading()
                running.keep_alive = False
                return
            if running.response_started:
                self._close()
                return
        self.transport.write(copy_context().run(_response, failure))
        self._close()

    def _close(self) -> None:
        self._stop_waiting()
        self._give_up_running()
        self.transport.close()
        # The transport closes once everything is sent, which a client that never reads would delay forever.
        self.pause_writing()

    def _abort(self) -> None:
        self._give_up_running()
        self.transport.abort()

    def _give_up_running(self) -> None:
        # uvicorn does this only for the last received request, which is not the current one if others are queued.
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()


def _response(failure: TenantgateError) -> bytes:
    begin_request(RequestContext(request_id=choose_request_id(None)))
    response = lambda_error_response(failure)
    body: bytes = response["body"].encode()
    status = HTTPStatus(failure.http_status)
    headers = {**response["headers"], "content-length": str(len(body)), "connection": "close"}
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    _log.info("connection refused", extra={"context": {"error_code": failure.error.code, "reason": failure.reason}})
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
