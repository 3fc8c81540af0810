"""The single-page example in a real browser: signing in, validating, signing out, and each name of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USERNAME
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.servers.static_site import StaticSite, static_site
from tests.fixtures.stack.commands import ROOT, RunningStack, dev_stack, serve_stack

pytestmark = [requires_chromium, pytest.mark.xdist_group("stacks")]

EXAMPLE = ROOT / "examples" / "single_page_app"
API = "http://localhost:3000"
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


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Email").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text("You are signed in.")


def test_a_person_signs_in_validates_and_signs_out(page: Page, setup: Setup, complaints: list[str]) -> None:
    open_app(page, setup)
    sign_in(page)
    # Neither the code nor a token is left where another script, or the next person, finds it.
    expect(page).to_have_url(f"{setup.app.origin}/")
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]

    page.get_by_role("button", name="Validate the token").click()
    expect(page.locator("#result")).to_contain_text('"valid": true')
    expect(page.locator("#result")).to_contain_text(DEMO_TENANT_ID)

    # The provider asks nothing: it gets the session's own ID token.
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    expect(page).to_have_url(f"{setup.app.origin}/")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()
    assert complaints == []


def test_a_reload_forgets_the_token_and_the_provider_knows_the_browser(page: Page, setup: Setup) -> None:
    open_app(page, setup)
    sign_in(page)
    page.reload()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text("You are signed in.")


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
