"""The choice of the responses that are compressed, and their headers."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from backports import zstd
from starlette.types import Message, Receive, Scope, Send

from container import compression
from container.compression import LEAST_BYTES, Compression

pytestmark = pytest.mark.anyio

DOCUMENT = "/docs/openapi.json"
BODY = b'{"openapi":"3.1.0"}' * 100
DECODED = {b"gzip": gzip.decompress, b"zstd": zstd.decompress}


class App:
    """Responds with `body`, in as many messages as `chunks`."""

    def __init__(self, body: bytes = BODY, *, status: int = 200, chunks: int = 1, **headers: str) -> None:
        self._body = body
        self._status = status
        self._chunks = chunks
        self._headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in self._headers.items()]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        size = -(-len(self._body) // self._chunks)
        for number in range(self._chunks):
            part = self._body[number * size : (number + 1) * size]
            await send({"type": "http.response.body", "body": part, "more_body": number < self._chunks - 1})


async def ask(
    app: Any, path: str = DOCUMENT, accept: str | None = "gzip", method: str = "GET"
) -> tuple[dict[bytes, list[bytes]], bytes]:
    """Return the headers, each with all its values, and the body."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [] if accept is None else [(b"accept-encoding", accept.encode())]
    await app({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    found: dict[bytes, list[bytes]] = {}
    for name, value in sent[0]["headers"]:
        found.setdefault(name, []).append(value)
    return found, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("accept", "coding"), [("gzip", b"gzip"), ("gzip, zstd", b"zstd")])
async def test_a_document_is_compressed_as_the_client_prefers(accept: str, coding: bytes, method: str) -> None:
    # The server leaves the body of a response to HEAD out: its headers are those of GET (RFC 9110 §9.3.2).
    headers, body = await ask(Compression(App()), accept=accept, method=method)
    assert headers[b"content-encoding"] == [coding]
    assert headers[b"vary"] == [b"Accept-Encoding"]
    assert headers[b"content-length"] == [str(len(body)).encode()]
    assert len(body) < len(BODY)
    assert DECODED[coding](body) == BODY


@pytest.mark.parametrize("accept", [None, "identity", "gzip;q=0", "br"])
async def test_another_client_gets_it_as_it_is_and_a_cache_learns_that_it_varies(accept: str | None) -> None:
    headers, body = await ask(Compression(App()), accept=accept)
    assert body == BODY
    assert b"content-encoding" not in headers
    assert headers[b"content-length"] == [str(len(BODY)).encode()]
    assert headers[b"vary"] == [b"Accept-Encoding"]


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(App(BODY[: LEAST_BYTES - 1]), id="small"),
        pytest.param(App(status=404), id="an error"),
        pytest.param(App(status=206, content_range="bytes 0-99/200"), id="a part"),
        pytest.param(App(content_encoding="br"), id="coded already"),
        pytest.param(App(set_cookie="a=b"), id="with a cookie"),
        pytest.param(App(cache_control="public, No-Transform"), id="not to be changed"),
        pytest.param(App(chunks=3), id="streamed"),
    ],
)
async def test_other_responses_are_unchanged(app: App) -> None:
    headers, body = await ask(Compression(app))
    assert (headers, body) == await ask(app)
    assert b"vary" not in headers


async def test_a_body_that_would_grow_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "compressed", lambda body, coding: body + b"x")
    headers, body = await ask(Compression(App()))
    assert body == BODY
    assert b"content-encoding" not in headers


@pytest.mark.parametrize("path", ["/", "/api/v1/auth/me", "/docs/", "/docs/openapi.json/", "/Docs", "/docs/assets/x"])
async def test_no_other_path_is_compressed(path: str) -> None:
    headers, body = await ask(Compression(App()), path)
    assert body == BODY
    assert headers.keys().isdisjoint({b"content-encoding", b"vary"})


async def test_each_document_is_compressed_once_also_by_clients_that_ask_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[bytes] = []

    def counted(body: bytes, coding: Any) -> bytes:
        made.append(body)
        return b"z"

    monkeypatch.setattr(compression, "compressed", counted)
    app = Compression(App())
    assert {body for _, body in await asyncio.gather(*(ask(app) for _ in range(20)))} == {b"z"}
    assert len(made) == 1


async def test_it_keeps_only_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "_KEPT", 2)
    inner = App()
    app = Compression(inner)
    for number in range(5):
        inner._body = BODY + str(number).encode()
        await ask(app)
    assert len(app._made) == 2
