"""The process's refresh of a session whose user or tenant was revoked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tenantgate.database.wiring import dispose_database
from tenantgate.errors.access import SessionEnded
from tenantgate.identity.principal import Principal
from tenantgate.revocation.service import RevocationService
from tenantgate.revocation.wiring import revocation_service
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.models import SessionTokens, SignIn
from tenantgate.sessions.refreshing.wiring import make_refresh_service
from tenantgate.sessions.wiring import session_service
from tenantgate.settings.environment import get_settings
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.login.refreshes import ScriptedProvider
from tests.fixtures.tokens.issuer import ManualClock

ISSUER = "https://issuer.example"


@pytest.fixture(autouse=True)
def settings(database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    key = base64.urlsafe_b64encode(hashlib.sha256().digest()).decode()
    variables = {"ENVIRONMENT": "test", "COOKIE_SEALING_KEYS": key, "DATABASE_URL": database_urls.app_url}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    get_settings.cache_clear()
    secret_store.cache_clear()
    yield
    get_settings.cache_clear()
    secret_store.cache_clear()


@pytest.mark.parametrize(
    "revoke",
    [
        pytest.param(lambda service, tenant: service.revoke_tenant(tenant), id="tenant"),
        pytest.param(lambda service, tenant: service.revoke_user(tenant, ISSUER, "user-1"), id="user"),
    ],
)
def test_it_ends_the_session_and_redeems_nothing(
    revoke: Callable[[RevocationService, str], Awaitable[None]], request: pytest.FixtureRequest
) -> None:
    tenant = f"org-{request.node.callspec.id}"

    async def run() -> None:
        try:
            sessions = await session_service()
            started = await sessions.start(
                principal=Principal("user-1", tenant, ISSUER, frozenset(), 2_000_000_000),
                tokens=SessionTokens("access", "id", "refresh-0"),
                sign_in=SignIn(ISSUER, "user-1"),
            )
            await revoke(await revocation_service(), tenant)
            provider = ScriptedProvider(ManualClock(1_800_000_000))
            with pytest.raises(SessionEnded):
                await (await make_refresh_service(provider)).refresh(started.secret)
            assert provider.redeemed == []
            assert await sessions.of_user(started.session.user) == []
        finally:
            await dispose_database()

    asyncio.run(run())
