"""The form of a migration that builds an index on a table in use: it neither blocks writes nor stays half built."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tenantgate.database import migrator
from tenantgate.database.errors import MigrationFailed
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.migrations.written import OUTSIDE, written_migrations

INDEXES = "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = 'places'::regclass"
MIGRATIONS = {
    "table": (
        (
            "CREATE TABLE places (id uuid DEFAULT gen_random_uuid(), place text)",
            "INSERT INTO places (place) SELECT 'place ' || i % 7 FROM generate_series(1, 1000) AS i",
        ),
        (),
    ),
    "index": (
        (
            f"{OUTSIDE}DROP INDEX CONCURRENTLY IF EXISTS place_idx",
            f"{OUTSIDE}CREATE INDEX CONCURRENTLY IF NOT EXISTS place_idx ON places (place)",
        ),
        (f"{OUTSIDE}DROP INDEX CONCURRENTLY IF EXISTS place_idx",),
    ),
}

IS_BUILDING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND query LIKE 'CREATE INDEX CONCURRENTLY%')
"""


@pytest.fixture
def at_table(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=True)
    execute(urls.owner_url, "DELETE FROM alembic_version")
    written_migrations(tmp_path / "migrations", MIGRATIONS, monkeypatch)
    migrator.upgrade(urls.owner_url, "table")
    yield urls
    postgres_server.drop_database(urls)


async def until_building(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(30):
        while not await connection.fetchval(IS_BUILDING):
            await asyncio.sleep(0.02)


def test_an_index_waits_for_a_long_transaction_and_writes_do_not_wait_for_it(at_table: DatabaseUrls) -> None:
    async def migrate_next_to_a_writer() -> migrator.Migrated:
        holder, other = await asyncpg.connect(at_table.owner_url), await asyncpg.connect(at_table.owner_url)
        try:
            await holder.execute("BEGIN; UPDATE places SET place = 'held' WHERE place = 'place 1'")
            migrating = asyncio.create_task(asyncio.to_thread(migrator.upgrade, at_table.owner_url))
            await until_building(other)
            for _ in range(20):
                await other.execute("UPDATE places SET place = 'written' WHERE place = 'place 2'", timeout=10)
            assert await other.fetchval(IS_BUILDING)
            await holder.execute("COMMIT")
            return await migrating
        finally:
            await holder.close()
            await other.close()

    assert asyncio.run(migrate_next_to_a_writer()) == migrator.Migrated("table", "index")
    assert [tuple(row) for row in execute(at_table.admin_url, INDEXES)[0]] == [("place_idx", True)]


def test_an_index_that_stayed_half_built_is_built_again(at_table: DatabaseUrls) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        execute(at_table.owner_url, "CREATE UNIQUE INDEX CONCURRENTLY place_idx ON places (place)")
    assert [tuple(row) for row in execute(at_table.admin_url, INDEXES)[0]] == [("place_idx", False)]
    assert migrator.upgrade(at_table.owner_url).after == "index"
    assert [tuple(row) for row in execute(at_table.admin_url, INDEXES)[0]] == [("place_idx", True)]
    assert migrator.downgrade(at_table.owner_url, "table").after == "table"
    assert execute(at_table.admin_url, INDEXES) == [[]]


def test_the_time_of_a_migration_ends_outside_a_transaction_too(at_table: DatabaseUrls) -> None:
    async def run_out_of_time() -> None:
        holder, other = await asyncpg.connect(at_table.owner_url), await asyncpg.connect(at_table.owner_url)
        try:
            await holder.execute("BEGIN; UPDATE places SET place = 'held' WHERE place = 'place 1'")
            migrating = asyncio.create_task(asyncio.to_thread(migrator.upgrade, at_table.owner_url, seconds=5))
            await until_building(other)
            assert not migrating.done()
            await migrating
        finally:
            await holder.close()
            await other.close()

    with pytest.raises(MigrationFailed, match="took too long"):
        asyncio.run(run_out_of_time())
