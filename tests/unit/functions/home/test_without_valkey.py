"""The home page and its buttons while Valkey can't be reached: PostgreSQL has the sessions."""

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from functions.auth_sessions.routes import router as sessions_router
from functions.home.routes import router
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import session_service
from tenantgate.web.app import create_app
from tests.fixtures.web.sessions import OWN_ORIGIN, WebSessions, cookie_of, web_sessions
from tests.fixtures.web.setup import make_settings

__all__ = ["web_sessions"]

pytestmark = pytest.mark.anyio

HTML = {"accept": "text/html"}


@pytest.fixture
def client(web_sessions: WebSessions) -> Iterator[TestClient]:
    app = create_app(router, sessions_router, settings=make_settings())

    async def service() -> SessionService:
        return web_sessions.service

    app.dependency_overrides[session_service] = service
    with TestClient(app, base_url=OWN_ORIGIN) as made:
        yield made


def listed(html: str) -> set[str]:
    return set(re.findall(r'<li data-session="(.*?)">', html))


async def test_the_page_lists_the_sessions_and_its_buttons_end_them(
    client: TestClient, web_sessions: WebSessions
) -> None:
    mine, other = await web_sessions.start(), await web_sessions.start()
    web_sessions.lose_valkey()
    html = client.get("/", headers={**HTML, **cookie_of(mine)}).text
    assert "You are signed in" in html
    assert listed(html) == {str(mine.session.id), str(other.session.id)}

    # The page's script sends this for the other session's button.
    [button] = re.findall(r'data-end="(.*?)"', html)
    [csrf_token] = re.findall(r'"X-CSRF-Token": "(.*?)"', html)
    sent = {**cookie_of(mine), "origin": OWN_ORIGIN, "x-csrf-token": csrf_token, "accept": "application/json"}
    ended = client.delete(f"/api/v1/auth/sessions/{button}", headers=sent)
    assert (ended.status_code, ended.json()["error"]["code"]) == (503, "SYS_005")
    assert "set-cookie" not in ended.headers
    # The script knows this code, and removes the row with a note.
    assert 'error.code === "SYS_005"' in html
    assert "The session has ended, but other services may accept it for a short time." in html

    assert listed(client.get("/", headers={**HTML, **cookie_of(mine)}).text) == {str(mine.session.id)}
    refused = client.get("/", headers={**HTML, **cookie_of(other)})
    assert "Sign in to continue" in refused.text
    assert "Max-Age=0" in refused.headers["set-cookie"]


async def test_signing_out_everywhere_says_not_yet_everywhere(client: TestClient, web_sessions: WebSessions) -> None:
    mine, _ = await web_sessions.start(), await web_sessions.start()
    web_sessions.lose_valkey()
    html = client.get("/", headers={**HTML, **cookie_of(mine)}).text
    [csrf_token] = re.findall(r'"X-CSRF-Token": "(.*?)"', html)
    ended = client.delete(
        "/api/v1/auth/sessions", headers={**cookie_of(mine), "origin": OWN_ORIGIN, "x-csrf-token": csrf_token}
    )
    assert (ended.status_code, ended.json()["error"]["code"]) == (503, "SYS_005")
    assert web_sessions.store.rows == {}
    assert "Max-Age=0" in ended.headers["set-cookie"]
    assert "Sign in to continue" in client.get("/", headers={**HTML, **cookie_of(mine)}).text
