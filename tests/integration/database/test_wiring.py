"""The process's database and session service, from its settings."""

import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantgate.database.wiring import database, dispose_database
from tenantgate.identity.principal import Principal
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.models import SessionTokens, SignIn
from tenantgate.sessions.wiring import session_service
from tenantgate.settings.environment import get_settings
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.session_stores import TENANT

VARIABLES = {
    "ENVIRONMENT": "test",
    "PUBLIC_BASE_URL": "http://localhost:3000",
    "COOKIE_SEALING_KEYS": base64.urlsafe_b64encode(hashlib.sha256().digest()).decode(),
}


@pytest.fixture(autouse=True)
def settings(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process's settings are those of the module's database, for this test."""
    for name, value in {**VARIABLES, "DATABASE_URL": database_urls.app_url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    get_settings.cache_clear()
    secret_store.cache_clear()
    yield
    get_settings.cache_clear()
    secret_store.cache_clear()


def test_a_loop_has_one_database_and_another_loop_another() -> None:
    async def twice() -> tuple[object, object]:
        try:
            return database(), database()
        finally:
            await dispose_database()

    first, second = asyncio.run(twice()), asyncio.run(twice())
    assert first[0] is first[1]
    assert second[0] is second[1]
    assert first[0] is not second[0]


def test_there_is_no_database_outside_a_loop() -> None:
    with pytest.raises(RuntimeError):
        database()


@pytest.mark.parametrize(
    ("on_lambda", "connections"), [pytest.param(False, 20, id="container"), pytest.param(True, 1, id="lambda")]
)
def test_a_lambda_environment_keeps_one_connection(
    monkeypatch: pytest.MonkeyPatch, *, on_lambda: bool, connections: int
) -> None:
    if on_lambda:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "auth_callback")

    async def held_at_once() -> int:
        """Return the number of units of work that get a connection when 21 need one."""
        leave = asyncio.Event()
        entered: list[int] = []

        async def work() -> None:
            async with database().tenant(TENANT):
                entered.append(1)
                await leave.wait()

        tasks = [asyncio.create_task(work()) for _ in range(21)]
        await asyncio.wait(tasks, timeout=1.5)
        held = len(entered)
        leave.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await dispose_database()
        return held

    assert asyncio.run(held_at_once()) == connections


# One invocation's worth, and a second one on the kept connection.
LIFE = """
import asyncio, json, sys
from functions.health import routes
from tenantgate.identity.principal import Principal
from tenantgate.database.wiring import dispose_database
from tenantgate.sessions.models import SessionTokens, SignIn
from tenantgate.sessions.wiring import session_service

def imported():
    return [name for name in ("asyncpg", "sqlalchemy", "greenlet", "alembic") if name in sys.modules]

assert imported() == []

async def live():
    principal = Principal(user_id="u", tenant_id="org-1", issuer="i", scopes=frozenset(), expires_at=4_000_000_000)
    service = await session_service()
    for _ in range(2):
        started = await service.start(
            principal=principal, tokens=SessionTokens("a", "i"), sign_in=SignIn("i", "u")
        )
        assert await service.find_live(started.secret) == started.session
        ended = await service.end(started.secret)
        assert await service.tokens_of([ended]) == [started.session.tokens]
    assert (await routes.readiness().run())["database"] == "ok"
    await dispose_database()

asyncio.run(live())
print(json.dumps(imported()))
"""


@pytest.mark.parametrize("on_lambda", [False, True], ids=["container", "lambda"])
def test_requests_never_import_sqlalchemy(database_urls: DatabaseUrls, *, on_lambda: bool) -> None:
    root = Path(__file__).parents[3]
    run = subprocess.run(
        [sys.executable, "-c", LIFE],
        env={
            **VARIABLES,
            "DATABASE_URL": database_urls.app_url,
            "OIDC_CLIENT_SECRET": "secret",
            "PYTHONPATH": f"{root}{os.pathsep}{root / 'layers' / 'shared'}",
            **({"AWS_LAMBDA_FUNCTION_NAME": "auth_callback"} if on_lambda else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == ["asyncpg"]


def test_sessions_start_live_and_end_in_the_process_database() -> None:
    principal = Principal(
        user_id="u", tenant_id=TENANT, issuer="https://i.example", scopes=frozenset(), expires_at=4_000_000_000
    )

    async def live() -> None:
        try:
            service = await session_service()
            started = await service.start(
                principal=principal, tokens=SessionTokens("a", "i", None), sign_in=SignIn("i", "u")
            )
            assert await (await session_service()).find_live(started.secret) == started.session
            ended = await service.end(started.secret)
            assert ended is not None
            assert await service.tokens_of([ended]) == [started.session.tokens]
            assert await service.end(started.secret) is None
        finally:
            await dispose_database()

    asyncio.run(live())
