"""Publish the list of revocations again and again: it counts only for seconds after PostgreSQL was read."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable

_log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
# While Valkey is away, so that it has a list soon after it is back. Its client connects once a second at most.
RETRY_SECONDS = 0.25
_PAGE = 1_000


class Publisher(Protocol):
    """See `cache.Publisher`."""

    async def publish(self) -> int: ...


class Store(Protocol):
    """The part of `repository.RevocationRepository` that pruning uses."""

    async def prune(self, *, now: float, limit: int) -> int: ...


class Republisher:
    """Publishes every second, and more often while Valkey is away. `monotonic` and `sleep`: of the event loop."""

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
        self._quiet_until = 0.0

    async def run(self, seconds: float) -> tuple[int, int]:
        """Publish for this time; return the numbers of publications and of failures. A failure is only logged."""
        ends = self._monotonic() + seconds
        published = failures = 0
        while True:
            began = self._monotonic()
            failure = await self._failure()
            if failure is None:
                published += 1
            else:
                failures += 1
            every = RETRY_SECONDS if isinstance(failure, CacheUnavailable) else self._every
            # From the begin of the last one: a slow publication doesn't delay the next.
            pause = max(0.0, began + every - self._monotonic())
            if self._monotonic() + pause >= ends:
                return published, failures
            await self._sleep(pause)

    async def _failure(self) -> TenantgateError | None:
        """Publish, and return the reason if that failed. The log has one in a second."""
        try:
            await self._publisher.publish()
        except TenantgateError as error:
            if (now := self._monotonic()) >= self._quiet_until:
                self._quiet_until = now + self._every
                context = {"error_code": error.error.code, **error.private}
                _log.warning("the list of revocations was not published", extra={"context": context})
            return error
        return None


async def prune(store: Store, *, now: float) -> int:
    """Remove the revocations that have expired, and return their number. Raises `DatabaseUnreachable`."""
    removed = 0
    while (page := await store.prune(now=now, limit=_PAGE)) > 0:
        removed += page
    return removed
