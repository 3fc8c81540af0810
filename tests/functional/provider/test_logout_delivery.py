"""The request that brings a logout token to the client, over real HTTP, and clients that respond badly."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import pytest

from tenantgate.openid_provider.protocol import logout_tokens
from tenantgate.openid_provider.protocol.logout_tokens import deliver_over_http

pytestmark = pytest.mark.anyio

TOKEN = "header.claims.signature+/="
type Respond = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Client:
    """A client's server: keeps each request's text, and responds with `respond`."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def serving(self, respond: Respond) -> AsyncIterator[None]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
            self.requests.append(head + (await reader.readexactly(length)).decode())
            try:
                await respond(writer)
            except ConnectionError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1/auth/backchannel-logout"
        async with server:
            yield


def status(line: str, *headers: str) -> Respond:
    async def respond(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([f"HTTP/1.1 {line}", "content-length: 0", *headers, "", ""]).encode())
        await writer.drain()

    return respond


async def says_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(2)


async def sends_without_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def drips(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"H")
        await writer.drain()
        await asyncio.sleep(0.05)


async def closes(writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.mark.parametrize("line", ["200 OK", "204 No Content"])
async def test_a_token_is_posted_as_a_form(client: Client, line: str, caplog: pytest.LogCaptureFixture) -> None:
    async with client.serving(status(line)):
        await deliver_over_http(client.url, TOKEN)
    [request] = client.requests
    head, _, body = request.partition("\r\n\r\n")
    assert head.startswith("POST /api/v1/auth/backchannel-logout HTTP/1.1\r\n")
    assert "content-type: application/x-www-form-urlencoded" in head.lower()
    assert "cookie" not in head.lower()
    assert parse_qs(body) == {"logout_token": [TOKEN]}
    assert caplog.records == []


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(status("400 Bad Request"), id="refused"),
        pytest.param(status("404 Not Found"), id="no-such-endpoint"),
        pytest.param(status("500 Internal Server Error"), id="failed"),
        pytest.param(closes, id="closed"),
        pytest.param(says_nothing, id="silent"),
        pytest.param(drips, id="slow"),
    ],
)
async def test_a_failure_is_logged_and_does_not_fail_the_sign_out(
    client: Client, respond: Respond, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logout_tokens, "_TOTAL_SECONDS", 0.4)
    async with client.serving(respond):
        started = time.monotonic()
        await deliver_over_http(client.url, TOKEN)
        assert time.monotonic() - started < 1.5
    assert len(caplog.records) == 1
    assert TOKEN not in caplog.text


async def test_a_redirect_is_not_followed(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = Client()
    async with elsewhere.serving(status("200 OK")):
        redirect = status("307 Temporary Redirect", f"location: {elsewhere.url}")
        async with client.serving(redirect):
            await deliver_over_http(client.url, TOKEN)
    assert (len(client.requests), elsewhere.requests) == (1, [])
    assert "refused a logout token" in caplog.text


async def test_a_body_without_end_is_not_read(client: Client) -> None:
    started = time.monotonic()
    async with client.serving(sends_without_end):
        await deliver_over_http(client.url, TOKEN)
    assert time.monotonic() - started < 2


async def test_a_client_that_is_not_there_fails_nothing(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    async with client.serving(status("200 OK")):
        pass
    await deliver_over_http(client.url, TOKEN)
    assert "ConnectError" in str([getattr(record, "context", None) for record in caplog.records])
