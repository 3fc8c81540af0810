"""`tenantgate tenants` with a real PostgreSQL and Valkey: its words, its JSON, and its effects."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tenantgate.database.pool import PooledDatabase
from tenantgate.identity.session_entry import TOMBSTONE, session_keys
from tenantgate.sessions.models import StoredSession
from tenantgate.sessions.repository import SessionRepository
from tenantgate_cli.main import app
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import ENDINGS, stored_session
from tests.fixtures.databases.valkey import command

TENANT = "org-00000000-0000-4000-8000-00000000000a"
ISSUERS = ("https://login.example.com/", "https://other.example.com")
SETTINGS = {
    "ENVIRONMENT": "development",
    "OIDC_ISSUER_URL": ISSUERS[0],
    "OIDC_CLIENT_ID": "client",
    "OIDC_AUDIENCE": "api",
    "TRUSTED_ISSUERS": json.dumps([{"issuer": ISSUERS[1], "audiences": ["api"], "tenants": "*"}]),
}


@pytest.fixture
def urls(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrls:
    execute(database_urls.admin_url, "DELETE FROM tenants", "DELETE FROM sessions")
    for name, value in {**SETTINGS, "DATABASE_URL": database_urls.app_url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REDIS_URL", raising=False)
    return database_urls


def tenants(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tenants", *arguments])


def result(*arguments: str) -> dict[str, Any]:
    ran = tenants(*arguments, "--json")
    (line,) = ran.stdout.splitlines()
    parsed: dict[str, Any] = json.loads(line)
    assert parsed["ok"] is (ran.exit_code == 0)
    return parsed


def add_session(urls: DatabaseUrls, **changes: Any) -> StoredSession:
    session = stored_session(tenant_id=TENANT, **changes)

    async def run() -> None:
        database = PooledDatabase(urls.app_url)
        await SessionRepository(database, ENDINGS).add(session)
        await database.dispose()

    asyncio.run(run())
    return session


@pytest.mark.usefixtures("urls")
def test_a_tenant_is_added_shown_changed_and_listed() -> None:
    assert tenants("list").stdout == "no tenant is registered\n"
    assert tenants("add", TENANT, "--name", "First Ltd").stdout == f"{TENANT} is registered\n"
    changed = tenants("set", TENANT, "--idle-minutes", "15", "--absolute-hours", "8", "--issuers", ISSUERS[0])
    assert changed.exit_code == 0
    shown = tenants("show", TENANT).stdout
    for line in ("name       First Ltd", "status     active", "idle       15 minutes", "absolute   8 hours"):
        assert f"{line}\n" in shown
    assert f"issuers    {ISSUERS[0]}\n" in shown
    listed = result("list")["tenants"]
    assert [(each["id"], each["session_idle_minutes"], each["allowed_issuers"]) for each in listed] == [
        (TENANT, 15, [ISSUERS[0]])
    ]
    # Each tenant on one line, also in a narrow terminal.
    _, line = tenants("list").stdout.splitlines()
    assert line.split() == [TENANT, "First", "Ltd", "active", "15", "min", "8", "h", ISSUERS[0]]
    defaults = ("--idle-minutes", "default", "--absolute-hours", "default", "--issuers", "any", "--name", "none")
    after = result("set", TENANT, *defaults)["tenant"]
    assert {after[name] for name in ("name", "session_idle_minutes", "session_absolute_hours")} == {None}
    assert after["allowed_issuers"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", TENANT, "--idle-minutes", "31"), "--idle-minutes must be from 1 to 30, which is SESSION_IDLE_MINUTES"),
        (("set", TENANT, "--absolute-hours", "13"), "--absolute-hours must be from 1 to 12"),
        (("set", TENANT, "--idle-minutes", "soon"), "--idle-minutes must be a whole number, or `default`"),
        (("set", TENANT, "--idle-minutes", "0"), "--idle-minutes must be from 1 to 30"),
        (("set", TENANT, "--issuers", "https://evil.example"), "--issuers https://evil.example isn't trusted"),
        (("set", TENANT, "--issuers", ""), "--issuers must have at least one issuer"),
        (("set", TENANT), "nothing was changed"),
        (("add", TENANT), "is registered already"),
        (("add", "acme"), "the tenant's id must match TENANT_ID_PATTERN"),
        (("add", "org-\x1b[31m"), "the tenant's id must match TENANT_ID_PATTERN"),
        (("suspend", "org-none"), "org-none isn't registered"),
        (("show", "org-\x1b[31m"), "org-?[31m isn't registered"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, tuple) else None,
)
@pytest.mark.usefixtures("urls")
def test_a_refused_change_says_why_and_changes_nothing(arguments: tuple[str, ...], words: str) -> None:
    result("add", TENANT)
    before = result("list")
    ran = tenants(*arguments)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert words in ran.stderr
    assert result(*arguments)["problems"]
    assert result("list") == before


def test_suspending_reaches_valkey_and_activating_takes_it_back(
    urls: DatabaseUrls, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    result("add", TENANT)
    session = add_session(urls)
    key = session_keys(TENANT, session.secret_hash).entry
    suspended = tenants("suspend", TENANT)
    assert suspended.exit_code == 0
    assert "1 of its stored sessions are refused, by the authorizer too" in suspended.stdout
    assert command(redis_url, "GET", key) == TOMBSTONE
    # A second call repeats it.
    assert result("suspend", TENANT)["stopped"] == 1
    active = result("activate", TENANT)
    assert (active["resumed"], active["tenant"]["status"], active["everywhere"]) == (1, "active", True)
    assert command(redis_url, "GET", key) is None
    # The sessions of an issuer that the tenant no longer allows.
    assert result("set", TENANT, "--issuers", ISSUERS[0])["stopped"] == 1
    assert command(redis_url, "GET", key) == TOMBSTONE


@pytest.mark.usefixtures("urls")
def test_without_redis_url_it_says_how_long_the_authorizer_goes_by_its_entries() -> None:
    result("add", TENANT)
    suspended = tenants("suspend", TENANT)
    assert suspended.exit_code == 0
    assert "up to 300 s (SESSION_CACHE_SECONDS)" in suspended.stdout
    assert result("suspend", TENANT)["everywhere"] is False


def test_while_valkey_is_down_it_fails_with_the_remedy_and_postgresql_has_the_change(
    urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    result("add", TENANT)
    add_session(urls)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    failed = tenants("suspend", TENANT)
    assert failed.exit_code == 1
    assert "Valkey can't be reached" in failed.stderr
    assert "run this command again" in failed.stderr
    assert result("show", TENANT)["tenant"]["status"] == "suspended"


@pytest.mark.usefixtures("urls")
def test_issuers_are_refused_where_the_trusted_ones_are_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OIDC_ISSUER_URL", "TRUSTED_ISSUERS", "OIDC_CLIENT_ID", "OIDC_AUDIENCE", "ENVIRONMENT"):
        monkeypatch.delenv(name)
    assert result("add", TENANT)["tenant"]["id"] == TENANT
    refused = tenants("set", TENANT, "--issuers", ISSUERS[0])
    assert "the trusted issuers of this deployment aren't known here" in refused.stderr


def test_a_database_that_is_down_or_old_is_named(urls: DatabaseUrls) -> None:
    down = tenants("list", "--database-url", "postgresql://role@127.0.0.1:1/tenantgate")
    assert (down.exit_code, "can't be reached" in down.stderr) == (1, True)
    old = tenants("list", "--database-url", urls.app_url.rpartition("/")[0] + "/postgres")
    assert old.exit_code == 1
    assert "schema is older" in old.stderr


def test_without_a_stack_or_a_url_it_says_what_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    ran = tenants("list", "--data-dir", str(tmp_path))
    assert (ran.exit_code, "no stack is running" in ran.stderr) == (1, True)
