"""The same requests to both kinds of counters: in a real Valkey, and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.rate_limits.counters import Counter, Counters, counter
from tenantgate.rate_limits.local import LocalCounters
from tenantgate.rate_limits.shared import SharedCounters
from tenantgate.settings.rate_limits import Limit
from tests.fixtures.databases.valkey import command

pytestmark = pytest.mark.anyio


@pytest.fixture
async def shared(redis_url: str) -> AsyncIterator[SharedCounters]:
    cache = ValkeyCache(parse_cache_url(redis_url, protection="verify-full"))
    yield SharedCounters(cache)
    await cache.dispose()


@pytest.fixture(params=["valkey", "memory"])
def counters(request: pytest.FixtureRequest, shared: SharedCounters) -> Counters:
    return shared if request.param == "valkey" else LocalCounters()


def address(amount: int = 3, seconds: int = 60) -> Counter:
    return counter("address", Limit(amount, seconds), "a", "a")


def tenant(amount: int = 3, seconds: int = 60) -> Counter:
    return counter("tenant", Limit(amount, seconds), "a", "t")


async def test_the_limit_is_reached_and_not_exceeded(counters: Counters) -> None:
    found = [(await counters.count([address()]))[0] for _ in range(5)]
    assert [(one.remaining, one.exceeded) for one in found] == [
        (2, False),
        (1, False),
        (0, False),
        (0, True),
        (0, True),
    ]
    assert {one.reset for one in found} <= {59, 60}


async def test_a_request_that_one_counter_refuses_spends_no_other(counters: Counters) -> None:
    await counters.count([address(1)])
    for _ in range(5):
        first, second = await counters.count([address(1), tenant()])
        assert (first.exceeded, second.exceeded, second.remaining, second.reset) == (True, False, 3, 60)
    assert (await counters.count([tenant()]))[0].remaining == 2


async def test_a_window_begins_with_its_first_request_and_ends(counters: Counters) -> None:
    assert not (await counters.count([address(1, 1)]))[0].exceeded
    await asyncio.sleep(0.3)
    [refused] = await counters.count([address(1, 1)])
    assert (refused.exceeded, refused.reset) == (True, 1)
    await asyncio.sleep(refused.reset)
    assert not (await counters.count([address(1, 1)]))[0].exceeded


async def test_concurrent_requests_count_exactly(counters: Counters) -> None:
    limited, wide = address(137), tenant(10_000)
    found = await asyncio.gather(*(counters.count([limited, wide]) for _ in range(400)))
    admitted = [one for one in found if not one[0].exceeded]
    assert sorted(first.remaining for first, _ in admitted) == list(range(137))
    assert (await counters.count([wide]))[0].remaining == 10_000 - 137 - 1


async def test_a_key_without_an_expiry_gets_one(shared: SharedCounters, redis_url: str) -> None:
    command(redis_url, "SET", address().key, 3)
    assert (await shared.count([address()]))[0].exceeded
    assert 0 < command(redis_url, "PTTL", address().key) <= 60_000


async def test_a_counter_that_was_refused_elsewhere_leaves_no_key(shared: SharedCounters, redis_url: str) -> None:
    await shared.count([address(1)])
    await shared.count([address(1), tenant()])
    assert command(redis_url, "KEYS", "*") == [address(1).key.encode()]


async def test_a_key_of_another_type_is_a_failure_of_the_cache(shared: SharedCounters, redis_url: str) -> None:
    command(redis_url, "LPUSH", address().key, "x")
    with pytest.raises(CacheUnavailable):
        await shared.count([address()])
