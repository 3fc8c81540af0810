"""The main flow by script on both targets: login → callback → validate → me → logout."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tenantgate.openid_provider.storage.demo import DEMO_TENANT_ID
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.stack.commands import RunningStack
from tests.fixtures.stack.flow import access_token, sign_in_as_app, sign_in_by_redirect, submit_demo_sign_in

pytestmark = pytest.mark.xdist_group("stacks")


@pytest.fixture(params=["gateway", "container"])
def base(request: pytest.FixtureRequest) -> str:
    stack: RunningStack = request.getfixturevalue(request.param)
    return stack.url


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_an_app_signs_in_validates_reads_the_caller_and_signs_out(base: str, browser: Browser) -> None:
    response = sign_in_as_app(browser, base)
    assert response.status_code == 200
    assert set(response.json()) == {"access_token", "token_type", "expires_in"}
    assert response.json()["token_type"] == "Bearer"
    token = bearer(response.json()["access_token"])

    valid = browser.get(f"{base}/api/v1/auth/validate", headers=token, accept="application/json")
    assert valid.status_code == 200
    assert set(valid.json()) == {"valid", "user_id", "tenant_id", "expires_at"}
    assert (valid.json()["valid"], valid.json()["tenant_id"]) == (True, DEMO_TENANT_ID)

    me = browser.get(f"{base}/api/v1/auth/me", headers=token, accept="application/json")
    assert me.status_code == 200
    assert me.json()["user_id"] == valid.json()["user_id"]
    assert me.json()["tenant_id"] == DEMO_TENANT_ID

    logout = browser.post_json(f"{base}/api/v1/auth/logout", {"redirect_uri": f"{base}/"}, headers=token)
    assert logout.status_code == 200
    assert logout.json()["logout_url"].startswith(f"{base}/idp/")


def test_a_browser_gets_a_session_that_a_sign_out_ends(base: str, browser: Browser) -> None:
    response = sign_in_by_redirect(browser, base, return_to="/?from=here")
    assert (response.status_code, response.headers["location"]) == (303, "/?from=here")
    assert len(browser.named("__Host-tg_session")) == 1
    assert browser.named("__Host-tg_login") == {}
    assert "You are signed in" in browser.get(f"{base}/").text
    kept = dict(browser.cookies)

    logout = browser.post_json(f"{base}/api/v1/auth/logout", {"redirect_uri": f"{base}/"}, headers={"origin": base})
    assert logout.status_code == 200
    assert browser.named("__Host-tg_session") == {}

    # A copy of the cookie has no effect after the sign-out.
    browser.cookies = kept
    assert "You are signed in" not in browser.get(f"{base}/").text


def test_another_site_cannot_sign_a_browser_out(base: str, browser: Browser) -> None:
    sign_in_by_redirect(browser, base)

    response = browser.post_json(f"{base}/api/v1/auth/logout", {}, headers={"origin": "https://evil.example"})

    assert (response.status_code, response.json()["error"]["code"]) == (403, "AUTH_021")
    assert "You are signed in" in browser.get(f"{base}/").text


def test_an_authorization_response_works_only_once(base: str, browser: Browser) -> None:
    sign_in_by_redirect(browser, base)
    callback = str(sign_in_by_redirect(browser, base).request.url)

    again = browser.get(callback, accept="application/json")

    assert (again.status_code, again.json()["error"]["code"]) == (403, "AUTH_002")


def test_two_tabs_sign_in_side_by_side(base: str, browser: Browser) -> None:
    first, second = (
        browser.get(f"{base}/api/v1/auth/login", accept="application/json").json()["authorization_url"]
        for _ in range(2)
    )
    for url in (second, first):
        assert browser.get(submit_demo_sign_in(browser, url)).status_code == 303


def test_a_token_of_one_stack_is_invalid_on_another(
    gateway: RunningStack, container: RunningStack, browser: Browser
) -> None:
    token = bearer(access_token(browser, gateway.url))

    response = browser.get(f"{container.url}/api/v1/auth/validate", headers=token, accept="application/json")

    assert (response.status_code, response.json()["error"]["code"]) == (401, "AUTH_004")
