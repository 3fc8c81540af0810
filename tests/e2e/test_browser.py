"""The pages in a real browser: in, who one is, out; a wrong password, a failed sign-in, the API browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tenantgate.provider.demo import DEMO_PASSWORD, DEMO_TENANT_ID, DEMO_USERNAME
from tests.support.requires import requires_chromium
from tests.support.stack import RunningStack

pytestmark = requires_chromium

# No look-ups of its own; no sandbox only where Chromium refuses to have one.
ARGUMENTS = ["--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield browser
        browser.close()


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said; a blocked script or style would be here."""
    return []


@pytest.fixture
def page(chromium: Browser, complaints: list[str]) -> Iterator[Page]:
    def heard(message: ConsoleMessage) -> None:
        complaints.append(message.text)

    context = chromium.new_context()
    page = context.new_page()
    page.on("console", heard)
    yield page
    context.close()


def sign_in(page: Page, *, password: str = DEMO_PASSWORD) -> None:
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Email").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_signs_in_sees_who_they_are_and_signs_out(page: Page, base: str, complaints: list[str]) -> None:
    page.goto(f"{base}/")
    sign_in(page)

    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()
    expect(page.get_by_text(DEMO_TENANT_ID).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"))).to_be_visible()
    expect(page.get_by_text("tenantgate-api")).to_be_visible()
    # The session's cookie is out of any script's reach.
    assert page.evaluate("document.cookie") == ""

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert complaints == []


def test_a_person_who_arrives_at_localhost_is_signed_in_all_the_same(page: Page, base: str) -> None:
    page.goto(base.replace("127.0.0.1", "localhost") + "/")
    sign_in(page)

    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()


def test_a_wrong_password_is_told_and_can_be_mended(page: Page, base: str) -> None:
    page.goto(f"{base}/")
    sign_in(page, password="wrong")
    expect(page.get_by_role("alert")).to_be_visible()

    page.get_by_label("Email").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()


def test_a_failed_sign_in_shows_code_and_cause_and_another_try_succeeds(page: Page, base: str) -> None:
    answer = page.goto(f"{base}/api/v1/auth/callback?code=stolen&state=foreign")

    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("AUTH_002")).to_be_visible()
    expect(page.get_by_text("belongs to another browser")).to_be_visible()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_label("Email")).to_be_visible()


def test_the_api_browser_shows_every_route_from_local_assets(page: Page, base: str) -> None:
    foreign: list[str] = []
    page.on(
        "request", lambda request: foreign.append(request.url) if not request.url.startswith((base, "data:")) else None
    )
    page.goto(f"{base}/docs")

    expect(page.get_by_text("/api/v1/auth/validate")).to_be_visible()
    expect(page.get_by_text("/api/v1/health/ready")).to_be_visible()
    assert foreign == []


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
