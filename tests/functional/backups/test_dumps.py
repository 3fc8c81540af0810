"""`tenantgate backup` and `tenantgate restore` between databases of a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database import migrator, owner
from tenantgate.database.connection import connect
from tenantgate.database.pool import PooledDatabase
from tenantgate.revocation.repository import RevocationRepository
from tenantgate.revoked.change import Revocation
from tenantgate.revoked.names import EVERY_TENANT, kid_name, user_name
from tenantgate.sessions.models import SessionPolicy
from tenantgate_cli.backup import dumps
from tenantgate_cli.backup.tables import EVERY_TENANT as SETTINGS
from tenantgate_cli.backup.tables import read_rows, write_rows
from tenantgate_cli.main import app
from tenantgate_cli.stack.seeding import Seed, Size
from tests.fixtures.audit.events import any_event
from tests.fixtures.backups.server import KEY
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute

ISSUER = "https://login.example.com"
_DIGEST = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\")) FROM {} AS t"
# The restoration ends these on purpose.
_ENDED = ("sessions", "session_secrets", "session_lookup")


@pytest.fixture(scope="module")
def source(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    """A database with rows of several tenants in every kind of table."""
    urls = postgres_server.create_database()
    asyncio.run(_fill(urls.app_url))
    yield urls
    postgres_server.drop_database(urls)


async def _fill(url: str) -> None:
    database = PooledDatabase(url)
    numbers = iter(range(1000))
    seed = Seed(database, Sealer([new_sealing_key()]), SessionPolicy(), ISSUER, lambda: f'org-{next(numbers)} "ä\\\n\t')
    await seed.plant(Size(20, 4, 60))
    repository = RevocationRepository(database, closed=False)
    await repository.record([Revocation("kid", kid_name(ISSUER, "k1"), None)], at=time.time(), event=any_event())
    revoked = Revocation("user", user_name("org-0", ISSUER, "u"), time.time() + 9999)
    await repository.record([revoked], at=time.time(), event=any_event())
    await database.dispose()


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


@pytest.fixture(scope="module")
def dumped(source: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backups")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("BACKUP_KEY", KEY)
        ran = run("backup", "--to", str(folder), "--database-url", source.owner_url)
    assert ran.exit_code == 0, ran.output
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def restore(folder: Path, url: str, *options: str) -> Result:
    return run("restore", "--from", str(folder), "--database-url", url, *options)


def digests(url: str, *, without: tuple[str, ...] = ()) -> dict[str, tuple[int, str]]:
    names = [
        row["name"]
        for row in execute(url, "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'")[0]
    ]
    return {name: tuple(execute(url, _DIGEST.format(name))[0][0]) for name in names if name not in without}


def test_every_row_comes_back_but_the_credentials(dumped: Path, source: DatabaseUrls, empty: DatabaseUrls) -> None:
    ran = restore(dumped, empty.owner_url)
    assert ran.exit_code == 0, ran.output
    assert "public.sessions: 60 rows, verified" in ran.output
    changed = (*_ENDED, "revocations", "revocation_epoch")
    assert digests(empty.admin_url, without=changed) == digests(source.admin_url, without=changed)
    after = digests(empty.admin_url)
    assert [after[name][0] for name in _ENDED] == [0, 0, 0]
    # Those of the backup, and that of every tenant.
    assert after["revocations"][0] == digests(source.admin_url)["revocations"][0] + 1


def test_roles_grants_and_policies_are_those_of_the_migrations(
    dumped: Path, source: DatabaseUrls, empty: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty.app_url)
    assert restore(dumped, empty.owner_url).exit_code == 0
    security = (
        (
            "SELECT relname::text, relowner::regrole::text, relrowsecurity, relforcerowsecurity, relacl::text"
            " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"
        ),
        "SELECT tablename::text, policyname::text, roles::text, qual, with_check FROM pg_policies ORDER BY 1, 2",
        "SELECT version_num FROM alembic_version",
    )
    assert execute(empty.admin_url, *security) == execute(source.admin_url, *security)
    # No tenant's row is visible to the application outside a tenant.
    execute(empty.admin_url, "INSERT INTO tenants (tenant_id) VALUES ('org-x')")
    assert execute(empty.app_url, "SELECT count(*) FROM sessions")[0][0][0] == 0


def test_everything_that_was_issued_earlier_is_refused(dumped: Path, source: DatabaseUrls, empty: DatabaseUrls) -> None:
    began = time.time()
    assert restore(dumped, empty.owner_url).exit_code == 0

    async def read() -> Any:
        database = PooledDatabase(empty.app_url)
        try:
            return await RevocationRepository(database, closed=False).snapshot(now=time.time())
        finally:
            await database.dispose()

    snapshot = asyncio.run(read())
    assert began - 1 <= snapshot.until[EVERY_TENANT] <= time.time()
    # Revocations of the backup stay.
    assert kid_name(ISSUER, "k1") in snapshot.exact
    assert user_name("org-0", ISSUER, "u") in snapshot.until
    # Above each epoch that a process has seen, so that no reader waits for a minute.
    assert snapshot.epoch > began * 1000
    # Again: still higher.
    assert restore(dumped, empty.owner_url, "--overwrite").exit_code == 0
    assert asyncio.run(read()).epoch > snapshot.epoch


def test_a_database_that_was_restored_by_other_means(postgres_server: PostgresServer) -> None:
    """The same rule for a database that a host restored from its snapshot."""
    urls = postgres_server.create_database()
    asyncio.run(_fill(urls.app_url))
    assert run("revoke", "all", "--database-url", urls.owner_url).exit_code == 1
    assert digests(urls.admin_url)["sessions"][0] == 60
    refused = run("revoke", "all", "--yes", "--database-url", urls.app_url)
    assert (refused.exit_code, "doesn't see all rows" in refused.output) == (1, True)
    ran = run("revoke", "all", "--yes", "--database-url", urls.owner_url)
    assert ran.exit_code == 0, ran.output
    assert [digests(urls.admin_url)[name][0] for name in _ENDED] == [0, 0, 0]
    [[row]] = execute(urls.admin_url, "SELECT epoch FROM revocation_epoch")
    assert row["epoch"] > (time.time() - 600) * 1000
    postgres_server.drop_database(urls)


def test_a_superuser_can_dump_and_restore(source: DatabaseUrls, empty: DatabaseUrls, tmp_path: Path) -> None:
    assert run("backup", "--to", str(tmp_path), "--database-url", source.admin_url).exit_code == 0
    ran = restore(tmp_path, empty.admin_url)
    assert ran.exit_code == 0, ran.output
    assert digests(empty.admin_url)["tenants"] == digests(source.admin_url)["tenants"]


def test_the_application_cannot_make_a_backup(source: DatabaseUrls, tmp_path: Path) -> None:
    """A backup without any tenant's rows would look complete."""
    ran = run("backup", "--to", str(tmp_path), "--database-url", source.app_url)
    assert ran.exit_code == 1
    assert "doesn't see all rows" in ran.output
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_database_with_rows_is_left_alone(dumped: Path, source: DatabaseUrls) -> None:
    before = digests(source.admin_url)
    ran = restore(dumped, source.owner_url)
    assert ran.exit_code == 1
    assert "isn't empty" in ran.output
    assert digests(source.admin_url) == before


