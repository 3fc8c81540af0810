"""`validate` and `me` with real tokens: the caller, from the token or from the authorizer's context."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi import APIRouter, Request
from starlette.testclient import TestClient

from functions.auth_me.routes import router as me_router
from functions.auth_validate.routes import router as validate_router
from tenantgate.web.app import create_app
from tenantgate.web.dependencies import CurrentPrincipal
from tenantgate.web.lambda_adapter import LambdaHandler
from tests.fixtures.web.sessions import WebSessions, cookie_of, web_sessions
from tests.fixtures.web.setup import ISSUER, TENANT, Issuer, api_event, lambda_context, lambda_handler_of, log_lines

__all__ = ["web_sessions"]

downstream = APIRouter()


@downstream.get("/downstream")
async def tell(request: Request, principal: CurrentPrincipal) -> dict[str, object]:
    return {"tenant": request.state.tenant_id, "claims": dict(principal.claims)}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.in_folder(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def client(issuer: Issuer) -> Iterator[TestClient]:
    app = create_app(validate_router, me_router, downstream, settings=issuer.settings())
    with TestClient(app, base_url="https://gate.example.test") as made:
        yield made


@pytest.fixture
def handler(issuer: Issuer) -> LambdaHandler:
    return lambda_handler_of(validate_router, me_router, settings=issuer.settings())


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_good_token_is_valid(client: TestClient, issuer: Issuer) -> None:
    expires_at = int(time.time()) + 300
    response = client.get("/api/v1/auth/validate", headers=bearer(issuer.token(exp=expires_at)))
    assert response.status_code == 200
    assert response.json() == {"valid": True, "user_id": "user-1", "tenant_id": TENANT, "expires_at": expires_at}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/auth/validate", "/api/v1/auth/me"])
@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        pytest.param({"exp": 1_700_000_600, "iat": 1_700_000_000}, 401, "AUTH_003", id="expired"),
        pytest.param({"aud": "another"}, 401, "AUTH_004", id="another-audience"),
        pytest.param({"iss": "https://other.example"}, 401, "AUTH_004", id="another-issuer"),
        pytest.param({"tenant_id": None}, 403, "AUTH_005", id="no-tenant"),
        pytest.param({"tenant_id": "org-1"}, 403, "AUTH_005", id="malformed-tenant"),
    ],
)
def test_an_invalid_token_has_its_code(
    client: TestClient, issuer: Issuer, *, path: str, claims: dict[str, object], status: int, code: str
) -> None:
    response = client.get(path, headers=bearer(issuer.token(**claims)))
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert ("www-authenticate" in response.headers) is (status == 401)


def test_another_signature_is_refused(client: TestClient, issuer: Issuer, tmp_path: Path) -> None:
    forged = Issuer.in_folder(tmp_path).token()
    response = client.get("/api/v1/auth/validate", headers=bearer(forged))
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_004")


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"cookie": "a=b"}]
)
def test_without_a_bearer_token_the_response_is_a_challenge(client: TestClient, headers: dict[str, str]) -> None:
    response = client.get("/api/v1/auth/validate", headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_007")
    assert response.headers["www-authenticate"] == 'Bearer realm="tenantgate"'


def test_me_returns_the_principal(client: TestClient, issuer: Issuer) -> None:
    expires_at = int(time.time()) + 300
    assert client.get("/api/v1/auth/me", headers=bearer(issuer.token(exp=expires_at))).json() == {
        "user_id": "user-1",
        "tenant_id": TENANT,
        "issuer": ISSUER,
        "scopes": ["read", "write"],
        "expires_at": expires_at,
        "auth_method": "bearer",
    }


def test_the_tenant_is_in_the_state_and_in_log_lines(
    client: TestClient, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    response = client.get("/downstream", headers=bearer(issuer.token()))
    assert response.json()["tenant"] == TENANT
    assert response.json()["claims"]["sub"] == "user-1"
    end = log_lines(capsys.readouterr().out)[-1]
    assert (end["user_id"], end["tenant_id"]) == ("user-1", TENANT)


GRANTED = {
    "user_id": "user-2",
    "tenant_id": TENANT,
    "issuer": ISSUER,
    "scopes": "a b",
    "expires_at": 1_900_000_000,
    "auth_method": "bearer",
    "request_id": "r",
}


def test_behind_the_authorizer_its_context_is_the_identity(
    handler: LambdaHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    event = api_event(path="/api/v1/auth/me", headers=bearer("garbage"), authorizer=dict(GRANTED))
    response = handler(event, lambda_context())
    assert response["statusCode"] == 200
    assert json.loads(response["body"])["user_id"] == "user-2"
    assert log_lines(capsys.readouterr().out)[-1]["user_id"] == "user-2"


@pytest.mark.parametrize("missing", ["user_id", "tenant_id", "expires_at", "auth_method"])
def test_an_incomplete_context_identifies_no_caller(handler: LambdaHandler, missing: str) -> None:
    context = {name: value for name, value in GRANTED.items() if name != missing}
    response = handler(api_event(path="/api/v1/auth/me", authorizer=context), lambda_context())
    assert response["statusCode"] == 401


def test_validate_never_uses_the_authorizers_context(handler: LambdaHandler) -> None:
    event = api_event(path="/api/v1/auth/validate", headers=bearer("garbage"), authorizer=dict(GRANTED))
    assert handler(event, lambda_context())["statusCode"] == 401


def test_a_header_is_not_the_authorizers_context(client: TestClient) -> None:
    response = client.get(
        "/api/v1/auth/me", headers={"requestcontext": json.dumps({"authorizer": {"lambda": GRANTED}})}
    )
    assert response.status_code == 401


@pytest.mark.anyio
async def test_a_session_is_valid_until_its_end(client: TestClient, web_sessions: WebSessions) -> None:
    started = await web_sessions.start()
    response = client.get("/api/v1/auth/validate", headers=cookie_of(started))
    assert response.json() == {
        "valid": True,
        "user_id": "user-1",
        "tenant_id": TENANT,
        "expires_at": started.session.expires_at,
    }
    web_sessions.offset = 30 * 60
    refused = client.get("/api/v1/auth/validate", headers=cookie_of(started))
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "AUTH_020")


@pytest.mark.anyio
@pytest.mark.parametrize("authorization", ["Bearer garbage", "Bearer", "Basic YTpi", "", " "])
async def test_an_authorization_header_is_the_only_credential(
    client: TestClient, web_sessions: WebSessions, authorization: str
) -> None:
    headers = {**cookie_of(await web_sessions.start()), "authorization": authorization}
    assert client.get("/api/v1/auth/validate", headers=headers).status_code == 401


@pytest.mark.anyio
async def test_the_token_in_the_header_decides_before_anothers_cookie(
    client: TestClient, issuer: Issuer, web_sessions: WebSessions
) -> None:
    other = cookie_of(await web_sessions.start(user_id="user-2"))
    response = client.get("/api/v1/auth/validate", headers={**other, **bearer(issuer.token())})
    assert response.json()["user_id"] == "user-1"


@pytest.mark.anyio
async def test_the_authorizers_context_decides_before_anothers_cookie(
    handler: LambdaHandler, web_sessions: WebSessions
) -> None:
    cookies = [cookie_of(await web_sessions.start())["cookie"]]
    granted = GRANTED | {"auth_method": "session", "session_id": "s-1"}
    event = api_event(path="/api/v1/auth/me", cookies=cookies, authorizer=granted)
    response = await asyncio.to_thread(handler, event, lambda_context())
    body = json.loads(response["body"])
    assert (body["user_id"], body["auth_method"]) == ("user-2", "session")


@pytest.mark.anyio
async def test_me_accepts_no_cookie_without_the_authorizer(handler: LambdaHandler, web_sessions: WebSessions) -> None:
    cookies = [cookie_of(await web_sessions.start())["cookie"]]
    event = api_event(path="/api/v1/auth/me", cookies=cookies)
    assert (await asyncio.to_thread(handler, event, lambda_context()))["statusCode"] == 401


def test_a_missing_key_is_fetched_in_another_thread(issuer: Issuer, tmp_path: Path) -> None:
    asked: list[str] = []

    class KeyServer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            address = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
            keys = json.loads(issuer.jwks_file.read_text())
            body = json.dumps(keys if self.path == "/jwks" else _metadata(address)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), KeyServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        settings = issuer.settings(OIDC_ISSUER_URL=address, OIDC_JWKS_FILE="")
        with TestClient(create_app(validate_router, settings=settings), base_url="https://gate.example.test") as client:
            for _ in range(3):
                response = client.get("/api/v1/auth/validate", headers=bearer(issuer.token(iss=address)))
                assert response.status_code == 200, response.text
        assert asked.count("/jwks") == 1
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _metadata(address: str) -> dict[str, str]:
    return {
        "issuer": address,
        "jwks_uri": f"{address}/jwks",
        "authorization_endpoint": f"{address}/authorize",
        "token_endpoint": f"{address}/token",
    }
