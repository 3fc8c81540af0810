"""The queue, the leaves and the checkpoints in PostgreSQL: what fills them, what is refused, and two at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from tenantgate.audit.repository import EventRepository, record
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import StatementRefused
from tenantgate.transparency.leaves import leaf_data, read_leaf
from tenantgate.transparency.models import Batch, Leaf, Sealed
from tenantgate.transparency.repository import LogRepository
from tenantgate.transparency.tree import Frontier, leaf_hash
from tests.fixtures.audit.events import any_event
from tests.fixtures.databases.postgres import DatabaseUrls

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(database_urls.app_url)
    yield made
    await made.dispose()


@pytest.fixture
def tenant_id() -> str:
    return f"org-{uuid4()}"


async def sealed(batch: Batch) -> Sealed | None:
    """Seal a batch with an unsigned note."""
    tree = Frontier(batch.size, batch.frontier)
    leaves = [
        Leaf(event.id, leaf_hash(leaf_data(event.row)), event.recorded_at)
        for event in batch.events
        if event.row is not None and event.recorded_at is not None and not event.is_sealed
    ]
    tree.extend(leaf.leaf_hash for leaf in leaves)
    return Sealed(leaves, tree.size, tree.hashes, f"note of {tree.size}") if leaves else None


async def add(database: PooledDatabase, tenant_id: str, count: int = 1) -> list[UUID]:
    events = [any_event(tenant_id) for _ in range(count)]
    for event in events:
        await EventRepository(database).add(event)
    return [event.id for event in events]


async def test_an_event_is_queued_with_its_act_and_sealed_once_in_order(
    database: PooledDatabase, database_urls: DatabaseUrls, tenant_id: str
) -> None:
    repository = LogRepository(database)
    with suppress(StatementRefused):
        async with database.tenant(tenant_id) as unit:
            await record(unit, any_event(tenant_id))
            await unit.execute("SELECT 1 / 0")
    assert await repository.seal(tenant_id, sealed, limit=10) == (0, None)
    ids = await add(database, tenant_id, 5)
    assert tenant_id in await repository.waiting(after="", limit=10_000)

    batches: list[Batch] = []

    async def work(batch: Batch) -> Sealed | None:
        batches.append(batch)
        return await sealed(batch)

    made = [await repository.seal(tenant_id, work, limit=2) for _ in range(4)]
    assert [count for count, _ in made] == [2, 2, 1, 0]
    assert [event.id for batch in batches for event in batch.events] == ids
    assert [(batch.size, batch.note, batch.is_all) for batch in batches] == [
        (0, None, False),
        (2, "note of 2", False),
        (4, "note of 4", True),
    ]
    connection = await asyncpg.connect(database_urls.admin_url)
    leaves = await connection.fetch(
        "SELECT l.id, l.position, l.recorded_at = e.created_at AS same FROM audit_leaves l JOIN audit_events e"
        " USING (tenant_id, id) WHERE tenant_id = $1 ORDER BY position",
        tenant_id,
    )
    await connection.close()
    assert [tuple(row) for row in leaves] == [(event_id, place, True) for place, event_id in enumerate(ids)]
    notes = await repository.checkpoints(tenant_id, [one.id for _, one in made if one is not None])
    assert {one.note for one in notes} == {"note of 2", "note of 4", "note of 5"}
    assert tenant_id not in set(await repository.waiting(after="", limit=10_000))


async def test_the_row_is_read_as_it_is_stored(database: PooledDatabase, tenant_id: str) -> None:
    (event_id,) = await add(database, tenant_id)
    rows: list[dict[str, str | None]] = []

    async def work(batch: Batch) -> Sealed | None:
        rows.extend(read_leaf(leaf_data(event.row)) for event in batch.events if event.row is not None)
        return None

    assert await LogRepository(database).seal(tenant_id, work, limit=1) == (1, None)
    (row,) = rows
    assert (row["id"], row["tenant_id"], row["event_type"]) == (str(event_id), tenant_id, "TENANT_CHANGED")
    assert abs(int(row["created_at"] or 0) / 1e6 - datetime.now(UTC).timestamp()) < 60


async def test_one_of_two_sealers_works_on_a_tenant(database: PooledDatabase, tenant_id: str) -> None:
    repository = LogRepository(database)
    holding, done = asyncio.Event(), asyncio.Event()

    async def slow(batch: Batch) -> Sealed | None:
        holding.set()
        await done.wait()
        return await sealed(batch)

    for size in (2, 4):
        await add(database, tenant_id, 2)
        first = asyncio.create_task(repository.seal(tenant_id, slow, limit=10))
        await holding.wait()
        # The first time, the second one waits for the row that the first one adds.
        second = asyncio.create_task(repository.seal(tenant_id, sealed, limit=10))
        if size > 2:
            assert await second == (0, None)
        done.set()
        count, checkpoint = await first
        assert count == 2
        assert checkpoint is not None
        assert checkpoint.note == f"note of {size}"
        assert await second == (0, None)
        holding.clear()
        done.clear()


async def test_a_commit_that_comes_late_is_sealed_by_the_next_run(database: PooledDatabase, tenant_id: str) -> None:
    repository = LogRepository(database)
    late = any_event(tenant_id)
    async with database.tenant(tenant_id) as unit:
        await record(unit, late)
        await add(database, tenant_id, 3)
        assert (await repository.seal(tenant_id, sealed, limit=10))[0] == 3
    count, checkpoint = await repository.seal(tenant_id, sealed, limit=10)
    assert count == 1
    assert checkpoint is not None
    assert checkpoint.note == "note of 4"


async def test_an_event_is_not_committed_after_four_minutes_nor_with_another_time(
    database: PooledDatabase, tenant_id: str
) -> None:
    await add(database, tenant_id)
    for seconds in (-241, 60):
        with pytest.raises(StatementRefused) as refused:
            async with database.tenant(tenant_id) as unit:
                await unit.execute(
                    "INSERT INTO audit_events (tenant_id, event_type, outcome, detail, occurred_at, created_at)"
                    " VALUES ($1, 'X', 'success', '{}', now(), now() + make_interval(secs => $2))",
                    tenant_id,
                    float(seconds),
                )
        assert refused.value.sqlstate == "23514"


@pytest.mark.parametrize("role", ["app_url", "owner_url", "admin_url"])
@pytest.mark.parametrize("table", ["audit_leaves", "audit_checkpoints"])
async def test_no_role_changes_or_removes_a_leaf_or_a_checkpoint(
    database: PooledDatabase, database_urls: DatabaseUrls, tenant_id: str, role: str, table: str
) -> None:
    await add(database, tenant_id)
    await LogRepository(database).seal(tenant_id, sealed, limit=1)
    connection = await asyncpg.connect(getattr(database_urls, role))
    try:
        await connection.execute("SELECT set_config('tenantgate.audit_retention', 'on', false)")
        await connection.execute("SELECT set_config('tenantgate.tenant_id', $1, false)", tenant_id)
        for statement in ("UPDATE {} SET tenant_id = 'x'", "DELETE FROM {}", "TRUNCATE {}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement.format(table))
    finally:
        await connection.close()


async def test_a_leaf_or_checkpoint_is_never_added_twice(database: PooledDatabase, tenant_id: str) -> None:
    """The application's login can add a leaf, but never a second one of an event or at a position."""
    (event_id,) = await add(database, tenant_id)
    await LogRepository(database).seal(tenant_id, sealed, limit=1)
    leaf = "INSERT INTO audit_leaves (tenant_id, id, position, leaf_hash, recorded_at) VALUES ($1, $2, $3, $4, now())"
    for values in ((uuid4(), 0), (event_id, 1)):
        with pytest.raises(StatementRefused):
            async with database.tenant(tenant_id) as unit:
                await unit.execute(leaf, tenant_id, *values, bytes(32))
    with pytest.raises(StatementRefused):
        async with database.tenant(tenant_id) as unit:
            await unit.execute("INSERT INTO audit_checkpoints (tenant_id, size, note) VALUES ($1, 1, 'x')", tenant_id)


