"""Publishing the list in Valkey: nothing older replaces anything newer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from copy import replace

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.revocation.distribution.current import CurrentRevocations, NoRevocations
from tenantgate.revocation.distribution.publisher import Publisher
from tenantgate.revocation.distribution.recorded import Recorded, Store
from tenantgate.revoked.holder import BOUND_SECONDS, Holder
from tenantgate.revoked.snapshot import ADDITIONS_KEY, BODY_KEY, HEAD_KEY, Head, PresentedToken, Snapshot
from tests.fixtures.revoked.stores import DeadStore, SnapshotStore

pytestmark = pytest.mark.anyio

EMPTY = Snapshot(5, frozenset(), {}, frozenset(), None, {})


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[ValkeyCache]:
    made = ValkeyCache(parse_cache_url(redis_url, protection="private-network", relaxed=True))
    yield made
    await made.dispose()


class World:
    """A store, Valkey, and a clock. Each publisher is another process."""

    def __init__(self, valkey: ValkeyCache) -> None:
        self.store, self.valkey, self.now = SnapshotStore(EMPTY), valkey, 100.0

    def publisher(self) -> Publisher:
        return Publisher(Recorded(self.store, clock=lambda: self.now), self.valkey)

    async def published(self) -> tuple[Head | None, Snapshot | None]:
        head, body = await self.valkey.get_many([HEAD_KEY, BODY_KEY])
        return Head.from_json(head or b""), Snapshot.from_json(body or b"")

    async def forget(self) -> None:
        for key in (HEAD_KEY, BODY_KEY, ADDITIONS_KEY):
            await self.valkey.run_script("return redis.call('DEL', KEYS[1])", [key], [])


@pytest.fixture
async def world(valkey: ValkeyCache) -> World:
    made = World(valkey)
    await made.forget()
    return made


async def test_the_body_is_read_and_sent_only_when_something_has_changed(world: World) -> None:
    publisher = world.publisher()
    assert await publisher.publish() == 5
    assert await world.published() == (Head(5, 100_000), EMPTY)
    world.now = 101.0
    assert await publisher.publish() == 5
    assert await world.published() == (Head(5, 101_000), EMPTY)
    assert world.store.snapshots == 1
    world.store.current = changed = replace(EMPTY, epoch=6, exact=frozenset({b"x" * 16}))
    assert await publisher.publish() == 6
    assert await world.published() == (Head(6, 101_000), changed)
    assert world.store.snapshots == 2


async def test_a_lower_epoch_never_replaces_a_higher_one(world: World) -> None:
    behind = world.publisher()
    await behind.publish()
    world.store.current = newer = replace(EMPTY, epoch=6)
    await world.publisher().publish()
    world.store.current, world.now = EMPTY, 200.0
    for publisher in (behind, world.publisher()):
        assert await publisher.publish() == 6
    assert await world.published() == (Head(6, 100_000), newer)


async def test_an_older_reading_never_replaces_a_newer_one(world: World) -> None:
    late = world.publisher()
    await late.publish()
    world.now = 110.0
    await world.publisher().publish()
    world.now = 105.0
    assert await late.publish() == 5
    assert (await world.published())[0] == Head(5, 110_000)


@pytest.mark.parametrize("keys", [[HEAD_KEY], [BODY_KEY], [HEAD_KEY, BODY_KEY]])
async def test_what_valkey_lost_comes_back_with_the_next_publication(world: World, keys: list[str]) -> None:
    publisher = world.publisher()
    await publisher.publish()
    for key in keys:
        await world.valkey.run_script("return redis.call('DEL', KEYS[1])", [key], [])
    world.now = 101.0
    assert await publisher.publish() == 5
    assert await world.published() == (Head(5, 101_000), EMPTY)


@pytest.mark.parametrize(
    "planted", [b"", b"garbage", b"[]", b"null", b'{"epoch":"9","read_at":1}', b'{"epoch":9}', b'{"read_at":9}']
)
async def test_a_malformed_head_is_replaced(world: World, planted: bytes) -> None:
    await world.valkey.set(HEAD_KEY, planted, seconds=60)
    await world.publisher().publish()
    assert (await world.published())[0] == Head(5, 100_000)


async def test_a_body_of_another_epoch_is_replaced(world: World) -> None:
    publisher = world.publisher()
    await publisher.publish()
    await world.valkey.set(BODY_KEY, replace(EMPTY, epoch=51).to_json(), seconds=60)
    await publisher.publish()
    assert await world.published() == (Head(5, 100_000), EMPTY)


async def test_everything_expires(world: World) -> None:
    await world.publisher().publish()
    for key in (HEAD_KEY, BODY_KEY):
        left = await world.valkey.run_script("return redis.call('TTL', KEYS[1])", [key], [])
        assert isinstance(left, int)
        assert 0 < left <= 60


class Dead(DeadStore):
    """A database or a cache that is away."""

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        raise CacheUnavailable("down")

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> object:
        raise CacheUnavailable("down")


class Reader:
    """Web functions' list, with a clock that can be moved."""

    def __init__(self, store: Store, cache: ValkeyCache | Dead | None) -> None:
        self.now = 100.0
        clock = lambda: self.now  # noqa: E731
        holder = Holder(clock=clock, monotonic=clock)
        recorded = Recorded(store, clock=clock)
        publisher = None if cache is None else Publisher(recorded, cache)
        self.list = CurrentRevocations(recorded, cache, publisher, holder=holder)

    async def epoch(self) -> int:
        await self.list.refresh()
        return self.list.current().epoch


