"""Publish the list of revocations again and again: it counts only for seconds after PostgreSQL was read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from tenantgate.errors.base import TenantgateError

_log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
_PAGE = 1_000


class Publisher(Protocol):
    """See `cache.Publisher`."""

    async def publish(self) -> int: ...


class Store(Protocol):
    """The part of `repository.RevocationRepository` that pruning uses."""

    async def prune(self, *, now: float, limit: int) -> int: ...


class Republisher:
    """Publishes every second. `monotonic` and `sleep`: of the event loop."""

    def __init__(
        self,
        publisher: Publisher,
        *,
        every: float = EVERY_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._publisher = publisher
        self._every = every
        self._monotonic = monotonic
        self._sleep = sleep

    async def run(self, seconds: float) -> tuple[int, int]:
        """Publish for this time; return the numbers of publications and of failures. A failure is only logged."""
        ends = self._monotonic() + seconds
        published = failures = 0
        while True:
            began = self._monotonic()
            if await self._publishes():
                published += 1
            else:
                failures += 1
            # From the begin of the last one: a slow publication doesn't delay the next.
            pause = max(0.0, began + self._every - self._monotonic())
            if self._monotonic() + pause >= ends:
                return published, failures
            await self._sleep(pause)

    async def _publishes(self) -> bool:
        try:
            await self._publisher.publish()
        except TenantgateError as error:
            context = {"error_code": error.error.code, **error.private}
            _log.warning("the list of revocations was not published", extra={"context": context})
            return False
        return True


async def prune(store: Store, *, now: float) -> int:
    """Remove the revocations that have expired, and return their number. Raises `DatabaseUnreachable`."""
    removed = 0
    while (page := await store.prune(now=now, limit=_PAGE)) > 0:
        removed += page
    return removed
