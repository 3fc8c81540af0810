"""Erasures survive a restoration: the anchored ledger is replayed before anyone can use the database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from tenantgate.crypto.envelopes import KeyOwner
from tenantgate.database.connection import connect
from tenantgate.database.pool import PooledDatabase
from tenantgate.privacy.models import LEDGER, LedgerEntry, Subject
from tenantgate_cli.main import app
from tests.fixtures.backups.server import KEY
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer
from tests.fixtures.privacy.person import Process, new_subject

# The same tenant: only the erased one's data are gone.
ALICE = new_subject()
BOB = ALICE._replace(user_id=f"bob-{uuid4()}@example.com")
DEVICE = "Lynx on Plan 9"
COUNTS = ("entries", "known", "keys", "sessions")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def members(ran: Result, *names: str) -> list[Any]:
    """Return members of a command's JSON."""
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.output.splitlines()[-1])
    return [found[name] for name in names]


@asynccontextmanager
async def process(urls: DatabaseUrls) -> AsyncIterator[Process]:
    database = PooledDatabase(urls.app_url)
    try:
        yield Process(database)
    finally:
        await database.dispose()


def events_of(urls: DatabaseUrls, subject: Subject) -> list[Any]:
    """Return the events about a person that open with the keys of a database."""

    async def read() -> list[Any]:
        async with process(urls) as one:
            return [*(await one.exports().page(subject)).records["audit_events"]]

    return asyncio.run(read())


def do(urls: DatabaseUrls, work: Callable[[Process], Awaitable[object]]) -> None:
    async def run_it() -> None:
        async with process(urls) as one:
            await work(one)

    asyncio.run(run_it())


