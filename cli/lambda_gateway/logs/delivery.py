"""Deliver the lines of functions to the functions that are subscribed to them, as CloudWatch Logs does.

Lines are collected for a moment, packed (JSON in gzip in base64), and sent in an asynchronous invocation, which is
repeated twice if it fails. A function whose output is in another log group than the subscribed one isn't delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import time
import uuid
from base64 import b64encode
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from lambda_gateway.aws import ACCOUNT_ID, new_trace_id
from lambda_gateway.model import Subscription
from lambda_gateway.runtime.failures import FunctionError

# Seconds. On AWS it takes a few until lines are delivered, and a minute and two until a failed delivery is repeated.
COLLECTED_FOR = 0.5
PAUSES = (1.0, 2.0)
# Lines of one delivery, and of those that wait for one; further ones are lost, as this machine's memory is bounded.
MOST_LINES = 500
MOST_WAITING = 10_000
_LIMIT = 900.0

type Invoke = Callable[[str, bytes, str, float], Awaitable[bytes]]


class Deliveries:
    """The deliveries of one subscription."""

    def __init__(self, subscription: Subscription, invoke: Invoke, *, pauses: Sequence[float] = PAUSES) -> None:
        self.subscription = subscription
        self._invoke = invoke
        self._pauses = pauses
        self._lines: deque[tuple[int, str]] = deque(maxlen=MOST_WAITING)
        self._running: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def line(self, line: str) -> None:
        """Take a line of the log group."""
        if self.subscription.pattern(line):
            self._lines.append((int(time.time() * 1000), line))
            if self._running is None or self._running.done():
                self._running = asyncio.create_task(self._deliver())

    async def stop(self, seconds: float) -> None:
        """Deliver at once what waits, for at most some seconds."""
        self._hurry.set()
        if self._running is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._running, seconds)

    async def _deliver(self) -> None:
        while self._lines:
            await self._pause(COLLECTED_FOR)
            part = [self._lines.popleft() for _ in range(min(MOST_LINES, len(self._lines)))]
            event = packed(part, self.subscription)
            for pause in (*self._pauses, None):
                try:
                    await self._invoke(self.subscription.function, event, new_trace_id(), _LIMIT)
                except (FunctionError, TimeoutError):
                    # The function's own log has the reason.
                    if pause is None:
                        break
                    await self._pause(pause)
                else:
                    break

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)


def packed(lines: Sequence[tuple[int, str]], subscription: Subscription) -> bytes:
    """Return the event of a delivery. `lines`: each with its time in milliseconds."""
    content = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT_ID,
        "logGroup": subscription.log_group,
        "logStream": "local",
        "subscriptionFilters": [subscription.name],
        "logEvents": [{"id": uuid.uuid4().hex, "timestamp": at, "message": line} for at, line in lines],
    }
    data = b64encode(gzip.compress(json.dumps(content).encode(), compresslevel=1)).decode()
    return json.dumps({"awslogs": {"data": data}}).encode()
