"""`GET /`, with a real session service over a store in memory."""

import base64
import json
import re
import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from functions.home.routes import SIGNED_OUT_COOKIE, router
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.identity.principal import Principal
from tenantgate.sessions import wiring
from tenantgate.sessions.models import SessionTokens, SignIn, StartedSession
from tenantgate.sessions.service import SessionService
from tenantgate.web.app import create_app
from tenantgate.web.cookies import SESSION_COOKIE
from tests.fixtures.databases.session_stores import TENANT, MemorySessionStore, session_service_of
from tests.fixtures.web.setup import make_settings

HTML = {"accept": "text/html"}
PRINCIPAL = Principal("user-1", TENANT, "https://issuer.example", frozenset(), 2_000_000_000)
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"user-1","roles":["a"],"name":"<b>"}').decode().rstrip("=")

pytestmark = pytest.mark.anyio


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> SessionService:
    service = session_service_of(MemorySessionStore())

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
    session = await sessions.start(principal=PRINCIPAL, tokens=tokens, sign_in=SignIn(PRINCIPAL.issuer, "user-1"))
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
    assert "/docs" not in response.text


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        pytest.param({"ENVIRONMENT": "development", "PUBLIC_BASE_URL": "http://localhost:3000"}, True, id="local"),
        pytest.param({"ENVIRONMENT": "development", "PUBLIC_BASE_URL": "http://127.0.0.1:3000"}, True, id="address"),
        pytest.param({"ENVIRONMENT": "development"}, False, id="development-elsewhere"),
        pytest.param({"ENVIRONMENT": "test", "PUBLIC_BASE_URL": "http://localhost:3000"}, False, id="another"),
        pytest.param({}, False, id="deployed"),
    ],
)
async def test_the_token_and_a_command_are_shown_in_local_development_only(
    sessions: SessionService, variables: dict[str, str], shown: bool
) -> None:
    settings = make_settings(**variables)
    token = f"e30.{CLAIMS}.c2ln"
    with TestClient(create_app(router, settings=settings), base_url=settings.public_base_url) as client:
        html = client.get("/", headers=await started(sessions, token)).text
    command = f"curl -H &#34;Authorization: Bearer {token}&#34; {settings.public_base_url}/api/v1/auth/me"
    assert "You are signed in" in html
    assert (token in html, f'value="{command}"' in html, 'href="/docs"' in html) == (shown, shown, shown)


@pytest.mark.parametrize("token", ["a b.c.d", "$(id).e30.x", "e30.e30.c2ln\n", "'.e30.`", "opaque"])
async def test_a_token_that_a_shell_could_run_is_not_offered(sessions: SessionService, token: str) -> None:
    settings = make_settings(ENVIRONMENT="development", PUBLIC_BASE_URL="http://localhost:3000")
    with TestClient(create_app(router, settings=settings), base_url="http://localhost:3000") as client:
        html = client.get("/", headers=await started(sessions, token)).text
    assert "You are signed in" in html
    assert "access-token" not in html


