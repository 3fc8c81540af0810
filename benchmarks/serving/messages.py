"""Kept connections to a server, and the responses on them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from benchmarks.stand_ins import BASE_URL

_HOST = BASE_URL.removeprefix("http://")


class Response(NamedTuple):
    """`head`: status line and headers, as received."""

    head: bytes
    body: bytes

    @property
    def status(self) -> str:
        return self.head[9:12].decode()


class Connections:
    """Connections to a server on loopback, which take turns.

    `most`: connections at a time; a request beyond them waits. None: each request gets one at once. `open`: the number
    of open ones.
    """

    def __init__(self, port: int, *, most: int | None = None) -> None:
        self._port = port
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._most = most
        self._slots = None if most is None else asyncio.Semaphore(most)
        self.open = 0

    async def send(self, request: bytes) -> Response:
        """Send one request, and return its response.

        Raises OSError or IncompleteReadError without a complete one. A cancelled request closes its connection.
        """
        if self._slots is None:
            return await self._send(request)
        async with self._slots:
            return await self._send(request)

    async def _send(self, request: bytes) -> Response:
        reader, writer = self._next_idle() or await self._new()
        kept = False
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(content_length(head))
            kept = b"\r\nconnection: close\r\n" not in head
        finally:
            if not kept:
                self._close(writer)
        if kept:
            self._idle.append((reader, writer))
        return Response(head, body)

    async def fill(self) -> None:
        """Open connections up to `most`, while no request runs."""
        while self._most is not None and self.open < self._most:
            self._idle.append(await self._new())

    def close(self) -> None:
        """Close the connections on which no request waits."""
        while self._idle:
            self._close(self._idle.popleft()[1])

    async def _new(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        opened = await asyncio.open_connection("127.0.0.1", self._port)
        self.open += 1
        return opened

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self.open -= 1
        writer.close()

    def _next_idle(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while self._idle:
            reader, writer = self._idle.popleft()
            if not reader.at_eof():
                return reader, writer
            self._close(writer)
        return None


def http_request(method: str, path: str, *headers: str) -> bytes:
    """Return a request without a body. `headers`: as `name: value`."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {_HOST}", *headers]
    if method != "GET":
        lines += [f"origin: {BASE_URL}", "content-length: 0"]
    return "\r\n".join([*lines, "", ""]).encode()


def content_length(head: bytes) -> int:
    """Return the announced length of a body, 0 without one."""
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0]) if after else 0
