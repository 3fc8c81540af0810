"""The lease of a session's refresh, which is kept as long as its holder lives and works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from tenantgate import time_limits
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.sessions.models import StoredSession


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. `lease`: without an extension, such as that of a killed process. `wait`: for another caller's refresh.

    `verify`: for keys that the verification of new tokens needs; more if there is time left (`to_verify`). `store`: for
    a database that is away when the provider has given new tokens. API Gateway waits 30 s and Lambda 29 s: 25 s are the
    provider's, and the rest is for the database.
    """

    lease: float = 5.0
    wait: float = 26.0
    verify: float = 2.0
    store: float = 10.0
    first_pause: float = 0.02
    longest_pause: float = 0.5

    def to_verify(self, left: float) -> float:
        """Return the limit of a verification, `left` seconds before the response must be sent.

        It is longer than `verify` if the provider was quick: it has redeemed the refresh token, and a failure here
        leaves the caller without a new access token.
        """
        return max(self.verify, min(time_limits.KEYS_TOTAL, left - self.store))


class Leases(Protocol):
    async def extend(self, session: StoredSession, holder: UUID, *, seconds: float) -> None: ...


@asynccontextmanager
async def extended(leases: Leases, session: StoredSession, holder: UUID, *, seconds: float) -> AsyncIterator[None]:
    """Extend the lease again and again until the block ends."""

    done = asyncio.Event()

    async def extend() -> None:
        while not await _is_set(done, within=seconds / 3):
            # The next attempt may succeed. If none does, another caller takes the lease, and only its result counts.
            with suppress(DatabaseUnreachable):
                await leases.extend(session, holder, seconds=seconds)

    task = asyncio.create_task(extend())
    try:
        yield
    finally:
        # Not cancelled: that would drop a database connection in the middle of a statement.
        done.set()
        await task


async def repeated[T](write: Callable[[], Awaitable[T]], *, until: float, pause: float) -> T:
    """Write new tokens, again and again while the database fails. Raises `DatabaseUnreachable` in the end.

    The provider has replaced the refresh token by then: without the new one, the session ends at its next refresh.
    `until`: a moment of the monotonic clock.
    """
    while True:
        try:
            return await write()
        except DatabaseUnreachable:
            if time.monotonic() + pause >= until:
                raise
        await asyncio.sleep(pause)


async def _is_set(event: asyncio.Event, *, within: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within)
    return event.is_set()