def test_a_migrated_database_without_rows_is_empty(dumped: Path, postgres_server: PostgresServer) -> None:
    urls = postgres_server.create_database()
    ran = restore(dumped, urls.owner_url)
    assert ran.exit_code == 0, ran.output
    postgres_server.drop_database(urls)


def test_a_schema_of_a_newer_version_is_left_alone(
    postgres_server: PostgresServer, dumped: Path, tmp_path: Path
) -> None:
    urls = postgres_server.create_database()
    execute(urls.admin_url, "UPDATE alembic_version SET version_num = '9999'")
    ran = run("backup", "--to", str(tmp_path), "--database-url", urls.owner_url)
    assert (ran.exit_code, "newer Tenantgate" in ran.output) == (1, True)
    ran = restore(dumped, urls.owner_url)
    assert (ran.exit_code, "at revision 9999" in ran.output) == (1, True)
    postgres_server.drop_database(urls)


def test_another_schema_is_left_alone(dumped: Path, empty: DatabaseUrls) -> None:
    execute(empty.admin_url, "CREATE TABLE public.notes (id int)")
    ran = restore(dumped, empty.admin_url)
    assert (ran.exit_code, "Tenantgate didn't make" in ran.output) == (1, True)
    assert list(digests(empty.admin_url)) == ["notes"]


def test_a_damaged_backup_changes_nothing(source: DatabaseUrls, empty: DatabaseUrls, tmp_path: Path) -> None:
    assert run("backup", "--to", str(tmp_path), "--database-url", source.owner_url).exit_code == 0
    (backup,) = tmp_path.glob("*-dump")
    file = max(backup.glob("*.copy.age"), key=lambda path: path.stat().st_size)
    file.write_bytes(file.read_bytes()[:-20])
    ran = restore(tmp_path, empty.owner_url)
    assert (ran.exit_code, "can't be used" in ran.output) == (1, True)
    assert digests(empty.admin_url) == {}
    assert run("restore", "--from", str(tmp_path), "--check").exit_code == 1


