"""Every page in both themes, wide and narrow: axe finds no violation, and nothing overflows.

`PAGE_SCREENSHOTS=<folder> make test T=tests/e2e/test_pages.py` also writes a screenshot of each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tenantgate.openid_provider.storage.demo import DEMO_PASSWORD, DEMO_USERNAME
from tests.fixtures.login.app import LoginApp, running_login_app
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.providers.misbehaving import CannedResponse, MisbehavingProvider
from tests.fixtures.stack.commands import RunningStack

pytestmark = [requires_chromium, pytest.mark.xdist_group("stacks")]

WIDE, NARROW = 1280, 390
# The structure of Swagger UI's own elements, which neither our style sheet nor our plug-in can change.
FOREIGN_RULES = frozenset({"heading-order", "nested-interactive"})

type Open = Callable[[Page, str], object]


@pytest.fixture
def misbehaving() -> Iterator[tuple[LoginApp, MisbehavingProvider]]:
    with MisbehavingProvider() as provider, running_login_app(provider.issuer) as app:
        yield app, provider


def sign_in(page: Page, base: str, *, password: str = DEMO_PASSWORD) -> None:
    page.goto(f"{base}/api/v1/auth/login")
    page.get_by_label("Email").fill(DEMO_USERNAME)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def signed_in(page: Page, base: str) -> None:
    sign_in(page, base)
    expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()


def signed_out(page: Page, base: str) -> None:
    signed_in(page, base)
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()


def returned(page: Page, base: str, **parameters: str) -> None:
    """Return to the callback with this response of the provider."""
    page.goto(f"{base}/api/v1/auth/login")
    state = dict(parse_qsl(urlsplit(page.url).query))["state"]
    page.goto(f"{base}/api/v1/auth/callback?{urlencode({'state': state, 'iss': f'{base}/idp', **parameters})}")


def provider_sign_out(page: Page, base: str) -> None:
    signed_in(page, base)
    page.goto(f"{base}/idp/end_session")
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()


def provider_signed_out(page: Page, base: str) -> None:
    provider_sign_out(page, base)
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", name="Signed out")).to_be_visible()


def at(path: str) -> Open:
    return lambda page, base: page.goto(base + path)


def of_provider(error: str) -> Open:
    description = 'The user isn\'t ready to give "consent" today.'
    return lambda page, base: returned(page, base, error=error, error_description=description)


PAGES: dict[str, tuple[str, Open]] = {
    "home": ("Sign in to continue", at("/")),
    "sign-in": ("Sign in", at("/api/v1/auth/login")),
    "wrong-password": ("Sign in", lambda page, base: sign_in(page, base, password="wrong")),
    "signed-in": ("You are signed in", signed_in),
    "signed-out": ("You are signed out", signed_out),
    "cancelled": ("The sign-in was cancelled", of_provider("access_denied")),
    "interaction": ("The provider needs to ask you something first", of_provider("login_required")),
    "request-refused": ("The provider refused the sign-in request", of_provider("invalid_scope")),
    "provider-trouble": ("The provider has a problem", of_provider("server_error")),
    "unknown-error": ("The provider ended the sign-in with an error", of_provider("of_its_own")),
    "invalid-code": (
        "The authorization code is invalid, expired or already used",
        lambda page, base: returned(page, base, code="made-up"),
    ),
    "foreign-state": (
        "The sign-in could not be matched to this browser",
        at("/api/v1/auth/callback?code=stolen&state=foreign"),
    ),
    "redirect": (
        "The redirect target is not allowed",
        at("/api/v1/auth/login?redirect_uri=https://evil.example/it's"),
    ),
    "provider-root": ("There is nothing at this path", at("/idp")),
    "not-found": ("There is nothing at this path", at("/nothing/here")),
    "wrong-method": ("The method is not allowed here", at("/api/v1/auth/logout")),
    "provider-sign-out": ("Sign out?", provider_sign_out),
    "provider-signed-out": ("Signed out", provider_signed_out),
}


# During a transition between themes, colors have less contrast.
SETTLED = "Promise.allSettled(document.getAnimations().map((animation) => animation.finished)).then(() => null)"


def check(page: Page, name: str, *, heading: str, foreign_rules: frozenset[str] = frozenset()) -> None:
    """Check this page in both themes and both widths, and write its screenshots if a folder is given."""
    expect(page.get_by_role("heading", name=heading, level=1, exact=True)).to_be_visible()
    folder = os.environ.get("PAGE_SCREENSHOTS")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for width in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": 844})
            page.evaluate(SETTLED)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width}"
            if folder is not None:
                Path(folder).mkdir(parents=True, exist_ok=True)
                page.screenshot(path=Path(folder) / f"{name}-{theme}-{width}.png", full_page=True)
        found = [
            (violation["id"], [node["target"] for node in violation["nodes"]])
            for violation in Axe().run(page).response["violations"]
            if violation["id"] not in foreign_rules
        ]
        assert found == [], f"{name} in {theme}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits(name: str, page: Page, gateway: RunningStack) -> None:
    heading, show = PAGES[name]
    show(page, gateway.url)

    check(page, name, heading=heading)
    text = page.inner_text("body")
    assert "\\u00" not in text
    assert "***" not in text


@pytest.mark.parametrize(
    ("name", "response", "heading"),
    [
        (
            "client-refused",
            CannedResponse.of_json({"error": "invalid_client"}, 401),
            "The identity provider refused our client",
        ),
        ("provider-unreachable", CannedResponse(status=500), "The identity provider can't be reached"),
    ],
)
def test_a_page_about_the_provider_is_accessible_and_fits(
    *,
    name: str,
    response: CannedResponse,
    heading: str,
    page: Page,
    misbehaving: tuple[LoginApp, MisbehavingProvider],
) -> None:
    app, provider = misbehaving
    provider.responses["/token"] = response
    page.goto(app.login_url)

    check(page, name, heading=heading)


def test_signing_out_needs_no_scrolling_on_a_phone(page: Page, gateway: RunningStack) -> None:
    page.set_viewport_size({"width": NARROW, "height": 664})
    signed_in(page, gateway.url)

    box = page.get_by_role("button", name="Sign out", exact=True).bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 664


def open_docs(page: Page, base: str) -> None:
    page.goto(f"{base}/docs")
    expect(page.get_by_text("/api/v1/auth/validate")).to_be_visible()


def test_the_api_documentation_is_accessible_and_fits(page: Page, gateway: RunningStack, complaints: list[str]) -> None:
    page.emulate_media(color_scheme="light")
    open_docs(page, gateway.url)
    title = page.get_by_role("heading", level=1).inner_text()
    check(page, "docs", heading=title, foreign_rules=FOREIGN_RULES)

    page.set_viewport_size({"width": WIDE, "height": 844})
    page.get_by_role("button", name="Authorize").click()
    check(page, "docs-authorize", heading=title, foreign_rules=FOREIGN_RULES)
    assert complaints == []


def test_the_api_documentation_follows_the_theme(page: Page, gateway: RunningStack) -> None:
    grounds = []
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        open_docs(page, gateway.url)
        grounds.append(page.evaluate("getComputedStyle(document.querySelector('.swagger-ui')).backgroundColor"))
    assert grounds[0] == "rgb(28, 32, 34)"
    assert grounds[1] != grounds[0]