async def test_the_list_comes_from_valkey_without_a_look_at_postgresql(world: World) -> None:
    await world.publisher().publish()
    reader = Reader(Dead(), world.valkey)
    assert await reader.epoch() == 5
    world.store.current = replace(EMPTY, epoch=6)
    await world.publisher().publish()
    reader.now += 0.4
    assert await reader.epoch() == 5
    reader.now += 0.2
    assert await reader.epoch() == 6


@pytest.mark.parametrize("cache", [None, Dead()])
async def test_without_valkey_the_list_comes_from_postgresql(cache: Dead | None) -> None:
    store = SnapshotStore(EMPTY)
    reader = Reader(store, cache)
    assert await reader.epoch() == 5
    for epoch in (6, 7):
        store.current = replace(EMPTY, epoch=epoch)
        reader.now += 0.6
        assert await reader.epoch() == epoch


async def test_a_reader_that_finds_an_old_list_publishes_a_new_one(world: World) -> None:
    await world.publisher().publish()
    reader = Reader(world.store, world.valkey)
    reader.now = 200.0
    assert await reader.epoch() == 5
    assert (await world.published())[0] == Head(5, 200_000)


async def test_an_old_dump_is_ignored(world: World) -> None:
    old = world.publisher()
    await old.publish()
    dump = await world.valkey.get_many([HEAD_KEY, BODY_KEY])
    world.store.current = replace(EMPTY, epoch=6)
    await world.publisher().publish()
    reader = Reader(world.store, world.valkey)
    assert await reader.epoch() == 6
    await world.forget()
    for key, value in zip((HEAD_KEY, BODY_KEY), dump, strict=True):
        await world.valkey.set(key, value or b"", seconds=60)
    reader.now += 1
    assert await reader.epoch() == 6
    assert (await world.published())[0] == Head(6, 101_000)


async def test_with_both_away_the_list_counts_until_the_bound(world: World) -> None:
    await world.publisher().publish()
    reader = Reader(Dead(), world.valkey)
    assert await reader.epoch() == 5
    await world.forget()
    reader.now = 100.0 + BOUND_SECONDS - 0.01
    assert await reader.epoch() == 5
    reader.now = 100.0 + BOUND_SECONDS
    with pytest.raises(RevocationUnknown):
        await reader.epoch()


async def test_requests_at_once_share_one_reading(world: World) -> None:
    reader = Reader(world.store, None)
    await asyncio.gather(*(reader.epoch() for _ in range(50)))
    assert world.store.snapshots == 1


async def test_a_list_that_postgresql_returns_too_late_is_neither_used_nor_published(world: World) -> None:
    class Slow(SnapshotStore):
        async def snapshot(self, *, now: float) -> Snapshot:
            reader.now += BOUND_SECONDS
            return EMPTY

    reader = Reader(Slow(EMPTY), world.valkey)
    with pytest.raises(RevocationUnknown):
        await reader.epoch()
    assert await world.published() == (None, None)


async def test_a_list_that_cant_be_published_is_used_here(caplog: pytest.LogCaptureFixture) -> None:
    class Empty(Dead):
        """Valkey, which fails over: it can be read, but not written."""

        async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
            return [None] * len(keys)

    assert await Reader(SnapshotStore(EMPTY), Empty()).epoch() == 5
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_a_cancelled_request_leaves_the_reading_to_the_next(world: World) -> None:
    reader = Reader(world.store, None)
    cancelled = asyncio.create_task(reader.epoch())
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await reader.epoch() == 5


async def test_without_a_database_nothing_counts_as_revoked() -> None:
    nothing = NoRevocations()
    await nothing.refresh()
    nothing.current().require_token(PresentedToken("t", "i", "u", None, "text", (), None, 0), leeway=0)
