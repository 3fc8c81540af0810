"""An ASGI application under uvicorn on a free loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn


def free_socket() -> socket.socket:
    """A listening-to-be socket on a free loopback port: the port is ours from now on."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", 0))
    return made


class AppServer:
    """Serves `app` on `sock` while it is entered."""

    def __init__(self, app: Any, sock: socket.socket) -> None:
        self._socket = sock
        started = threading.Event()

        class Server(uvicorn.Server):
            async def main_loop(self) -> None:
                # Woken when it is to stop, where uvicorn's own looks ten times a second.
                self.loop, self.stopping = asyncio.get_running_loop(), asyncio.Event()
                await self.on_tick(0)
                started.set()
                await self.stopping.wait()

            def stop(self) -> None:
                self.should_exit = True
                self.loop.call_soon_threadsafe(self.stopping.set)

        self._started = started
        self._server = Server(uvicorn.Config(app, log_config=None, lifespan="on", access_log=False))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [sock]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(20), "the server did not start"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop()
        self._thread.join(20)
        assert not self._thread.is_alive(), "the server did not stop"
        self._socket.close()
