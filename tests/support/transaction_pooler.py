"""A pooler in transaction mode, as PgBouncer and RDS Proxy are: a server connection is lent for one transaction.

It knows as much of PostgreSQL's protocol (version 3.0) as lending takes. Clients need no password; the server's
connections are opened with that of the URL. Nothing is reset in between, so whatever belongs to a session would show.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

_SSL_REQUEST = 80877103
_GOODBYE = b"X\0\0\0\4"
_LOST = (OSError, asyncio.IncompleteReadError)


@dataclass
class _Server:
    """One connection to the server. `greeting`: what it said of itself before it was ready."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    greeting: bytes = b""

    @classmethod
    async def connect(cls, url: str) -> Self:
        parts = urlsplit(url)
        made = cls(*await asyncio.open_connection(parts.hostname, parts.port))
        fields = ("user", unquote(parts.username or ""), "database", parts.path.lstrip("/"), "")
        start = struct.pack("!i", 196608) + b"\0".join(text.encode() for text in fields) + b"\0"
        made.writer.write(struct.pack("!i", len(start) + 4) + start)
        try:
            await made._log_in(unquote(parts.password or ""))
            while (message := await _message(made.reader))[:1] != b"Z":
                made.greeting += message
        except BaseException:
            await _close(made.writer)
            raise
        return made

    async def _log_in(self, password: str) -> None:
        """SCRAM-SHA-256 (RFC 5802, RFC 7677); the server isn't asked to prove that it knows the password."""
        assert (await self._asked())[:4] == struct.pack("!i", 10)
        first = f"n=,r={secrets.token_urlsafe(18)}"
        self._answer(b"SCRAM-SHA-256\0" + struct.pack("!i", len(first) + 3) + b"n,," + first.encode())
        challenge = (await self._asked())[4:].decode()
        given = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"]))
        last = f"c=biws,r={given['r']}"
        key = hmac.digest(salted, b"Client Key", "sha256")
        signed = hmac.digest(hashlib.sha256(key).digest(), f"{first},{challenge},{last}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signed, strict=True))).decode()
        self._answer(f"{last},p={proof}".encode())
        await self._asked()
        assert await self._asked() == struct.pack("!i", 0)

    async def _asked(self) -> bytes:
        message = await _message(self.reader)
        assert message[:1] == b"R", message
        return message[5:]

    def _answer(self, body: bytes) -> None:
        self.writer.write(b"p" + struct.pack("!i", len(body) + 4) + body)


@dataclass
class TransactionPooler:
    """`url`: where it serves. `lent`: how often a server connection was lent."""

    _server_url: str
    _greeting: bytes
    url: str = ""
    lent: int = 0
    # None: a connection that the next who needs it makes.
    _idle: asyncio.Queue[_Server | None] = field(default_factory=asyncio.Queue)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def stop(self) -> None:
        """Leave no client and no connection to the server."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        while not self._idle.empty():
            if (server := self._idle.get_nowait()) is not None:
                await _close(server.writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        said: asyncio.Queue[bytes] = asyncio.Queue()
        listening = asyncio.create_task(_listen(reader, said, self._welcome(reader, writer)))
        try:
            while (message := await said.get()) != _GOODBYE:
                await self._lend(message, said, writer)
        except ConnectionResetError:
            pass
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await _close(writer)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while struct.unpack("!i", (await _startup(reader))[:4])[0] == _SSL_REQUEST:
            writer.write(b"N")
        writer.write(b"R" + struct.pack("!ii", 8, 0) + self._greeting + b"Z" + struct.pack("!i", 5) + b"I")

    async def _lend(self, message: bytes, said: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
        """Pass everything on in both directions until the server says that no transaction is open."""
        server = await self._idle.get()
        self.lent += 1
        clean = False
        try:
            server = server or await _Server.connect(self._server_url)
            asking = asyncio.create_task(_pass_on(message, said, server.writer))
            answering = asyncio.create_task(_pass_back(server.reader, writer))
            try:
                await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
                clean = answering.done() and answering.exception() is None
            finally:
                for task in (asking, answering):
                    task.cancel()
                await asyncio.gather(asking, answering, return_exceptions=True)
        finally:
            # If one of the two left within a transaction, the server undoes it.
            self._idle.put_nowait(server if clean else None)
            if server is not None and not clean:
                await _close(server.writer)
        if not clean:
            raise ConnectionResetError


@asynccontextmanager
async def transaction_pooler(server_url: str, *, connections: int) -> AsyncIterator[TransactionPooler]:
    """Serve on a free loopback port, with so many connections to the server."""
    parts = urlsplit(server_url)
    servers = [await _Server.connect(server_url) for _ in range(connections)]
    pooler = TransactionPooler(server_url, servers[0].greeting)
    for server in servers:
        pooler._idle.put_nowait(server)
    listening = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        pooler.url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))
        try:
            yield pooler
        finally:
            await pooler.stop()


async def _listen(reader: asyncio.StreamReader, said: asyncio.Queue[bytes], welcome: Awaitable[None]) -> None:
    with suppress(*_LOST):
        await welcome
        while (message := await _message(reader)) != _GOODBYE:
            said.put_nowait(message)
    said.put_nowait(_GOODBYE)


async def _pass_on(message: bytes, said: asyncio.Queue[bytes], writer: asyncio.StreamWriter) -> None:
    while message != _GOODBYE:
        writer.write(message)
        message = await said.get()


async def _pass_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # asyncpg sends a statement when the one before it was answered, so "ready, no transaction" has nothing behind it.
    while (message := await _message(reader)) != b"Z\0\0\0\5I":
        writer.write(message)
    writer.write(message)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(*_LOST):
        await writer.wait_closed()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


async def _startup(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(struct.unpack("!i", await reader.readexactly(4))[0] - 4)
