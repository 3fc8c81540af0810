"""Publish the snapshot in Valkey, where the authorizer and the web functions read it.

Publishers may run at once, and one may be frozen for any time between its reading and its writing. So a write takes
effect only if its epoch is higher than the published one, or the same with a later reading of PostgreSQL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY, Head, Snapshot

# A server that gets no further snapshot must not keep an old one.
KEPT_SECONDS = 60
_PUBLISH = """
local held = redis.call('GET', KEYS[1])
local epoch, read_at = tonumber(ARGV[1]), tonumber(ARGV[2])
if held then
  local ok, head = pcall(cjson.decode, held)
  if ok and type(head) == 'table' and type(head.epoch) == 'number' and type(head.read_at) == 'number' then
    if head.epoch > epoch or (head.epoch == epoch and head.read_at > read_at) then
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
    """The part of `repository.RevocationRepository` that publishing uses."""

    async def epoch(self) -> int: ...

    async def snapshot(self, *, now: float) -> Snapshot: ...


class Cache(Protocol):
    """The part of `cache.Cache` that publishing uses."""

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object: ...


class Publisher:
    """Publishes what PostgreSQL has. `clock` returns epoch seconds."""

    def __init__(self, store: Store, cache: Cache, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._cache = cache
        self._clock = clock
        # The last one that was read: most publications only say that nothing has changed.
        self._known: Snapshot | None = None

    async def publish(self) -> int:
        """Read PostgreSQL, publish, and return the epoch that Valkey then has.

        Raises `DatabaseUnreachable`, `CacheUnavailable`.
        """
        read_at = self._clock()
        known = self._known
        if known is not None and await self._store.epoch() == known.epoch:
            published = await self._put(Head(known.epoch, int(read_at * 1000)), b"")
            if published != _NEEDS_BODY:
                return published
        snapshot = self._known = await self._store.snapshot(now=read_at)
        return await self._put(Head(snapshot.epoch, int(read_at * 1000)), snapshot.to_json())

    async def _put(self, head: Head, body: bytes) -> int:
        args = (head.epoch, head.read_at, head.to_json(), body, Snapshot.prefix(head.epoch), KEPT_SECONDS)
        published = await self._cache.run_script(_PUBLISH, (HEAD_KEY, BODY_KEY), args)
        return published if isinstance(published, int) else _NEEDS_BODY
