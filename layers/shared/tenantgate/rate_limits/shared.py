"""Counters in Valkey, for all processes. One script counts all of a request's counters, in one round trip.

The library's own storage needs three round trips for each limit, and counts each limit for itself: a request that the
second one refuses would have spent the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from tenantgate.cache.interface import Cache
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.rate_limits.counters import Counter, Usage, usage

# ARGV: the amount and the window in milliseconds of each key. A window begins with its first request. A key without
# expiry, which no script leaves, would refuse every later request. If the server closes the connection, the script may
# run twice: that request counts twice.
_COUNT = """
local counts, refused = {}, 0
for i, key in ipairs(KEYS) do
  counts[i] = tonumber(redis.call('GET', key) or '0')
  if counts[i] >= tonumber(ARGV[2 * i - 1]) then refused = 1 end
end
local reply = {refused}
for i, key in ipairs(KEYS) do
  if refused == 0 then counts[i] = redis.call('INCR', key) end
  local left = redis.call('PTTL', key)
  if left < 0 then
    left = tonumber(ARGV[2 * i])
    redis.call('PEXPIRE', key, left)
  end
  reply[2 * i], reply[2 * i + 1] = counts[i], left
end
return reply
"""


class SharedCounters:
    """`Counters` in a cache. Raises `CacheUnavailable`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def count(self, counters: Sequence[Counter]) -> list[Usage]:
        arguments = [part for each in counters for part in (each.limit.amount, each.limit.seconds * 1000)]
        reply = await self._cache.run_script(_COUNT, [each.key for each in counters], arguments)
        if not isinstance(reply, list) or len(reply) != 1 + 2 * len(counters):
            raise CacheUnavailable("it isn't the reply of this script")
        refused, numbers = reply[0] == 1, iter(reply[1:])
        return [usage(each, next(numbers), next(numbers) / 1000, refused=refused) for each in counters]
