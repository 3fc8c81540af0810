"""The pages in a real browser: sign-in, home page, sign-out, a wrong password, a failed sign-in, the API browser."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USERNAME
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import SPA_CALLBACK, SPA_ORIGIN

pytestmark = [requires_chromium, pytest.mark.xdist_group("stacks")]


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


def sign_in(page: Page, *, password: str = DEMO_PASSWORD) -> None:
    page.get_by_role("link", name="Sign in").click()
    submit(page, password=password)


def submit(page: Page, *, password: str = DEMO_PASSWORD) -> None:
    """Fill in the provider's form."""
    page.get_by_label("Email").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def the_app(route: Route) -> None:
    """Serve another team's app to the browser."""
    route.fulfill(status=200, content_type="text/html", body="<title>the app</title>")


def test_a_person_signs_in_sees_who_they_are_and_signs_out(page: Page, base: str, complaints: list[str]) -> None:
    page.goto(f"{base}/")
    sign_in(page)

    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()
    expect(page.get_by_text(DEMO_TENANT_ID).first).to_be_visible()
    expect(page.locator("#expires time")).to_have_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"))
    expect(page.get_by_text("tenantgate-api")).to_be_visible()
    # Scripts can't read the session's cookie.
    assert page.evaluate("document.cookie") == ""

    expect(page.locator("#name")).to_have_text("Demo Admin")
    expect(page.locator("#email")).to_have_text(DEMO_USERNAME)
    expect(page.locator("#expires")).to_contain_text(re.compile(r"\(in (11 h 59 min|12 h)\)"))

    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in to continue")).to_be_visible()
    assert complaints == []


def test_a_developer_copies_the_token_and_a_command_that_works(page: Page, base: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{base}/")
    sign_in(page)

    copied = []
    for field in ("access-token", "curl"):
        button = page.locator(f"button[data-copy={field}]")
        expect(button).to_have_text("Copy")
        button.click()
        expect(button).to_have_text("Copied")
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    token, command = copied

    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token)
    assert command == f'curl -H "Authorization: Bearer {token}" {base}/api/v1/auth/me'
    done = subprocess.run(["curl", "-s", *shlex.split(command)[1:]], capture_output=True, check=True, timeout=30)
    assert json.loads(done.stdout)["tenant_id"] == DEMO_TENANT_ID


def test_without_javascript_the_token_is_a_field_without_a_button(chromium: Browser, base: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{base}/")
    sign_in(page)

    expect(page.get_by_label("Access token")).to_have_value(re.compile(r"[\w-]+\.[\w-]+\.[\w-]+"))
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    context.close()


def test_a_cancelled_sign_in_says_so(page: Page, base: str) -> None:
    page.goto(f"{base}/api/v1/auth/login")
    asked = dict(parse_qsl(urlsplit(page.url).query))
    description = 'The user isn\'t "willing" <b>today</b>.'
    returned = {"state": asked["state"], "iss": f"{base}/idp", "error": "access_denied"}
    response = page.goto(f"{base}/api/v1/auth/callback?{urlencode(returned | {'error_description': description})}")

    assert response is not None
    assert response.status == 400
    expect(page.get_by_role("heading", name="The sign-in was cancelled")).to_be_visible()
    expect(page.get_by_text(description)).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_label("Email")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "status", "heading"),
    [
        ("/idp", 404, "There is nothing at this path"),
        ("/idp/nothing", 404, "There is nothing at this path"),
        ("/idp/token", 405, "The method is not allowed here"),
        ("/nothing/here", 404, "There is nothing at this path"),
        ("/api/v1/auth/logout", 405, "The method is not allowed here"),
    ],
)
def test_an_address_without_a_page_gets_one_that_says_so(
    page: Page, base: str, *, path: str, status: int, heading: str
) -> None:
    response = page.goto(base + path)

    assert response is not None
    assert response.status == status
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    page.get_by_role("link", name="Go to the start page").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("name", ["127.0.0.1", "[::1]"])
def test_a_person_who_arrives_at_another_loopback_name_can_sign_in(page: Page, base: str, name: str) -> None:
    page.goto(base.replace("localhost", name) + "/?from=mail")
    expect(page).to_have_url(f"{base}/?from=mail")
    sign_in(page)

    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()


def test_a_wrong_password_shows_an_error_and_can_be_corrected(page: Page, base: str) -> None:
    page.goto(f"{base}/")
    sign_in(page, password="wrong")
    expect(page.get_by_role("alert")).to_be_visible()

    page.get_by_label("Email").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()


def test_a_failed_sign_in_shows_code_and_cause_and_another_try_succeeds(page: Page, base: str) -> None:
    response = page.goto(f"{base}/api/v1/auth/callback?code=stolen&state=foreign")

    assert response is not None
    assert response.status == 403
    expect(page.get_by_text("AUTH_002")).to_be_visible()
    expect(page.get_by_text("belongs to another browser")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_label("Email")).to_be_visible()


