"""The rate limits of the signed-in home page: of the session's user and tenant, once the session is verified."""

import pytest
from starlette.testclient import TestClient

from functions.home.routes import router
from tenantgate.identity.principal import Principal
from tenantgate.sessions import wiring
from tenantgate.sessions.models import SessionTokens, SignIn
from tenantgate.sessions.service import SessionService
from tenantgate.web.app import create_app
from tenantgate.web.cookies import SESSION_COOKIE
from tests.fixtures.databases.session_stores import TENANT, MemorySessionStore, session_service_of
from tests.fixtures.web.setup import ISSUER, make_settings

pytestmark = pytest.mark.anyio


async def cookie(sessions: SessionService, user_id: str) -> dict[str, str]:
    principal = Principal(user_id, TENANT, ISSUER, frozenset(), 2_000_000_000)
    tokens = SessionTokens(access_token="e30.e30.c2ln", id_token="i")
    session = await sessions.start(principal=principal, tokens=tokens, sign_in=SignIn(ISSUER, user_id))
    return {"accept": "text/html", "cookie": f"{SESSION_COOKIE}={session.secret}"}


async def test_only_a_live_session_counts_for_its_user_and_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    service = session_service_of(MemorySessionStore())

    async def made() -> SessionService:
        return service

    monkeypatch.setattr(wiring, "session_service", made)
    settings = make_settings(RATE_LIMITS="identity=2/minute,tenant=3/minute")
    with TestClient(create_app(router, settings=settings), base_url="https://gate.example.test") as client:
        one, other = await cookie(service, "user-1"), await cookie(service, "user-2")
        ended = await cookie(service, "user-1")
        await service.end(ended["cookie"].partition("=")[2])
        for _ in range(5):
            response = client.get("/", headers=ended)
            assert "Sign in to continue" in response.text
            assert "ratelimit" not in response.headers
        response = client.get("/", headers=one)
        assert "You are signed in" in response.text
        assert response.headers["ratelimit"] == '"identity";r=1;t=60, "tenant";r=2;t=60'
        assert [client.get("/", headers=one).status_code for _ in range(2)] == [200, 429]
        refused = client.get("/", headers=one)
        assert "SYS_006" in refused.text
        assert int(refused.headers["retry-after"]) > 0
        assert [client.get("/", headers=other).status_code for _ in range(2)] == [200, 429]