def test_rows_that_differ_from_the_manifest_are_rolled_back(
    dumped: Path, empty: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the server stores other rows than it was sent, as a trigger of another schema would do."""
    write = write_rows

    async def changed(connection: Any, table: Any, pieces: Any) -> int:
        rows = await write(connection, table, pieces)
        await connection.execute("UPDATE tenants SET name = 'other' WHERE name = 'Seeded 1'")
        return rows

    monkeypatch.setattr(dumps, "write_rows", changed)
    ran = restore(dumped, empty.owner_url)
    assert (ran.exit_code, "other rows than the backup" in ran.output) == (3, True)
    assert {name: count for name, (count, _) in digests(empty.admin_url).items() if count} == {
        "alembic_version": 1,
        "revocation_epoch": 1,
    }
    forced = execute(empty.admin_url, "SELECT count(*) FROM pg_class WHERE relrowsecurity AND NOT relforcerowsecurity")
    assert forced[0][0][0] == 0


def test_writes_during_a_backup_are_not_in_it(
    source: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One snapshot: a row that is added between two tables is in none of them."""
    read, added = read_rows, list[str]()

    async def adding(connection: Any, table: Any, take: Any) -> Any:
        if not added:
            added.append(table.name)
            other = await connect(source.admin_url)
            await other.execute("INSERT INTO tenants (tenant_id) VALUES ('org-late')")
            await other.close()
        return await read(connection, table, take)

    monkeypatch.setattr(dumps, "read_rows", adding)
    ran = run("backup", "--to", str(tmp_path), "--database-url", source.owner_url, "--json")
    rows = json.loads(ran.stdout)["rows"]
    execute(source.admin_url, "DELETE FROM tenants WHERE tenant_id = 'org-late'")
    assert (ran.exit_code, rows["public.tenants"]) == (0, 4)


@contextmanager
def held(url: str, *statements: str) -> Iterator[None]:
    """Run the statements in a transaction of another connection that stays open while the block runs."""
    holding, ended = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await connect(url)
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
            holding.set()
            while not ended.is_set():
                await asyncio.sleep(0.05)
        await connection.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert holding.wait(30)
    try:
        yield
    finally:
        ended.set()
        thread.join(30)


def test_a_restoration_does_not_wait_forever_for_a_migration(
    dumped: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = postgres_server.create_database()
    # The restoration's own migrations have the same lock, and their own limit.
    monkeypatch.setattr(migrator, "upgrade", lambda *_: None)
    monkeypatch.setattr(owner, "LOCK_WAIT_SECONDS", 0.5)
    with held(urls.admin_url, f"SELECT pg_advisory_xact_lock({owner.LOCK_KEY})"):
        ran = restore(dumped, urls.owner_url)
        [[waiting]] = execute(urls.admin_url, "SELECT count(*) FROM pg_locks WHERE NOT granted")
    assert (ran.exit_code, "had the database's lock for 0.5 s" in ran.output) == (3, True), ran.output
    assert (waiting[0], digests(urls.admin_url)["tenants"][0]) == (0, 0)
    ran = restore(dumped, urls.owner_url)
    assert ran.exit_code == 0, ran.output
    postgres_server.drop_database(urls)


@pytest.mark.parametrize("command", ["backup", "restore", "restore --overwrite"])
def test_no_command_waits_forever_for_a_table(
    command: str,
    dumped: Path,
    postgres_server: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another restoration, or a migration that hangs, has the tables."""
    urls = postgres_server.create_database()
    monkeypatch.setattr(migrator, "upgrade", lambda *_: None)
    monkeypatch.setattr(dumps, "EVERY_TENANT", SETTINGS.replace("'30s'", "'300ms'"))
    name, *options = command.split()
    where = ["--to", str(tmp_path)] if name == "backup" else ["--from", str(dumped), *options]
    with held(urls.admin_url, "LOCK TABLE public.tenants IN ACCESS EXCLUSIVE MODE"):
        ran = run(name, *where, "--database-url", urls.owner_url)
    assert ran.exit_code in (1, 3)
    assert "another program held the tables" in ran.output, ran.output
    assert [path.name for path in tmp_path.iterdir()] in ([], [".lock"])
    postgres_server.drop_database(urls)


def test_only_the_newest_are_kept(source: DatabaseUrls, tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        ran = run("backup", "--to", str(tmp_path), "--keep", "2", "--database-url", source.owner_url, "--json")
        names.append(json.loads(ran.stdout)["name"])
    assert sorted(path.name for path in tmp_path.glob("*-dump")) == names[1:]
    ran = run("restore", "--from", str(tmp_path), "--check", "--json")
    assert (ran.exit_code, json.loads(ran.stdout)["backups"]) == (0, names[1:])


@pytest.mark.parametrize(
    ("at", "problem"),
    [("2020-01-01T00:00:00Z", "no backup from"), ("yesterday", "not a time"), ("2026-11-26T17:15:00", "time zone")],
)
def test_the_moment_of_a_backup(dumped: Path, empty: DatabaseUrls, at: str, problem: str) -> None:
    ran = restore(dumped, empty.owner_url, "--at", at)
    assert (ran.exit_code, problem in ran.output) == (1, True)
    assert digests(empty.admin_url) == {}


def test_no_secret_is_printed(dumped: Path, source: DatabaseUrls, empty: DatabaseUrls, tmp_path: Path) -> None:
    outputs = [
        run("backup", "--to", str(tmp_path), "--database-url", source.owner_url).output,
        restore(dumped, empty.owner_url).output,
        restore(dumped, empty.owner_url).output,
        run("backup", "--to", str(tmp_path), "--database-url", source.owner_url.replace("@127", "x@127")).output,
    ]
    password = source.owner_url.split(":")[2].split("@")[0]
    for secret in (KEY, password):
        assert secret not in "".join(outputs)