def test_a_link_with_added_parameters_still_signs_in(page: Page, base: str, complaints: list[str]) -> None:
    for link in ("/?fbclid=IwAR0", "/api/v1/auth/login?utm_source=mail&fbclid=IwAR0&return_to=/%3Ffrom=mail"):
        page.context.clear_cookies()
        page.goto(base + link)
        if link.startswith("/?"):
            page.get_by_role("link", name="Sign in").click()
        submit(page)
        expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()
    expect(page).to_have_url(f"{base}/?from=mail")
    page.goto(f"{base}/idp/end_session?fbclid=IwAR0")
    expect(page.get_by_role("button")).to_be_visible()
    assert complaints == []
    page.goto(f"{base}/docs?fbclid=IwAR0")
    expect(page.get_by_text("/api/v1/auth/validate")).to_be_visible()


def test_an_apps_sign_in_that_comes_back_by_redirect_shows_a_page_and_starts_no_session(page: Page, base: str) -> None:
    page.route(f"{SPA_ORIGIN}/**", the_app)
    page.goto(f"{base}/api/v1/auth/login?{urlencode({'redirect_uri': SPA_CALLBACK})}")
    submit(page)
    expect(page).to_have_title("the app")

    response = page.goto(f"{base}/api/v1/auth/callback?{urlsplit(page.url).query}")

    assert response is not None
    assert response.status == 403
    assert response.headers["content-type"].startswith("text/html")
    expect(page.get_by_text("AUTH_002")).to_be_visible()
    expect(page.get_by_role("link", name="Try again")).to_be_visible()
    page.goto(f"{base}/")
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


BEGIN = """async (api) => {
  const url = `${api}/api/v1/auth/login?redirect_uri=${encodeURIComponent(location.origin + "/callback")}`;
  const started = await fetch(url, {credentials: "include", headers: {accept: "application/json"}});
  return (await started.json()).authorization_url;
}"""
POST = """async ([url, body]) => {
  const headers = {"content-type": "application/json"};
  const response = await fetch(url, {method: "POST", credentials: "include", headers, body: JSON.stringify(body)});
  return [response.status, await response.json()];
}"""


def test_an_app_of_the_same_site_posts_the_code_and_has_a_session(page: Page, base: str) -> None:
    page.route(f"{SPA_ORIGIN}/**", the_app)
    page.goto(f"{SPA_ORIGIN}/")
    page.goto(page.evaluate(BEGIN, base))
    submit(page)
    expect(page).to_have_title("the app")

    returned = dict(parse_qsl(urlsplit(page.url).query))
    code_and_state = {name: returned[name] for name in ("code", "state")}
    status, body = page.evaluate(POST, [f"{base}/api/v1/auth/callback", code_and_state])

    assert (status, set(body)) == (200, {"access_token", "token_type", "expires_in"})
    assert page.evaluate("document.cookie") == ""
    # Sign out by the session's cookie; the session holds the ID token that the provider gets as a hint.
    status, body = page.evaluate(POST, [f"{base}/api/v1/auth/logout", {}])
    assert status == 200
    assert "id_token_hint" in body["logout_url"]


def test_the_api_browser_shows_every_route_from_local_assets(page: Page, base: str) -> None:
    foreign: list[str] = []
    page.on(
        "request", lambda request: foreign.append(request.url) if not request.url.startswith((base, "data:")) else None
    )
    page.goto(f"{base}/docs")

    expect(page.get_by_text("/api/v1/auth/validate")).to_be_visible()
    expect(page.get_by_text("/api/v1/health/ready")).to_be_visible()
    assert foreign == []


def test_the_authorize_dialog_of_the_api_browser_signs_in(page: Page, base: str, complaints: list[str]) -> None:
    page.goto(f"{base}/docs")
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text("paste one above")).to_be_visible()
    page.get_by_role("link", name="Sign in").click()
    submit(page)

    # Back in the API browser, which has the token of the new session.
    expect(page).to_have_url(f"{base}/docs")
    page.get_by_role("button", name="Authorize").click()
    expect(
        page.get_by_text(f"You are signed in as {DEMO_USERNAME}. The token is the one of your session.")
    ).to_be_visible()
    page.get_by_role("button", name="Close").last.click()
    for path in ("/api/v1/auth/me", "/api/v1/auth/validate"):
        operation = page.locator(".opblock", has_text=path)
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        with page.expect_response(base + path) as called:
            operation.get_by_role("button", name="Execute").click()
        assert called.value.status == 200
        assert called.value.json()["tenant_id"] == DEMO_TENANT_ID
    assert complaints == []


def test_every_page_fits_a_narrow_screen(page: Page, base: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})

    def fits() -> bool:
        width: int = page.evaluate("document.documentElement.scrollWidth")
        return width <= 360

    page.goto(f"{base}/api/v1/auth/callback?code=stolen&state=foreign")
    assert fits()
    page.goto(f"{base}/")
    assert fits()
    sign_in(page, password="wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    assert fits()
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()
    assert fits()
