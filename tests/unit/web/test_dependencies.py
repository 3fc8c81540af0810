"""`validate` and `me`, with real tokens: who the caller is, by the token or by what the authorizer handed on."""

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
from tests.fixtures.web.setup import ISSUER, TENANT, Issuer, api_event, lambda_context, lambda_handler_of, log_lines

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


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_a_good_token_is_valid(client: TestClient, issuer: Issuer) -> None:
    expires_at = int(time.time()) + 300
    answer = client.get("/api/v1/auth/validate", headers=bearing(issuer.token(exp=expires_at)))
    assert answer.status_code == 200
    assert answer.json() == {"valid": True, "user_id": "user-1", "tenant_id": TENANT, "expires_at": expires_at}
    assert answer.headers["cache-control"] == "no-store"


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
def test_a_refused_token_has_its_code(
    client: TestClient, issuer: Issuer, *, path: str, claims: dict[str, object], status: int, code: str
) -> None:
    answer = client.get(path, headers=bearing(issuer.token(**claims)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("www-authenticate" in answer.headers) is (status == 401)


def test_another_signature_is_refused(client: TestClient, issuer: Issuer, tmp_path: Path) -> None:
    forged = Issuer.in_folder(tmp_path).token()
    answer = client.get("/api/v1/auth/validate", headers=bearing(forged))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_004")


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}, {"cookie": "a=b"}]
)
def test_without_a_bearer_token_one_is_asked_for(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.get("/api/v1/auth/validate", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTH_007")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tenantgate"'


def test_me_tells_the_principal(client: TestClient, issuer: Issuer) -> None:
    expires_at = int(time.time()) + 300
    assert client.get("/api/v1/auth/me", headers=bearing(issuer.token(exp=expires_at))).json() == {
        "user_id": "user-1",
        "tenant_id": TENANT,
        "issuer": ISSUER,
        "scopes": ["read", "write"],
        "expires_at": expires_at,
        "auth_method": "bearer",
    }


def test_the_tenant_is_there_for_what_runs_downstream(
    client: TestClient, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = client.get("/downstream", headers=bearing(issuer.token()))
    assert answer.json()["tenant"] == TENANT
    assert answer.json()["claims"]["sub"] == "user-1"
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
    event = api_event(path="/api/v1/auth/me", headers=bearing("garbage"), authorizer=dict(GRANTED))
    answer = handler(event, lambda_context())
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["user_id"] == "user-2"
    assert log_lines(capsys.readouterr().out)[-1]["user_id"] == "user-2"


@pytest.mark.parametrize("spoilt", ["user_id", "tenant_id", "expires_at", "auth_method"])
def test_an_incomplete_context_is_no_identity(handler: LambdaHandler, spoilt: str) -> None:
    context = {name: value for name, value in GRANTED.items() if name != spoilt}
    answer = handler(api_event(path="/api/v1/auth/me", authorizer=context), lambda_context())
    assert answer["statusCode"] == 401


def test_validate_never_takes_the_authorizers_word(handler: LambdaHandler) -> None:
    event = api_event(path="/api/v1/auth/validate", headers=bearing("garbage"), authorizer=dict(GRANTED))
    assert handler(event, lambda_context())["statusCode"] == 401


def test_a_header_cant_pretend_to_be_the_authorizer(client: TestClient) -> None:
    answer = client.get("/api/v1/auth/me", headers={"requestcontext": json.dumps({"authorizer": {"lambda": GRANTED}})})
    assert answer.status_code == 401


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
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), KeyServer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        settings = issuer.settings(OIDC_ISSUER_URL=address, OIDC_JWKS_FILE="")
        with TestClient(create_app(validate_router, settings=settings), base_url="https://gate.example.test") as client:
            for _ in range(3):
                answer = client.get("/api/v1/auth/validate", headers=bearing(issuer.token(iss=address)))
                assert answer.status_code == 200, answer.text
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
