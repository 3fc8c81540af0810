"""The loop of the container accepts all connections that wait, while its iterations are slow."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import cast, override

import pytest

from container.event_loop import AcceptingLoop

CLIENTS = 40
ITERATION_SECONDS = 0.05


class Greeting(asyncio.Protocol):
    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports don't inherit from asyncio's.
        greeting = cast("asyncio.Transport", transport)
        greeting.write(b"hello")
        greeting.close()


async def _slow_iterations() -> None:
    while True:
        time.sleep(ITERATION_SECONDS)
        await asyncio.sleep(0)


async def _served_during_slow_iterations() -> float:
    server = await asyncio.get_running_loop().create_server(Greeting, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    clients = [socket.create_connection(address, timeout=30) for _ in range(CLIENTS)]
    slow = asyncio.create_task(_slow_iterations())
    began = time.monotonic()
    try:
        greeted = await asyncio.to_thread(lambda: [client.recv(10) for client in clients])
    finally:
        slow.cancel()
        for client in clients:
            client.close()
        server.close()
        await server.wait_closed()
    assert greeted == [b"hello"] * CLIENTS
    return time.monotonic() - began


async def _refuses_after_its_end() -> None:
    server = await asyncio.get_running_loop().create_server(Greeting, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    for _ in range(2):
        # Not accepted by the kernel and then closed.
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        await asyncio.sleep(0.05)


def test_connections_are_accepted_in_batches() -> None:
    with asyncio.Runner(loop_factory=AcceptingLoop) as runner:
        seconds = runner.run(_served_during_slow_iterations())
    # One in each iteration would take twice as long.
    assert seconds < CLIENTS * ITERATION_SECONDS / 2


def test_a_closed_server_accepts_no_connection() -> None:
    with asyncio.Runner(loop_factory=AcceptingLoop) as runner:
        runner.run(_refuses_after_its_end())
