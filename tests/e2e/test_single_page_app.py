"""The single-page example in a real browser: a sign-in, its session, the sign-out, and each name of this machine.

With `PAGE_SCREENSHOTS=folder`, the app with its sessions is also written there, in both themes and widths.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USERNAME, PERSONAS
from tests.e2e.test_pages import check
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.servers.static_site import StaticSite, static_site
from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack, serve_stack

pytestmark = [requires_chromium, pytest.mark.xdist_group("stacks")]

EXAMPLE = ROOT / "examples" / "single_page_app"
API = "http://localhost:3000"
REFRESH = "**/api/v1/auth/refresh"
LEAVE_DURING_REFRESH = """
const send = window.fetch;
window.fetch = (url, options) => {
  const sent = send(url, options);
  if (url.endsWith("/refresh")) location.replace("about:blank");
  return sent;
};"""
# The test that signs out everywhere must not end the sessions of the others.
_, PERSON, _ = PERSONAS
STARTERS = {"gateway": dev_stack, "container": serve_stack}


@dataclass
class Setup:
    """The example on its own origin, and the API that allows this origin."""

    app: StaticSite
    stack: RunningStack

    @property
    def api(self) -> str:
        return self.stack.url


@pytest.fixture(scope="module", params=STARTERS)
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    data = tmp_path_factory.mktemp(request.param)
    with (
        static_site(EXAMPLE) as app,
        STARTERS[request.param](data, env={"ALLOWED_ORIGINS": app.origin}) as stack,
    ):
        yield Setup(app, stack)


@pytest.fixture
def setup(started: Setup) -> Setup:
    # The one line of the example that a reader changes.
    started.app.replacements = {API: started.api}
    return started


def open_app(page: Page, setup: Setup) -> None:
    page.goto(setup.app.origin)
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


def sign_in(page: Page, email: str = DEMO_USERNAME) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text("You are signed in.")


def validate(page: Page) -> None:
    with page.expect_response(lambda response: response.url.endswith("/validate") and response.ok):
        page.get_by_role("button", name="Validate the token").click()
    expect(page.locator("#result")).to_contain_text('"valid": true')


def paths_of(page: Page) -> list[str]:
    """Return the paths of all requests that the page makes from now on, but for preflights."""
    paths: list[str] = []

    def sent(request: Request) -> None:
        if request.method != "OPTIONS":
            paths.append(urlsplit(request.url).path)

    page.on("request", sent)
    return paths


def test_a_person_signs_in_validates_and_signs_out(page: Page, setup: Setup, complaints: list[str]) -> None:
    open_app(page, setup)
    sign_in(page)
    # Neither the code nor a token is left where another script, or the next person, finds it.
    expect(page).to_have_url(f"{setup.app.origin}/")
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]

    validate(page)
    expect(page.locator("#result")).to_contain_text(DEMO_TENANT_ID)

    # The provider asks nothing: it gets the session's own ID token.
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_event("load")
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    expect(page).to_have_url(f"{setup.app.origin}/")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()
    # The browser reports the refresh of a visitor without a session, here before and after it.
    assert len(complaints) == 2
    assert all("status of 401" in complaint for complaint in complaints)


def test_a_reload_gets_a_new_token_without_a_sign_in(page: Page, setup: Setup) -> None:
    open_app(page, setup)
    sign_in(page)
    paths = paths_of(page)
    page.reload()
    expect(page.get_by_role("status")).to_have_text("You are signed in.")
    validate(page)
    assert [path for path in paths if path.startswith(("/api/", "/idp/"))] == [
        "/api/v1/auth/refresh",
        "/api/v1/auth/validate",
    ]


def test_a_page_that_is_left_during_a_refresh_gets_the_new_cookie(page: Page, setup: Setup) -> None:
    """Otherwise the browser keeps the earlier cookie, whose next use ends the session."""

    def session_cookie() -> str | None:
        cookies = {cookie.get("name"): cookie.get("value") for cookie in page.context.cookies(setup.api)}
        return cookies.get("__Host-tg_session")

    open_app(page, setup)
    sign_in(page)
    before = session_cookie()
    page.add_init_script(LEAVE_DURING_REFRESH)
    page.goto(f"{setup.app.origin}/?again")
    page.wait_for_url("about:blank")
    for _ in range(100):
        if session_cookie() != before:
            break
        page.wait_for_timeout(100)
    assert session_cookie() not in (before, None)


def test_two_tabs_that_refresh_at_once_get_the_same_token(page: Page, setup: Setup) -> None:
    open_app(page, setup)
    sign_in(page)
    other = page.context.new_page()
    with page.expect_response(REFRESH) as first, other.expect_response(REFRESH) as second:
        page.evaluate("location.reload()")
        other.goto(setup.app.origin, wait_until="commit")
    assert first.value.json()["access_token"] == second.value.json()["access_token"]
    assert first.value.headers["x-csrf-token"] == second.value.headers["x-csrf-token"]
    for tab in (page, other):
        expect(tab.get_by_role("status")).to_have_text("You are signed in.")
        validate(tab)


def test_the_token_is_renewed_while_it_is_used_and_once_after_a_401(page: Page, setup: Setup) -> None:
    page.clock.install()
    open_app(page, setup)
    sign_in(page)
    paths = paths_of(page)
    validate(page)
    assert paths == ["/api/v1/auth/validate"]
    paths.clear()

    # Not by a timer: an app that is only open must not keep its session alive.
    page.clock.fast_forward("11:00")
    assert paths == []
    validate(page)
    assert paths == ["/api/v1/auth/refresh", "/api/v1/auth/validate"]
    paths.clear()

    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        # The route stays: ending it while the app tries again can block that request.
        if refused:
            route.continue_()
        else:
            refused.append(route)
            refuse(route, setup, "AUTH_003")

    page.route("**/api/v1/auth/validate", refuse_once)
    validate(page)
    assert paths == ["/api/v1/auth/validate", "/api/v1/auth/refresh", "/api/v1/auth/validate"]


def test_a_token_is_used_until_it_ends_when_a_refresh_fails(page: Page, setup: Setup) -> None:
    page.clock.install()
    open_app(page, setup)
    sign_in(page)
    page.clock.fast_forward("11:00")
    page.route(REFRESH, lambda route: refuse(route, setup, "SYS_002", status=503))
    validate(page)
    page.clock.fast_forward("50:00")
    page.get_by_role("button", name="Validate the token").click()
    expect(page.get_by_role("alert")).to_contain_text("SYS_002")
    # Another attempt may succeed.
    page.unroute(REFRESH)
    validate(page)


def test_without_a_refresh_token_the_session_continues_and_only_a_sign_in_gets_a_token(
    page: Page, setup: Setup
) -> None:
    def ask_without_offline_access(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, body=response.text().replace("+offline_access", ""))

    page.route("**/api/v1/auth/login?**", ask_without_offline_access)
    open_app(page, setup)
    sign_in(page)
    with page.expect_response(REFRESH) as refreshed:
        page.reload()
    assert refreshed.value.json()["error"]["code"] == "AUTH_022"
    expect(page.get_by_role("status")).to_have_text("You are signed in. Sign in again for a new access token.")
    page.get_by_role("button", name="Show the sessions").click()
    expect(page.get_by_text("(this one)")).to_be_visible()
    # The provider still knows the browser.
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text("You are signed in.")
    validate(page)


def test_an_earlier_cookie_that_came_again_signs_out(page: Page, setup: Setup) -> None:
    open_app(page, setup)
    sign_in(page)
    page.route(REFRESH, lambda route: refuse(route, setup, "AUTH_023"))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("AUTH_023")
    expect(page.get_by_role("status")).to_have_text("You are signed out.")


def test_a_person_ends_the_other_session_and_signs_out_everywhere(page: Page, chromium: Browser, setup: Setup) -> None:
    context = chromium.new_context()
    other = context.new_page()
    for tab in (other, page):
        open_app(tab, setup)
        sign_in(tab, PERSON.email)
    sessions = page.get_by_role("listitem")
    page.get_by_role("button", name="Show the sessions").click()
    expect(sessions).to_have_count(2)
    validate(page)
    check(page, "single-page-app", heading="Single-page app")

    page.get_by_role("button", name=re.compile("End the session: Chrome on Linux")).click()
    expect(sessions).to_have_count(1)
    expect(sessions).to_contain_text("(this one)")
    other.get_by_role("button", name="Show the sessions").click()
    expect(other.get_by_role("alert")).to_contain_text("AUTH_020")
    expect(other.get_by_role("status")).to_have_text("You are signed out.")

    # The sessions end, not the provider's: it asks nothing.
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("status")).to_have_text("You are signed in.")
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    for tab in (page, other):
        with tab.expect_response(REFRESH) as refreshed:
            tab.reload()
        assert refreshed.value.status == 401
        expect(tab.get_by_role("status")).to_have_text("You are signed out.")
    context.close()


def refuse(route: Route, setup: Setup, code: str, *, status: int = 401) -> None:
    """Respond instead of the API."""
    allowed = {"access-control-allow-origin": setup.app.origin, "access-control-allow-credentials": "true"}
    error = {"code": code, "message": "Refused", "detail": None, "request_id": "r-1"}
    route.fulfill(status=status, headers=allowed, json={"error": error})


def test_a_code_of_another_browser_is_shown_as_an_error(page: Page, setup: Setup) -> None:
    page.goto(f"{setup.app.origin}/?code=stolen&state=foreign")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The sign-in could not be matched to this browser")
    expect(alert).to_contain_text(re.compile(r"AUTH_002, request [\w=+/-]{16,}"))
    expect(page).to_have_url(f"{setup.app.origin}/")


def test_a_sign_in_that_fails_at_the_provider_is_shown_as_an_error(page: Page, setup: Setup) -> None:
    open_app(page, setup)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/idp/authorize?**")
    state = parse_qs(urlsplit(page.url).query)["state"][0]
    failed = {
        "error": "temporarily_unavailable",
        "error_description": "<b>Later</b>.",
        "state": state,
        "scope": "openid",
    }
    page.goto(f"{setup.app.origin}/?{urlencode(failed)}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("temporarily_unavailable")
    expect(alert).to_contain_text(re.compile(r"AUTH_\d{3}, request "))
    assert page.locator("b").count() == 0


def test_a_page_at_the_other_name_is_refused_and_the_log_names_the_right_one(page: Page, setup: Setup) -> None:
    other = setup.app.origin.replace("localhost", "127.0.0.1")
    page.goto(other)
    page.get_by_role("button", name="Sign in").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(f"This page can't call {setup.api}")
    expect(alert).to_contain_text(
        f"If the API runs, its log says why {other} is refused, and what to do (ALLOWED_ORIGINS)."
    )
    line = setup.stack.wait_for_line(lambda line: other in line)
    assert (
        f"Open the app at {setup.app.origin}, which ALLOWED_ORIGINS has: "
        "browsers send no cookies of localhost from pages of 127.0.0.1."
    ) in line


def test_a_page_that_calls_the_api_by_the_other_name_learns_the_right_one(page: Page, setup: Setup) -> None:
    setup.app.replacements = {API: setup.api.replace("localhost", "127.0.0.1")}
    open_app(page, setup)
    page.get_by_role("button", name="Sign in").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(
        f"Call the API at {setup.api}: browsers send no cookies of 127.0.0.1 from pages of localhost."
    )
    expect(alert).to_contain_text("AUTH_021")


def test_a_page_that_is_opened_as_a_file_is_refused_and_the_log_says_to_serve_it(
    page: Page, setup: Setup, tmp_path: Path
) -> None:
    # A file can't load a module, and has no origin. Its own script can call the API.
    file = tmp_path / "app.html"
    file.write_text(f"<script>fetch('{setup.api}/api/v1/health/live').catch(() => document.title = 'refused')</script>")
    page.goto(file.as_uri())
    expect(page).to_have_title("refused")
    setup.stack.wait_for_line(lambda line: "Serve the page from an origin that ALLOWED_ORIGINS has" in line)


def test_an_api_that_does_not_run_is_shown_as_an_error(page: Page, setup: Setup) -> None:
    setup.app.replacements = {API: "http://localhost:9"}
    open_app(page, setup)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This page can't call http://localhost:9")


def test_it_fits_a_narrow_screen(page: Page, setup: Setup) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    open_app(page, setup)
    sign_in(page)
    page.get_by_role("button", name="Validate the token").click()
    expect(page.locator("#result")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
