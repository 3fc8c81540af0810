"""JSON lines between the coordinator of a run and its worker processes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

type Message = dict[str, Any]


class Channel:
    """One connection. `send` is safe from several tasks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, **message: object) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> Message | None:
        """Return the next message; None when the other end has closed the connection."""
        line = await self._reader.readline()
        return json.loads(line) if line else None

    def close(self) -> None:
        self._writer.close()
