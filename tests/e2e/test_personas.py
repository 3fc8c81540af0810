"""The personas' buttons on the sign-in page in a real browser: by mouse and by keyboard, in both themes, on a phone."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tenantgate.openid_provider.storage.demo import PERSONAS
from tenantgate.openid_provider.storage.personas import Persona
from tests.fixtures.programs.requires import requires_chromium
from tests.fixtures.stack.commands import RunningStack

pytestmark = [requires_chromium, pytest.mark.xdist_group("stacks")]

ADMIN, MEMBER, OUTSIDER = PERSONAS
SIGNED_IN = "You are signed in"
# WCAG 2.2: 1.4.3 for text, 2.5.8 for targets.
LEAST_CONTRAST = 4.5
LEAST_TARGET = 24

# The contrast of an element's text with the first opaque background behind it (WCAG 2.2, relative luminance).
CONTRAST = """element => {
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = color => channels(color).slice(0, 3)
    .map(value => value / 255).map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [.2126, .7152, .0722][index], 0);
  const text = luminance(getComputedStyle(element).color);
  let behind = element;
  while (channels(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const ground = luminance(getComputedStyle(behind).backgroundColor);
  return (Math.max(text, ground) + .05) / (Math.min(text, ground) + .05);
}"""


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


def button_name(persona: Persona) -> str:
    return f"{persona.name} {persona.email}"


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.email)
def test_one_click_signs_a_persona_in(page: Page, base: str, persona: Persona, complaints: list[str]) -> None:
    page.goto(f"{base}/api/v1/auth/login?return_to=/")
    page.get_by_role("button", name=button_name(persona), exact=True).click()
    expect(page.get_by_role("heading", name=SIGNED_IN)).to_be_visible()
    expect(page.get_by_text(persona.id).first).to_be_visible()
    expect(page.get_by_text(persona.tenant_id).first).to_be_visible()
    assert complaints == []


def test_the_keyboard_reaches_each_persona_after_the_password_form(page: Page, base: str) -> None:
    page.goto(f"{base}/api/v1/auth/login?return_to=/")
    expect(page.get_by_label("Email")).to_be_focused()
    # The password and its button come first.
    for _ in range(2):
        page.keyboard.press("Tab")
    for persona in PERSONAS:
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=button_name(persona))).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=SIGNED_IN)).to_be_visible()
    expect(page.get_by_text(OUTSIDER.id).first).to_be_visible()


def test_the_enter_key_in_a_field_signs_in_with_the_password_and_not_as_a_persona(page: Page, base: str) -> None:
    page.goto(f"{base}/api/v1/auth/login?return_to=/")
    page.get_by_label("Email").fill(MEMBER.email)
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The email or the password is wrong.")
    # The page with the error offers the personas again.
    page.get_by_role("button", name=button_name(ADMIN)).click()
    expect(page.get_by_role("heading", name=SIGNED_IN)).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_buttons_are_readable_and_large_enough(
    chromium: Browser, gateway: RunningStack, theme: Literal["light", "dark"], width: int
) -> None:
    context = chromium.new_context(color_scheme=theme, viewport={"width": width, "height": 844})
    try:
        page = context.new_page()
        page.goto(f"{gateway.url}/api/v1/auth/login")
        expect(page.get_by_role("group", name="Or continue as")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for persona in PERSONAS:
            button = page.get_by_role("button", name=button_name(persona))
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= LEAST_TARGET
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            for text in (button, button.locator("span")):
                assert text.evaluate(CONTRAST) >= LEAST_CONTRAST
    finally:
        context.close()
