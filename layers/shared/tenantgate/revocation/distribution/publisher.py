"""Publishes the list of revocations in Valkey, from PostgreSQL.

Publishers may run at once, and one may be frozen for any time between its reading and its writing. So a write takes
effect only if its epoch is higher than the published one, or the same with a later reading of PostgreSQL.

A publisher whose list is based on another body than the published one counts its additions from that, so that readers
get a body again only when it has become too old, or lacks what additions can't show.

`TENANT_REGISTRATION` is a setting of each publisher. If publishers differ, as while processes with another one take
over, `closed` counts, so that the published rule doesn't change with each publication: a list of the same epoch that is
`open` replaces a closed one only after `CLOSED_SECONDS` without a publication of that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from tenantgate.database.patience import note_work
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revoked.snapshot import ADDITIONS_KEY, BODY_KEY, HEAD_KEY, Head, Snapshot
from tenantgate.shared_calls import SharedCalls

# A server that gets no further snapshot must not keep an old one.
KEPT_SECONDS = 60
# Longer than a second between publications and one by which clocks differ, and shorter than a list counts.
CLOSED_SECONDS = 2.5
# ARGV: epoch, read_at, head, body or '', the body's beginning, seconds to keep, 'closed' or '', milliseconds for which
# a closed list is kept, additions or '', and 'same' if they are those that a list of this epoch has already.
_PUBLISH = """
local held = redis.call('GET', KEYS[1])
local epoch, read_at = tonumber(ARGV[1]), tonumber(ARGV[2])
local current = nil
if held then
  local ok, head = pcall(cjson.decode, held)
  if ok and type(head) == 'table' and type(head.epoch) == 'number' and type(head.read_at) == 'number' then
    if head.epoch > epoch or (head.epoch == epoch and head.read_at > read_at) then
      return head.epoch
    end
    if head.epoch == epoch and head.closed == true and ARGV[7] == '' and read_at - head.read_at < tonumber(ARGV[8]) then
      return head.epoch
    end
    current = head.epoch
  end
end
local prefix = ARGV[5]
if ARGV[4] == '' and redis.call('GETRANGE', KEYS[2], 0, #prefix - 1) ~= prefix then
  return -1
end
if ARGV[10] == 'same' and (current ~= epoch or redis.call('EXPIRE', KEYS[3], ARGV[6]) == 0) then
  return -2
end
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[6])
else
  redis.call('EXPIRE', KEYS[2], ARGV[6])
end
if ARGV[9] ~= '' then
  redis.call('SET', KEYS[3], ARGV[9], 'EX', ARGV[6])
end
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[6])
return epoch
"""
_NEEDS_BODY, _NEEDS_ADDITIONS = -1, -2


class Cache(Protocol):
    """The part of `cache.Cache` that is used here. Both methods raise `CacheUnavailable`."""

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]: ...

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object: ...


class Publisher:
    """Publishes what PostgreSQL has. Belongs to one event loop."""

    def __init__(self, recorded: Recorded, cache: Cache) -> None:
        self._recorded = recorded
        self.cache = cache
        # By the number of the publication that was running when the call came: the shared one is the next.
        self._next = SharedCalls[int, int]()
        self._begun = 0
        self._running: asyncio.Future[None] | None = None
        # Of the additions that this publisher wrote last.
        self._written: tuple[int, int] | None = None

    async def publish(self) -> int:
        """Read PostgreSQL, publish, and return the epoch that Valkey then has.

        Calls that wait for the same publication share the next one: it begins after each of them, so that it shows what
        they recorded. Raises `DatabaseUnreachable`, `CacheUnavailable`.
        """
        return await self._next.share(self._begun, self._publish_next)

    async def _publish_next(self) -> int:
        if self._running is not None:
            await asyncio.wait([self._running])
        self._begun += 1
        # For all that wait: their revocations are recorded.
        note_work()
        running = self._running = asyncio.get_running_loop().create_future()
        try:
            return await self.put(*await self._recorded.read())
        finally:
            self._running = None
            running.set_result(None)

    async def put(self, head: Head, snapshot: Snapshot) -> int:
        """Publish a snapshot, and return the epoch that Valkey then has.

        Raises `CacheUnavailable`, and `DatabaseUnreachable` if it needs to count additions from another body.
        """
        published = await self._put(head, snapshot)
        if published == _NEEDS_BODY and (moved := await self._on_published_body(snapshot)) is not None:
            snapshot, head = moved, moved.head(head.read_at)
            published = await self._put(head, snapshot)
        if published == _NEEDS_BODY:
            snapshot = snapshot.whole()
            self._recorded.take(snapshot)
            published = await self._send(snapshot.head(head.read_at), body=snapshot.to_json())
        return published

    async def _on_published_body(self, snapshot: Snapshot) -> Snapshot | None:
        (raw,) = await self.cache.get_many([HEAD_KEY])
        published = Head.from_json(raw)
        return None if published is None else await self._recorded.read_on(published, snapshot)

    async def _put(self, head: Head, snapshot: Snapshot) -> int:
        additions, this = snapshot.additions, (head.epoch, head.body_epoch)
        if additions is None:
            return await self._send(head)
        if self._written == this:
            published = await self._send(head, same=True)
            if published != _NEEDS_ADDITIONS:
                return published
        published = await self._send(head, additions=additions.to_json())
        if published == head.epoch:
            self._written = this
        return published

    async def _send(self, head: Head, *, body: bytes = b"", additions: bytes = b"", same: bool = False) -> int:
        kept_closed = int(CLOSED_SECONDS * 1000)
        closed = "closed" if head.closed else ""
        args = (
            *(head.epoch, head.read_at, head.to_json(), body, Snapshot.prefix(head)),
            *(KEPT_SECONDS, closed, kept_closed, additions, "same" if same else ""),
        )
        published = await self.cache.run_script(_PUBLISH, (HEAD_KEY, BODY_KEY, ADDITIONS_KEY), args)
        return published if isinstance(published, int) else _NEEDS_BODY
