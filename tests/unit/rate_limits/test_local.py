"""The counters in memory: their bound, and windows that end."""

from __future__ import annotations

import time

import pytest

from tenantgate.rate_limits.counters import counter
from tenantgate.rate_limits.local import MOST_COUNTERS, BoundedStorage, LocalCounters
from tenantgate.settings.rate_limits import Limit

pytestmark = pytest.mark.anyio


async def test_memory_is_bounded_and_the_oldest_window_gives_way() -> None:
    storage = BoundedStorage(3)
    local = LocalCounters(storage)
    for number in range(10):
        await local.count([counter("address", Limit(1, 60), str(number))])
        assert len(storage) <= 3
    assert (await local.count([counter("address", Limit(1, 60), "9")]))[0].exceeded
    assert not (await local.count([counter("address", Limit(1, 60), "0")]))[0].exceeded


async def test_the_bound_of_a_process_holds_against_more_clients() -> None:
    storage = BoundedStorage()
    for number in range(MOST_COUNTERS + 50):
        await storage.incr(str(number), 60)
    assert len(storage) == MOST_COUNTERS


async def test_a_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    local, one = LocalCounters(), counter("address", Limit(1, 10), "a")
    assert not (await local.count([one]))[0].exceeded
    now += 9.5
    [refused] = await local.count([one])
    assert (refused.exceeded, refused.reset) == (True, 1)
    now += 0.5
    [admitted] = await local.count([one])
    assert (admitted.exceeded, admitted.reset) == (False, 10)


async def test_the_storage_keeps_the_librarys_interface() -> None:
    storage = BoundedStorage()
    assert await storage.check()
    await storage.incr("a", 60, amount=2)
    await storage.incr("b", 60)
    assert await storage.get("a") == 2
    await storage.clear("a")
    assert await storage.get("a") == 0
    assert await storage.reset() == 1
    assert storage.base_exceptions is ValueError
