"""Sessions at a certified provider that rotates refresh tokens: refreshed, raced for, and ended from either side."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.fixtures.browsers.certified_provider import USER, returned
from tests.fixtures.browsers.scripted import Browser, form_of, location
from tests.fixtures.login.app import LoginApp, code_of, redeem
from tests.fixtures.programs.requires import requires_node
from tests.integration.oidc_provider.conftest import TENANT

pytestmark = requires_node

SESSION = "__Host-tg_session"
# Longer than the grace after a rotation, in which a refresh replays the last one.
LATER = 11


@pytest.fixture
def app(refreshing_app: LoginApp) -> Iterator[LoginApp]:
    yield refreshing_app
    refreshing_app.clock.offset = 0


def refresh(browser: Browser, app: LoginApp) -> httpx2.Response:
    return browser.post_json(app.refresh_url, {}, headers={"origin": app.base})


def sign_in(browser: Browser, app: LoginApp) -> str:
    """Return the session cookie's value."""
    response = redeem(browser, app, returned(browser, app))
    assert response.status_code == 200, response.text
    return browser.named(SESSION)[SESSION]


def redemptions(app: LoginApp) -> int:
    return int(httpx2.get(f"{app.settings.oidc_issuer_url}/redemptions").text)


def sign_out_at_the_provider(browser: Browser, app: LoginApp) -> None:
    """Open the provider's own sign-out page, which the application doesn't see, and confirm."""
    action, fields = form_of(browser.get(f"{app.settings.oidc_issuer_url}/session/end"))
    assert browser.submit(action, fields | {"logout": "yes"}).status_code in (200, 302, 303)


def test_a_session_is_refreshed_again_and_again(browser: Browser, app: LoginApp) -> None:
    cookies, tokens, before = {sign_in(browser, app)}, set(), redemptions(app)
    for count in range(1, 4):
        response = refresh(browser, app)
        assert response.status_code == 200, response.text
        assert response.json().keys() == {"access_token", "token_type", "expires_in"}
        assert 1789 <= response.json()["expires_in"] + app.clock.offset <= 1800
        token = response.json()["access_token"]
        validated = browser.get(app.base + "/api/v1/auth/validate", headers={"authorization": f"Bearer {token}"})
        assert (validated.json()["user_id"], validated.json()["tenant_id"]) == (USER, TENANT)
        cookies.add(browser.named(SESSION)[SESSION])
        tokens.add(token)
        assert redemptions(app) == before + count
        app.clock.offset += LATER
    assert (len(cookies), len(tokens)) == (4, 3)


def test_of_concurrent_refreshes_the_provider_sees_one(browser: Browser, app: LoginApp) -> None:
    cookie, before = sign_in(browser, app), redemptions(app)

    def one(_: int) -> tuple[int, str, list[str]]:
        headers = {"cookie": f"{SESSION}={cookie}", "origin": app.base}
        response = httpx2.post(app.refresh_url, headers=headers, timeout=60)
        names = [header.split(";")[0] for header in response.headers.get_list("set-cookie")]
        return response.status_code, response.json().get("access_token", response.text), names

    with ThreadPoolExecutor(24) as threads:
        (first, *others) = threads.map(one, range(24))
    assert first[0] == 200, first
    assert others == [first] * 23
    assert redemptions(app) == before + 1


def test_an_earlier_cookie_ends_the_session_after_the_grace(browser: Browser, app: LoginApp) -> None:
    old = sign_in(browser, app)
    assert refresh(browser, app).status_code == 200
    app.clock.offset += LATER
    assert refresh(browser, app).status_code == 200
    app.clock.offset += LATER
    stolen = httpx2.post(app.refresh_url, headers={"cookie": f"{SESSION}={old}", "origin": app.base}, timeout=60)
    assert (stolen.status_code, code_of(stolen)) == (401, "AUTH_023")
    assert code_of(refresh(browser, app)) == "AUTH_020"


def test_a_sign_out_at_the_provider_ends_the_session_here(browser: Browser, app: LoginApp) -> None:
    """The logout token does it: this provider's refresh tokens with `offline_access` survive the sign-out."""
    sign_in(browser, app)
    assert refresh(browser, app).status_code == 200
    before = redemptions(app)
    sign_out_at_the_provider(browser, app)
    response = refresh(browser, app)
    assert (response.status_code, code_of(response)) == (401, "AUTH_020")
    assert redemptions(app) == before


def test_a_sign_out_here_ends_the_session_there(browser: Browser, app: LoginApp) -> None:
    sign_in(browser, app)
    assert refresh(browser, app).status_code == 200
    out = browser.post_json(app.logout_url, {"redirect_uri": app.base + "/"}, headers={"origin": app.base})
    assert out.status_code == 200, out.text
    action, fields = form_of(browser.get(out.json()["logout_url"]))
    assert location(browser.submit(action, fields | {"logout": "yes"})) == app.base + "/"
    assert not browser.named(SESSION)


def test_a_sign_out_at_the_provider_ends_only_that_browsers_session(browser: Browser, app: LoginApp) -> None:
    """The logout token names `sid` and `sub`."""
    sign_in(browser, app)
    with Browser() as other:
        sign_in(other, app)
        sign_out_at_the_provider(browser, app)
        assert code_of(refresh(browser, app)) == "AUTH_020"
        assert refresh(other, app).status_code == 200
