"""The list of revocations by which web functions judge."""

from __future__ import annotations

import logging

from tenantgate.cache_counts import REVOCATIONS, count
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.patience import note_work
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revocation.distribution.publisher import Cache, Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revoked.fetching import fetch_into
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.snapshot import Head, Snapshot
from tenantgate.shared_calls import SharedCalls

_log = logging.getLogger(__name__)


class CurrentRevocations:
    """The snapshot by which web functions judge: from Valkey or, if that has none that counts, from PostgreSQL."""

    def __init__(
        self, recorded: Recorded, cache: Cache | None, publisher: Publisher | None, *, holder: Holder | None = None
    ) -> None:
        """Take the record, and the cache with the publisher on it; None for both without a cache."""
        self._recorded = recorded
        self._cache = cache
        self._publisher = publisher
        self._holder = holder or Holder()
        self._fetches = SharedCalls[None, None]()

    async def refresh(self) -> None:
        """Fetch another snapshot if the held one is due. Never raises: `current` tells whether one counts."""
        if self._holder.is_due():
            await self._fetches.share(None, self._fetch)

    def current(self) -> Snapshot:
        """Return the snapshot. Raises `RevocationUnknown`."""
        return self._holder.current()

    async def _fetch(self) -> None:
        # For all that wait: some of them may have done work that would be lost.
        note_work()
        if self._cache is not None and await self._fetches_from(self._cache):
            return
        try:
            head, snapshot = await self._recorded.read()
        except DatabaseUnreachable as failure:
            self._holder.failed(failure.reason)
            return
        if not self._holder.accept(head, snapshot):
            self._holder.failed()
        elif self._publisher is not None:
            await self._help(self._publisher, head, snapshot)

    async def _fetches_from(self, cache: Cache) -> bool:
        steps = fetch_into(self._holder)
        keys = next(steps)
        try:
            while True:
                keys = steps.send(await cache.get_many(keys))
        except CacheUnavailable:
            count(REVOCATIONS, None)
            return False
        except StopIteration as end:
            found, taken = end.value
            count(REVOCATIONS, found)
            return bool(taken)

    async def _help(self, publisher: Publisher, head: Head, snapshot: Snapshot) -> None:
        """Publish what this process had to read from PostgreSQL itself: the republisher is late."""
        try:
            await publisher.put(head, snapshot)
        except (CacheUnavailable, DatabaseUnreachable) as failure:
            _log.warning("the list of revocations was not published", extra={"context": failure.private})


class NoRevocations:
    """Stands for the list where neither PostgreSQL nor Valkey is configured: nothing counts as revoked."""

    _NONE = Snapshot(0, frozenset(), {}, frozenset(), None, {})

    async def refresh(self) -> None:
        """Do nothing."""

    def current(self) -> Snapshot:
        """Return the empty snapshot."""
        return self._NONE
