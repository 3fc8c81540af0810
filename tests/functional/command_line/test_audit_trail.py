"""`tenantgate audit tail` and `tenantgate audit export` with a real PostgreSQL."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from tenantgate.audit.models import Event, StoredEvent, user_owner
from tenantgate.audit.repository import record
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.database.pool import PooledDatabase
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate_cli.main import app
from tests.fixtures.audit.events import any_event, recorded_events
from tests.fixtures.audit.trail import ISSUER, sign_in
from tests.fixtures.data_keys.memory import KEY, NEW_KEY, local_keys
from tests.fixtures.databases.postgres import DatabaseUrls

USERS = (
    "0b2f7c1e-0000-4000-8000-00000000beef",
    "jane@example.com",
    '=HYPERLINK("https://x.example")',
    "+41 44 668 18 00",
    "Zoë\u2028Ω",
)
COLUMNS = (
    "id,tenant_id,event_type,outcome,actor,resource_type,resource_id,request_id,session_id,person,user_ref,issuer,"
    "user_id,address,detail,occurred_at,recorded_at"
)


@pytest.fixture(autouse=True)
def _no_log_on_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    # An earlier test of this process may have sent the log to standard output, which is for the result.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setenv("KEY_ENCRYPTION_KEYS", KEY)
    monkeypatch.delenv("DATABASE_OWNER_URL", raising=False)


def on(urls: DatabaseUrls, work: Callable[[PooledDatabase, DataKeys], Awaitable[None]]) -> None:
    async def run() -> None:
        database = PooledDatabase(urls.app_url)
        try:
            await work(database, DataKeys(DataKeyRepository(database), local_keys(KEY)))
        finally:
            await database.dispose()

    asyncio.run(run())


async def write(database: PooledDatabase, *events: StoredEvent) -> None:
    for event in events:
        async with database.tenant(event.tenant_id) as unit:
            await record(unit, event)


@pytest.fixture
def tenant(database_urls: DatabaseUrls) -> str:
    """A tenant with the sign-ins of five users."""
    name = f"org-{uuid4()}"

    async def fill(database: PooledDatabase, keys: DataKeys) -> None:
        await write(database, *[await sign_in(keys, name, user) for user in USERS])

    on(database_urls, fill)
    return name


def run(urls: DatabaseUrls, *words: str) -> Result:
    return CliRunner().invoke(app, ["audit", *words, "--database-url", urls.app_url])


def accesses(urls: DatabaseUrls, tenant: str) -> list[dict[str, object]]:
    rows = asyncio.run(recorded_events(urls.admin_url, tenant))
    return [json.loads(row["detail"]) for row in rows if row["event_type"] == "DATA_ACCESS"]


def test_an_export_is_masked_and_recorded(database_urls: DatabaseUrls, tenant: str) -> None:
    done = run(database_urls, "export", "--tenant", tenant)
    assert (done.exit_code, done.stderr) == (0, "6 events exported\n")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert ",".join(events[0]) == COLUMNS
    assert [event["user_id"] for event in events] == ["***beef", "***@example.com", "***", "***", "***", None]
    assert [event["event_type"] for event in events] == [*["AUTH_LOGIN_SUCCESS"] * 5, "DATA_ACCESS"]
    assert events[0]["detail"] == {"amr": ["pwd"], "device": "***"}
    assert events[-1]["actor"] == "operator"
    assert accesses(database_urls, tenant) == [{"form": "masked", "filters": [], "operation": "export"}]


def test_unmasked_needs_the_owners_login(
    database_urls: DatabaseUrls, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = run(database_urls, "export", "--tenant", tenant, "--unmasked")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "✗ --unmasked needs the login of the tables' owner" in missing.stderr
    other = run(database_urls, "export", "--tenant", tenant, "--unmasked", "--owner-url", database_urls.app_url)
    assert (other.exit_code, other.stdout) == (1, "")
    assert accesses(database_urls, tenant) == []
    monkeypatch.setenv("DATABASE_OWNER_URL", database_urls.owner_url)
    done = run(database_urls, "export", "--tenant", tenant, "--unmasked")
    assert done.exit_code == 0
    # Split only at line feeds: other line separators are characters of a text.
    lines = done.stdout_bytes.decode().removesuffix("\n").split("\n")
    assert [json.loads(line)["user_id"] for line in lines] == [*USERS, None]
    assert accesses(database_urls, tenant) == [{"form": "unmasked", "filters": [], "operation": "export"}]


def test_csv_has_no_formulas_and_its_texts_are_whole(
    database_urls: DatabaseUrls, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = ["=1+1", "-2", "@SUM(A1)", "\tx", "\r=x", "\n=x", "'=x", "\uff1d1", 'a"b,c\r\nd', "plain"]

    async def fill(database: PooledDatabase, _: DataKeys) -> None:
        await write(
            database,
            *(Event("REVOKED", tenant, resource_type="token", resource_id=text).stored(None) for text in hostile),
        )

    on(database_urls, fill)
    monkeypatch.setenv("DATABASE_OWNER_URL", database_urls.owner_url)
    done = run(database_urls, "export", "--tenant", tenant, "--unmasked", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout_bytes.decode(), newline="")))
    assert done.stdout_bytes.startswith(COLUMNS.encode() + b"\r\n")
    assert [row["user_id"].removeprefix("'") for row in rows[:5]] == list(USERS)
    assert [row["resource_id"] for row in rows[5:15]] == [f"'{text}" for text in hostile[:-2]] + hostile[-2:]
    for row in rows:
        assert not [cell for cell in row.values() if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"}]


def test_only_events_of_the_time_and_the_tenant_are_exported(database_urls: DatabaseUrls, tenant: str) -> None:
    def number(*options: str) -> int:
        return len(run(database_urls, "export", "--tenant", tenant, *options).stdout.splitlines())

    assert number("--to", "2026-01-01") == 0
    assert number("--from", "2999-01-01T00:00:00+01:00") == 0
    assert number("--from", "2020-01-01", "--to", "2999-01-01T00:00:00Z") == 8
    detail = accesses(database_urls, tenant)[-1]
    assert (detail["from"], detail["to"]) == ("2020-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z")
    for wrong in ("yesterday", "2026-13-01", "0001-01-01T00:00:00+23:59"):
        failed = run(database_urls, "export", "--tenant", tenant, "--from", wrong)
        assert (failed.exit_code, failed.stdout) == (1, "")
        assert "--from is not a time" in failed.stderr
    other = run(database_urls, "export", "--tenant", f"org-{uuid4()}")
    assert [json.loads(line)["event_type"] for line in other.stdout.splitlines()] == ["DATA_ACCESS"]


def test_an_erased_person_is_marked_and_a_missing_key_fails(
    database_urls: DatabaseUrls, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def erase(_: PooledDatabase, keys: DataKeys) -> None:
        assert await keys.destroy(user_owner(tenant, ISSUER, USERS[1])) == 1

    on(database_urls, erase)
    events = [json.loads(line) for line in run(database_urls, "export", "--tenant", tenant).stdout.splitlines()]
    assert [event["person"] for event in events] == ["known", "erased", "known", "known", "known", None]
    monkeypatch.setenv("KEY_ENCRYPTION_KEYS", NEW_KEY)
    failed = run(database_urls, "export", "--tenant", tenant)
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "personal data can't be decrypted now" in failed.stderr


def test_a_file_is_new_and_private(database_urls: DatabaseUrls, tenant: str, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    assert run(database_urls, "export", "--tenant", tenant, "--output", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    again = run(database_urls, "export", "--tenant", tenant, "--output", str(file))
    assert (again.exit_code, file.read_bytes()) == (1, before)
    assert "exists already" in again.stderr
    nowhere = run(database_urls, "export", "--tenant", tenant, "--output", str(tmp_path / "none" / "x"))
    assert nowhere.exit_code == 1
    assert "the output can't be written" in nowhere.stderr


def test_the_tail_is_masked_and_recorded_in_its_log(database_urls: DatabaseUrls, tenant: str) -> None:
    shown = run(database_urls, "tail", "--tenant", tenant, "--lines", "3")
    assert shown.exit_code == 0
    *_, last = shown.stdout.splitlines()
    assert len(shown.stdout.splitlines()) == 3
    assert "DATA_ACCESS  success  operator  audit_events" in last
    assert not any(user in shown.stdout for user in USERS)
    events = run(database_urls, "tail", "--tenant", tenant, "--json").stdout.splitlines()
    assert json.loads(events[1])["user_id"] == "***@example.com"
    assert accesses(database_urls, tenant)[0]["operation"] == "tail"

    async def fill(database: PooledDatabase, _: DataKeys) -> None:
        await write(database, any_event(DEPLOYMENT))

    on(database_urls, fill)
    deployment = run(database_urls, "tail", "--lines", "2").stdout.splitlines()
    assert ["TENANT_CHANGED" in deployment[0], "DATA_ACCESS" in deployment[1]] == [True, True]


def test_the_tail_follows_until_it_is_interrupted(database_urls: DatabaseUrls, tenant: str) -> None:
    command = [sys.executable, "-m", "tenantgate_cli", "audit", "tail", "--tenant", tenant, "--lines", "1", "--follow"]
    environment = {**os.environ, "DATABASE_URL": database_urls.app_url}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert "DATA_ACCESS" in process.stdout.readline()
        on(database_urls, lambda database, _: write(database, any_event(tenant)))
        assert "TENANT_CHANGED" in process.stdout.readline()
        process.terminate()
        assert process.stdout.read() == ""
    assert process.returncode == 0
