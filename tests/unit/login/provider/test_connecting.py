"""A provider that doesn't accept a connection in time is tried once more: nothing was sent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpcore2
import pytest

from tenantgate.errors.tokens import ProviderTimeout
from tenantgate.login.provider import calls
from tenantgate.login.provider.calls import ProviderCalls, Reply, Timeouts

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

# TCP itself tries again after one second.
CONNECT_SECONDS = 0.5
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class FullServer:
    """Its queue of connections is full until `empty`, so that the kernel drops further ones."""

    def __init__(self) -> None:
        self.attempts = 0
        self.requests: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.listening.settimeout(30)
        self.port = self.listening.getsockname()[1]
        self._filling = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.port))
            self._filling.append(client)

    def empty(self) -> None:
        for client in self._filling:
            client.close()
        self._filling.clear()
        self.listening.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.listening.accept()[0].close()
        self.listening.settimeout(30)

    def serve(self) -> None:
        """Respond to one request."""
        while not self.requests:
            accepted, _ = self.listening.accept()
            with accepted:
                if received := accepted.recv(65536):
                    self.requests.append(received)
                    accepted.sendall(RESPONSE)

    def close(self) -> None:
        self.empty()
        self.listening.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FullServer]:
    made, exchanged = FullServer(), calls._exchanged

    async def counted(*args: Any) -> tuple[int, bytes]:
        made.attempts += 1
        return await exchanged(*args)

    monkeypatch.setattr(calls, "_exchanged", counted)
    yield made
    made.close()


async def redeem(server: FullServer, *, total: float = 8.0) -> Reply:
    return await ProviderCalls().send(
        "POST",
        f"http://127.0.0.1:{server.port}/token",
        headers={},
        form={"grant_type": "refresh_token", "refresh_token": "r1"},
        timeouts=Timeouts(connect=CONNECT_SECONDS, total=total),
    )


async def test_the_second_attempt_sends_the_request_once(server: FullServer, monkeypatch: pytest.MonkeyPatch) -> None:
    exchanged = calls._exchanged

    async def emptied(*args: Any) -> tuple[int, bytes]:
        try:
            return await exchanged(*args)
        except httpcore2.ConnectTimeout:
            server.empty()
            threading.Thread(target=server.serve, daemon=True).start()
            raise

    monkeypatch.setattr(calls, "_exchanged", emptied)
    assert await redeem(server) == Reply(200, {})
    assert server.attempts == 2
    (request,) = server.requests
    assert request.startswith(b"POST /token ")


async def test_a_provider_that_stays_silent_is_tried_twice(server: FullServer) -> None:
    with pytest.raises(ProviderTimeout):
        await redeem(server)
    assert server.attempts == 2
    assert server.requests == []


async def test_both_attempts_have_the_total_together(server: FullServer) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(ProviderTimeout):
            await redeem(server, total=0.7)
