"""Data keys in PostgreSQL: races of processes, and the rest of a destroyed key."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from tenantgate.crypto.envelopes import KeyOwner, named_key, subject_digest
from tenantgate.crypto.errors import EnvelopeBroken, KeyDestroyed
from tenantgate.data_keys.cache import HELD_SECONDS, HeldKeys
from tenantgate.data_keys.models import StoredKey, WrappedKey
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.database.unit import Database, StatementRefused
from tests.fixtures.data_keys.memory import local_keys
from tests.fixtures.databases.kinds import KINDS, Kind
from tests.fixtures.databases.postgres import DatabaseUrls, execute

pytestmark = pytest.mark.anyio

PLACE = ("table", "column", "row-1")


@pytest.fixture
def kind() -> Kind:
    """Only the container's: a unit of work waits for another one's."""
    return KINDS["container"]


@pytest.fixture
def tenant() -> str:
    """A tenant of the test's own: the tests share a database."""
    return f"org-{uuid4()}"


@pytest.fixture
def owner(tenant: str) -> KeyOwner:
    return KeyOwner(tenant, "session-tokens")


@pytest.fixture
def person(tenant: str) -> KeyOwner:
    return KeyOwner(tenant, "audit", "https://issuer.example\0user-1")


@pytest.fixture
def repository(database: Database) -> DataKeyRepository:
    return DataKeyRepository(database)


def keys_of(repository: DataKeyRepository, *, held: HeldKeys | None = None) -> DataKeys:
    return DataKeys(repository, local_keys(), held=held)


def stored(owner: KeyOwner, **changes: Any) -> StoredKey:
    key = StoredKey(uuid4(), owner.tenant_id, owner.purpose, subject_digest(owner), "local:00", b"wrapped")
    return key._replace(**changes)


async def test_processes_that_make_the_first_key_together_make_one(
    owner: KeyOwner, repository: DataKeyRepository
) -> None:
    keys = await asyncio.gather(*(keys_of(repository).current(owner) for _ in range(10)))
    assert len({key.id for key in keys}) == 1
    assert [row.id for row in await repository.usable(owner)] == [keys[0].id]


async def test_rotations_under_use_lose_nothing(owner: KeyOwner, repository: DataKeyRepository) -> None:
    """Four processes, whose memory expires repeatedly, write and read while the key is rotated again and again."""
    now = 0.0
    processes = [keys_of(repository, held=HeldKeys(clock=lambda: now, monotonic=lambda: now)) for _ in range(4)]
    written: list[tuple[str, bytes]] = []
    done = asyncio.Event()

    async def use(keys: DataKeys, number: int) -> None:
        while not done.is_set():
            plaintext = f"{number} {len(written)}".encode()
            written.append(((await keys.current(owner)).encrypt(plaintext, place=PLACE), plaintext))
            envelope, expected = written[(number * 7919 + len(written)) % len(written)]
            assert await keys.decrypt(owner, envelope, place=PLACE) == expected
            await asyncio.sleep(0.001)

    users = [asyncio.create_task(use(keys, number)) for number, keys in enumerate(processes)]
    for turn in range(8):
        current = await repository.current(owner) or stored(owner)
        await asyncio.gather(*(keys.rotate(owner, current.id) for keys in processes[:2] if turn))
        now += HELD_SECONDS if turn % 2 else 1.0
        await keys_of(repository).current(owner)
    done.set()
    await asyncio.gather(*users)
    fresh = keys_of(repository)
    for envelope, plaintext in written:
        assert await fresh.decrypt(owner, envelope, place=PLACE) == plaintext
    assert len({named_key(envelope) for envelope, _ in written}) > 2
    usable = await repository.usable(owner)
    assert [row.retired_at is None for row in usable] == [True] + [False] * (len(usable) - 1)


async def test_a_rotation_that_a_destruction_waits_for_leaves_no_key(
    person: KeyOwner, repository: DataKeyRepository, database: Database, database_urls: DatabaseUrls
) -> None:
    first = stored(person)
    await repository.add(first)
    async with database.tenant(person.tenant_id) as unit:
        # The two statements of a rotation, whose transaction is still open when the destruction begins.
        await unit.execute(
            "UPDATE data_keys SET retired_at = now() WHERE tenant_id = $1 AND id = $2", person.tenant_id, first.id
        )
        await unit.execute(
            "INSERT INTO data_keys (tenant_id, id, purpose, subject_hash, wrapped_by, wrapped_key)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            *(person.tenant_id, uuid4(), person.purpose, subject_digest(person), "local:00", b"wrapped"),
        )
        destruction = asyncio.create_task(repository.destroy(person))
        while not destruction.done() and not await _waits(database_urls):
            await asyncio.sleep(0.005)
    assert await destruction == 2
    assert await repository.usable(person) == []


