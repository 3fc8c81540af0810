"""Migrations up and down, one at a time, and matching the models."""

import asyncio
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

import tenantgate
from tenantgate.database import migrator
from tenantgate.database.base import Base
from tenantgate.database.errors import DatabaseUnreachable, MigrationFailed
from tenantgate.database.owner import owner_connection
from tenantgate.errors.base import ValidationFailed
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.databases.transaction_pooler import transaction_pooler

TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    " AND relname <> 'alembic_version' ORDER BY relname"
)

UPGRADE = """
import sys
from tenantgate.database import migrator
print("ready", flush=True)
sys.stdin.readline()
assert migrator.upgrade(sys.argv[1]).after == migrator.head()
"""


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


def schema(url: str) -> list[tuple[str, ...]]:
    """Tables, columns, indexes, policies, functions, triggers and grants, as text."""
    found = execute(
        url,
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2",
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
        "SELECT tablename, policyname, roles::text, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2",
        "SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'tenantgate%' ORDER BY 1",
        "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = 'tenantgate_app' ORDER BY 1, 2",
        "SELECT extname FROM pg_extension ORDER BY 1",
    )
    return [tuple(map(str, row)) for rows in found for row in rows]


def test_up_down_and_up_again_gives_the_same_schema(empty: DatabaseUrls) -> None:
    assert migrator.current(empty.owner_url) is None
    assert migrator.upgrade(empty.owner_url).after == migrator.head()
    first = schema(empty.admin_url)
    assert any("sessions" in row for row in first)
    assert migrator.downgrade(empty.owner_url, "base").after is None
    assert execute(empty.admin_url, TABLES) == [[]]
    assert execute(empty.admin_url, "SELECT proname FROM pg_proc WHERE proname LIKE 'tenantgate%'") == [[]]
    assert migrator.upgrade(empty.owner_url).before is None
    assert schema(empty.admin_url) == first


def test_each_migration_can_be_undone_and_done_again(empty: DatabaseUrls) -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(migrator.configuration()).walk_revisions()]
    for revision in reversed(revisions):
        assert migrator.upgrade(empty.owner_url, revision).after == revision
        before = schema(empty.admin_url)
        migrator.downgrade(empty.owner_url, "-1")
        migrator.upgrade(empty.owner_url, revision)
        assert schema(empty.admin_url) == before


def test_an_upgrade_without_anything_to_do_changes_nothing(database_urls: DatabaseUrls) -> None:
    done = migrator.upgrade(database_urls.owner_url)
    assert done.before == done.after == migrator.head()


def test_pgvector_works_after_the_first_migration(empty: DatabaseUrls) -> None:
    migrator.upgrade(empty.owner_url, "0001")
    *_, rows = execute(
        empty.owner_url,
        "CREATE TABLE example_items (embedding vector(3))",
        "CREATE INDEX ON example_items USING hnsw (embedding vector_l2_ops)",
        "INSERT INTO example_items VALUES ('[1,2,3]'), ('[4,5,6]')",
        "SELECT embedding::text FROM example_items ORDER BY embedding <-> '[4,5,5]' LIMIT 1",
    )
    assert rows[0][0] == "[4,5,6]"


def test_the_models_and_the_migrated_database_agree(database_urls: DatabaseUrls) -> None:
    for module in pkgutil.walk_packages(tenantgate.__path__, "tenantgate."):
        if module.name.endswith(".tables"):
            importlib.import_module(module.name)
    assert "sessions" in Base.metadata.tables

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    async def compare() -> list[object]:
        async with owner_connection(database_urls.owner_url) as connection:
            return await connection.run_sync(differences)

    assert asyncio.run(compare()) == []


def test_the_application_owns_nothing_and_every_tenant_table_is_forced(database_urls: DatabaseUrls) -> None:
    owners, unforced, rights = execute(
        database_urls.admin_url,
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'",
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " WHERE c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'tenantgate_app'",
    )
    assert [row[0] for row in owners] == ["tenantgate_owner"]
    # The registry of tenants, and the look-up of logout tokens, which name no tenant.
    assert {row["relname"] for row in unforced} == {"tenants", "session_lookup"}
    assert tuple(rights[0]) == (False, False, False, False)


