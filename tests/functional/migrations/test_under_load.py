"""The newest migration under load, up and down; and unsafe migrations, which the run must find."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tenantgate.database import migrator
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.migrations.applied import LONGER, LONGEST_WAIT_SECONDS, Applied, apply
from tests.fixtures.migrations.written import Steps, written_migrations
from tests.functional.migrations.under_load import APPLIED, append

# The limit of a wait is a time.
pytestmark = pytest.mark.timed

TABLE = (
    "CREATE TABLE places (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, place text NOT NULL)",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON places TO tenantgate_app",
    "GRANT USAGE ON SCHEMA public TO tenantgate_app",
)
UNDO = ("DROP TABLE places",)
# Seconds for a migration without a fault: the command's limit of a second is for a machine that does nothing else.
LONGEST_WAIT = 3.0


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


def applied(urls: DatabaseUrls, before: str, revision: str, longest_wait: float) -> Applied:
    migrator.upgrade(urls.owner_url, before)
    return asyncio.run(apply(urls, before, revision, sessions=5_000, clients=2, seconds=0.5, longest_wait=longest_wait))


def test_no_client_of_the_newest_migration_has_an_error_or_waits_long(empty: DatabaseUrls) -> None:
    done = applied(empty, *APPLIED[-1], LONGEST_WAIT)
    assert done.findings == []
    assert done.statements > 50
    assert migrator.current(empty.owner_url) == APPLIED[-1][0]


@pytest.mark.parametrize(
    ("step", "found"),
    [
        pytest.param(
            (
                ("ALTER TABLE places DROP COLUMN place",),
                ("ALTER TABLE places ADD COLUMN place text DEFAULT '' NOT NULL",),
            ),
            'column "place" of relation "places" does not exist',
            id="dropped-column",
        ),
        pytest.param(
            (
                ("ALTER TABLE places RENAME COLUMN place TO town",),
                ("ALTER TABLE places RENAME COLUMN town TO place",),
            ),
            'column "place" does not exist',
            id="renamed-column",
        ),
        pytest.param(
            (
                (
                    "ALTER TABLE places ADD COLUMN country text DEFAULT '' NOT NULL",
                    "ALTER TABLE places ALTER COLUMN country DROP DEFAULT",
                ),
                ("ALTER TABLE places DROP COLUMN country",),
            ),
            'null value in column "country" of relation "places" violates not-null constraint',
            id="required-column",
        ),
        pytest.param(
            (
                ("ALTER TABLE places ADD COLUMN town text", "SELECT pg_sleep(1.7)"),
                ("ALTER TABLE places DROP COLUMN town",),
            ),
            "a: up: a client waited",
            id="long-lock",
        ),
        pytest.param(
            (
                ("ALTER TABLE places ADD COLUMN town text",),
                ("ALTER TABLE places DROP COLUMN town", "SELECT pg_sleep(1.7)"),
            ),
            "a: down: a client waited",
            id="long-lock-down",
        ),
    ],
)
def test_an_unsafe_migration_is_found(
    empty: DatabaseUrls, step: Steps, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_migrations(tmp_path / "migrations", {"table": (TABLE, UNDO), "a": step}, monkeypatch)
    done = applied(empty, "table", "a", LONGEST_WAIT_SECONDS)
    assert any(found in finding for finding in done.findings), done


def test_a_long_transaction_holds_up_the_migration_and_no_client(
    empty: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: dict[str, Steps] = {"table": (TABLE, UNDO), "a": (("ALTER TABLE places ADD COLUMN town text",), ())}
    written_migrations(tmp_path / "migrations", steps, monkeypatch)
    monkeypatch.setattr(migrator, "LOCK_ATTEMPTS_SECONDS", 1.0)
    migrator.upgrade(empty.owner_url, "table")

    async def hold() -> Applied:
        holder = await asyncpg.connect(empty.app_url)
        try:
            await holder.execute("BEGIN; SELECT FROM places")
            return await apply(empty, "table", "a", sessions=0, clients=2, seconds=0.2, longest_wait=LONGEST_WAIT)
        finally:
            await holder.close()

    done = asyncio.run(hold())
    assert any("canceling statement due to lock timeout" in finding for finding in done.findings), done
    assert not [finding for finding in done.findings if "revision before" in finding or "waited" in finding]
    assert 0.0 < done.up_wait < LONGEST_WAIT


def test_an_accepted_long_lock_has_its_reason_and_a_revision() -> None:
    assert LONGER.keys() <= {revision for _, revision in APPLIED}
    assert all(len(reason.split()) > 3 for reason in LONGER.values())


def test_a_run_appends_a_row(tmp_path: Path) -> None:
    done = Applied("0008", up=0.1, down=0.25, up_wait=0.02, down_wait=0.03, statements=1234, slowest=0.4)
    for _ in range(2):
        append(done, 100_000, 8, tmp_path / "LOG.md")
    first, second = (tmp_path / "LOG.md").read_text("utf-8").splitlines()[-2:]
    assert first.split(" | ")[1:4] == ["0008", "100,000", "8"]
    assert first.endswith("| 1,234 | 0.10 | 0.02 | 0.25 | 0.03 | 0.40 | 0 |")
    assert second.startswith("| ")
