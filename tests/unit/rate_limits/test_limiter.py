"""The choice between the cache and this process."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from tenantgate.cache.interface import Cache
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.rate_limits.counters import counter
from tenantgate.rate_limits.limiter import RateLimiter
from tenantgate.settings.rate_limits import Limit

pytestmark = pytest.mark.anyio

ONE = counter("address", Limit(2, 60), "a")


class ScriptedCache:
    """Returns a reply to each script, or raises it."""

    def __init__(self, *replies: object) -> None:
        self._replies = list(replies)

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object:
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply


def limiter(*replies: object) -> RateLimiter:
    cache: Cache = ScriptedCache(*replies)  # type: ignore[assignment]
    return RateLimiter(lambda: cache)


async def test_without_a_cache_this_process_counts() -> None:
    counting = RateLimiter(lambda: None)
    assert [(await counting.count([ONE]))[0].exceeded for _ in range(3)] == [False, False, True]


async def test_nothing_to_count_asks_no_cache() -> None:
    assert await limiter().count([]) == []


async def test_this_process_counts_while_the_cache_is_away_and_logs_it_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = CacheUnavailable("away")
    counting = limiter(away, away, away, [0, 1, 60_000], away)
    with caplog.at_level(logging.WARNING):
        assert [(await counting.count([ONE]))[0].remaining for _ in range(2)] == [1, 0]
        assert (await counting.count([ONE]))[0].exceeded
        assert len(caplog.records) == 1
        assert (await counting.count([ONE]))[0].remaining == 1
        assert (await counting.count([ONE]))[0].exceeded
        assert len(caplog.records) == 2


@pytest.mark.parametrize("reply", [None, b"OK", [], [0, 1], [0, 1, 2, 3]])
async def test_another_reply_than_the_scripts_counts_in_this_process(reply: object) -> None:
    assert (await limiter(reply).count([ONE]))[0].remaining == 1