@pytest.mark.parametrize(
    ("step", "revision"),
    [
        pytest.param(migrator.upgrade, "no-such", id="upgrade-unknown"),
        pytest.param(migrator.downgrade, "no-such", id="downgrade-unknown"),
        pytest.param(migrator.downgrade, "-99", id="further-down-than-there-is"),
        pytest.param(migrator.upgrade, "+99", id="further-up-than-there-is"),
        pytest.param(migrator.upgrade, "'; DROP TABLE sessions; --", id="sql"),
    ],
)
def test_an_unknown_revision_is_refused(database_urls: DatabaseUrls, step: object, revision: str) -> None:
    assert callable(step)
    with pytest.raises(ValidationFailed):
        step(database_urls.owner_url, revision)
    assert migrator.current(database_urls.owner_url) == migrator.head()


def test_a_failing_migration_leaves_nothing_and_says_where_it_stopped(
    empty: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = tmp_path / "migrations"
    (migrations / "versions").mkdir(parents=True)
    (migrations / "env.py").write_text((Path("migrations") / "env.py").read_text())
    for revision, below, statements in (
        ("a", None, ["CREATE TABLE good ()"]),
        ("b", "a", ["CREATE TABLE half ()", "SELECT 1/0"]),
    ):
        executed = "\n    ".join(f"op.execute({statement!r})" for statement in statements)
        (migrations / "versions" / f"{revision}.py").write_text(
            f"from alembic import op\nrevision = {revision!r}\ndown_revision = {below!r}\n"
            f"def upgrade():\n    {executed}\n"
        )
    monkeypatch.setattr(migrator, "_location", lambda: migrations)
    with pytest.raises(MigrationFailed) as caught:
        migrator.upgrade(empty.owner_url)
    assert caught.value.detail == {"stopped_at": "a", "reason": "DivisionByZeroError (22012)"}
    assert migrator.current(empty.owner_url) == "a"
    assert [[row[0] for row in rows] for rows in execute(empty.admin_url, TABLES)] == [["good"]]


def test_databases_of_one_server_are_migrated_at_once(postgres_server: PostgresServer) -> None:
    databases = [postgres_server.create_database(migrated=False) for _ in range(5)]
    try:
        # As on a new server: the role's first setting is made by each of them.
        execute(databases[0].admin_url, "ALTER ROLE tenantgate_app RESET ALL")
        # Processes, because alembic serves one migration a process. All wait for one line before they begin.
        with ExitStack() as running:
            started = [
                running.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", UPGRADE, urls.owner_url],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                for urls in databases
            ]
            for process in started:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in started:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
        assert [process.returncode for process in started] == [0] * len(databases)
        ((row,),) = execute(databases[0].admin_url, "SELECT rolconfig FROM pg_roles WHERE rolname = 'tenantgate_app'")
        assert row["rolconfig"] == [
            "statement_timeout=10s",
            "lock_timeout=2s",
            "idle_in_transaction_session_timeout=30s",
        ]
    finally:
        for urls in databases:
            postgres_server.drop_database(urls)


def test_a_pooler_that_lends_connections_for_transactions_keeps_no_lock(postgres_server: PostgresServer) -> None:
    urls = postgres_server.create_database(migrated=False)

    async def through_a_pooler() -> None:
        async with transaction_pooler(urls.owner_url, connections=4) as pooler:
            ends = await asyncio.gather(*(asyncio.to_thread(migrator.upgrade, pooler.url) for _ in range(2)))
            assert {migrated.after for migrated in ends} == {migrator.head()}
            # The pooler's connections live on. A lock of theirs would keep everyone else out.
            held = await asyncio.to_thread(
                execute, urls.admin_url, "SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
            )
            assert held == [[]]

    try:
        asyncio.run(through_a_pooler())
    finally:
        postgres_server.drop_database(urls)


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        pytest.param(r":\d+/", ":1/", id="closed-port"),
        pytest.param(r"_owner:", "_owner:x", id="wrong-password"),
        pytest.param(r"/test_", "/no_such_", id="no-such-database"),
    ],
)
def test_an_owner_that_cannot_connect_is_reported(database_urls: DatabaseUrls, part: str, wrong: str) -> None:
    with pytest.raises(DatabaseUnreachable):
        migrator.current(re.sub(part, wrong, database_urls.owner_url))
