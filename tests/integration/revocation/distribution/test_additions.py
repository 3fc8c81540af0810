"""A revocation costs its own size in Valkey, not that of the list; several publishers share one body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tenantgate.cache import client
from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.revocation.distribution.publisher import Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revoked.fetching import fetch_into
from tenantgate.revoked.holder import Holder
from tenantgate.revoked.snapshot import ADDITIONS_KEY, BODY_KEY, HEAD_KEY, Head, Snapshot
from tests.fixtures.revoked.stores import LoggingStore

pytestmark = pytest.mark.anyio

MOST = 5
KEYS = (HEAD_KEY, BODY_KEY, ADDITIONS_KEY)


def name(number: int) -> bytes:
    return number.to_bytes(16)


class World:
    """PostgreSQL, Valkey and a clock. Each publisher and reader is another process."""

    def __init__(self, valkey: ValkeyCache) -> None:
        self.store, self.valkey, self.now = LoggingStore(), valkey, 100.0

    def publisher(self) -> Publisher:
        return Publisher(Recorded(self.store, clock=lambda: self.now, most=MOST), self.valkey)

    async def head(self) -> Head:
        (raw,) = await self.valkey.get_many([HEAD_KEY])
        head = Head.from_json(raw)
        assert head is not None
        return head

    async def read(self, holder: Holder | None = None) -> Snapshot:
        clock = lambda: self.now  # noqa: E731
        into = holder or Holder(clock=clock, monotonic=clock)
        steps = fetch_into(into)
        keys = next(steps)
        with suppress(StopIteration):
            while True:
                keys = steps.send(await self.valkey.get_many(keys))
        return into.current()

    async def forget(self, *keys: str) -> None:
        for key in keys:
            await self.valkey.run_script("return redis.call('DEL', KEYS[1])", [key], [])

    async def refuses_all(self) -> bool:
        current = await self.read()
        return all(map(current.has, self.store.names)) and current.until == {
            key: at for key, (at, _) in self.store.until.items()
        }


@pytest.fixture
async def world(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for limit in ("CONNECT_SECONDS", "COMMAND_SECONDS"):
        # These tests measure no time, and the machine may be busy.
        monkeypatch.setattr(client, limit, 10.0)
    valkey = ValkeyCache(parse_cache_url(redis_url, protection="private-network", relaxed=True))
    made = World(valkey)
    await made.forget(*KEYS)
    yield made
    await valkey.dispose()


async def test_a_revocation_does_not_change_the_body(world: World) -> None:
    publisher = world.publisher()
    world.store.add(name(1))
    await publisher.publish()
    _, body, _ = await world.valkey.get_many(KEYS)
    world.store.add(name(2), user=50)
    assert await publisher.publish() == 7
    assert (await world.valkey.get_many([BODY_KEY]))[0] == body
    assert await world.head() == Head(7, 100_000, base=6, rules=5)
    assert await world.refuses_all()
    # Nothing is read as a whole again, and nothing is written again.
    world.now = 101.0
    assert await publisher.publish() == 7
    assert await world.head() == Head(7, 101_000, base=6, rules=5)
    assert world.store.read == ["whole", "after 6", "after 7"]


async def test_publishers_count_from_the_body_that_is_published(world: World) -> None:
    first, second = world.publisher(), world.publisher()
    await first.publish()
    world.store.add(name(1))
    # It has read the whole list of this epoch, which is later than the body.
    await second.publish()
    for number in range(2, 5):
        world.store.add(name(number))
        world.now += 1
        await (first if number % 2 else second).publish()
        assert (await world.head()).body_epoch == 5
        assert await world.refuses_all()
    assert world.store.read.count("whole") == 2


async def test_a_body_with_many_additions_is_replaced_for_all_publishers(world: World) -> None:
    first, second = world.publisher(), world.publisher()
    await first.publish()
    await second.publish()
    for number in range(20):
        world.store.add(name(number))
        world.now += 1
        assert await (first if number % 3 else second).publish() == world.store.epoch
        head = await world.head()
        assert head.epoch - head.body_epoch <= MOST
        assert await world.refuses_all()
    # Each of them reads the whole list only once for each body.
    assert world.store.read.count("whole") <= 2 * (1 + 20 // MOST)


async def test_a_change_that_is_more_than_an_addition_is_published_as_a_whole(world: World) -> None:
    first, second = world.publisher(), world.publisher()
    await first.publish()
    world.store.add(name(1))
    await second.publish()
    world.store.names.clear()
    world.store.change_rules()
    for publisher in (first, second):
        world.now += 1
        assert await publisher.publish() == 7
        assert not (await world.read()).has(name(1))
    assert await world.head() == Head(7, 102_000, base=None, rules=6)


@pytest.mark.parametrize("lost", [[HEAD_KEY], [BODY_KEY], [ADDITIONS_KEY], KEYS])
async def test_what_valkey_lost_comes_back_with_the_next_publication(world: World, lost: list[str]) -> None:
    first, second = world.publisher(), world.publisher()
    await first.publish()
    world.store.add(name(1))
    await first.publish()
    await second.publish()
    for publisher in (first, second):
        await world.forget(*lost)
        world.now += 1
        assert await publisher.publish() == 6
        assert await world.refuses_all()


async def test_additions_of_an_old_dump_are_replaced(world: World) -> None:
    publisher = world.publisher()
    await publisher.publish()
    world.store.add(name(1))
    await publisher.publish()
    dump = await world.valkey.get_many(KEYS)
    world.store.add(name(2))
    await publisher.publish()
    for key, value in zip(KEYS, dump, strict=True):
        await world.valkey.set(key, value or b"", seconds=60)
    world.now += 1
    assert await publisher.publish() == 7
    assert await world.refuses_all()


async def test_everything_expires(world: World) -> None:
    publisher = world.publisher()
    await publisher.publish()
    world.store.add(name(1))
    for _ in range(2):
        await publisher.publish()
        for key in KEYS:
            left = await world.valkey.run_script("return redis.call('TTL', KEYS[1])", [key], [])
            assert isinstance(left, int)
            assert 0 < left <= 60


async def test_a_reader_that_follows_gets_every_revocation(world: World) -> None:
    clock = lambda: world.now  # noqa: E731
    follower = Holder(clock=clock, monotonic=clock)
    publishers = [world.publisher() for _ in range(3)]
    for number in range(60):
        world.store.add(name(number), **{f"user-{number % 7}": number})
        if number % 23 == 22:
            world.store.change_rules()
        if number % 17 == 16:
            await world.forget(KEYS[number % 3])
        world.now += 0.25
        await asyncio.gather(*(publisher.publish() for publisher in publishers))
        seen = await world.read(follower)
        assert seen.epoch == world.store.epoch
        assert all(map(seen.has, world.store.names))
        assert seen.until == (await world.read()).until
