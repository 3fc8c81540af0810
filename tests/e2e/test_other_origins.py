"""Pages of other origins and hosts in a real browser: what they can send to the API, and which cookies they can set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tenantgate.openid_provider.storage.demo import PERSONAS
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.servers.static_site import StaticSite, static_site
from tests.fixtures.stack.commands import RunningStack

pytestmark = [requires_chromium, pytest.mark.xdist_group("stacks")]

SESSION = "__Host-tg_session"
LOGOUT, REFRESH, SESSIONS = "/api/v1/auth/logout", "/api/v1/auth/refresh", "/api/v1/auth/sessions"
VALIDATE = "/api/v1/auth/validate"
# Not the person whose sessions `test_sessions.py` counts.
PERSON, *_ = PERSONAS
FETCH = """async ([method, url, mode, headers]) => {
  try {
    return (await fetch(url, { method, mode, headers, credentials: "include" })).status;
  } catch (error) {
    return "failed";
  }
}"""
SET_COOKIE = "cookie => { document.cookie = cookie }"
SUBMIT = """url => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: url });
  document.body.append(form);
  form.submit();
}"""


@pytest.fixture(params=["gateway", "container"])
def stack(request: pytest.FixtureRequest) -> RunningStack:
    running: RunningStack = request.getfixturevalue(request.param)
    return running


@pytest.fixture(scope="module")
def other_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaticSite]:
    """Serve a page under every name of this machine. None of its origins is allowed."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "index.html").write_text("<!doctype html><title>another origin</title><body>", encoding="utf-8")
    with static_site(folder) as site:
        yield site


@pytest.fixture
def own_page(page: Page, stack: RunningStack) -> Page:
    """Sign in, and return the home page."""
    page.goto(f"{stack.url}/api/v1/auth/login?return_to=/")
    page.get_by_role("button", name=f"{PERSON.name} {PERSON.email}", exact=True).click()
    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()
    return page


def secret_of(page: Page, stack: RunningStack) -> str:
    [secret] = [str(cookie.get("value")) for cookie in page.context.cookies(stack.url) if cookie.get("name") == SESSION]
    return secret


def current_session(page: Page) -> tuple[str, str]:
    """Return the id and the CSRF token of the session of our own page."""
    body = page.evaluate(f"async () => await (await fetch('{SESSIONS}')).json()")
    [session_id] = [session["id"] for session in body["sessions"] if session["current"]]
    return session_id, body["csrf_token"]


# A page of another port is of the same site: the browser sends the cookie (SameSite=Lax) and only the origin differs.
# A page of another host name gets no cookie sent.
@pytest.mark.parametrize(("name", "status"), [("localhost", 403), ("127.0.0.1", 401)])
def test_a_page_of_another_origin_changes_nothing(
    own_page: Page, stack: RunningStack, other_site: StaticSite, *, name: str, status: int
) -> None:
    secret, (session_id, csrf_token) = secret_of(own_page, stack), current_session(own_page)
    other = own_page.context.new_page()
    other.goto(f"http://{name}:{other_site.server_port}/")

    # The browser sends it, and keeps the response from the page (Cross-Origin-Resource-Policy).
    for path in (REFRESH, LOGOUT):
        assert other.evaluate(FETCH, ["POST", stack.url + path, "no-cors", {}]) == "failed"
    # Even if the token leaked: the browser asks first whether this origin may send the request, and it may not.
    for path in (SESSIONS, f"{SESSIONS}/{session_id}"):
        given = ["DELETE", stack.url + path, "cors", {"X-CSRF-Token": csrf_token}]
        assert other.evaluate(FETCH, given) == "failed"
    for path in (REFRESH, LOGOUT):
        other.goto(f"http://{name}:{other_site.server_port}/")
        with other.expect_navigation(url=stack.url + path) as posted:
            other.evaluate(SUBMIT, stack.url + path)
        assert posted.value.status == status

    assert secret_of(own_page, stack) == secret
    assert current_session(own_page) == (session_id, csrf_token)
    # The same requests of our own page work.
    own = [f"{SESSIONS}/{session_id}", "same-origin", {"X-CSRF-Token": csrf_token}]
    assert own_page.evaluate(FETCH, ["DELETE", *own]) == 204
    assert own_page.evaluate(FETCH, ["GET", VALIDATE, "same-origin", {}]) == 401


def test_the_cookie_of_localhost_is_not_sent_to_127_0_0_1(own_page: Page, stack: RunningStack) -> None:
    response = own_page.goto(stack.url.replace("localhost", "127.0.0.1") + "/")
    assert response is not None
    redirected = response.request.redirected_from
    assert redirected is not None
    assert urlsplit(redirected.url).hostname == "127.0.0.1"
    assert "cookie" not in redirected.all_headers()
    assert SESSION in response.request.all_headers()["cookie"]


def test_a_subdomain_cannot_plant_a_session(own_page: Page, stack: RunningStack, other_site: StaticSite) -> None:
    """Subdomain cookie toss. The names resolve to this machine, and the browser treats them as secure."""
    gate = stack.url.replace("localhost", "gate.localhost")
    secret = secret_of(own_page, stack)
    sibling = own_page.context.new_page()
    sibling.goto(f"{gate}/api/v1/health/live")
    sibling.evaluate(SET_COOKIE, f"{SESSION}={secret}; Path=/; Secure")
    sibling.goto(f"http://evil.gate.localhost:{other_site.server_port}/")
    for cookie in (
        f"{SESSION}=planted; Domain=gate.localhost",
        f"{SESSION.lower()}=planted; Domain=gate.localhost",
        f"{SESSION.upper()}=planted; Domain=gate.localhost",
        f"={SESSION}=planted; Domain=gate.localhost",
        # Stays on the sibling's own host.
        f"{SESSION}=planted",
        # Without the prefix, a sibling can do it.
        "theme=planted; Domain=gate.localhost",
    ):
        sibling.evaluate(SET_COOKIE, f"{cookie}; Path=/; Secure")
    response = sibling.goto(gate + VALIDATE)
    assert response is not None
    sent = response.request.all_headers()["cookie"].split("; ")
    assert sorted(sent) == sorted([f"{SESSION}={secret}", "theme=planted"])
    assert response.status == 200
    assert response.json()["user_id"] == PERSON.id