async def _waits(urls: DatabaseUrls) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool((await asyncio.to_thread(execute, urls.admin_url, query))[0][0][0])


async def test_a_rotation_after_a_destruction_makes_no_key(person: KeyOwner, repository: DataKeyRepository) -> None:
    first = stored(person)
    assert await repository.add(first)
    assert await repository.destroy(person) == 1
    assert not await repository.replace(first.id, stored(person))
    assert not await repository.rewrap(first, WrappedKey("local:01", b"again"))
    assert await repository.current(person) is None
    assert await repository.destroy(person) == 0


async def test_a_destroyed_key_leaves_neither_its_wrapped_form_nor_its_subject(
    person: KeyOwner, repository: DataKeyRepository, database: Database
) -> None:
    keys = keys_of(repository)
    envelope = (await keys.current(person)).encrypt(b"secret", place=PLACE)
    await keys.destroy(person)
    async with database.tenant(person.tenant_id) as unit:
        rows = await unit.fetch_all("SELECT wrapped_key, subject_hash, purpose FROM data_keys")
    assert [*map(dict, rows)] == [{"wrapped_key": None, "subject_hash": b"", "purpose": "audit"}]
    with pytest.raises(KeyDestroyed):
        await keys_of(repository).decrypt(person, envelope, place=PLACE)
    assert (await keys.current(person)).id != named_key(envelope)


async def test_a_destruction_in_a_unit_that_fails_did_not_happen(
    person: KeyOwner, repository: DataKeyRepository, database: Database
) -> None:
    keys = keys_of(repository)
    key = await keys.current(person)

    async def destroy_and_fail() -> None:
        async with database.tenant(person.tenant_id) as unit:
            assert await keys.destroy_in(unit, person) == 1
            raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError, match="rolled back"):
        await destroy_and_fail()
    keys.forget(person)
    assert (await keys.current(person)).id == key.id


async def test_another_tenants_key_is_not_found(owner: KeyOwner, repository: DataKeyRepository) -> None:
    keys = keys_of(repository)
    theirs = await keys.current(KeyOwner(f"{owner.tenant_id}-2", "session-tokens"))
    assert await repository.find(theirs.id, tenant_id=owner.tenant_id) is None
    with pytest.raises(EnvelopeBroken):
        await keys.decrypt(owner, theirs.encrypt(b"secret", place=PLACE), place=PLACE)
    # Both tenants may have the same id: neither learns of the other's.
    assert await repository.add(stored(owner, id=theirs.id))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM data_keys WHERE tenant_id = $1",
        "UPDATE data_keys SET purpose = 'audit' WHERE tenant_id = $1",
        "UPDATE data_keys SET id = gen_random_uuid() WHERE tenant_id = $1",
        "UPDATE data_keys SET wrapped_key = NULL WHERE tenant_id = $1",
    ],
    ids=["delete", "move-to-another-purpose", "another-id", "destroy-with-its-subject"],
)
async def test_the_application_can_neither_delete_nor_move_a_key(
    person: KeyOwner, repository: DataKeyRepository, database: Database, statement: str
) -> None:
    await repository.add(stored(person))
    with pytest.raises(StatementRefused):
        async with database.tenant(person.tenant_id) as unit:
            await unit.execute(statement, person.tenant_id)
    assert await repository.current(person) is not None


async def test_commands_go_through_all_keys_in_pages(
    owner: KeyOwner, person: KeyOwner, tenant: str, repository: DataKeyRepository, database: Database
) -> None:
    async with database.untenanted() as unit:
        for number in range(1, 4):
            await unit.execute("INSERT INTO tenants (tenant_id) VALUES ($1)", f"{tenant}-{number}")
    made = [stored(person._replace(subject=f"user-{number}")) for number in range(5)]
    for key in (*made, stored(owner)):
        assert await repository.add(key)
    await repository.destroy(person._replace(subject="user-0"))
    assert await repository.replace(made[1].id, stored(person._replace(subject="user-1")))
    assert await repository.tenants(after=tenant, limit=2) == [f"{tenant}-1", f"{tenant}-2"]
    assert (await repository.tenants(after=f"{tenant}-2", limit=2))[0] == f"{tenant}-3"
    first = await repository.page(tenant, after=UUID(int=0), limit=4)
    rest = await repository.page(tenant, after=first[-1].id, limit=4)
    assert (len(first), len(rest)) == (4, 2)
    audit, sessions = await repository.groups(tenant)
    assert audit._replace(oldest=None) == (tenant, "audit", "local:00", 4, 1, 1, 4, None)
    assert sessions._replace(oldest=None) == (tenant, "session-tokens", "local:00", 1, 0, 0, 0, None)
    assert audit.oldest is not None
