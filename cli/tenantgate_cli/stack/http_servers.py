"""uvicorn servers inside a larger program."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import override

import uvicorn

from lambda_gateway.asgi import AsgiApp
from tenantgate_cli.stack.ports import BoundPort
from tenantgate_cli.stack.websocket_server import quiet_server_log, websocket_settings

_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: other parts of the program must stop in order too."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServers:
    """Servers that stop together, one for each API."""

    def __init__(self) -> None:
        self._servers: list[_Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        quiet_server_log()

    async def start(self, app: AsgiApp, bound: BoundPort, *, websocket: bool = False) -> None:
        """Serve `app` on every socket of the port. Return when the server accepts requests."""
        settings = websocket_settings() if websocket else {"ws": "none"}
        config = uvicorn.Config(
            app,
            lifespan="off",
            **settings,
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        server = _Server(config)
        self._servers.append(server)
        self._tasks.append(asyncio.create_task(server.serve(sockets=list(bound.sockets))))
        await server.serving.wait()

    def stop(self) -> None:
        """Accept no more requests."""
        for server in self._servers:
            server.should_exit = True

    async def wait_stopped(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
