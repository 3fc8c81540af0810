"""A change of `TENANT_REGISTRATION`, which changes no epoch: publishers with the old and the new rule side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from copy import replace

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.revocation.distribution.current import CurrentRevocations
from tenantgate.revocation.distribution.publisher import CLOSED_SECONDS, Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revoked.holder import BOUND_SECONDS, Holder
from tenantgate.revoked.names import tenant_name
from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY, Head, Snapshot
from tests.fixtures.revoked.snapshots import snapshot
from tests.fixtures.revoked.stores import DeadStore, SnapshotStore

pytestmark = pytest.mark.anyio

TENANTS = [tenant_name("org-1")]
OPEN, CLOSED = snapshot(5), snapshot(5, registered=TENANTS)


class Deployment(SnapshotStore):
    """Processes with one setting: their publisher, and their store, which reads the same PostgreSQL."""

    def __init__(self, world: World, current: Snapshot) -> None:
        super().__init__(current)
        self.publisher = Publisher(Recorded(self, clock=lambda: world.now), world.valkey)


class World:
    """Valkey, a clock, and deployments with either setting, next to a reader that has only Valkey."""

    def __init__(self, valkey: ValkeyCache) -> None:
        self.valkey, self.now = valkey, 100.0
        self.open, self.closed = Deployment(self, OPEN), Deployment(self, CLOSED)
        clock = lambda: self.now  # noqa: E731
        holder = Holder(clock=clock, monotonic=clock)
        self._reader = CurrentRevocations(Recorded(DeadStore(), clock=clock), valkey, None, holder=holder)

    async def judges_by(self) -> Snapshot:
        """Return the reader's list. Raises `RevocationUnknown`."""
        await self._reader.refresh()
        return self._reader.current()

    async def published(self) -> tuple[Head | None, Snapshot | None]:
        head, body = await self.valkey.get_many([HEAD_KEY, BODY_KEY])
        return Head.from_json(head), Snapshot.from_json(body)


@pytest.fixture
async def world(redis_url: str) -> AsyncIterator[World]:
    valkey = ValkeyCache(parse_cache_url(redis_url, protection="private-network", relaxed=True))
    for key in (HEAD_KEY, BODY_KEY):
        await valkey.run_script("return redis.call('DEL', KEYS[1])", [key], [])
    yield World(valkey)
    await valkey.dispose()


async def test_closing_counts_with_the_next_publication_and_without_a_change(world: World) -> None:
    await world.open.publisher.publish()
    assert await world.judges_by() == OPEN
    world.now += 1
    await world.closed.publisher.publish()
    assert await world.published() == (Head(5, 101_000, closed=True), CLOSED)
    assert await world.judges_by() == CLOSED


async def test_opening_counts_when_no_closed_process_publishes_any_longer(world: World) -> None:
    await world.closed.publisher.publish()
    assert await world.judges_by() == CLOSED
    for _ in range(6):
        world.now += 0.5
        assert await world.open.publisher.publish() == 5
        opened = world.now - 100 >= CLOSED_SECONDS
        # The list counts without a gap.
        assert await world.judges_by() == (OPEN if opened else CLOSED)
    assert opened
    assert CLOSED_SECONDS + 1 < BOUND_SECONDS


async def test_with_both_side_by_side_the_closed_rule_counts_all_the_time(world: World) -> None:
    await world.closed.publisher.publish()
    for step in range(40):
        world.now += 0.5
        await (world.open, world.closed)[step % 2].publisher.publish()
        assert await world.judges_by() == CLOSED


async def test_a_newer_epoch_never_waits_for_the_rule(world: World) -> None:
    """A revocation is more urgent. The closed rule is back with the next publication of a process that has it."""
    await world.closed.publisher.publish()
    world.now += 0.6
    world.open.current, world.closed.current = replace(OPEN, epoch=6), replace(CLOSED, epoch=6)
    assert await world.open.publisher.publish() == 6
    assert await world.judges_by() == world.open.current
    world.now += 0.6
    assert await world.closed.publisher.publish() == 6
    assert await world.judges_by() == world.closed.current


@pytest.mark.parametrize(("first", "second"), [(OPEN, CLOSED), (CLOSED, OPEN)])
async def test_no_rule_replaces_a_newer_epoch_or_a_later_reading(
    first: Snapshot, second: Snapshot, *, world: World
) -> None:
    late = Deployment(world, second)
    newer = Deployment(world, replace(first, epoch=6))
    await newer.publisher.publish()
    world.now += 10
    assert await late.publisher.publish() == 6
    late.current = replace(second, epoch=6)
    world.now -= 20
    assert await late.publisher.publish() == 6
    assert await world.published() == (newer.current.head(100_000), newer.current)


async def test_a_body_of_the_other_rule_under_its_head_is_replaced(world: World) -> None:
    await world.closed.publisher.publish()
    await world.valkey.set(BODY_KEY, OPEN.to_json(), seconds=60)
    world.now += 1
    await world.closed.publisher.publish()
    assert await world.published() == (Head(5, 101_000, closed=True), CLOSED)
