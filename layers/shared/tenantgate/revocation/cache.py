"""The list of revocations in Valkey: published from PostgreSQL, and read by the web functions.

Publishers may run at once, and one may be frozen for any time between its reading and its writing. So a write takes
effect only if its epoch is higher than the published one, or the same with a later reading of PostgreSQL.

`TENANT_REGISTRATION` is a setting of each publisher. If publishers differ, as while processes with another one take
over, `closed` counts, so that the published rule doesn't change with each publication: a list of the same epoch that is
`open` replaces a closed one only after `CLOSED_SECONDS` without a publication of that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tenantgate.cache_counts import REVOCATIONS, count
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY, Head, Snapshot

_log = logging.getLogger(__name__)

# A server that gets no further snapshot must not keep an old one.
KEPT_SECONDS = 60
# Longer than a second between publications and one by which clocks differ, and shorter than a list counts.
CLOSED_SECONDS = 2.5
_PUBLISH = """
local held = redis.call('GET', KEYS[1])
local epoch, read_at = tonumber(ARGV[1]), tonumber(ARGV[2])
if held then
  local ok, head = pcall(cjson.decode, held)
  if ok and type(head) == 'table' and type(head.epoch) == 'number' and type(head.read_at) == 'number' then
    if head.epoch > epoch or (head.epoch == epoch and head.read_at > read_at) then
      return head.epoch
    end
    if head.epoch == epoch and head.closed == true and ARGV[7] == '' and read_at - head.read_at < tonumber(ARGV[8]) then
      return head.epoch
    end
  end
end
local prefix = ARGV[5]
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[6])
elseif redis.call('GETRANGE', KEYS[2], 0, #prefix - 1) == prefix then
  redis.call('EXPIRE', KEYS[2], ARGV[6])
else
  return -1
end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[6])
return epoch
"""
_NEEDS_BODY = -1


class Store(Protocol):
    """The part of `repository.RevocationRepository` that is read. Both methods raise `DatabaseUnreachable`."""

    async def epoch(self) -> int: ...

    async def snapshot(self, *, now: float) -> Snapshot: ...


class Cache(Protocol):
    """The part of `cache.Cache` that is used here. Both methods raise `CacheUnavailable`."""

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]: ...

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object: ...


class Recorded:
    """The snapshot as PostgreSQL has it. `clock` returns epoch seconds.

    It remembers the last one: most readings only find that nothing has changed.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._known: Snapshot | None = None

    async def read(self) -> tuple[Head, Snapshot]:
        """Read PostgreSQL; `Head.read_at` is earlier. Raises `DatabaseUnreachable`."""
        read_at = self._clock()
        known = self._known
        if known is None or await self._store.epoch() != known.epoch:
            known = self._known = await self._store.snapshot(now=read_at)
        return known.head(int(read_at * 1000)), known


class Publisher:
    """Publishes what PostgreSQL has."""

    def __init__(self, recorded: Recorded, cache: Cache) -> None:
        self._recorded = recorded
        self._cache = cache

    async def publish(self) -> int:
        """Read PostgreSQL, publish, and return the epoch that Valkey then has.

        Raises `DatabaseUnreachable`, `CacheUnavailable`.
        """
        return await self.put(*await self._recorded.read())

    async def put(self, head: Head, snapshot: Snapshot) -> int:
        """Publish a snapshot, and return the epoch that Valkey then has. Raises `CacheUnavailable`."""
        published = await self._put(head, b"")
        return await self._put(head, snapshot.to_json()) if published == _NEEDS_BODY else published

    async def _put(self, head: Head, body: bytes) -> int:
        kept_closed = int(CLOSED_SECONDS * 1000)
        closed = "closed" if head.closed else ""
        args = (
            *(head.epoch, head.read_at, head.to_json(), body, Snapshot.prefix(head)),
            *(KEPT_SECONDS, closed, kept_closed),
        )
        published = await self._cache.run_script(_PUBLISH, (HEAD_KEY, BODY_KEY), args)
        return published if isinstance(published, int) else _NEEDS_BODY


class CurrentRevocations:
    """The snapshot by which web functions judge: from Valkey or, if that has none that counts, from PostgreSQL."""

    def __init__(self, recorded: Recorded, cache: Cache | None, *, holder: Holder | None = None) -> None:
        self._recorded = recorded
        self._cache = cache
        self._publisher = None if cache is None else Publisher(recorded, cache)
        self._holder = holder or Holder()
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Fetch another snapshot if the held one is due. Never raises: `current` tells whether one counts."""
        if not self._holder.is_due():
            return
        async with self._turn:
            # Another request may have fetched it meanwhile.
            if self._holder.is_due():
                await self._fetch()

    def current(self) -> Snapshot:
        """Return the snapshot. Raises `RevocationUnknown`."""
        return self._holder.current()

    async def _fetch(self) -> None:
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
        try:
            if self._holder.epoch is not None:
                (raw,) = await cache.get_many([HEAD_KEY])
                if self._holder.accept_head(Head.from_json(raw)):
                    count(REVOCATIONS, found=True)
                    return True
            # Both in one command: no publisher can come in between.
            raw, body = await cache.get_many([HEAD_KEY, BODY_KEY])
        except CacheUnavailable:
            count(REVOCATIONS, None)
            return False
        count(REVOCATIONS, raw is not None and body is not None)
        return self._holder.accept(Head.from_json(raw), Snapshot.from_json(body))

    async def _help(self, publisher: Publisher, head: Head, snapshot: Snapshot) -> None:
        """Publish what this process had to read from PostgreSQL itself: the republisher is late."""
        try:
            await publisher.put(head, snapshot)
        except CacheUnavailable as failure:
            _log.warning("the list of revocations was not published", extra={"context": failure.private})


class NoRevocations:
    """Stands for the list where neither PostgreSQL nor Valkey is configured: nothing counts as revoked."""

    _NONE = Snapshot(0, frozenset(), {}, frozenset(), None, {})

    async def refresh(self) -> None:
        """Do nothing."""

    def current(self) -> Snapshot:
        """Return the empty snapshot."""
        return self._NONE