def token_with(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{payload}.c2ln"


@pytest.mark.parametrize(
    ("id_token", "access_token", "name", "email"),
    [
        pytest.param({"name": "Ada", "email": "ada@example.test"}, {}, "Ada", "ada@example.test", id="id-token"),
        pytest.param({}, {"name": "Ada", "email": "a@example.test"}, "Ada", "a@example.test", id="access-token"),
        pytest.param({"name": "Ada"}, {"name": "Other"}, "Ada", None, id="id-token-first"),
        pytest.param({"name": "x" * 999, "email": 7}, {}, "x" * 200 + "…", None, id="long-and-malformed"),
        pytest.param({"name": "A\u202eda\n", "email": " "}, {}, "A da", None, id="control-characters"),
        pytest.param({}, {}, None, None, id="unknown"),
    ],
)
async def test_name_and_email_are_shown_where_they_are_known(
    *,
    client: TestClient,
    sessions: SessionService,
    id_token: dict[str, object],
    access_token: dict[str, object],
    name: str | None,
    email: str | None,
) -> None:
    tokens = SessionTokens(access_token=token_with(**access_token), id_token=token_with(**id_token))
    session = await sessions.start(principal=PRINCIPAL, tokens=tokens, sign_in=SignIn(PRINCIPAL.issuer, "user-1"))
    html = client.get("/", headers={**HTML, "cookie": f"{SESSION_COOKIE}={session.secret}"}).text
    found = {key: re.search(f'<dd id="{key}">(.*?)</dd>', html) for key in ("name", "email")}
    assert {key: match and match[1] for key, match in found.items()} == {"name": name, "email": email}


async def test_times_are_also_relative(client: TestClient, sessions: SessionService) -> None:
    now = int(time.time())
    html = client.get("/", headers=await started(sessions, token_with(exp=now + 3630, iat=now - 125, nbf="x"))).text
    for text in ("(in 1 h)", "(2 min ago)", "<code>x</code></td>"):
        assert text in html
    # Those of the session's end, of two claims, and of its row in the list.
    assert html.count("<time ") == 5


async def test_the_page_lists_the_users_own_sessions(client: TestClient, sessions: SessionService) -> None:
    async def start(device: str | None, **principal: str) -> StartedSession:
        owner = Principal(principal.get("user_id", "user-1"), TENANT, PRINCIPAL.issuer, frozenset(), 2_000_000_000)
        sign_in = SignIn(owner.issuer, owner.user_id, device=device, address="203.0.113.0/24" if device else None)
        tokens = SessionTokens(access_token="e30.e30.c2ln", id_token="i")
        return await sessions.start(principal=owner, tokens=tokens, sign_in=sign_in)

    mine, other = await start("Firefox on Linux"), await start(None)
    foreign = await start("Opera on Windows", user_id="user-2")
    html = client.get("/", headers={**HTML, "cookie": f"{SESSION_COOKIE}={mine.secret}"}).text
    rows = re.findall(r'<li data-session="(.*?)">(.*?)</li>', html, flags=re.DOTALL)
    by_id = dict(rows)
    assert set(by_id) == {str(mine.session.id), str(other.session.id)}
    assert "Firefox on Linux" in by_id[str(mine.session.id)]
    assert "203.0.113.0/24" in by_id[str(mine.session.id)]
    assert "Unknown device" in by_id[str(other.session.id)]
    # Only the other session has a button: the page's first button signs out.
    assert ["this one" in by_id[str(one.session.id)] for one in (mine, other)] == [True, False]
    assert ["data-end" in by_id[str(one.session.id)] for one in (mine, other)] == [False, True]
    assert f'"X-CSRF-Token": "{mine.session.csrf_token}"' in html
    for secret in (other.session.csrf_token, str(foreign.session.id), mine.secret, other.secret):
        assert secret not in html


async def test_a_long_list_is_cut(client: TestClient, sessions: SessionService) -> None:
    for _ in range(52):
        headers = await started(sessions, "e30.e30.c2ln")
    html = client.get("/", headers=headers).text
    assert html.count("<li data-session=") == 50
    assert "And 2 more." in html


async def test_after_a_sign_out_the_page_says_so_once(client: TestClient) -> None:
    response = client.get("/", headers={**HTML, "cookie": f"{SIGNED_OUT_COOKIE}=1"})
    assert "<h1>You are signed out</h1>" in response.text
    assert response.headers["set-cookie"].startswith(f"{SIGNED_OUT_COOKIE}=; Max-Age=0")
    assert "<h1>Sign in to continue</h1>" in client.get("/", headers=HTML).text


async def test_a_live_session_is_never_shown_as_signed_out(client: TestClient, sessions: SessionService) -> None:
    headers = await started(sessions, f"e30.{CLAIMS}.c2ln")
    response = client.get("/", headers={**headers, "cookie": f"{headers['cookie']}; {SIGNED_OUT_COOKIE}=1"})
    assert "<h1>You are signed in</h1>" in response.text
    assert response.headers["set-cookie"].startswith(f"{SIGNED_OUT_COOKIE}=; Max-Age=0")


@pytest.mark.parametrize("access_token", ["opaque", "a.b.c", "e30.W10.c2ln", "e30.bnVsbA.c2ln", "e30.\u00e4.c2ln"])
async def test_a_token_without_readable_claims_shows_no_claims(
    client: TestClient, sessions: SessionService, access_token: str
) -> None:
    response = client.get("/", headers=await started(sessions, access_token))
    assert response.status_code == 200
    assert "None" in response.text


@pytest.mark.parametrize("value", ["", "garbage", f"{TENANT}.unknown-secret-of-some-length-0123456789ab", "a.b"])
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
