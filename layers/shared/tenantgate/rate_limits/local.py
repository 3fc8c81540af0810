"""Counters in this process's memory, for a deployment without Valkey and while Valkey is away.

Imports `limits`, which is slow: import this module only when it counts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import override

from limits import RateLimitItemPerSecond
from limits.aio.storage import Storage
from limits.aio.strategies import FixedWindowRateLimiter

from tenantgate.rate_limits.counters import Counter, Usage, usage

# About 3 MB. The oldest windows give way: a client with more addresses than this has more of each limit.
MOST_COUNTERS = 10_000


class BoundedStorage(Storage):
    """A storage of the library, of at most `most` counters.

    The library's own has no bound, and goes through all counters with every request.
    """

    def __init__(self, most: int = MOST_COUNTERS) -> None:
        super().__init__()
        self._most = most
        # By key, the oldest first: the count, and the end of the window in epoch seconds.
        self._windows: dict[str, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    @property
    @override
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    @override
    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count, ends = self._window(key)
        if not count:
            while len(self._windows) >= self._most:
                del self._windows[next(iter(self._windows))]
            ends = time.time() + expiry
        self._windows[key] = count + amount, ends
        return count + amount

    @override
    async def get(self, key: str) -> int:
        return self._window(key)[0]

    @override
    async def get_expiry(self, key: str) -> float:
        return self._window(key)[1]

    @override
    async def check(self) -> bool:
        return True

    @override
    async def reset(self) -> int:
        removed = len(self._windows)
        self._windows.clear()
        return removed

    @override
    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _window(self, key: str) -> tuple[int, float]:
        now = time.time()
        count, ends = self._windows.get(key, (0, now))
        if ends <= now:
            self._windows.pop(key, None)
            return 0, now
        return count, ends


class LocalCounters:
    """`Counters` in memory. No call waits for anything, so requests of one event loop count one after the other."""

    def __init__(self, storage: BoundedStorage | None = None) -> None:
        self._windows = FixedWindowRateLimiter(BoundedStorage() if storage is None else storage)

    async def count(self, counters: Sequence[Counter]) -> list[Usage]:
        items = [RateLimitItemPerSecond(each.limit.amount, each.limit.seconds) for each in counters]
        pairs = list(zip(items, counters, strict=True))
        refused = not all([await self._windows.test(item, each.key) for item, each in pairs])
        found = []
        for item, each in pairs:
            if not refused:
                await self._windows.hit(item, each.key)
            stats = await self._windows.get_window_stats(item, each.key)
            seconds = stats.reset_time - time.time() if stats.remaining < each.limit.amount else each.limit.seconds
            found.append(usage(each, each.limit.amount - stats.remaining, seconds, refused=refused))
        return found
