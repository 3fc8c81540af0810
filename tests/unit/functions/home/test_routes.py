"""`GET /`, with a real session service over a store in memory."""

import base64
import hashlib
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from functions.home.routes import router
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.identity.principal import Principal
from tenantgate.sessions import wiring
from tenantgate.sessions.models import SessionTokens
from tenantgate.sessions.service import SessionService
from tenantgate.web.app import create_app
from tenantgate.web.cookies import SESSION_COOKIE
from tests.fixtures.databases.session_stores import TENANT, MemorySessionStore
from tests.fixtures.web.setup import make_settings

HTML = {"accept": "text/html"}
PRINCIPAL = Principal("user-1", TENANT, "https://issuer.example", frozenset(), 2_000_000_000)
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"user-1","roles":["a"],"name":"<b>"}').decode().rstrip("=")

pytestmark = pytest.mark.anyio


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> SessionService:
    service = SessionService(
        MemorySessionStore(), Sealer([base64.urlsafe_b64encode(hashlib.sha256(b"k").digest()).decode()])
    )

    async def made() -> SessionService:
        return service

    monkeypatch.setattr(wiring, "session_service", made)
    return service


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_app(router, settings=make_settings()), base_url="https://gate.example.test") as made:
        yield made


async def started(sessions: SessionService, access_token: str) -> dict[str, str]:
    tokens = SessionTokens(access_token=access_token, id_token="i")
    session = await sessions.start(principal=PRINCIPAL, tokens=tokens)
    return {**HTML, "cookie": f"{SESSION_COOKIE}={session.secret}"}


@pytest.mark.parametrize("accept", ["application/json", "*/*", None])
async def test_a_client_that_accepts_no_page_gets_the_status(client: TestClient, accept: str | None) -> None:
    response = client.get("/", headers={"accept": accept} if accept else {"accept": ""})
    assert response.json() == {"status": "ok"}
    assert "Accept" in response.headers["vary"]
    assert "set-cookie" not in response.headers


async def test_without_a_cookie_the_page_links_to_the_sign_in(client: TestClient) -> None:
    response = client.get("/", headers=HTML)
    assert "/api/v1/auth/login?return_to=/" in response.text
    assert response.headers["vary"] == "Accept, Cookie, Origin"
    assert "set-cookie" not in response.headers


async def test_with_a_session_the_page_shows_its_user(client: TestClient, sessions: SessionService) -> None:
    response = client.get("/", headers=await started(sessions, f"e30.{CLAIMS}.c2ln"))
    assert response.status_code == 200
    for text in ("You are signed in", "user-1", TENANT, "https://issuer.example", "roles", "&lt;b&gt;"):
        assert text in response.text
    assert "e30." not in response.text


@pytest.mark.parametrize("access_token", ["opaque", "a.b.c", "e30.W10.c2ln", "e30.bnVsbA.c2ln", "e30.\u00e4.c2ln"])
async def test_a_token_without_readable_claims_shows_no_claims(
    client: TestClient, sessions: SessionService, access_token: str
) -> None:
    response = client.get("/", headers=await started(sessions, access_token))
    assert response.status_code == 200
    assert "None" in response.text


@pytest.mark.parametrize("value", ["garbage", f"{TENANT}.unknown-secret-of-some-length-0123456789ab", "a.b"])
async def test_the_cookie_of_an_ended_session_is_cleared(
    client: TestClient, sessions: SessionService, value: str
) -> None:
    response = client.get("/", headers={**HTML, "cookie": f"{SESSION_COOKIE}={value}"})
    assert response.status_code == 200
    assert "Sign in to continue" in response.text
    assert response.headers["set-cookie"].startswith(f"{SESSION_COOKIE}=; Max-Age=0")


async def test_an_unreachable_database_is_an_error_page(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreachable() -> SessionService:
        raise DatabaseUnreachable

    monkeypatch.setattr(wiring, "session_service", unreachable)
    response = client.get("/", headers={**HTML, "cookie": f"{SESSION_COOKIE}=a.b"})
    assert response.status_code == 503
    assert "SYS_001" in response.text
    assert "set-cookie" not in response.headers
