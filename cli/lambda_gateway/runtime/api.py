"""Lambda's Runtime API: the HTTP server from which a runtime client gets its invocations.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Each process has its own server on its own loopback
port, so that no function can respond for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

_PREFIX = "/2018-06-01/runtime"
_REASONS = {200: "OK", 202: "Accepted", 404: "Not Found"}
_ACCEPTED = b'{"status":"OK"}\n'


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation as the runtime client gets it. `deadline_ms` is in epoch milliseconds."""

    request_id: str
    payload: bytes
    deadline_ms: int
    function_arn: str
    trace_id: str

    def to_http(self) -> bytes:
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {self.request_id}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {self.deadline_ms}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: {self.function_arn}\r\n"
            f"Lambda-Runtime-Trace-Id: {self.trace_id}\r\n"
            f"Content-Length: {len(self.payload)}\r\n\r\n"
        )
        return head.encode("ascii") + self.payload


@dataclass(slots=True)
class RuntimeEvents:
    """Callbacks of the server. `responded` and `failed` get the request id from the client's path."""

    ready: Callable[[], None]
    responded: Callable[[str, bytes], None]
    failed: Callable[[str, bytes], None]
    init_failed: Callable[[bytes], None]


class RuntimeApi:
    """The server. `dispatch` may be called once the client waits for an invocation (`ready` was called)."""

    def __init__(self, events: RuntimeEvents) -> None:
        self._events = events
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._waiting: _Connection | None = None

    async def start(self) -> str:
        """Listen on a free loopback port. Return `host:port`, the value of AWS_LAMBDA_RUNTIME_API."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"{host}:{port}"

    def dispatch(self, invocation: Invocation) -> None:
        connection, self._waiting = self._waiting, None
        if connection is None:
            raise RuntimeError("the runtime client isn't waiting for an invocation")
        connection.send(invocation.to_http())

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()

    def opened(self, connection: _Connection) -> None:
        self._connections.add(connection)

    def closed(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None

    def route(self, connection: _Connection, method: bytes, path: str, body: bytes) -> None:
        parts = path.removeprefix(_PREFIX).split("/")[1:]
        match method, parts:
            case b"GET", ["invocation", "next"]:
                self._waiting = connection
                self._events.ready()
            case b"POST", ["invocation", request_id, "response"]:
                connection.respond(202, _ACCEPTED)
                self._events.responded(request_id, body)
            case b"POST", ["invocation", request_id, "error"]:
                connection.respond(202, _ACCEPTED)
                self._events.failed(request_id, body)
            case b"POST", ["init" | "restore", "error"]:
                connection.respond(202, _ACCEPTED)
                self._events.init_failed(body)
            case b"GET", ["restore", "next"]:
                connection.respond(200, b"")
            case _:
                connection.respond(404, b'{"errorMessage":"no such resource","errorType":"NotFound"}')


class _Connection(asyncio.Protocol):
    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body: list[bytes] = []
        self._expects_continue = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and not isinstance: uvloop's transports don't inherit from asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._api.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._api.closed(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def on_message_begin(self) -> None:
        self._path, self._body, self._expects_continue = b"", [], False

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._expects_continue = True

    def on_headers_complete(self) -> None:
        if self._expects_continue:
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._api.route(self, self._parser.get_method(), self._path.decode("ascii", "replace"), b"".join(self._body))

    def respond(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        self.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode("ascii") + body)

    def send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
