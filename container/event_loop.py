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
        copies = []
        for listening in server.sockets:
            # uvloop watches its own descriptor, and allows no other reader for it.
            copy = socket.socket(fileno=os.dup(listening.fileno()))
            copy.setblocking(False)
            copies.append(copy)
            self.add_reader(copy, self._accept, copy, protocol_factory)
        self._listening += copies
        return cast("asyncio.Server", _Server(server, lambda: self._stop(copies)))

    def _stop(self, listening: list[socket.socket]) -> None:
        for one in listening:
            if one.fileno() != -1:
                self.remove_reader(one)
                one.close()

    def _accept(self, listening: socket.socket, protocol_factory: Callable[[], asyncio.Protocol]) -> None:
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


class _Server:
    """A server that closes the copies of its sockets with them: the kernel accepts connections while one is open."""

    def __init__(self, server: asyncio.Server, stop: Callable[[], None]) -> None:
        self._server = server
        self._stop = stop

    def close(self) -> None:
        self._stop()
        self._server.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)
