"""Session cookies that were planted or changed: another function than the browser's own cookie never decides."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from functions.auth_validate.routes import router as validate_router
from functions.home.routes import router as home_router
from tenantgate.sessions.models import StartedSession
from tenantgate.web.app import create_app
from tenantgate.web.cookies import SESSION_COOKIE
from tenantgate.web.lambda_adapter import LambdaHandler
from tests.fixtures.web.sessions import OWN_ORIGIN, WebSessions, cookie_of, web_sessions
from tests.fixtures.web.setup import api_event, lambda_context, lambda_handler_of, make_settings

__all__ = ["web_sessions"]

pytestmark = pytest.mark.anyio

VALIDATE = "/api/v1/auth/validate"
# With the secrets of the user's own session and of an attacker's.
AMBIGUOUS = [
    pytest.param("{name}={mine}; {name}={theirs}", id="twice"),
    pytest.param("{name}={theirs}; {name}={mine}", id="twice-planted-first"),
    pytest.param("{name}={mine}; {name}={mine}", id="the-same-twice"),
    pytest.param("{name}={mine}; {name}=", id="and-an-empty-one"),
    pytest.param("{lower}={theirs}; {name}={mine}", id="and-other-letters"),
    pytest.param("{lower}={theirs}", id="other-letters"),
    pytest.param("x={name}={theirs}", id="inside-another-value"),
    pytest.param("={name}={theirs}", id="without-a-name"),
    pytest.param('{name}={mine}; x="; {name}={theirs}"', id="inside-quotes"),
    pytest.param("{name} ={theirs}", id="space-before-the-sign"),
    pytest.param("\t{name}={theirs}", id="tab-before-the-name"),
    pytest.param("{name}={mine}{long}", id="oversized"),
    pytest.param("{name}={mine}\x7f", id="control-character"),
    pytest.param("{name}={mine}\xff", id="not-ascii"),
]
# One cookie whose value belongs to no session.
WORTHLESS = [
    pytest.param("", id="empty"),
    pytest.param("x", id="garbage"),
    pytest.param('"{mine}"', id="quoted"),
    pytest.param("{mine}x", id="longer"),
    pytest.param("{cut}", id="shorter"),
    pytest.param("{swapped}", id="swapped-case"),
    pytest.param("{mine},{theirs}", id="joined"),
    pytest.param("%00{mine}", id="encoded-nul"),
]


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = create_app(validate_router, home_router, settings=make_settings())
    with TestClient(app, base_url=OWN_ORIGIN) as made:
        yield made


@pytest.fixture
def handler() -> LambdaHandler:
    return lambda_handler_of(validate_router, settings=make_settings())


async def filled(web_sessions: WebSessions, text: str) -> str:
    mine, theirs = await web_sessions.start(), await web_sessions.start(user_id="attacker")
    return text.format(
        name=SESSION_COOKIE,
        lower=SESSION_COOKIE.lower(),
        mine=mine.secret,
        theirs=theirs.secret,
        cut=mine.secret[:-1],
        swapped=mine.secret.swapcase(),
        long="A" * 4096,
    )


@pytest.mark.parametrize("line", AMBIGUOUS)
async def test_a_cookie_that_can_be_read_in_two_ways_is_refused(
    client: TestClient, handler: LambdaHandler, web_sessions: WebSessions, line: str
) -> None:
    written = await filled(web_sessions, line)
    response = client.get(VALIDATE, headers=[(b"cookie", written.encode("latin-1"))])
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_007")
    # API Gateway's HTTP API lists the pairs.
    event = api_event(path=VALIDATE, cookies=written.split("; "))
    assert (await asyncio.to_thread(handler, event, lambda_context()))["statusCode"] == 401


async def test_two_cookie_lines_with_the_name_are_refused(client: TestClient, web_sessions: WebSessions) -> None:
    one, other = await web_sessions.start(), await web_sessions.start(user_id="attacker")
    lines = [(b"cookie", f"{SESSION_COOKIE}={started.secret}".encode()) for started in (one, other)]
    assert client.get(VALIDATE, headers=lines).status_code == 401
    # Several lines without the name twice are one list (RFC 9113 §8.2.3).
    assert client.get(VALIDATE, headers=[lines[0], (b"cookie", b"theme=dark")]).status_code == 200


@pytest.mark.parametrize("value", WORTHLESS)
async def test_a_worthless_cookie_belongs_to_no_session(
    client: TestClient, web_sessions: WebSessions, value: str
) -> None:
    cookie = await filled(web_sessions, f"{{name}}={value}")
    response = client.get(VALIDATE, headers={"cookie": cookie})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_020")


async def test_the_secret_under_another_tenant_is_unknown(client: TestClient, web_sessions: WebSessions) -> None:
    def moved(started: StartedSession, other: StartedSession) -> str:
        """Join the tenant of one secret with the random part of another."""
        tenant = other.secret.rpartition(".")[0]
        return f"{tenant}.{started.secret.rpartition('.')[2]}"

    mine = await web_sessions.start()
    theirs = await web_sessions.start(tenant_id="org-00000000-0000-4000-8000-00000000000b")
    assert "." in mine.secret
    response = client.get(VALIDATE, headers={"cookie": f"{SESSION_COOKIE}={moved(mine, theirs)}"})
    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_020")


@pytest.mark.parametrize("line", AMBIGUOUS)
async def test_the_home_page_offers_a_sign_in_and_clears_the_cookie(
    client: TestClient, web_sessions: WebSessions, line: str
) -> None:
    written = await filled(web_sessions, line)
    response = client.get("/", headers=[(b"accept", b"text/html"), (b"cookie", written.encode("latin-1"))])
    assert response.status_code == 200
    assert "Sign in to continue" in response.text
    assert response.headers["set-cookie"].startswith(f"{SESSION_COOKIE}=; Max-Age=0")
    # Neither session has ended: the cookie doesn't say which of them is the browser's.
    assert len(web_sessions.store.rows) == 2


@pytest.mark.parametrize("has_valkey", [True, False])
async def test_an_earlier_secret_at_the_home_page_ends_the_session(
    client: TestClient, web_sessions: WebSessions, caplog: pytest.LogCaptureFixture, *, has_valkey: bool
) -> None:
    """A stolen cookie that comes back after a rotation: the page shows no error that only a developer understands."""
    started = await web_sessions.start()
    [(key, row)] = web_sessions.store.rows.items()
    del web_sessions.store.rows[key]
    web_sessions.store.rows[row.tenant_id, b"newer"] = replace(row, secret_hash=b"newer")
    web_sessions.store.earlier[key] = row.id
    if not has_valkey:
        web_sessions.lose_valkey()
    response = client.get("/", headers={"accept": "text/html", **cookie_of(started)})
    assert response.status_code == 200
    assert "Sign in to continue" in response.text
    assert response.headers["set-cookie"].startswith(f"{SESSION_COOKIE}=; Max-Age=0")
    assert not web_sessions.store.rows
    contexts = [record.__dict__.get("context", {}) for record in caplog.records]
    assert [context["event"] for context in contexts if "event" in context] == [
        "SESSION_SECRET_REUSED",
        "SESSION_ENDED",
    ]
