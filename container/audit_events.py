"""The audit events of refused requests in the container: stored in the background, in batches.

A request only puts its event into the queue. If the queue is full, or events can't be stored before the process ends,
they are log lines.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from tenantgate.audit.line import Marked, deliver_to, write_line
from tenantgate.audit.wiring import ingest
from tenantgate.errors.base import TenantgateError

logger = logging.getLogger(__name__)

# Events: of the queue, and of one batch.
MOST_WAITING = 1000
MOST_STORED = 200
# Seconds: until the first repetition and between the last ones, and for the rest at the end.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
AT_THE_END = 3.0

type Store = Callable[[Sequence[Marked]], Awaitable[object]]


async def _store(events: Sequence[Marked]) -> None:
    await ingest().events(events)


@asynccontextmanager
async def storing_audit_events(store: Store = _store) -> AsyncIterator[None]:
    """Store events while the block runs, and at its end, for a few seconds, those that wait."""
    queue = _Queue(asyncio.get_running_loop(), store)
    deliver_to(queue.put)
    running = asyncio.create_task(queue.run())
    try:
        yield
    finally:
        deliver_to(None)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await queue.drain()


class _Queue:
    def __init__(self, loop: asyncio.AbstractEventLoop, store: Store) -> None:
        self._loop = loop
        self._store = store
        self._events: deque[Marked] = deque()
        self._arrived = asyncio.Event()

    def put(self, event: Marked) -> None:
        """Take an event, from any thread."""
        if len(self._events) >= MOST_WAITING:
            write_line(event)
            return
        self._events.append(event)
        self._loop.call_soon_threadsafe(self._arrived.set)

    async def run(self) -> None:
        """Store what arrives, until cancelled. An event leaves the queue only when it is stored."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            await self._arrived.wait()
            self._arrived.clear()
            try:
                await self._store_all()
                pause = 0.0
            except TenantgateError as error:
                pause = _longer(pause)
                context = {"error_code": error.error.code, "waiting": len(self._events)}
                logger.warning("audit events wait: they can't be stored now", extra={"context": context})
            except Exception:
                # Repeating it could fail forever.
                logger.exception("audit events could not be stored")
                self._write_first()
            if self._events:
                self._arrived.set()

    async def drain(self) -> None:
        """Store what waits within some seconds, and write the rest as log lines."""
        try:
            async with asyncio.timeout(AT_THE_END):
                await self._store_all()
        except (TenantgateError, TimeoutError):
            context = {"number": len(self._events)}
            logger.warning("audit events were not stored: they are log lines", extra={"context": context})
        except Exception:
            logger.exception("audit events could not be stored")
        while self._events:
            self._write_first()

    async def _store_all(self) -> None:
        while self._events:
            batch = [self._events[place] for place in range(min(MOST_STORED, len(self._events)))]
            await self._store(batch)
            for _ in batch:
                self._events.popleft()

    def _write_first(self) -> None:
        for _ in range(min(MOST_STORED, len(self._events))):
            write_line(self._events.popleft())


def _longer(pause: float) -> float:
    return min(LONGEST_PAUSE, pause * 2) if pause else FIRST_PAUSE