def query(urls: DatabaseUrls, statement: str, *values: object) -> list[Any]:
    async def read() -> list[Any]:
        connection = await connect(urls.admin_url)
        try:
            return [dict(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    return asyncio.run(read())


@pytest.fixture(scope="module")
def anchors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("anchors")


@pytest.fixture(scope="module")
def backups(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory, anchors: Path) -> Iterator[Path]:
    """A backup that is older than Alice's erasure; afterwards she is erased by command, and signs in again."""
    urls = postgres_server.create_database()
    folder = tmp_path_factory.mktemp("backups")

    async def sign_in(one: Process) -> None:
        for subject in (ALICE, BOB):
            await one.sign_in(subject, device=DEVICE)
        await one.keys.current(KeyOwner(ALICE.tenant_id, "session-tokens"))

    do(urls, sign_in)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("BACKUP_KEY", KEY)
        monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(anchors))
        assert run("backup", "--to", str(folder), "--database-url", urls.owner_url).exit_code == 0
        names = ("--tenant", ALICE.tenant_id, "--issuer", ALICE.issuer, "--user", ALICE.user_id)
        erased = run("privacy", "erase", *names, "--database-url", urls.app_url, "--json")
    assert members(erased, "sessions", "keys", "anchored") == [1, 1, True]
    assert events_of(urls, ALICE) == []
    do(urls, lambda one: one.sign_in(ALICE))
    yield folder
    postgres_server.drop_database(urls)


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Iterator[DatabaseUrls]:
    urls = postgres_server.create_database(migrated=False)
    yield urls
    postgres_server.drop_database(urls)


@pytest.fixture
def restored(empty: DatabaseUrls, backups: Path, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrls:
    """A database from the backup, restored without the ledger."""
    monkeypatch.setenv("BACKUP_KEY", KEY)
    monkeypatch.setenv("DATABASE_URL", empty.app_url)
    ran = run("restore", "--from", str(backups), "--database-url", empty.owner_url)
    assert ran.exit_code == 0, ran.output
    assert "erasures after the backup are unknown" in ran.output
    return empty


def test_a_restored_backup_gives_back_nothing_of_the_erased(
    empty: DatabaseUrls, backups: Path, anchors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_KEY", KEY)
    monkeypatch.setenv("DATABASE_URL", empty.app_url)
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(anchors))
    ran = run("restore", "--from", str(backups), "--database-url", empty.owner_url)
    assert ran.exit_code == 0, ran.output
    assert "1 erasures replayed: 1 were forgotten, 1 keys destroyed again" in ran.output
    assert events_of(empty, ALICE) == []
    assert [one["user"]["user_id"] for one in events_of(empty, BOB)] == [BOB.user_id]
    # The tenant's own key is untouched, and only Alice's is gone.
    keys = query(empty, "SELECT purpose, wrapped_key IS NULL AS destroyed FROM data_keys")
    assert sorted((row["purpose"], row["destroyed"]) for row in keys if row["destroyed"]) == [("audit-subject", True)]
    stored = str([query(empty, f"SELECT * FROM {table}") for table in ("audit_events", "sessions", "privacy_erasures")])
    assert ALICE.user_id not in stored
    (event,) = query(empty, "SELECT * FROM audit_events WHERE event_type = 'USER_ERASED'")
    assert json.loads(event["detail"])["source"] == "replay"
    # Alice can sign in there again.
    do(empty, lambda one: one.sign_in(ALICE))
    assert [one["event_type"] for one in events_of(empty, ALICE)] == ["PRIVACY_EXPORTED", "AUTH_LOGIN_SUCCESS"]


def test_without_the_ledger_a_restored_backup_knows_the_erased_until_it_is_replayed(
    restored: DatabaseUrls, anchors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [one["user"]["user_id"] for one in events_of(restored, ALICE)] == [ALICE.user_id]
    refused = run("privacy", "replay", "--database-url", restored.owner_url)
    assert (refused.exit_code, "no anchors are configured" in refused.output) == (1, True)
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(anchors))
    # As after a point-in-time recovery: a session of the restored moment is there, too.
    do(restored, lambda one: one.sign_in(ALICE))
    counts = [
        members(run("privacy", "replay", "--database-url", restored.owner_url, "--json"), *COUNTS) for _ in range(2)
    ]
    assert counts == [[1, 0, 1, 1], [1, 1, 0, 0]]
    assert events_of(restored, ALICE) == []
    assert len(events_of(restored, BOB)) == 1
    assert query(restored, "SELECT 1 FROM sessions WHERE user_id = $1", ALICE.user_id) == []


def test_forged_entries_destroy_no_other_key(
    restored: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {row["purpose"]: row["id"] for row in query(restored, "SELECT purpose, id FROM data_keys")}
    tenants_key = LedgerEntry(uuid4(), ALICE.tenant_id, (ids["session-tokens"],), 1_800_000_000)
    other_tenant = replace(tenants_key, id=uuid4(), tenant_id="org-x", key_ids=tuple(ids.values()))
    folder = tmp_path / LEDGER
    folder.mkdir(parents=True)
    for entry in (tenants_key, other_tenant):
        (folder / f"{entry.id}-1.json").write_bytes(entry.to_json())
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(tmp_path))
    ran = run("privacy", "replay", "--database-url", restored.owner_url, "--json")
    assert members(ran, "keys") == [0]
    assert len(events_of(restored, ALICE)) == 1
    (folder / "x-1.json").write_text("{}")
    ran = run("privacy", "replay", "--database-url", restored.owner_url)
    assert (ran.exit_code, "isn't an entry of the ledger" in ran.output) == (1, True)


def test_a_restoration_doesnt_begin_without_its_ledger(
    empty: DatabaseUrls, backups: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / LEDGER
    folder.mkdir(parents=True)
    (folder / "x-1.json").write_text("forged")
    monkeypatch.setenv("BACKUP_KEY", KEY)
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(tmp_path))
    assert run("restore", "--from", str(backups), "--database-url", empty.owner_url).exit_code == 1
    assert query(empty, "SELECT to_regclass('public.sessions') AS found") == [{"found": None}]


@pytest.mark.parametrize("is_anchored", [True, False])
def test_an_empty_folder_is_the_ledger_only_of_a_database_that_was_never_anchored(
    restored: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_anchored: bool
) -> None:
    """Without its disk, a mount point is an empty folder, and the erased would be known again."""
    query(
        restored,
        "INSERT INTO audit_checkpoints (tenant_id, id, size, note) VALUES ('org-1', gen_random_uuid(), 1, 'any')",
    )
    if not is_anchored:
        query(restored, "INSERT INTO audit_anchor_queue (tenant_id, id) SELECT tenant_id, id FROM audit_checkpoints")
    folder = tmp_path / "mounted"
    folder.mkdir()
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(folder))
    ran = run("privacy", "replay", "--database-url", restored.owner_url)
    assert (ran.exit_code, "the store of anchors is empty" in ran.output) == (int(is_anchored), is_anchored)


def test_a_ledger_without_an_erasure_that_the_database_knows_is_another_one(
    restored: DatabaseUrls, anchors: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a reboot, a sealer may have written checkpoints where the disk should be mounted."""
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(anchors))
    assert run("privacy", "replay", "--database-url", restored.owner_url).exit_code == 0
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "a").write_text("{}")
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(tmp_path))
    ran = run("privacy", "replay", "--database-url", restored.owner_url)
    assert (ran.exit_code, "lacks 1 anchored erasures" in ran.output) == (1, True)


def test_the_report_names_no_person(restored: DatabaseUrls, anchors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_ANCHOR_FOLDER", str(anchors))
    assert run("privacy", "replay", "--database-url", restored.owner_url).exit_code == 0
    arguments = ("privacy", "report", "--tenant", ALICE.tenant_id, "--database-url", restored.app_url)
    ((held,),) = members(run(*arguments, "--json"), "tenants")
    assert (held["sessions"], held["keys"], held["destroyed"]) == (0, 1, 1)
    assert [one["source"] for one in held["erasures"]] == ["replay"]
    shown = run(*arguments).output
    assert "erasures       1" in shown
    assert "privacy_erasures" in shown
    assert ALICE.user_id not in shown + str(held)
