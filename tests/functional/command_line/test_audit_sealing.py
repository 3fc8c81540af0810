"""`tenantgate audit status`, `keys` and `retain` with a real database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from tenantgate.audit.repository import EventRepository
from tenantgate.database.pool import PooledDatabase
from tenantgate.sessions.repository import SessionRepository
from tenantgate.transparency.anchors.folder import FolderAnchors
from tenantgate.transparency.checkpoints import open_checkpoint
from tenantgate.transparency.notes import verifier_key
from tenantgate_cli.main import app
from tests.fixtures.audit.events import any_event
from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.databases.session_stores import ENDINGS
from tests.fixtures.transparency.sealing import HOST, KEY, sealer


@pytest.fixture
def urls(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseUrls]:
    monkeypatch.setenv("AUDIT_SIGNING_KEYS", KEY)
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


def sealed(urls: DatabaseUrls, folder: Path, *, seals: bool = True) -> str:
    tenant_id = f"org-{uuid4()}"

    async def work() -> None:
        database = PooledDatabase(urls.app_url)
        await SessionRepository(database, ENDINGS).tenant(tenant_id, register=True)
        for _ in range(3):
            await EventRepository(database).add(any_event(tenant_id))
        if seals:
            await sealer(database, FolderAnchors(folder)).run()
        await database.dispose()

    asyncio.run(work())
    return tenant_id


def test_the_state_of_the_sealing_fails_after_the_window(urls: DatabaseUrls, tmp_path: Path) -> None:
    sealed(urls, tmp_path)
    ran = run("status", "--database-url", urls.app_url)
    assert ran.exit_code == 0, ran.output
    assert "unsealed: events of 0 tenants" in ran.output
    sealed(urls, tmp_path, seals=False)
    waits = json.loads(run("status", "--database-url", urls.app_url, "--json").stdout)
    assert (waits["unsealed_tenants"], waits["unanchored"], waits["window_seconds"]) == (1, 0, 300)
    execute(urls.admin_url, "UPDATE audit_queue SET created_at = now()")
    execute(
        urls.admin_url,
        "INSERT INTO audit_queue (tenant_id, id, created_at) VALUES ('x', gen_random_uuid(), now() - interval '301 s')",
    )
    late = run("status", "--database-url", urls.app_url)
    assert (late.exit_code, "has waited for 30" in late.output) == (1, True)
    assert run("status", "--database-url", urls.app_url, "--json").exit_code == 1


def test_the_printed_key_verifies_the_tenants_checkpoints(
    urls: DatabaseUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = sealed(urls, tmp_path)
    monkeypatch.setenv("PUBLIC_BASE_URL", f"https://{HOST}")
    monkeypatch.setenv("OIDC_ISSUER_URL", "https://login.example.com")
    monkeypatch.setenv("OIDC_CLIENT_ID", "web")
    monkeypatch.setenv("ALLOWED_ORIGINS", "https://app.example.com")
    monkeypatch.setenv("DATABASE_TLS", "private-network")
    ran = run("keys", "--tenant", tenant_id, "--database-url", urls.app_url, "--json")
    assert ran.exit_code == 0, ran.output
    (text,) = json.loads(ran.stdout)["verifier_keys"]
    note = execute(urls.admin_url, f"SELECT note FROM audit_checkpoints WHERE tenant_id = '{tenant_id}'")[0][0]["note"]
    # The registration of the tenant is an event, too.
    assert open_checkpoint(note, [verifier_key(text)]).size == 4
    # The log keeps its name when the address changes; another one will have the new name.
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://new.example.com")
    assert text in run("keys", "--tenant", tenant_id, "--database-url", urls.app_url).output.replace("\n", "")
    new = run("keys", "--tenant", "org-new", "--database-url", urls.app_url, "--json")
    (text,) = json.loads(new.stdout)["verifier_keys"]
    assert text.startswith("new.example.com/audit/org-new+")


def test_retention_removes_what_is_older_as_the_owner(urls: DatabaseUrls, tmp_path: Path) -> None:
    sealed(urls, tmp_path)
    assert run("retain", "--database-url", urls.owner_url).exit_code == 1
    kept = run("retain", "--database-url", urls.owner_url, "--days", "1", "--json")
    assert json.loads(kept.stdout)["events"] == 0
    execute(
        urls.admin_url,
        "INSERT INTO audit_events (tenant_id, event_type, outcome, detail, occurred_at, created_at)"
        " VALUES ('old', 'TENANT_CHANGED', 'success', '{}', now(), now() - interval '400 days')",
        "INSERT INTO tenants (tenant_id) VALUES ('old')",
    )
    sealed(urls, tmp_path)
    ran = run("retain", "--database-url", urls.owner_url, "--days", "365", "--json")
    assert (ran.exit_code, json.loads(ran.stdout)["tenants"], json.loads(ran.stdout)["events"]) == (0, 1, 1)
