"""Requests that find the list due wait for one fetch together."""

from __future__ import annotations

import asyncio

import pytest

from tenantgate.database.patience import has_worked
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.revocation.distribution.current import CurrentRevocations
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.snapshot import Snapshot
from tests.fixtures.revoked.stores import SnapshotStore

pytestmark = pytest.mark.anyio

SNAPSHOT = Snapshot(5, frozenset(), {}, frozenset(), None, {})


class Store(SnapshotStore):
    """Responds when the gate is open."""

    def __init__(self) -> None:
        super().__init__(SNAPSHOT)
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def snapshot(self, *, now: float) -> Snapshot:
        # Some of those that wait may have done work that would be lost: the reading waits for as long as any does.
        assert has_worked()
        self.reached.set()
        await self.gate.wait()
        return await super().snapshot(now=now)


class World:
    """A process whose list comes from PostgreSQL, at a time that the test sets."""

    def __init__(self) -> None:
        self.now, self.store = 100.0, Store()
        holder = Holder(clock=lambda: self.now, monotonic=lambda: self.now)
        recorded = Recorded(self.store, clock=lambda: self.now)
        self.revocations = CurrentRevocations(recorded, None, None, holder=holder)


async def test_requests_at_once_wait_for_one_fetch_and_continue_together() -> None:
    world, iterations, ended_in = World(), 0, []

    async def request() -> Snapshot:
        await world.revocations.refresh()
        ended_in.append(iterations)
        return world.revocations.current()

    requests = [asyncio.create_task(request()) for _ in range(500)]
    await world.store.reached.wait()
    world.store.gate.set()
    while not all(one.done() for one in requests):
        iterations += 1
        await asyncio.sleep(0)

    assert [one.result() for one in requests] == [SNAPSHOT] * 500
    assert world.store.snapshots == 1
    # Under load an iteration takes up to a tenth of a second: a queue of waiters would add that for each of them.
    assert max(ended_in) - min(ended_in) <= 1


async def test_the_request_that_began_the_fetch_may_go_away() -> None:
    world = World()
    first, second = (asyncio.create_task(world.revocations.refresh()) for _ in range(2))
    await world.store.reached.wait()
    first.cancel()
    await asyncio.sleep(0)
    assert first.cancelled()
    with pytest.raises(RevocationUnknown):
        world.revocations.current()
    world.store.gate.set()
    await second
    assert world.revocations.current() == SNAPSHOT
    assert world.store.snapshots == 1
