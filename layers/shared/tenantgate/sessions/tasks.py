"""Work on all sessions of a tenant: stopping and resuming them, and the sweep of those that have timed out.

Every step is a small transaction, so that the work may be killed at any moment and may run several times at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol
from uuid import UUID, uuid4

from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_entry import MARK_SECONDS
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import PageWork, SessionPolicy, SessionSecrets

_log = logging.getLogger(__name__)

# Small: a transaction holds the rows of one page.
_PAGE = 200
_TENANTS = 1000
# Each sweep checks this many look-ups, from a random one on.
_LOOKUPS = 2000
_CLOCKS_SECONDS = 60
# A request holds a session's row for milliseconds. One that is held for longer stays, and is refused.
_LOOK_SECONDS, _LOOKS = 0.1, 5
_FIRST = UUID(int=0)


class TenantSessionStore(Protocol):
    """Every method raises `DatabaseUnreachable`."""

    async def tenants(self, *, after: str, limit: int) -> Sequence[tuple[str, int | None]]:
        """Return up to `limit` registered tenants whose ids come after `after`, with their idle timeouts in minutes."""
        ...

    async def count(self, tenant_id: str) -> int: ...

    async def remove_begun(self, tenant_id: str, *, until: float, limit: int) -> int:
        """Remove up to `limit` sessions that began at `until` or before, and return their number.

        Sessions that another transaction holds stay.
        """
        ...

    async def with_page(self, tenant_id: str, work: PageWork, *, after: UUID, limit: int) -> UUID | None:
        """Hold up to `limit` sessions whose ids come after `after` while `work` runs; return the last id, if any."""
        ...

    async def overdue(self, tenant_id: str, *, idle_since: float, now: float, limit: int) -> Sequence[SessionSecrets]:
        """Return sessions that have expired, or were last used at `idle_since` or before."""
        ...

    async def mark_used(self, session_id: UUID, *, tenant_id: str, at: float) -> None: ...

    async def purge(
        self, session_ids: Sequence[UUID], *, tenant_id: str, idle_since: float, now: float
    ) -> Sequence[UUID]:
        """Remove those of the sessions that `overdue` would still return, record their ends, and return their ids."""
        ...

    async def lookups(self, *, after: UUID, limit: int) -> Mapping[str, Sequence[UUID]]:
        """Return the ids of up to `limit` look-ups from `after` on, by tenant."""
        ...

    async def prune_lookups(self, lookup_ids: Sequence[UUID], *, tenant_id: str) -> int:
        """Remove those of the look-ups that have no session; return their number."""
        ...

    async def prune_token_ids(self, *, now: float, limit: int) -> int:
        """Remove up to `limit` expired ids of logout tokens; return their number."""
        ...


async def remove_of_revoked(store: TenantSessionStore, tenant_id: str, *, until: float) -> int:
    """Remove the sessions that a revocation of the tenant refuses, with their refresh tokens; return their number.

    `until`: the time of the revocation, in epoch seconds. It was recorded before, and refuses them everywhere: the
    list gets no entry for each of them. May be killed and repeated.
    """
    removed = looks = 0
    while looks < _LOOKS:
        if page := await store.remove_begun(tenant_id, until=until, limit=_PAGE):
            removed, looks = removed + page, 0
        else:
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)
    return removed


class TenantSessions:
    """The sessions of a tenant, as far as the registry decides on them."""

    def __init__(self, store: TenantSessionStore, cache: SessionCache) -> None:
        self._store = store
        self._cache = cache

    async def count(self, tenant_id: str) -> int:
        """Return the number of stored sessions, also of those that the sweep has yet to remove."""
        return await self._store.count(tenant_id)

    async def apply_admission(self, tenant_id: str) -> tuple[int, int]:
        """Write tombstones for the sessions that the registry refuses now, and remove those of the others.

        Returns both numbers. Raises `CacheUnavailable`, also without a cache.
        """
        if self._cache.is_absent:
            raise CacheUnavailable("REDIS_URL isn't set")
        stopped = resumed = 0

        async def apply(page: Sequence[SessionSecrets]) -> None:
            nonlocal stopped, resumed
            for session in page:
                if session.admitted:
                    resumed += 1
                    await self._cache.remove_tombstone(tenant_id, session.secret_hashes[0])
                else:
                    stopped += 1
                    for secret_hash in session.secret_hashes:
                        await self._cache.end_secret(tenant_id, secret_hash)

        after: UUID | None = _FIRST
        while after is not None:
            after = await self._store.with_page(tenant_id, apply, after=after, limit=_PAGE)
        return stopped, resumed


@dataclass
class Swept:
    """The counts of a sweep. `kept`: sessions that Valkey knew to be in use."""

    tenants: int = 0
    sessions: int = 0
    kept: int = 0
    lookups: int = 0
    token_ids: int = 0


class SessionSweep:
    """Removes sessions that have timed out, look-ups without a session, and expired ids of logout tokens."""

    def __init__(
        self,
        store: TenantSessionStore,
        cache: SessionCache,
        policy: SessionPolicy,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cache = cache
        self._policy = policy
        self._clock = clock

    async def run(self) -> Swept:
        """Sweep every tenant of the registry once, log the counts and return them. Raises `DatabaseUnreachable`."""
        swept = Swept()
        after = ""
        while page := await self._store.tenants(after=after, limit=_TENANTS):
            for tenant_id, idle_minutes in page:
                await self._sweep_tenant(tenant_id, self._idle_seconds(idle_minutes), swept)
            after = page[-1][0]
        await self._sweep_shared(swept)
        _log.info("sessions swept", extra={"context": asdict(swept)})
        return swept

    def _idle_seconds(self, minutes: int | None) -> int:
        return self._policy.idle_seconds if minutes is None else min(self._policy.idle_seconds, minutes * 60)

    async def _sweep_tenant(self, tenant_id: str, idle_seconds: int, swept: Swept) -> None:
        swept.tenants += 1
        is_known = True
        while True:
            now = self._clock()
            # Without Valkey, only sessions whose last use can't be later there: an entry lives `cache_seconds` from a
            # reading of PostgreSQL, which notes a use that is older than a minute.
            unseen = 0 if is_known else self._policy.cache_seconds + MARK_SECONDS + _CLOCKS_SECONDS
            idle_since = now - idle_seconds - unseen
            overdue = await self._store.overdue(tenant_id, idle_since=idle_since, now=now, limit=_PAGE)
            if not overdue:
                return
            used: dict[UUID, int] = {}
            if is_known:
                try:
                    used = await self._later_uses(tenant_id, overdue, idle_since, now)
                except CacheUnavailable:
                    is_known = False
                    continue
            for session_id, at in used.items():
                await self._store.mark_used(session_id, tenant_id=tenant_id, at=at)
            swept.kept += len(used)
            dead = [session for session in overdue if session.id not in used]
            purged = set(
                await self._store.purge(
                    [session.id for session in dead], tenant_id=tenant_id, idle_since=idle_since, now=now
                )
            )
            swept.sessions += len(purged)
            await self._end_entries(tenant_id, [session for session in dead if session.id in purged])
            if not purged and not used:
                # Others hold all of them.
                return

    async def _later_uses(
        self, tenant_id: str, sessions: Sequence[SessionSecrets], idle_since: float, now: float
    ) -> dict[UUID, int]:
        """Return the sessions that are in use by Valkey's record, with their last use. Raises `CacheUnavailable`."""
        uses = {
            session.id: await self._cache.last_use(tenant_id, session.secret_hashes)
            for session in sessions
            if session.expires_at > now
        }
        return {session_id: at for session_id, at in uses.items() if at > idle_since}

    async def _end_entries(self, tenant_id: str, sessions: Sequence[SessionSecrets]) -> None:
        # An entry that is older than a shorter policy could still count as live.
        try:
            for session in sessions:
                for secret_hash in session.secret_hashes:
                    await self._cache.end_secret(tenant_id, secret_hash)
        except CacheUnavailable:
            return

    async def _sweep_shared(self, swept: Swept) -> None:
        for tenant_id, lookup_ids in (await self._store.lookups(after=uuid4(), limit=_LOOKUPS)).items():
            swept.lookups += await self._store.prune_lookups(lookup_ids, tenant_id=tenant_id)
        while removed := await self._store.prune_token_ids(now=self._clock(), limit=_PAGE):
            swept.token_ids += removed
