"""Calls that come while a publication runs share the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.patience import has_worked
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revocation.distribution.publisher import Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revoked.snapshot import Snapshot
from tests.fixtures.revoked.stores import LoggingStore

pytestmark = pytest.mark.anyio


class Valkey:
    """Takes each list, when the gate is open. `failure`: its reply."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.failure: Exception | None = None
        self.written = 0

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return [None for _ in keys]

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object:
        self.reached.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.written += 1
        return args[0]


class Store(LoggingStore):
    """Fails with `failure`."""

    failure: Exception | None = None

    async def snapshot(self, *, now: float) -> Snapshot:
        # All callers have recorded something: the reading waits for as long as any does.
        assert has_worked()
        if self.failure is not None:
            raise self.failure
        return await super().snapshot(now=now)


async def test_calls_at_once_share_one_publication_that_begins_after_them() -> None:
    store, valkey = Store(), Valkey()
    publisher = Publisher(Recorded(store), valkey)
    valkey.gate.clear()
    running = asyncio.create_task(publisher.publish())
    await valkey.reached.wait()
    # Their records may be later than the running one's reading.
    store.add(b"n" * 16)
    waiting = [asyncio.create_task(publisher.publish()) for _ in range(20)]
    await asyncio.sleep(0)
    valkey.gate.set()
    assert await running == 5
    assert await asyncio.gather(*waiting) == [6] * 20
    assert valkey.written == 2


async def test_a_call_after_a_publication_is_another_one() -> None:
    valkey = Valkey()
    publisher = Publisher(Recorded(Store()), valkey)
    for number in range(1, 4):
        assert await publisher.publish() == 5
        assert valkey.written == number


@pytest.mark.parametrize("at", ["valkey", "postgresql"])
async def test_those_that_share_a_publication_share_its_failure(at: str) -> None:
    store, valkey = Store(), Valkey()
    publisher = Publisher(Recorded(store), valkey)
    valkey.gate.clear()
    running = asyncio.create_task(publisher.publish())
    await valkey.reached.wait()
    calls = [asyncio.create_task(publisher.publish()) for _ in range(20)]
    await asyncio.sleep(0)
    if at == "valkey":
        valkey.failure = CacheUnavailable("down")
    else:
        store.failure = DatabaseUnreachable("down")
        store.change_rules()
    valkey.gate.set()
    results = await asyncio.gather(running, *calls, return_exceptions=True)
    expected = CacheUnavailable if at == "valkey" else DatabaseUnreachable
    assert [type(result) for result in results[1:]] == [expected] * 20
    assert len({id(result) for result in results[1:]}) == 1
    # The next call tries again.
    valkey.failure = store.failure = None
    assert await publisher.publish() == store.epoch


async def test_a_cancelled_publication_leaves_its_turn_to_the_next() -> None:
    valkey = Valkey()
    publisher = Publisher(Recorded(Store()), valkey)
    valkey.gate.clear()
    cancelled, waiting = asyncio.create_task(publisher.publish()), asyncio.create_task(publisher.publish())
    await asyncio.sleep(0)
    cancelled.cancel()
    valkey.gate.set()
    assert await waiting == 5
    assert valkey.written == 1
