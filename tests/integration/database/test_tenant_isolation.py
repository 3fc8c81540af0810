"""Only PostgreSQL isolates the tenants here: the statements name no tenant, or the wrong one."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.unit import Database, StatementRefused
from tenantgate.errors.base import InternalError
from tenantgate.sessions.repository import SessionRepository
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import ENDINGS, OTHER_TENANT, TENANT, stored_session

pytestmark = pytest.mark.anyio

INSERT = (
    "INSERT INTO sessions (id, tenant_id, user_id, issuer, secret_hash, sealed_tokens, expires_at)"
    " VALUES (gen_random_uuid(), $1, 'u', 'i', sha256($2), '', now())"
)


@pytest.fixture
async def theirs(database: Database) -> AsyncIterator[Database]:
    """A database in which the other tenant has a session, and ours has none."""
    await SessionRepository(database, ENDINGS).add(stored_session(tenant_id=OTHER_TENANT))
    yield database
    async with database.tenant(OTHER_TENANT) as unit:
        await unit.execute("DELETE FROM sessions")


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("SELECT 1 FROM sessions", id="read-all"),
        pytest.param(f"SELECT 1 FROM sessions WHERE tenant_id = '{OTHER_TENANT}'", id="read-by-name"),
        pytest.param("SELECT 1 FROM sessions WHERE true OR tenant_id <> ''", id="read-injected"),
        pytest.param("SELECT 1 FROM sessions FOR UPDATE", id="lock"),
        pytest.param("UPDATE sessions SET user_id = 'mine' RETURNING 1", id="change-all"),
        pytest.param(f"UPDATE sessions SET tenant_id = '{TENANT}' RETURNING 1", id="take-over"),
        pytest.param("DELETE FROM sessions RETURNING 1", id="delete-all"),
        pytest.param(
            "SELECT 1 FROM sessions, (SELECT set_config('tenantgate.every_tenant', 'on', true)) AS s",
            id="the-owners-word-in-the-applications-mouth",
        ),
    ],
)
async def test_another_tenants_rows_are_not_there(theirs: Database, statement: str) -> None:
    async with theirs.tenant(TENANT) as unit:
        assert await unit.fetch_all(statement) == []
    async with theirs.untenanted() as unit:
        assert await unit.fetch_all(statement) == []
    async with theirs.tenant(OTHER_TENANT) as unit:
        assert await unit.fetch_all("SELECT user_id FROM sessions") == [{"user_id": "user-1"}]


@pytest.mark.parametrize("tenant", [OTHER_TENANT, ""])
async def test_a_row_can_not_be_written_into_another_tenant(theirs: Database, tenant: str) -> None:
    for unit_of_work in (theirs.tenant(TENANT), theirs.untenanted()):
        with pytest.raises(StatementRefused, match="row-level security"):
            async with unit_of_work as unit:
                await unit.execute(INSERT, tenant, uuid4().bytes)


async def test_a_row_can_not_be_moved_into_another_tenant(database: Database) -> None:
    await SessionRepository(database, ENDINGS).add(stored_session())
    with pytest.raises(StatementRefused, match="row-level security"):
        async with database.tenant(TENANT) as unit:
            await unit.execute("UPDATE sessions SET tenant_id = $1", OTHER_TENANT)


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE sessions",
        "ALTER TABLE sessions DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_tenant ON sessions",
        "SET ROLE tenantgate_owner",
        "SET SESSION AUTHORIZATION postgres",
        "CREATE TABLE mine ()",
        "SELECT tenantgate_shared_table('sessions')",
        "UPDATE alembic_version SET version_num = '0000'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
async def test_the_application_can_not_lift_the_isolation(database: Database, statement: str) -> None:
    with pytest.raises(StatementRefused, match=r"permission denied|must be owner|must be able to"):
        async with database.tenant(TENANT) as unit:
            await unit.execute(statement)


async def test_a_tenant_does_not_outlast_its_transaction(database_urls: DatabaseUrls) -> None:
    """Reuse the connection for another caller without a reset, as behind a transaction-pooling proxy."""
    connection = await asyncpg.connect(database_urls.app_url)
    try:
        for end in (connection.transaction().rollback, connection.transaction().commit):
            transaction = end.__self__
            await transaction.start()
            await connection.execute("SELECT set_config('tenantgate.tenant_id', $1, true)", OTHER_TENANT)
            assert await connection.fetchval("SELECT current_setting('tenantgate.tenant_id')") == OTHER_TENANT
            await end()
            assert not await connection.fetchval("SELECT current_setting('tenantgate.tenant_id', true)")
            assert await connection.fetchval("SELECT count(*) FROM sessions") == 0
    finally:
        await connection.close()


async def test_concurrent_units_of_work_see_each_their_own_tenant(database: Database) -> None:
    tenants = [f"org-{uuid4()}" for _ in range(40)]
    for tenant in tenants:
        await SessionRepository(database, ENDINGS).add(stored_session(tenant_id=tenant))

    async def seen(tenant: str) -> list[str]:
        async with database.tenant(tenant) as unit:
            rows = await unit.fetch_all("SELECT tenant_id, pg_sleep(0.01) FROM sessions")
            return [row["tenant_id"] for row in rows]

    assert await asyncio.gather(*map(seen, tenants)) == [[tenant] for tenant in tenants]


async def test_an_empty_tenant_id_is_refused_before_any_statement(database: Database) -> None:
    with pytest.raises(ValueError, match="never empty"):
        database.tenant("")


@pytest.mark.parametrize(
    "tenant_id",
    [
        "o'rg",
        "', true); DELETE FROM sessions; --",
        "', 'hex'), 'UTF8'), true); COMMIT; BEGIN; SELECT set_config('tenantgate.tenant_id', 'org-2",
        "\\'; SELECT 1; --",
        "{} {0} %s $1 :name",
        "\u2028\u00fc\U0001f512 \t\n",
        "x" * 4096,
    ],
)
async def test_a_tenant_id_is_only_text(database: Database, tenant_id: str) -> None:
    async with database.tenant(tenant_id) as unit:
        row = await unit.fetch_one("SELECT current_setting('tenantgate.tenant_id') AS tenant_id")
        assert row == {"tenant_id": tenant_id}
        assert await unit.fetch_all("SELECT 1 FROM sessions") == []


@pytest.mark.parametrize("tenant_id", ["org\0", "\0", "org\ud800"])
async def test_an_id_that_is_not_valid_text_is_refused_and_enters_nothing(theirs: Database, tenant_id: str) -> None:
    with pytest.raises(StatementRefused) as refused:
        async with theirs.tenant(tenant_id):
            pytest.fail("entered")
    assert refused.value.sqlstate == "22021"
    async with theirs.untenanted() as unit:
        assert await unit.fetch_all("SELECT 1 FROM sessions") == []


async def test_the_owner_is_bound_too_and_backfills_by_saying_so(theirs: Database, database_urls: DatabaseUrls) -> None:
    count = "SELECT count(*) FROM sessions"
    connection = await asyncpg.connect(database_urls.owner_url)
    try:
        assert await connection.fetchval(count) == 0
        async with connection.transaction():
            await connection.execute("SELECT set_config('tenantgate.every_tenant', 'on', true)")
            assert await connection.fetchval(count) > 0
            assert await connection.execute("UPDATE sessions SET issuer = issuer") != "UPDATE 0"
        assert await connection.fetchval(count) == 0
    finally:
        await connection.close()


async def test_a_role_that_gets_to_bypass_the_isolation_is_refused_from_then_on(
    kind: Kind, database_urls: DatabaseUrls
) -> None:
    database = kind(database_urls.app_url)
    role = urlsplit(database_urls.app_url).username
    try:
        async with database.tenant(TENANT):
            pass  # this connection is kept
        await asyncio.to_thread(execute, database_urls.admin_url, f"ALTER ROLE {role} BYPASSRLS")
        with pytest.raises(InternalError, match="bypass row-level security"):
            async with database.tenant(TENANT):
                pytest.fail("entered")
        await asyncio.to_thread(execute, database_urls.admin_url, f"ALTER ROLE {role} NOBYPASSRLS")
        async with database.tenant(TENANT):
            pass
    finally:
        await asyncio.to_thread(execute, database_urls.admin_url, f"ALTER ROLE {role} NOBYPASSRLS")
        await database.dispose()


async def test_a_superuser_is_refused(kind: Kind, database_urls: DatabaseUrls) -> None:
    database = kind(database_urls.admin_url)
    try:
        with pytest.raises(InternalError, match="bypass row-level security"):
            async with database.tenant(TENANT):
                pytest.fail("entered")
        with pytest.raises(DatabaseUnreachable, match="bypass row-level security"):
            await database.check(5)
    finally:
        await database.dispose()


def test_the_tests_above_had_something_to_find(database_urls: DatabaseUrls) -> None:
    ((row,),) = execute(database_urls.admin_url, "SELECT count(DISTINCT tenant_id) FROM sessions")
    assert row[0] >= 40
