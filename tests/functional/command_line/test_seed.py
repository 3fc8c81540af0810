"""`tenantgate seed` with a real PostgreSQL: the rows are those of live sessions, and only development gets them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.database.pool import PooledDatabase
from tenantgate.sessions.models import SessionPolicy
from tenantgate.sessions.repository import SessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate_cli.main import app
from tenantgate_cli.stack.seeding import Seed, Size
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import ENDINGS

TABLES = ("tenants", "sessions", "session_secrets", "session_lookup")


@pytest.fixture
def urls(database_urls: DatabaseUrls) -> DatabaseUrls:
    execute(database_urls.admin_url, *(f"DELETE FROM {table}" for table in ("session_lookup", "sessions", "tenants")))
    return database_urls


def counts(urls: DatabaseUrls) -> dict[str, int]:
    found = execute(urls.admin_url, *(f"SELECT count(*) FROM {table}" for table in TABLES))
    return {table: rows[0]["count"] for table, rows in zip(TABLES, found, strict=True)}


def test_the_command_adds_the_rows_and_says_so(urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "development")
    sizes = ("--tenants", "3", "--users", "40", "--sessions", "1300")
    ran = CliRunner().invoke(app, ["seed", *sizes, "--database-url", urls.app_url])
    assert ran.exit_code == 0, ran.stderr
    assert "3 tenants, 40 users and 1,300 sessions in" in ran.stdout
    assert "sessions 1,300 of 1,300" in ran.stderr
    found = counts(urls)
    assert (found["tenants"], found["sessions"], found["session_lookup"]) == (3, 1300, 2600)
    assert 1000 < found["session_secrets"] < 1600
    ((users,),) = execute(urls.admin_url, "SELECT count(DISTINCT (tenant_id, user_id)) FROM sessions")
    assert users["count"] == 40
    again = CliRunner().invoke(app, ["seed", *sizes, "--database-url", urls.app_url, "--json"])
    result = json.loads(again.stdout)
    assert (result["ok"], result["sessions"], counts(urls)["tenants"]) == (True, 1300, 6)


@pytest.mark.parametrize("environment", [None, "production", "staging", "test"])
def test_it_refuses_outside_development(
    urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, environment: str | None
) -> None:
    monkeypatch.delenv("ENVIRONMENT", raising=False)
    if environment is not None:
        monkeypatch.setenv("ENVIRONMENT", environment)
    ran = CliRunner().invoke(app, ["seed", "--sessions", "10", "--database-url", urls.app_url])
    assert (ran.exit_code, "for development only" in ran.stderr) == (1, True)
    assert set(counts(urls).values()) == {0}


def test_a_database_that_is_away_is_one_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "development")
    ran = CliRunner().invoke(app, ["seed", "--sessions", "10", "--database-url", "postgresql://role@127.0.0.1:1/db"])
    assert ran.exit_code == 1
    assert "can't be reached" in ran.stderr


@pytest.mark.anyio
async def test_the_sessions_are_live_and_their_tokens_open(urls: DatabaseUrls) -> None:
    database, sealer = PooledDatabase(urls.app_url), Sealer([new_sealing_key()])
    policy = SessionPolicy()

    async def current() -> Sealer:
        return sealer

    seed = Seed(database, sealer, policy, "https://issuer.example", lambda: "org-only")
    steps: list[int] = []
    seeded = await seed.plant(Size(5, 1, 1200), keep=2, on_progress=steps.append)
    service = SessionService(SessionRepository(database, ENDINGS), current, policy=policy)
    for secret in seeded.secrets:
        session = await service.find_live(secret)
        assert session.tokens.refresh_token
        assert len(await service.of_user(session.user)) == 240
    await database.dispose()
    assert (len(seeded.secrets), sum(steps)) == (2, 1200)
