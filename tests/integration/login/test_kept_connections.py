"""Connections to the provider: a new one for each call, or kept for two seconds by a server that always runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.login.provider import connections
from tenantgate.login.provider.calls import MAX_RESPONSE_BYTES, ProviderCalls, Reply, Timeouts
from tenantgate.login.provider.connections import keeping_connections

pytestmark = pytest.mark.anyio

type Respond = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


def response(number: int, *, head: str = "", padding: int = 0) -> bytes:
    body = json.dumps({"number": number, "padding": "x" * padding}).encode()
    return f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body


async def at_once(number: int, writer: asyncio.StreamWriter) -> None:
    writer.write(response(number))


class Server:
    """Counts its connections, and keeps the heads of the requests. `respond` gets the number of the request."""

    def __init__(self, respond: Respond = at_once) -> None:
        self.respond = respond
        self.connections = 0
        self.open = 0
        self.heads: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
        try:
            yield
        finally:
            server.close()

    async def call(self, calls: ProviderCalls, *, total: float = 8.0) -> Reply:
        timeouts = Timeouts(read=total, total=total)
        return await calls.send("POST", self.url, headers={}, timeouts=timeouts, form={"a": "b"})

    async def until_closed(self) -> None:
        async with asyncio.timeout(5):
            while self.open:
                await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                await reader.readexactly(len("a=b"))
                await self.respond(len(self.heads), writer)
                if writer.is_closing():
                    break
        self.open -= 1
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with made.serving():
        yield made


async def test_by_default_each_call_has_its_own_connection(server: Server) -> None:
    calls = ProviderCalls()
    replies = [await server.call(calls) for _ in range(3)]
    assert [reply.body for reply in replies] == [{"number": number, "padding": ""} for number in (1, 2, 3)]
    assert server.connections == 3
    await server.until_closed()


async def test_kept_connections_serve_call_after_call_and_end_with_the_server(server: Server) -> None:
    async with keeping_connections():
        for calls in (ProviderCalls(), ProviderCalls()):
            for _ in range(3):
                await server.call(calls)
        assert (server.connections, server.open) == (1, 1)
    await server.until_closed()
    await server.call(ProviderCalls())
    assert server.connections == 2


async def test_calls_at_once_have_a_connection_each(server: Server) -> None:
    turn = asyncio.Barrier(5)

    async def together(number: int, writer: asyncio.StreamWriter) -> None:
        await turn.wait()
        writer.write(response(number))

    server.respond = together
    calls = ProviderCalls()
    async with keeping_connections():
        replies = await asyncio.gather(*(server.call(calls) for _ in range(5)))
    assert {reply.body["number"] for reply in replies if reply.body} == {1, 2, 3, 4, 5}
    assert server.connections == 5


async def test_a_connection_that_the_provider_closed_is_not_used_again(server: Server) -> None:
    async def farewell(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(response(number))
        writer.close()

    server.respond = farewell
    calls = ProviderCalls()
    async with keeping_connections():
        for _ in range(3):
            assert (await server.call(calls)).status == 200
            await server.until_closed()
    assert server.connections == 3


async def test_a_connection_is_kept_only_for_a_moment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "KEPT_SECONDS", 0.05)
    calls = ProviderCalls()
    async with keeping_connections():
        await server.call(calls)
        await asyncio.sleep(0.1)
        await server.call(calls)
    assert server.connections == 2


async def test_a_late_response_never_reaches_the_next_caller(server: Server) -> None:
    async def late_at_first(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            await asyncio.sleep(0.4)
        writer.write(response(number))

    server.respond = late_at_first
    calls = ProviderCalls()
    async with keeping_connections():
        with pytest.raises(ProviderTimeout):
            await server.call(calls, total=0.2)
        given_up = asyncio.create_task(server.call(calls))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        reply = await server.call(calls)
    assert reply.body == {"number": len(server.heads), "padding": ""}


async def test_the_rest_of_an_oversized_response_never_reaches_the_next_caller(server: Server) -> None:
    async def large_at_first(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(response(number, padding=2 * MAX_RESPONSE_BYTES if number == 1 else 0))

    server.respond = large_at_first
    calls = ProviderCalls()
    async with keeping_connections():
        with pytest.raises(ProviderUnreachable):
            await server.call(calls)
        assert (await server.call(calls)).body == {"number": 2, "padding": ""}
    assert server.connections == 2


async def test_no_call_repeats_a_cookie_of_another_and_none_asks_for_compression(server: Server) -> None:
    async def with_cookie(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(response(number, head="set-cookie: user=1; path=/\r\n"))

    server.respond = with_cookie
    calls = ProviderCalls()
    async with keeping_connections():
        await server.call(calls)
        await server.call(calls)
    for head in server.heads:
        assert "cookie:" not in head.lower()
        assert "Accept-Encoding: identity\r\n" in head
        assert f"Host: {server.url.split('/')[2]}\r\n" in head


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port/", "http://[::1/", "http://127.0.0.1:99999/", "http://x/\u2028", "http://.../"]
)
async def test_a_malformed_endpoint_is_reported(url: str) -> None:
    with pytest.raises(ProviderUnreachable):
        await ProviderCalls().send("GET", url, headers={}, timeouts=Timeouts())


async def test_an_ipv6_address_is_in_brackets_in_the_host_header() -> None:
    server = Server()
    try:
        listening = await asyncio.start_server(server._serve, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = listening.sockets[0].getsockname()[1]
    server.url = f"http://[::1]:{port}/token"
    try:
        assert (await server.call(ProviderCalls())).status == 200
        assert f"Host: [::1]:{port}\r\n" in server.heads[0]
        await server.until_closed()
    finally:
        listening.close()
