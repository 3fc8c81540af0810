"""The end of a process that serves: a while after SIGTERM in which it still accepts requests.

A load balancer that checks health, or learns of the end at the same time as this process, sends requests for a few
more seconds. Until then this serves them, fails the readiness check, and asks each client to close its connection. If a
server closes a keep-alive connection while the client sends the next request, that request is lost.

uvicorn does the rest: it closes the sockets and the idle connections, and waits for the requests in progress.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from types import FrameType
from typing import Any, cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenantgate.errors.tokens import Overloaded
from tenantgate.web.middleware import REJECTION_KEY

logger = logging.getLogger(__name__)

READY = "/api/v1/health/ready"


class Draining:
    """Serves `app` for `seconds` after the first SIGTERM, and passes the signal on then, or at the second one."""

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._ends: asyncio.TimerHandle | None = None
        self._stop: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._watching(send))
            return
        if self._ends is None or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == READY:
            scope.setdefault(REJECTION_KEY, Overloaded("this process is stopping", retry_after=1))

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [item for item in message.get("headers", ()) if item[0].lower() != b"connection"]
                message["headers"] = [*others, (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_last)

    def _watching(self, send: Send) -> Send:
        async def send_started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._take_over()
            await send(message)

        return send_started

    def _take_over(self) -> None:
        """Handle SIGTERM before the server, which has set its handler by now."""
        if self._seconds <= 0 or threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        self._stop = signal.getsignal(signal.SIGTERM)

        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._begin, loop, number)

        signal.signal(signal.SIGTERM, handle)

    def _begin(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._pass_on(number)
            return
        logger.info("stopping")
        self._ends = loop.call_later(self._seconds, self._pass_on, number)

    def _pass_on(self, number: int) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        if callable(self._stop):
            cast("Any", self._stop)(number, None)
        else:
            signal.raise_signal(number)
