"""PostgreSQL over TLS: a front that ends TLS before a server that has none, as the embedded one."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from urllib.parse import quote, urlsplit, urlunsplit

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_LOST = (OSError, asyncio.IncompleteReadError)


@dataclass
class TlsFront:
    """`port`: where it serves. `connected`: clients that got as far as the server behind it."""

    port: int = 0
    connected: int = 0
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, server_url: str, *, host: str, **query: object) -> str:
        """`server_url` by way of this front, under the name `host`."""
        parts = urlsplit(server_url)
        login = parts.netloc.rpartition("@")[0]
        written = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        return urlunsplit(parts._replace(netloc=f"{login}@{host}:{self.port}", query=written))


@asynccontextmanager
async def tls_front(server_url: str, context: SSLContext) -> AsyncIterator[TlsFront]:
    """Serve on a free loopback port with the certificate of `context`."""
    parts = urlsplit(server_url)
    front = TlsFront()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        front._serving.add(task)
        try:
            assert await reader.readexactly(8) == _SSL_REQUEST
            writer.write(b"S")
            await writer.start_tls(context)
            first = await reader.readexactly(4)
            front.connected += 1
            server_reader, server_writer = await asyncio.open_connection(parts.hostname, parts.port)
            server_writer.write(first)
            try:
                await asyncio.gather(_pass_on(reader, server_writer), _pass_on(server_reader, writer))
            finally:
                server_writer.close()
        except (*_LOST, asyncio.CancelledError):
            pass
        finally:
            front._serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        front.port = server.sockets[0].getsockname()[1]
        yield front
    finally:
        server.close()
        for task in set(front._serving):
            task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 5)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
