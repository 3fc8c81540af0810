"""Changes by session cookie need the page's origin and the session's CSRF token (OWASP, Fetch Metadata)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, Depends
from starlette.testclient import TestClient

from tenantgate.revocation.credential import current_revocations
from tenantgate.sessions.credential import session_credential
from tenantgate.web.app import create_app
from tenantgate.web.dependencies import verified_caller
from tests.fixtures.web.sessions import OWN_ORIGIN, WebSessions, change_by, cookie_of, web_sessions
from tests.fixtures.web.setup import ORIGIN, Issuer, log_lines

__all__ = ["web_sessions"]

pytestmark = pytest.mark.anyio

router = APIRouter()
changed: list[str] = []


@router.api_route(
    "/thing",
    methods=["POST", "PUT", "PATCH", "DELETE"],
    dependencies=[Depends(verified_caller(session_credential, current_revocations))],
)
async def change() -> str:
    changed.append("once")
    return "changed"


@router.get("/thing", dependencies=[Depends(verified_caller(session_credential, current_revocations))])
async def read() -> str:
    return "read"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.in_folder(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def client(issuer: Issuer, web_sessions: WebSessions) -> Iterator[TestClient]:
    changed.clear()
    with TestClient(create_app(router, settings=issuer.settings()), base_url=OWN_ORIGIN) as made:
        yield made


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("origin", [OWN_ORIGIN, ORIGIN])
async def test_a_change_with_origin_and_token_passes(
    client: TestClient, web_sessions: WebSessions, *, method: str, origin: str
) -> None:
    started = await web_sessions.start()
    assert client.request(method, "/thing", headers=change_by(started, origin=origin)).status_code == 200
    assert changed == ["once"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": "https://evil.example"}, id="another-site"),
        pytest.param({"origin": "https://gate.example.test.evil.example"}, id="our-name-as-a-prefix"),
        pytest.param({"origin": "http://gate.example.test"}, id="without-tls"),
        pytest.param({"origin": "https://other.example.test"}, id="sibling-subdomain"),
        pytest.param({"origin": "null"}, id="sandboxed-page"),
        pytest.param({"origin": ""}, id="empty"),
        pytest.param({"sec-fetch-site": "cross-site"}, id="cross-site"),
        pytest.param({"sec-fetch-site": "same-site"}, id="same-site-without-origin"),
        pytest.param({}, id="neither"),
    ],
)
async def test_a_change_from_another_site_is_refused_even_with_the_token(
    client: TestClient, web_sessions: WebSessions, headers: dict[str, str]
) -> None:
    started = await web_sessions.start()
    sent = {**cookie_of(started), "x-csrf-token": started.session.csrf_token, **headers}
    response = client.post("/thing", headers=sent)
    assert (response.status_code, response.json()["error"]["code"]) == (403, "AUTH_021")
    assert changed == []


async def test_a_request_from_another_site_does_not_mark_the_session_as_used(
    client: TestClient, web_sessions: WebSessions
) -> None:
    started = await web_sessions.start()
    web_sessions.offset = 600
    client.post("/thing", headers=change_by(started, origin="https://evil.example"))
    [stored] = web_sessions.store.rows.values()
    assert stored.last_used_at == started.session.last_used_at


async def test_a_browser_without_origin_passes_by_fetch_metadata(client: TestClient, web_sessions: WebSessions) -> None:
    started = await web_sessions.start()
    sent = {**cookie_of(started), "x-csrf-token": started.session.csrf_token, "sec-fetch-site": "same-origin"}
    assert client.post("/thing", headers=sent).status_code == 200


async def test_a_change_without_the_sessions_token_is_refused(
    client: TestClient, web_sessions: WebSessions, capsys: pytest.CaptureFixture[str]
) -> None:
    started, other = await web_sessions.start(), await web_sessions.start()
    token = started.session.csrf_token
    wrong = [
        "",
        "x",
        token[:-1],
        token + "=",
        token.swapcase(),
        other.session.csrf_token,
        f"{token}, {token}",
        "é" * 43,
    ]
    sent = [[("x-csrf-token", text)] for text in wrong]
    twice = [("x-csrf-token", token), ("x-csrf-token", token)]
    for headers in ([], twice, [("x-csrf-token", token), ("x-csrf-token", "x")], *sent):
        base = [(name, value) for name, value in {**cookie_of(started), "origin": OWN_ORIGIN}.items()]
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in (*base, *headers)]
        response = client.post("/thing", headers=encoded)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "AUTH_021"), headers
    assert changed == []
    # No log line and no response has the token.
    assert token not in capsys.readouterr().out


async def test_reading_needs_neither(client: TestClient, web_sessions: WebSessions) -> None:
    started = await web_sessions.start()
    assert client.get("/thing", headers=cookie_of(started)).json() == "read"
    assert client.get("/thing", headers={**cookie_of(started), "origin": "https://evil.example"}).status_code == 200


async def test_a_bearer_token_needs_neither_and_is_the_only_credential(
    client: TestClient, web_sessions: WebSessions, issuer: Issuer
) -> None:
    started = await web_sessions.start()
    bearer = {"authorization": f"Bearer {issuer.token()}"}
    assert client.post("/thing", headers=bearer).status_code == 200
    assert client.post("/thing", headers={**bearer, **cookie_of(started)}).status_code == 200
    for authorization in ("Bearer a.b.c", "Basic YTpi", "", "Bearer"):
        sent = change_by(started, authorization=authorization)
        response = client.post("/thing", headers=sent)
        assert response.status_code == 401, authorization
    assert len(changed) == 2


async def test_the_log_says_which_proof_was_missing(
    client: TestClient, web_sessions: WebSessions, capsys: pytest.CaptureFixture[str]
) -> None:
    started = await web_sessions.start()
    client.post("/thing", headers={**cookie_of(started), "origin": OWN_ORIGIN})
    [refused] = [line for line in log_lines(capsys.readouterr().out) if line["message"] == "request refused"]
    assert "X-CSRF-Token is missing" in json.dumps(refused)
