"""A provider that doesn't accept a connection in time is tried once more: nothing was sent."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tenantgate.errors.tokens import ProviderTimeout
from tenantgate.login.provider.calls import ProviderCalls, Reply, Timeouts

pytestmark = [pytest.mark.anyio, pytest.mark.timed]

# TCP itself tries again after one second.
CONNECT_SECONDS = 0.5
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


class FullServer:
    """Its queue of connections is full, so that the kernel drops further ones."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port = self.listening.getsockname()[1]
        self._filling = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.port))
            self._filling.append(client)

    def serve(self, after: float) -> None:
        """Empty the queue after this time, and respond to one request."""
        time.sleep(after)
        for client in self._filling:
            client.close()
        while not self.requests:
            accepted, _ = self.listening.accept()
            with accepted:
                if received := accepted.recv(65536):
                    self.requests.append(received)
                    accepted.sendall(RESPONSE)

    def close(self) -> None:
        for client in self._filling:
            client.close()
        self.listening.close()


@pytest.fixture
def server() -> Iterator[FullServer]:
    made = FullServer()
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


async def test_the_second_attempt_sends_the_request_once(server: FullServer) -> None:
    serving = threading.Thread(target=server.serve, args=(CONNECT_SECONDS * 0.6,))
    serving.start()
    began = time.monotonic()
    assert await redeem(server) == Reply(200, {})
    await asyncio.to_thread(serving.join)

    assert time.monotonic() - began >= CONNECT_SECONDS * 0.9
    (request,) = server.requests
    assert request.startswith(b"POST /token ")


@pytest.mark.parametrize(("total", "expected"), [(8.0, 2 * CONNECT_SECONDS), (0.7, 0.7)], ids=["connect", "total"])
async def test_a_provider_that_stays_silent_is_tried_twice_within_the_total(
    server: FullServer, total: float, expected: float
) -> None:
    began = time.monotonic()
    with pytest.raises(ProviderTimeout):
        await redeem(server, total=total)
    assert expected * 0.9 <= time.monotonic() - began < expected + 2
