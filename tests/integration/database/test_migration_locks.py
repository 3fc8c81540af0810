"""Migrations at the same time as others, and next to the application: waits and their limits."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from sqlalchemy import text

from tenantgate.database import migrator, owner
from tenantgate.database.errors import MigrationBusy, MigrationFailed
from tenantgate.database.owner import owner_connection
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute

HEAD = migrator.head()


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


def test_two_migrations_at_once_run_one_after_the_other(empty: DatabaseUrls) -> None:
    together = threading.Barrier(4)
    outcomes: list[migrator.Migrated | BaseException] = []

    def run() -> None:
        together.wait()
        try:
            outcomes.append(migrator.upgrade(empty.owner_url))
        except BaseException as error:  # noqa: BLE001
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    head = migrator.head()
    assert sorted(map(str, outcomes)) == sorted(
        map(str, [migrator.Migrated(None, head), *[migrator.Migrated(head, head)] * 3])
    )


def test_many_at_once_migrate_and_open_the_login_one_after_the_other(
    empty: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "LOCK_WAIT_SECONDS", 300.0)
    with ThreadPoolExecutor(40) as pool:
        done = list(pool.map(lambda _: migrator.upgrade(empty.owner_url, application_url=empty.app_url), range(40)))
    assert sorted(map(str, done)) == sorted(
        map(
            str, [migrator.Migrated(None, migrator.head()), *[migrator.Migrated(migrator.head(), migrator.head())] * 39]
        )
    )
    assert execute(empty.app_url, "SELECT version_num FROM alembic_version") == [[(HEAD,)]]


def test_waiting_for_the_lock_holds_up_no_concurrent_index(
    database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such an index waits for every snapshot, and one that waits for the lock would never end."""
    monkeypatch.setattr(owner, "LOCK_WAIT_SECONDS", 300.0)

    async def index_under_the_lock() -> None:
        async with owner.locked_connection(database_urls.owner_url) as connection:
            waiting = asyncio.create_task(asyncio.to_thread(migrator.upgrade, database_urls.owner_url))
            await asyncio.sleep(0.5)
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).exec_driver_sql(
                "CREATE INDEX CONCURRENTLY waited_idx ON sessions (device)"
            )
        assert (await waiting).after == migrator.head()

    asyncio.run(asyncio.wait_for(index_under_the_lock(), 60))
    execute(database_urls.owner_url, "DROP INDEX waited_idx")


def test_a_migration_gives_way_to_the_application_and_comes_back(
    empty: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrator.upgrade(empty.owner_url, "0006")

    async def hold_a_table() -> tuple[migrator.Migrated, float]:
        holder = await asyncpg.connect(empty.app_url)
        other = await asyncpg.connect(empty.app_url)
        try:
            transaction = holder.transaction()
            await transaction.start()
            await holder.execute("SELECT 1 FROM sessions")
            migrating = asyncio.create_task(asyncio.to_thread(migrator.upgrade, empty.owner_url, "0007"))
            longest = 0.0
            # Other requests may not queue behind the migration's wait.
            for _ in range(30):
                began = time.monotonic()
                await other.execute("SELECT 1 FROM sessions")
                longest = max(longest, time.monotonic() - began)
                await asyncio.sleep(0.05)
            assert not migrating.done()
            await transaction.rollback()
            return await migrating, longest
        finally:
            await holder.close()
            await other.close()

    done, longest = asyncio.run(hold_a_table())
    assert done == migrator.Migrated("0006", "0007")
    assert longest < 2.0, longest  # the role's lock_timeout


def test_a_migration_that_never_gets_its_table_is_reported(
    empty: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrator.upgrade(empty.owner_url, "0006")
    monkeypatch.setattr(migrator, "LOCK_ATTEMPTS_SECONDS", 0.0)

    async def hold_and_try() -> None:
        holder = await asyncpg.connect(empty.owner_url)
        try:
            await holder.execute("BEGIN; LOCK sessions IN ROW EXCLUSIVE MODE")
            await asyncio.to_thread(migrator.upgrade, empty.owner_url, "0007")
        finally:
            await holder.close()

    with pytest.raises(MigrationFailed) as caught:
        asyncio.run(hold_and_try())
    assert caught.value.detail == {
        "stopped_at": "0006",
        "reason": "canceling statement due to lock timeout",
    }
    assert migrator.current(empty.owner_url) == "0006"


def test_the_time_of_a_migration_is_limited_in_the_server_too(empty: DatabaseUrls) -> None:
    async def limits() -> str:
        expected = migrator.transaction_limits(7.5)
        async with owner_connection(empty.owner_url, expected) as connection:
            found = "concat_ws(' ', " + ", ".join(f"current_setting('{name}')" for name in expected) + ")"
            first = await connection.scalar(text(f"SELECT {found}"))
            await connection.rollback()
            # In each transaction of the connection.
            assert await connection.scalar(text(f"SELECT {found}")) == first
            return str(first)

    assert asyncio.run(limits()) == "300ms 7500ms 1min"


def test_a_lock_that_stays_taken_is_reported(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "LOCK_WAIT_SECONDS", 0.2)

    async def hold_and_try() -> None:
        holder = await asyncpg.connect(database_urls.owner_url)
        try:
            await holder.execute(f"SELECT pg_advisory_lock({owner.LOCK_KEY})")
            await asyncio.to_thread(migrator.upgrade, database_urls.owner_url)
        finally:
            await holder.close()

    with pytest.raises(MigrationBusy):
        asyncio.run(hold_and_try())
    migrator.upgrade(database_urls.owner_url)
