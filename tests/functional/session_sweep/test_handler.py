"""The sweep's function, invoked as on Lambda, in a separate interpreter; and the container's repetition."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from container.sweeping import sweeping
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import PooledDatabase
from tenantgate.openid_provider.models import BrowserSession
from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID
from tenantgate.openid_provider.storage.repository import BrowserSessionRepository
from tenantgate.sessions.repository import SessionRepository
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import ENDINGS, TENANT, stored_session

ROOT = Path(__file__).parents[3]
INVOKE = """
import json
from types import SimpleNamespace
from functions.session_sweep.handler import lambda_handler
for number in range(2):
    try:
        result = lambda_handler({}, SimpleNamespace(aws_request_id=f"request-0000-000{number}"))
    except Exception as error:
        assert error.__cause__ is None and error.__context__ is None
        result = {"errorType": type(error).__name__, "errorMessage": str(error)}
    print("RESULT " + json.dumps(result))
"""


OTHER_TENANT = "tenant-of-no-persona"
LEFT = "SELECT tenant_id, expires_at > now() AS live FROM provider_browser_sessions ORDER BY tenant_id, live"


def invoke(url: str, **variables: str) -> tuple[list[dict[str, object]], str]:
    run = subprocess.run(
        [sys.executable, "-c", INVOKE],
        cwd=ROOT,
        env={
            "PYTHONPATH": str(ROOT / "layers" / "shared"),
            "ENVIRONMENT": "test",
            "AWS_LAMBDA_FUNCTION_NAME": "sweep",
            "PUBLIC_BASE_URL": "http://localhost:3000",
            "DATABASE_URL": url,
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    prefix = "RESULT "
    results = [json.loads(line[len(prefix) :]) for line in run.stdout.splitlines() if line.startswith(prefix)]
    return results, run.stdout + run.stderr


def test_an_invocation_removes_what_has_timed_out_and_logs_the_counts(
    database_urls: DatabaseUrls, redis_url: str
) -> None:
    async def add() -> None:
        database = PooledDatabase(database_urls.app_url)
        store = SessionRepository(database, ENDINGS)
        await store.tenant(TENANT, register=True)
        # Times of the fixture are in the future of this machine's clock.
        await store.add(stored_session())
        await store.add(stored_session(last_used_at=1_700_000_000))
        await store.add(stored_session(expires_at=1_700_000_000))
        await database.dispose()

    asyncio.run(add())
    results, written = invoke(database_urls.app_url, REDIS_URL=redis_url)
    assert results == [
        {"tenants": 1, "sessions": 2, "kept": 0, "lookups": 0, "token_ids": 0},
        {"tenants": 1, "sessions": 0, "kept": 0, "lookups": 0, "token_ids": 0},
    ]
    assert written.count('"sessions swept"') == 2
    ((left,),) = execute(database_urls.admin_url, "SELECT count(*) FROM sessions")
    assert left["count"] == 1


def test_expired_rows_of_the_built_in_provider_go_in_development(database_urls: DatabaseUrls) -> None:
    now = int(time.time())

    async def add() -> None:
        database = PooledDatabase(database_urls.app_url)
        sessions = BrowserSessionRepository(database)
        for tenant_id in (DEMO_TENANT_ID, OTHER_TENANT):
            for expires_at in (now - 1, now + 3600):
                await sessions.save(
                    BrowserSession(
                        digest=os.urandom(32),
                        sid=str(uuid4()),
                        tenant_id=tenant_id,
                        user_id=str(uuid4()),
                        auth_time=now - 7200,
                        expires_at=expires_at,
                    )
                )
        await database.dispose()

    def left() -> list[tuple[str, bool]]:
        ((rows,),) = [execute(database_urls.admin_url, LEFT)]
        return [(row["tenant_id"], row["live"]) for row in rows]

    asyncio.run(add())
    invoke(database_urls.app_url)
    assert len(left()) == 4
    invoke(database_urls.app_url, ENVIRONMENT="development")
    # Only the tenants of the provider's own users have rows of it.
    assert left() == sorted([(DEMO_TENANT_ID, True), (OTHER_TENANT, False), (OTHER_TENANT, True)])


def test_a_database_that_is_away_fails_the_invocation_without_its_url() -> None:
    results, written = invoke("postgresql://role:a-password@127.0.0.1:1/tenantgate")
    assert results == [{"errorType": "SweepFailed", "errorMessage": "SYS_001"}] * 2
    assert written.count('"not swept:') == 2
    assert "a-password" not in written


@pytest.mark.anyio
async def test_the_container_sweeps_again_after_a_failure_and_stops_with_its_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = 0

    async def work() -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise DatabaseUnreachable("down") if calls == 1 else RuntimeError("a bug")

    async with sweeping(work, every=0.01):
        async with asyncio.timeout(5):
            while calls < 5:
                await asyncio.sleep(0.01)
    ended = calls
    await asyncio.sleep(0.05)
    assert calls == ended
    assert [record.levelname for record in caplog.records if record.name == "container.repeating"] == [
        "WARNING",
        "ERROR",
    ]