async def test_checkpoints_wait_until_they_are_anchored(database: PooledDatabase, tenant_id: str) -> None:
    repository = LogRepository(database)
    await add(database, tenant_id)
    _, checkpoint = await repository.seal(tenant_id, sealed, limit=1)
    assert checkpoint is not None
    start = ("", UUID(int=0))
    assert (tenant_id, checkpoint.id) in await repository.unanchored(after=start, limit=10_000)
    assert await repository.checkpoints(tenant_id, [checkpoint.id, uuid4()]) == [checkpoint]
    # Another tenant can't take it out of the queue.
    await repository.mark_anchored("another", [checkpoint.id])
    assert (tenant_id, checkpoint.id) in await repository.unanchored(after=start, limit=10_000)
    await repository.mark_anchored(tenant_id, [checkpoint.id])
    assert (tenant_id, checkpoint.id) not in await repository.unanchored(after=start, limit=10_000)


async def test_the_queues_show_no_other_tenant_without_the_declaration(
    database: PooledDatabase, tenant_id: str
) -> None:
    await add(database, tenant_id)
    for table in ("audit_queue", "audit_anchor_queue", "audit_leaves", "audit_trees", "audit_checkpoints"):
        async with database.untenanted() as unit:
            assert await unit.fetch_all(f"SELECT * FROM {table}") == []
    # It opens only the queues, and only for reading.
    async with database.untenanted() as unit:
        await unit.execute("SELECT set_config('tenantgate.audit_sealing', 'on', true)")
        assert await unit.fetch_all("DELETE FROM audit_queue RETURNING id") == []
        for table in ("audit_events", "audit_leaves", "audit_trees", "audit_checkpoints"):
            assert await unit.fetch_all(f"SELECT * FROM {table}") == []
