"""An open connection, and all open connections of an API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from lambda_gateway.asgi import Send
from lambda_gateway.events.websocket import Connected
from lambda_gateway.websocket.limits import SEND_TIMEOUT


class Gone(Exception):
    """The connection is closed."""


class ClientSlow(Exception):
    """The client doesn't read its messages."""


class Connection:
    """One connection. `last_active` is in epoch seconds."""

    def __init__(self, connected: Connected, send: Send) -> None:
        self.connected = connected
        self.last_active = time.time()
        # The code and reason with which another part of the gateway closes it.
        self.closing: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._send = send

    @property
    def id(self) -> str:
        return self.connected.handshake.connection_id

    async def send(self, text: str) -> None:
        """Send a message to the client. Raises Gone or ClientSlow."""
        if self.closing.done():
            raise Gone
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            raise ClientSlow from None
        except (OSError, RuntimeError) as error:
            # uvicorn's errors for a connection that was lost, and for one that is already closed.
            raise Gone from error
        self.last_active = time.time()

    def close(self, code: int, reason: str) -> None:
        """Close the connection soon. Only the first call counts."""
        if not self.closing.done():
            self.closing.set_result((code, reason))


class Connections:
    """The open connections of an API by their ids."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open.values()))

    def add(self, connection: Connection) -> None:
        self._open[connection.id] = connection

    def remove(self, connection: Connection) -> None:
        self._open.pop(connection.id, None)

    def get(self, connection_id: str) -> Connection | None:
        return self._open.get(connection_id)
