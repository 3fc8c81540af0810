"""The migrations create pgvector if the server provides it, and succeed without it."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate.database import migrator
from tests.fixtures.databases.kinds import Kind
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute, start_postgres

HAS_VECTOR = "SELECT count(*) AS n FROM pg_extension WHERE extname = 'vector'"


@pytest.fixture(scope="module")
def without_pgvector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    # An extension folder without extensions, as in a host's standard PostgreSQL.
    folder = tmp_path_factory.mktemp("plain")
    server = start_postgres(folder, extension_control_path=str(folder))
    try:
        yield PostgresServer(server.start())
    finally:
        server.stop()


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


def has_vector(kind: Kind, url: str) -> bool:
    async def ask() -> bool:
        database = kind(url)
        try:
            return (await database.check(5)).vector
        finally:
            await database.dispose()

    return asyncio.run(ask())


def test_a_server_without_pgvector_is_migrated_up_and_down(
    without_pgvector: PostgresServer, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    urls = without_pgvector.create_database(migrated=False)
    assert migrator.upgrade(urls.owner_url).after == migrator.head()
    assert [record.levelno for record in caplog.records if "pgvector" in record.message] == [logging.WARNING]
    assert not has_vector(kind, urls.app_url)
    assert migrator.downgrade(urls.owner_url, "base").after is None
    assert migrator.upgrade(urls.owner_url).after == migrator.head()


def test_a_server_with_pgvector_has_it_after_the_first_migration(kind: Kind, empty: DatabaseUrls) -> None:
    migrator.upgrade(empty.owner_url)
    assert has_vector(kind, empty.app_url)


def test_a_database_migrated_before_its_server_had_pgvector_gets_it_at_the_next_upgrade(
    kind: Kind, empty: DatabaseUrls
) -> None:
    migrator.upgrade(empty.owner_url)
    execute(empty.owner_url, "DROP EXTENSION vector")
    assert not has_vector(kind, empty.app_url)
    done = migrator.upgrade(empty.owner_url)
    assert done.before == done.after == migrator.head()
    assert has_vector(kind, empty.app_url)


def test_an_owner_that_may_not_create_extensions_goes_without(kind: Kind, empty: DatabaseUrls) -> None:
    # A trusted extension takes CREATE on the database, which its owner has unless it is another's.
    name = empty.owner_url.rpartition("/")[2]
    execute(
        empty.admin_url,
        f'ALTER DATABASE "{name}" OWNER TO postgres',
        f'GRANT CONNECT ON DATABASE "{name}" TO tenantgate_owner, tenantgate_app',
        "GRANT ALL ON SCHEMA public TO tenantgate_owner WITH GRANT OPTION",
    )
    assert migrator.upgrade(empty.owner_url).after == migrator.head()
    assert not has_vector(kind, empty.app_url)


@pytest.mark.parametrize(
    "kept_by",
    [
        pytest.param(("DROP EXTENSION vector", "CREATE EXTENSION vector"), id="another-role-created-it"),
        pytest.param(("CREATE TABLE theirs (embedding vector(3))",), id="a-table-uses-it"),
    ],
)
def test_a_downgrade_leaves_an_extension_that_is_not_ours_to_drop(
    empty: DatabaseUrls, kept_by: tuple[str, ...]
) -> None:
    migrator.upgrade(empty.owner_url)
    execute(empty.admin_url, *kept_by)
    assert migrator.downgrade(empty.owner_url, "base").after is None
    ((row,),) = execute(empty.admin_url, HAS_VECTOR)
    assert row["n"] == 1
    assert migrator.upgrade(empty.owner_url).after == migrator.head()


def test_a_control_file_without_its_library_stops_nothing(tmp_path: Path) -> None:
    extension = tmp_path / "extension"
    extension.mkdir()
    (extension / "vector.control").write_text("default_version = '1'\ntrusted = true\n")
    (extension / "vector--1.sql").write_text(
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '$libdir/no-such-library', 'f';\n"
    )
    tmp_path.chmod(0o755)
    server = start_postgres(tmp_path / "data", extension_control_path=str(tmp_path))
    try:
        addresses = server.start()
        assert migrator.upgrade(addresses.owner_url).after == migrator.head()
        ((row,),) = execute(addresses.owner_url, HAS_VECTOR)
        assert row["n"] == 0
    finally:
        server.stop()
