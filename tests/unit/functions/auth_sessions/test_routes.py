"""`/api/v1/auth/sessions`, with a real session service over a store in memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from functions.auth_sessions.routes import router
from functions.auth_validate.routes import router as validate_router
from tenantgate.sessions.models import StartedSession
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import session_service
from tenantgate.web.app import create_app
from tests.fixtures.web.sessions import OWN_ORIGIN, WebSessions, change_by, cookie_of, web_sessions
from tests.fixtures.web.setup import Issuer

__all__ = ["web_sessions"]

pytestmark = pytest.mark.anyio

SESSIONS = "/api/v1/auth/sessions"
VALIDATE = "/api/v1/auth/validate"
OTHERS = [
    pytest.param({"user_id": "user-2"}, id="another-user"),
    pytest.param({"tenant_id": f"org-{uuid.UUID(int=8)}"}, id="another-tenant"),
    pytest.param({"issuer": "https://other.example"}, id="another-issuer"),
]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.in_folder(tmp_path_factory.mktemp("issuer"))


@pytest.fixture
def client(issuer: Issuer, web_sessions: WebSessions) -> Iterator[TestClient]:
    app = create_app(router, validate_router, settings=issuer.settings())

    async def service() -> SessionService:
        return web_sessions.service

    app.dependency_overrides[session_service] = service
    with TestClient(app, base_url=OWN_ORIGIN) as made:
        yield made


def ids_of(client: TestClient, headers: dict[str, str]) -> list[str]:
    return [session["id"] for session in client.get(SESSIONS, headers=headers).json()["sessions"]]


def is_signed_in(client: TestClient, started: StartedSession) -> bool:
    return client.get(VALIDATE, headers=cookie_of(started)).status_code == 200


def code_of(response: object) -> str:
    return str(response.json()["error"]["code"])  # type: ignore[attr-defined]


async def test_lists_the_callers_sessions(client: TestClient, web_sessions: WebSessions) -> None:
    mine = await web_sessions.start(device="Firefox on Linux", address="203.0.113.0/24")
    web_sessions.offset = 120
    other = await web_sessions.start()
    response = client.get(SESSIONS, headers=cookie_of(mine))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert body["csrf_token"] == mine.session.csrf_token
    times = {"created_at": mine.session.auth_time, "expires_at": mine.session.expires_at}
    # The request itself is a use, perhaps in the next second.
    (used_at,) = (session.pop("last_used_at") for session in body["sessions"] if session["current"])
    assert used_at in (mine.session.auth_time + 120, mine.session.auth_time + 121)
    shown = {"id": str(mine.session.id), "device": "Firefox on Linux", "address": "203.0.113.0/24", "current": True}
    by_id = {session["id"]: session for session in body["sessions"]}
    assert by_id[str(mine.session.id)] == {**shown, **times}
    assert by_id[str(other.session.id)]["current"] is False
    assert by_id[str(other.session.id)]["device"] is None


async def test_a_bearer_caller_sees_the_same_sessions_and_no_csrf_token(
    client: TestClient, web_sessions: WebSessions, issuer: Issuer
) -> None:
    started = await web_sessions.start()
    response = client.get(SESSIONS, headers={"authorization": f"Bearer {issuer.token()}"})
    assert response.json()["csrf_token"] is None
    assert [(session["id"], session["current"]) for session in response.json()["sessions"]] == [
        (str(started.session.id), False)
    ]


@pytest.mark.parametrize("other", OTHERS)
async def test_the_sessions_of_others_do_not_exist(
    client: TestClient, web_sessions: WebSessions, other: dict[str, str]
) -> None:
    mine, foreign = await web_sessions.start(), await web_sessions.start(**other)
    assert ids_of(client, cookie_of(mine)) == [str(mine.session.id)]
    unknown = client.delete(f"{SESSIONS}/{uuid.uuid4()}", headers=change_by(mine))
    refused = client.delete(f"{SESSIONS}/{foreign.session.id}", headers=change_by(mine))
    for response in (unknown, refused):
        body = response.json()["error"]
        body.pop("request_id")
        assert (response.status_code, body["code"], body["detail"]) == (404, "VAL_005", None)
    assert client.delete(SESSIONS, headers=change_by(mine)).status_code == 204
    assert is_signed_in(client, foreign)
    assert not is_signed_in(client, mine)


@pytest.mark.parametrize(
    "text", ["x", "1", "..", "*", "{braced}", "'%20OR%201=1--", "x" * 5000, "%F0%9F%97%9D", "urn:uuid:{id}"]
)
async def test_a_malformed_id_is_not_found(client: TestClient, web_sessions: WebSessions, text: str) -> None:
    mine, other = await web_sessions.start(), await web_sessions.start()
    written = text.format(id=other.session.id, braced=f"{{{other.session.id}}}")
    response = client.delete(f"{SESSIONS}/{written}", headers=change_by(mine))
    # The client resolves `..` itself.
    assert (response.status_code, code_of(response)) in ((404, "VAL_005"), (405, "VAL_006"))
    assert is_signed_in(client, other)


async def test_an_id_has_one_form(client: TestClient, web_sessions: WebSessions) -> None:
    mine, other = await web_sessions.start(), await web_sessions.start()
    response = client.delete(f"{SESSIONS}/{other.session.id.hex}", headers=change_by(mine))
    assert (response.status_code, code_of(response)) == (404, "VAL_005")


async def test_ends_another_session(client: TestClient, web_sessions: WebSessions) -> None:
    mine, other = await web_sessions.start(), await web_sessions.start()
    response = client.delete(f"{SESSIONS}/{other.session.id}", headers=change_by(mine))
    assert (response.status_code, response.content) == (204, b"")
    assert "set-cookie" not in response.headers
    assert (is_signed_in(client, mine), is_signed_in(client, other)) == (True, False)
    assert ids_of(client, cookie_of(mine)) == [str(mine.session.id)]
    again = client.delete(f"{SESSIONS}/{other.session.id}", headers=change_by(mine))
    assert again.status_code == 404


async def test_ending_the_current_session_clears_its_cookie(client: TestClient, web_sessions: WebSessions) -> None:
    mine = await web_sessions.start()
    response = client.delete(f"{SESSIONS}/{mine.session.id}", headers=change_by(mine))
    assert response.status_code == 204
    assert response.headers["set-cookie"].startswith("__Host-tg_session=; Max-Age=0; Path=/; Secure; HttpOnly")
    assert not is_signed_in(client, mine)
    refused = client.get(SESSIONS, headers=cookie_of(mine))
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_020")


async def test_signs_out_everywhere(client: TestClient, web_sessions: WebSessions, issuer: Issuer) -> None:
    started = [await web_sessions.start() for _ in range(3)]
    response = client.delete(SESSIONS, headers=change_by(started[0]))
    assert response.status_code == 204
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert not any(is_signed_in(client, one) for one in started)
    # By bearer token, whose caller has no cookie to clear; also without any session left.
    await web_sessions.start()
    for _ in range(2):
        by_token = client.delete(SESSIONS, headers={"authorization": f"Bearer {issuer.token()}"})
        assert (by_token.status_code, "set-cookie" in by_token.headers) == (204, False)
    assert web_sessions.store.rows == {}


@pytest.mark.parametrize("path", [SESSIONS, f"{SESSIONS}/{{id}}"])
@pytest.mark.parametrize("lacking", ["origin", "x-csrf-token"])
async def test_a_change_by_cookie_needs_origin_and_token(
    client: TestClient, web_sessions: WebSessions, *, path: str, lacking: str
) -> None:
    mine = await web_sessions.start()
    headers = {name: value for name, value in change_by(mine).items() if name != lacking}
    response = client.delete(path.format(id=mine.session.id), headers=headers)
    assert (response.status_code, code_of(response)) == (403, "AUTH_021")
    assert is_signed_in(client, mine)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_caller_without_credentials_is_refused(client: TestClient, method: str) -> None:
    response = client.request(method, SESSIONS)
    assert (response.status_code, code_of(response)) == (401, "AUTH_007")


async def test_a_session_that_timed_out_is_neither_listed_nor_good(
    client: TestClient, web_sessions: WebSessions
) -> None:
    idle = await web_sessions.start()
    web_sessions.offset = 29 * 60
    fresh = await web_sessions.start()
    assert len(ids_of(client, cookie_of(fresh))) == 2
    web_sessions.offset = 31 * 60
    assert ids_of(client, cookie_of(fresh)) == [str(fresh.session.id)]
    assert not is_signed_in(client, idle)


@pytest.mark.parametrize("path", [SESSIONS, f"{SESSIONS}/{{id}}"])
async def test_without_valkey_the_session_ends_and_the_response_says_not_yet_everywhere(
    client: TestClient, web_sessions: WebSessions, path: str
) -> None:
    mine = await web_sessions.start()
    web_sessions.lose_valkey()
    assert ids_of(client, cookie_of(mine)) == [str(mine.session.id)]
    response = client.delete(path.format(id=mine.session.id), headers=change_by(mine))
    assert (response.status_code, code_of(response)) == (503, "SYS_005")
    # The browser must not keep the cookie of an ended session.
    assert "Max-Age=0" in response.headers["set-cookie"]
    assert web_sessions.store.rows == {}
