"""A sign-out at the built-in provider ends the sessions here, by a logout token, on both targets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.browsers.scripted import Browser, form_of
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import sign_in_by_redirect

pytestmark = pytest.mark.xdist_group("stacks")


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


@pytest.fixture
def browser(base: str) -> Iterator[Browser]:
    with Browser() as made:
        assert sign_in_by_redirect(made, base).status_code == 303
        yield made


def me(browser: Browser, base: str) -> int:
    """The status of a route behind the authorizer, which reads only Valkey."""
    return browser.get(f"{base}/api/v1/auth/me", accept="application/json").status_code


def page_is_signed_in(browser: Browser, base: str) -> bool:
    return "You are signed in" in browser.get(f"{base}/").text


def sign_out_at_provider(browser: Browser, base: str) -> None:
    """Confirm the provider's question. Tenantgate's own sign-out isn't called."""
    action, fields = form_of(browser.get(f"{base}/idp/end_session"))
    assert browser.submit(action, fields).status_code == 200


def test_the_session_is_gone_everywhere(base: str, browser: Browser) -> None:
    assert me(browser, base) == 200
    kept = dict(browser.cookies)
    sign_out_at_provider(browser, base)
    assert me(browser, base) == 401
    assert not page_is_signed_in(browser, base)
    # The page clears the browser's cookie; a copy of it has no effect either.
    browser.cookies = kept
    assert me(browser, base) == 401
    refreshed = browser.post_json(f"{base}/api/v1/auth/refresh", {}, headers={"origin": base})
    assert (refreshed.status_code, refreshed.json()["error"]["code"]) == (401, "AUTH_020")


def test_the_user_can_sign_in_again_at_once(base: str, browser: Browser) -> None:
    sign_out_at_provider(browser, base)
    assert sign_in_by_redirect(browser, base).status_code == 303
    assert me(browser, base) == 200
