"""Behind a transaction-pooling proxy, session state belongs to no client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from tenantgate.database.unit import Database, StatementRefused, Unit
from tenantgate.sessions.repository import SessionRepository
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.session_stores import ENDINGS, TENANT, stored_session
from tests.fixtures.databases.transaction_pooler import TransactionPooler, transaction_pooler

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pooler(database_urls: DatabaseUrls) -> AsyncIterator[TransactionPooler]:
    """Run a pooler with two connections to the server for all clients."""
    async with transaction_pooler(database_urls.app_url, connections=2) as serving:
        yield serving


@pytest.fixture
async def environments(kind: Kind, pooler: TransactionPooler) -> AsyncIterator[list[Database]]:
    """Several processes' databases behind the pooler."""
    made: list[Database] = [kind(pooler.url) for _ in range(6)]
    yield made
    for database in made:
        await database.dispose()


async def backend(unit: Unit) -> int:
    row = await unit.fetch_one("SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])


@pytest.mark.timed
async def test_every_caller_sees_its_own_tenant_on_shared_connections(
    environments: list[Database], pooler: TransactionPooler
) -> None:
    backends: set[int] = set()

    async def request(database: Database, number: int) -> None:
        tenant = f"org-{number}"
        session = stored_session(tenant_id=tenant)
        repository = SessionRepository(database, ENDINGS)
        await repository.add(session)
        async with database.tenant(tenant) as unit:
            backends.add(await backend(unit))
            assert await unit.fetch_all("SELECT tenant_id FROM sessions") == [{"tenant_id": tenant}]
        async with database.untenanted() as unit:
            assert await unit.fetch_all("SELECT tenant_id FROM sessions") == []
        assert await repository.remove([session.id], tenant_id=tenant) == [session]
        await database.check(5)

    for turn in range(3):
        await asyncio.gather(*(request(database, 10 * turn + number) for number, database in enumerate(environments)))
    assert len(backends) == 2
    assert pooler.lent >= 3 * 6 * 5


async def test_nothing_of_a_session_is_left_on_a_lent_connection(
    environments: list[Database], pooler: TransactionPooler
) -> None:
    for database in environments:
        session = stored_session()
        await SessionRepository(database, ENDINGS).add(session)
        with pytest.raises(StatementRefused):
            await SessionRepository(database, ENDINGS).add(session)
        with suppress(ZeroDivisionError):
            async with database.tenant(TENANT):
                raise ZeroDivisionError
    for _ in range(4):
        connection = await asyncpg.connect(pooler.url, statement_cache_size=0)
        try:
            async with connection.transaction():
                assert not await connection.fetchval("SELECT current_setting('tenantgate.tenant_id', true)")
                assert await connection.fetchval("SELECT count(*) FROM sessions") == 0
                assert await connection.fetch("SELECT name FROM pg_prepared_statements WHERE name <> ''") == []
                sources = "SELECT name FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'tenantgate.%'"
                assert await connection.fetch(sources) == []
                assert await connection.fetch("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == []
        finally:
            connection.terminate()


async def test_a_cancelled_unit_gives_a_lent_connection_back_without_its_transaction(
    environments: list[Database],
) -> None:
    for database in environments:
        entered = asyncio.Event()
        session = stored_session(tenant_id="org-cancelled")

        async def request(database: Database = database, entered: asyncio.Event = entered) -> None:
            async with database.tenant("org-cancelled") as unit:
                await unit.execute("UPDATE sessions SET user_id = user_id")
                entered.set()
                await unit.execute("SELECT pg_sleep(0.2)")

        await SessionRepository(database, ENDINGS).add(session)
        task = asyncio.create_task(request())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.untenanted() as unit:
            assert await unit.fetch_all("SELECT tenant_id FROM sessions") == []
        assert await SessionRepository(database, ENDINGS).remove([session.id], tenant_id="org-cancelled") == [session]


async def test_a_named_statement_would_show(pooler: TransactionPooler) -> None:
    """The pooler pools: what a driver with its usual settings keeps on a connection isn't there the next time."""
    connection = await asyncpg.connect(pooler.url)
    other = await asyncpg.connect(pooler.url, statement_cache_size=0)

    async def take_turns() -> None:
        for number in range(6):
            await connection.fetchval("SELECT $1::int", number)
            if number % 2:
                await other.execute("SELECT 1")

    try:
        with pytest.raises(asyncpg.InvalidSQLStatementNameError):
            await take_turns()
    finally:
        connection.terminate()
        other.terminate()
