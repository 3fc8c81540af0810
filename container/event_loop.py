"""An event loop that accepts all waiting connections when it gets to them.

uvloop (libuv since 1.45) accepts one connection in each iteration. While it is busy, an iteration takes long, and
connections wait in the kernel, where no limit counts them: for seconds, and also after their clients have given up.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, cast, override

import uvloop

# In one iteration; the other processes take some, too.
_MOST_AT_ONCE = 64


class AcceptingLoop(uvloop.Loop):
    """uvloop, with servers that accept up to 64 more connections in each iteration."""

    def __init__(self) -> None:
        super().__init__()
        self._listening: list[socket.socket] = []

    @override
    def close(self) -> None:
        for listening in self._listening:
            listening.close()
        super().close()

    @override
    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], *arguments: Any, **options: Any
    ) -> asyncio.Server:
        server = cast("asyncio.Server", await super().create_server(protocol_factory, *arguments, **options))
        for listening in server.sockets:
            # uvloop watches its own descriptor, and allows no other reader for it.
            copy = socket.socket(fileno=os.dup(listening.fileno()))
            copy.setblocking(False)
            self._listening.append(copy)
            self.add_reader(copy, self._accept, server, copy, protocol_factory)
        return server

    def _accept(
        self, server: asyncio.Server, listening: socket.socket, protocol_factory: Callable[[], asyncio.Protocol]
    ) -> None:
        if not server.is_serving():
            self.remove_reader(listening)
            listening.close()
            return
        for _ in range(_MOST_AT_ONCE):
            try:
                accepted, _ = listening.accept()
            except OSError:
                # No more, or no descriptor for it: then uvloop reports it.
                return
            accepted.setblocking(False)
            self.create_task(self._serve(accepted, protocol_factory))

    async def _serve(self, accepted: socket.socket, protocol_factory: Callable[[], asyncio.Protocol]) -> None:
        try:
            await self.connect_accepted_socket(protocol_factory, accepted)
        except OSError:
            # The client has reset it already.
            accepted.close()
