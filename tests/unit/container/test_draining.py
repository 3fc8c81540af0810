"""The time after SIGTERM in which requests are still accepted."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from types import FrameType
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from container.draining import READY, Draining
from tenantgate.errors.tokens import Overloaded
from tenantgate.web.middleware import REJECTION_KEY

pytestmark = pytest.mark.anyio


class Server:
    """Receives the signals that a server's own handler gets."""

    def __init__(self, seconds: float) -> None:
        self.signals: list[int] = []
        self.app = Draining(self._serve, seconds=seconds)
        self.seen: list[Scope] = []
        signal.signal(signal.SIGTERM, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signals.append(number)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            return
        self.seen.append(scope)
        headers = [(b"content-type", b"text/plain"), (b"Connection", b"keep-alive")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    async def start(self) -> None:
        await self._call({"type": "lifespan"})

    async def get(self, path: str = "/") -> list[tuple[bytes, bytes]]:
        (start, _) = await self._call({"type": "http", "path": path})
        headers: list[tuple[bytes, bytes]] = start["headers"]
        return headers

    async def _call(self, scope: Scope) -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent


@pytest.fixture(autouse=True)
def _handler_restored() -> Any:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


async def test_after_the_signal_requests_are_served_and_clients_asked_to_close() -> None:
    server = Server(0.2)
    await server.start()
    assert (b"connection", b"close") not in await server.get()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    assert server.signals == []
    assert await server.get() == [(b"content-type", b"text/plain"), (b"connection", b"close")]
    assert REJECTION_KEY not in server.seen[-1]
    await server.get(READY)
    assert isinstance(server.seen[-1][REJECTION_KEY], Overloaded)
    await asyncio.sleep(0.3)
    # Then the server ends itself.
    assert server.signals == [signal.SIGTERM]


async def test_a_second_signal_ends_the_wait() -> None:
    server = Server(600)
    await server.start()
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
    assert server.signals == [signal.SIGTERM]
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    assert server.signals == [signal.SIGTERM] * 2


async def test_without_a_wait_the_servers_handler_stays() -> None:
    server = Server(0)
    await server.start()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    assert server.signals == [signal.SIGTERM]


async def test_in_another_thread_signals_are_left_alone() -> None:
    server = Server(600)
    thread = threading.Thread(target=lambda: asyncio.run(server.start()))
    thread.start()
    await asyncio.to_thread(thread.join)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.05)
    assert server.signals == [signal.SIGTERM]
