"""Data keys of owners: made, found, rotated, destroyed, and away."""

import asyncio
from collections.abc import Callable
from typing import cast
from uuid import UUID

import pytest

from tenantgate.crypto.envelopes import KeyOwner, named_key, subject_digest
from tenantgate.crypto.errors import EnvelopeBroken, KeyDestroyed, KeyServiceUnavailable
from tenantgate.crypto.sealing import Sealer
from tenantgate.data_keys.cache import HELD_SECONDS, HeldKeys
from tenantgate.data_keys.local_keys import LocalKeys
from tenantgate.data_keys.models import StoredKey
from tenantgate.data_keys.service import DataKeys
from tenantgate.database.unit import Unit
from tenantgate.errors.base import InternalError, error_body
from tenantgate.secrets.errors import SecretMissing
from tests.fixtures.data_keys.memory import KEY, NEW_KEY, Away, MemoryKeyStore, data_keys_in_memory, local_keys

pytestmark = pytest.mark.anyio

OWNER = KeyOwner("org-1", "session-tokens")
PERSON = KeyOwner("org-1", "audit", "https://issuer.example\0user-1")
PLACE = ("table", "column", "row-1")


class Clock:
    """Both clocks of `HeldKeys`."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_800_000_000.0, 1000.0

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def held(self, limit: int = 100) -> HeldKeys:
        return HeldKeys(clock=lambda: self.wall, monotonic=lambda: self.monotonic, limit=limit)


async def test_the_first_key_is_made_once_and_used_by_every_process() -> None:
    store = MemoryKeyStore()
    processes = [data_keys_in_memory(store) for _ in range(3)]
    keys = await asyncio.gather(*(one.current(OWNER) for one in processes for _ in range(4)))
    assert len({key.id for key in keys}) == len(store.rows) == 1
    envelope = keys[0].encrypt(b"secret", place=PLACE)
    assert [await one.decrypt(OWNER, envelope, place=PLACE) for one in processes] == [b"secret"] * 3


async def test_a_stored_key_is_not_readable_without_the_key_encryption_key() -> None:
    store = MemoryKeyStore()
    key = await data_keys_in_memory(store).current(PERSON)
    (row,) = store.rows.values()
    assert row.wrapped_key is not None
    assert key._key not in row.wrapped_key
    assert "user-1" not in repr(row)
    assert subject_digest(PERSON) == row.subject_hash


async def test_a_key_in_memory_needs_neither_the_store_nor_the_key_service() -> None:
    store, wrapper = MemoryKeyStore(), Away()
    keys = data_keys_in_memory(store, wrapper)
    assert keys.held(OWNER) is None
    key = await keys.current(OWNER)
    envelope = key.encrypt(b"secret", place=PLACE)
    store.calls.clear()
    wrapper.away, wrapper.calls = True, 0
    assert keys.held(OWNER) is key
    assert await keys.current(OWNER) is key
    assert await keys.decrypt(OWNER, envelope, place=PLACE) == b"secret"
    assert (store.calls, wrapper.calls) == ([], 0)


async def test_many_readers_unwrap_once() -> None:
    store = MemoryKeyStore()
    envelope = (await data_keys_in_memory(store).current(OWNER)).encrypt(b"secret", place=PLACE)
    store.calls.clear()
    wrapper = Away()
    keys = data_keys_in_memory(store, wrapper)
    assert await asyncio.gather(*(keys.decrypt(OWNER, envelope, place=PLACE) for _ in range(50))) == [b"secret"] * 50
    assert (wrapper.calls, store.calls) == (1, ["find"])


async def test_without_the_key_service_a_key_that_is_not_in_memory_is_a_sys_009() -> None:
    store, clock = MemoryKeyStore(), Clock()
    wrapper = Away()
    keys = data_keys_in_memory(store, wrapper, held=clock.held())
    envelope = (await keys.current(OWNER)).encrypt(b"secret", place=PLACE)
    clock.advance(HELD_SECONDS)
    wrapper.away = True
    for use in (keys.current(OWNER), keys.decrypt(OWNER, envelope, place=PLACE), keys.usable(OWNER)):
        with pytest.raises(KeyServiceUnavailable) as caught:
            await use
        assert (caught.value.http_status, caught.value.retry_after) == (503, 5)
        assert error_body(caught.value, request_id="r")["error"] == {
            "code": "SYS_009",
            "message": "The key service is unavailable",
            "detail": None,
            "request_id": "r",
        }
    with pytest.raises(KeyServiceUnavailable):
        await keys.current(KeyOwner("org-2", "session-tokens"))
    assert len(store.rows) == 1
    assert keys.held(OWNER) is None
    wrapper.away = False
    assert await keys.decrypt(OWNER, envelope, place=PLACE) == b"secret"


@pytest.mark.parametrize(("seconds", "opens"), [(HELD_SECONDS - 0.001, True), (HELD_SECONDS, False)])
async def test_a_key_destroyed_elsewhere_stops_opening_within_60_seconds(seconds: float, opens: bool) -> None:
    store, clock = MemoryKeyStore(), Clock()
    keys, elsewhere = data_keys_in_memory(store, held=clock.held()), data_keys_in_memory(store)
    envelope = (await keys.current(PERSON)).encrypt(b"secret", place=PLACE)
    assert await elsewhere.destroy(PERSON) == 1
    clock.advance(seconds)
    if opens:
        assert await keys.decrypt(PERSON, envelope, place=PLACE) == b"secret"
    else:
        with pytest.raises(KeyDestroyed):
            await keys.decrypt(PERSON, envelope, place=PLACE)


async def test_the_60_seconds_count_from_the_reading_and_not_from_the_unwrapping() -> None:
    store, clock, wrapper = MemoryKeyStore(), Clock(), Away()
    envelope = (await data_keys_in_memory(store, wrapper).current(OWNER)).encrypt(b"secret", place=PLACE)
    # The key service takes three seconds.
    wrapper.entered = lambda: clock.advance(3)
    keys = data_keys_in_memory(store, wrapper, held=clock.held())
    await keys.decrypt(OWNER, envelope, place=PLACE)
    clock.advance(HELD_SECONDS - 3)
    wrapper.away = True
    with pytest.raises(KeyServiceUnavailable):
        await keys.decrypt(OWNER, envelope, place=PLACE)


@pytest.mark.parametrize(
    ("wall", "monotonic"),
    [
        pytest.param(HELD_SECONDS, 0.0, id="the-machine-was-frozen"),
        pytest.param(-3600.0, HELD_SECONDS, id="the-clock-was-set-back"),
        pytest.param(-0.5, 0.5, id="the-clock-is-before-the-reading"),
    ],
)
async def test_a_key_expires_by_either_clock(wall: float, monotonic: float) -> None:
    clock = Clock()
    keys = data_keys_in_memory(held=clock.held())
    await keys.current(OWNER)
    clock.wall += wall
    clock.monotonic += monotonic
    assert keys.held(OWNER) is None


async def test_a_process_forgets_at_once_what_it_destroys_also_while_it_reads() -> None:
    store, wrapper = MemoryKeyStore(), Away()
    envelope = (await data_keys_in_memory(store).current(PERSON)).encrypt(b"secret", place=PLACE)
    keys = data_keys_in_memory(store, wrapper)
    wrapper.entered = lambda: keys.forget(PERSON)
    await keys.decrypt(PERSON, envelope, place=PLACE)
    wrapper.entered = lambda: None
    assert await keys.destroy(PERSON) == 1
    assert keys.held(PERSON) is None
    with pytest.raises(KeyDestroyed):
        await keys.decrypt(PERSON, envelope, place=PLACE)


async def test_after_a_destruction_a_new_key_is_made_and_the_row_tells_no_subject() -> None:
    store = MemoryKeyStore()
    keys = data_keys_in_memory(store)
    first = await keys.current(PERSON)
    await keys.rotate(PERSON, first.id)
    second = await keys.current(PERSON)
    assert await keys.destroy(PERSON) == 2
    assert all(row.wrapped_key is None and row.subject_hash == b"" for row in store.rows.values())
    assert await keys.existing(PERSON) is None
    assert await keys.usable(PERSON) == []
    third = await keys.current(PERSON)
    assert len({first.id, second.id, third.id}) == 3
    assert third.digest("user-1") not in (first.digest("user-1"), second.digest("user-1"))


async def test_keys_are_found_by_the_ids_that_envelopes_name_without_their_subjects() -> None:
    store = MemoryKeyStore()
    writer = data_keys_in_memory(store)
    people = [PERSON._replace(subject=f"person {number}") for number in range(20)]
    envelopes = [(await writer.current(one)).encrypt(b"secret", place=PLACE) for one in people]
    whole = await writer.current(PERSON._replace(subject=None))
    foreign = [await writer.current(KeyOwner("org-2", "audit", "x")), await writer.current(OWNER)]
    ids = [*map(named_key, envelopes), whole.id, *(key.id for key in foreign), UUID(int=7)]
    await writer.destroy(people[0])
    tampered = store.rows[ids[1]]
    store.rows[ids[1]] = tampered._replace(wrapped_key=b"other" + (tampered.wrapped_key or b""))
    # A row that was given to another person unwraps, and opens nothing of that person.
    store.rows[ids[2]] = store.rows[ids[2]]._replace(subject_hash=subject_digest(people[3]))
    reader = data_keys_in_memory(store)
    store.calls.clear()
    found = await reader.named("org-1", "audit", ids)
    assert (set(found.keys), found.destroyed) == ({*ids[2:20], whole.id}, {ids[0]})
    assert all(found.keys[key_id].decrypt(envelopes[at], place=PLACE) for at, key_id in enumerate(ids[3:20], 3))
    with pytest.raises(EnvelopeBroken):
        found.keys[ids[2]].decrypt(envelopes[2], place=PLACE)
    assert store.calls == ["find_all"]
    # Those in memory are not read again, and not one of them is another purpose's.
    assert (await reader.named("org-1", "audit", ids[4:20])).keys.keys() == {*ids[4:20]}
    assert (await reader.named("org-1", "session-tokens", ids[4:20])).keys == {}
    assert store.calls == ["find_all", "find_all"]
    await reader.destroy(people[5])
    assert ids[5] not in (await reader.named("org-1", "audit", [ids[5]])).keys


async def test_named_keys_need_the_key_service_unless_they_are_in_memory() -> None:
    store, wrapper = MemoryKeyStore(), Away()
    key = await data_keys_in_memory(store, wrapper).current(PERSON)
    reader = data_keys_in_memory(store, wrapper)
    wrapper.away = True
    with pytest.raises(KeyServiceUnavailable):
        await reader.named("org-1", "audit", [key.id])
    wrapper.away = False
    assert (await reader.named("org-1", "audit", [key.id])).keys[key.id].id == key.id
    wrapper.away = True
    assert key.id in (await reader.named("org-1", "audit", [key.id])).keys


async def test_a_rotation_keeps_what_was_encrypted_and_two_at_once_make_one_key() -> None:
    store = MemoryKeyStore()
    one, other = data_keys_in_memory(store), data_keys_in_memory(store)
    first = await one.current(OWNER)
    envelope = first.encrypt(b"secret", place=PLACE)
    assert (await other.current(OWNER)).id == first.id
    assert sorted(await asyncio.gather(one.rotate(OWNER, first.id), other.rotate(OWNER, first.id))) == [False, True]
    second = await one.current(OWNER)
    assert second.id != first.id
    assert await other.decrypt(OWNER, envelope, place=PLACE) == b"secret"
    assert [key.id for key in await one.usable(OWNER)] == [second.id, first.id]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(KeyOwner("org-2", "audit", PERSON.subject), id="another-tenant"),
        pytest.param(KeyOwner("org-1", "session-tokens", PERSON.subject), id="another-purpose"),
        pytest.param(KeyOwner("org-1", "audit", "another person"), id="another-subject"),
        pytest.param(KeyOwner("org-1", "audit"), id="the-whole-tenant"),
    ],
)
async def test_an_envelope_of_another_owner_does_not_open(other: KeyOwner) -> None:
    store = MemoryKeyStore()
    keys = data_keys_in_memory(store)
    envelope = (await keys.current(PERSON)).encrypt(b"secret", place=PLACE)
    await keys.current(other)
    with pytest.raises(EnvelopeBroken):
        await keys.decrypt(other, envelope, place=PLACE)


def _stolen(row: StoredKey, owner: KeyOwner) -> StoredKey:
    return row._replace(tenant_id=owner.tenant_id, purpose=owner.purpose, subject_hash=subject_digest(owner))


def _tampered(row: StoredKey) -> StoredKey:
    assert row.wrapped_key is not None
    text = bytearray(row.wrapped_key)
    text[-8] = ord("B" if text[-8] == ord("A") else "A")
    return row._replace(wrapped_key=bytes(text))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda row: _stolen(row, KeyOwner("org-2", "audit")), id="given-to-another-tenant"),
        pytest.param(lambda row: _stolen(row, KeyOwner("org-1", "other")), id="given-to-another-purpose"),
        pytest.param(_tampered, id="tampered"),
        pytest.param(lambda row: row._replace(wrapped_key=b"\xff\xfe"), id="not-text"),
        pytest.param(lambda row: row._replace(wrapped_key=b""), id="empty"),
    ],
)
async def test_a_wrapped_key_that_was_moved_or_changed_does_not_unwrap(
    change: Callable[[StoredKey], StoredKey],
) -> None:
    store = MemoryKeyStore()
    envelope = (await data_keys_in_memory(store).current(OWNER)).encrypt(b"secret", place=PLACE)
    ((key_id, row),) = store.rows.items()
    stolen = store.rows[key_id] = change(row)
    owner = KeyOwner(stolen.tenant_id, stolen.purpose)
    with pytest.raises(EnvelopeBroken):
        await data_keys_in_memory(store).decrypt(owner, envelope, place=PLACE)


async def test_two_rows_whose_wrapped_keys_were_swapped_do_not_unwrap() -> None:
    store = MemoryKeyStore()
    keys = data_keys_in_memory(store)
    other = PERSON._replace(subject="another person")
    first, second = await keys.current(PERSON), await keys.current(other)
    one, two = store.rows[first.id], store.rows[second.id]
    store.rows[first.id] = one._replace(wrapped_key=two.wrapped_key)
    with pytest.raises(EnvelopeBroken):
        await data_keys_in_memory(store).current(PERSON)


async def test_the_newest_key_encryption_key_wraps_and_a_retired_one_fails_closed() -> None:
    store = MemoryKeyStore()
    envelope = (await data_keys_in_memory(store, local_keys(KEY)).current(OWNER)).encrypt(b"secret", place=PLACE)
    ((key_id, before),) = store.rows.items()
    both = data_keys_in_memory(store, local_keys(NEW_KEY, KEY))
    assert await both.decrypt(OWNER, envelope, place=PLACE) == b"secret"
    with pytest.raises(KeyServiceUnavailable):
        await data_keys_in_memory(store, local_keys(NEW_KEY)).decrypt(OWNER, envelope, place=PLACE)
    assert await both.rewrap(before)
    assert store.rows[key_id].wrapped_by != before.wrapped_by
    # Another process has rewrapped it meanwhile.
    assert not await both.rewrap(before)
    rewrapped = data_keys_in_memory(store, local_keys(NEW_KEY))
    assert await rewrapped.decrypt(OWNER, envelope, place=PLACE) == b"secret"


async def test_a_destroyed_key_can_not_be_rewrapped() -> None:
    store = MemoryKeyStore()
    keys = data_keys_in_memory(store)
    await keys.current(OWNER)
    await keys.destroy(OWNER)
    (row,) = store.rows.values()
    with pytest.raises(KeyDestroyed):
        await keys.rewrap(row)


async def test_the_memory_is_bounded_and_the_key_used_last_stays() -> None:
    held = Clock().held(limit=10)
    keys = data_keys_in_memory(held=held)
    await keys.current(OWNER)
    for number in range(100):
        await keys.current(KeyOwner(f"org-{number + 2}", "session-tokens"))
        assert keys.held(OWNER) is not None
        assert len(held) <= 10
    assert keys.held(KeyOwner("org-2", "session-tokens")) is None


@pytest.mark.parametrize(
    "owner",
    [
        KeyOwner("", "audit"),
        KeyOwner("org-1", ""),
        KeyOwner("org-1", "Audit"),
        KeyOwner("org-1", "audit\n"),
        KeyOwner("org-1", "a" * 60),
        KeyOwner("org-1", "audit", ""),
    ],
)
async def test_an_owner_that_can_not_have_a_key_is_refused(owner: KeyOwner) -> None:
    store = MemoryKeyStore()
    keys = DataKeys(store, local_keys())
    with pytest.raises(ValueError, match="an owner has"):
        await keys.current(owner)
    assert store.rows == {}


async def test_an_envelope_names_the_key_that_encrypts() -> None:
    keys = data_keys_in_memory()
    key = await keys.current(OWNER)
    assert named_key(key.encrypt(b"", place=())) == key.id


class EndlesslyDestroyed(MemoryKeyStore):
    """Another process adds and destroys a key between every two calls of this one."""

    async def add(self, key: StoredKey) -> bool:
        return False


async def test_an_owner_whose_keys_are_destroyed_again_and_again_ends_the_wait() -> None:
    store = EndlesslyDestroyed()
    with pytest.raises(InternalError, match="again and again"):
        await data_keys_in_memory(store).current(OWNER)
    assert store.calls.count("current") == 5


async def test_an_existing_key_is_returned_and_none_is_made() -> None:
    store = MemoryKeyStore()
    keys = data_keys_in_memory(store)
    assert await keys.existing(OWNER) is None
    assert store.rows == {}
    made = await keys.current(OWNER)
    assert await keys.existing(OWNER) is made
    assert (found := await data_keys_in_memory(store).existing(OWNER)) is not None
    assert found.id == made.id


async def test_a_destruction_inside_a_unit_of_work_counts_here_from_its_commit() -> None:
    store = MemoryKeyStore()
    keys = data_keys_in_memory(store)
    envelope = (await keys.current(OWNER)).encrypt(b"secret", place=PLACE)
    # The unit is the store's own concern; this one is in memory.
    assert await keys.destroy_in(cast("Unit", None), OWNER) == 1
    keys.forget(OWNER)
    with pytest.raises(KeyDestroyed):
        await keys.decrypt(OWNER, envelope, place=PLACE)


async def test_a_first_key_that_is_forgotten_while_it_is_made_is_not_kept() -> None:
    service = Away()
    keys = data_keys_in_memory(wrapper=service)
    service.entered = lambda: keys.forget(OWNER)
    await keys.current(OWNER)
    assert keys.held(OWNER) is None


async def test_a_deployment_without_a_key_encryption_key_reads_no_database() -> None:
    async def missing() -> Sealer:
        raise SecretMissing("KEY_ENCRYPTION_KEYS has no value")

    store = MemoryKeyStore()
    with pytest.raises(SecretMissing):
        await data_keys_in_memory(store, LocalKeys(missing)).current(OWNER)
    assert store.calls == []
