"""Count a request: in Valkey, or in this process while Valkey is away, and without `REDIS_URL`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from tenantgate.cache.interface import Cache
from tenantgate.cache_counts import RATE_LIMITS
from tenantgate.cache_counts import count as note
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.rate_limits.counters import Counter, Counters, Usage
from tenantgate.rate_limits.shared import SharedCounters

logger = logging.getLogger(__name__)


class RateLimiter:
    """Counts requests.

    While Valkey is away, each process counts for itself, from zero: clients may then get up to the limit from each
    process. Requests are served, because a limit protects against too many of them and decides nothing else.
    """

    def __init__(self, cache: Callable[[], Cache | None], *, local: Callable[[], Counters] | None = None) -> None:
        """Count in `cache()` of the running loop, otherwise in the result of `local`, which is called once."""
        self._cache = cache
        self._make_local = local or _local_counters
        self._local: Counters | None = None
        self._is_away = False

    async def count(self, counters: Sequence[Counter]) -> list[Usage]:
        """Count one request in all of these counters or, if one is used up, in none; return what remains of each."""
        if not counters:
            return []
        if (cache := self._cache()) is not None:
            try:
                found = await SharedCounters(cache).count(counters)
            except CacheUnavailable as error:
                if not self._is_away:
                    logger.warning("rate limits count in each process: the cache doesn't respond", exc_info=error)
                self._is_away = True
                note(RATE_LIMITS, None)
            else:
                self._is_away = False
                note(RATE_LIMITS, found=True)
                return found
        if self._local is None:
            self._local = self._make_local()
        return await self._local.count(counters)


def _local_counters() -> Counters:
    from tenantgate.rate_limits.local import LocalCounters  # noqa: PLC0415  (its library is slow to import)

    return LocalCounters()
