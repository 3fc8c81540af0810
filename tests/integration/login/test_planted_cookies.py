"""A session cookie that could be read in two ways, because another was planted: the callback and the sign-out."""

from urllib.parse import urlencode

import httpx2
import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import LoginApp, code_of, redeem, response_parameters, returned_to, sign_in
from tests.fixtures.providers.misbehaving import TENANT, MisbehavingProvider

HOST = "127.0.0.1"
SESSION = "__Host-tg_session"
# A browser that sends these cookies as well: path, name and value.
PLANTED = [
    pytest.param(("/api", SESSION, f"{TENANT}.{'x' * 43}"), id="twice"),
    pytest.param(("/", SESSION.lower(), f"{TENANT}.{'x' * 43}"), id="other-letters"),
    pytest.param(("/", "theme", f"{SESSION}=x"), id="inside-another-value"),
    pytest.param(("/api", SESSION, "x" * 4200), id="oversized"),
]


def plant(browser: Browser, cookie: tuple[str, str, str]) -> None:
    path, name, value = cookie
    browser.cookies[HOST, path, name] = value


def own_secret(browser: Browser) -> str | None:
    return browser.cookies.get((HOST, "/", SESSION))


def complete(browser: Browser, app: LoginApp, url: str, *, by_redirect: bool) -> httpx2.Response:
    if by_redirect:
        return browser.get(f"{app.callback_url}?{urlencode(response_parameters(url))}")
    return redeem(browser, app, url)


def sign_out(browser: Browser, app: LoginApp, **headers: str) -> httpx2.Response:
    return browser.post_json(app.logout_url, {}, headers={"origin": app.base, **headers})


@pytest.mark.parametrize("by_redirect", [True, False], ids=["redirect", "post"])
@pytest.mark.parametrize("cookie", PLANTED)
def test_a_sign_in_is_completed(
    browser: Browser, app: LoginApp, *, cookie: tuple[str, str, str], by_redirect: bool
) -> None:
    """Otherwise an attacker who plants the cookie locks the person out."""
    url = returned_to(browser, app)
    plant(browser, cookie)
    response = complete(browser, app, url, by_redirect=by_redirect)
    assert response.status_code == (303 if by_redirect else 200), response.text
    assert own_secret(browser) not in (None, cookie[2])
    assert len(app.store.rows) == 1


@pytest.mark.parametrize("by_redirect", [True, False], ids=["redirect", "post"])
def test_an_oversized_cookie_is_replaced(browser: Browser, app: LoginApp, *, by_redirect: bool) -> None:
    url = returned_to(browser, app)
    plant(browser, ("/", SESSION, "x" * 4200))
    complete(browser, app, url, by_redirect=by_redirect)
    assert len(own_secret(browser) or "") in range(50, 500)
    assert sign_out(browser, app).status_code == 200
    assert not app.store.rows


@pytest.mark.parametrize("by_bearer", [False, True], ids=["cookie", "bearer"])
@pytest.mark.parametrize("cookie", PLANTED)
def test_a_sign_out_is_refused_and_ends_nothing(
    *, browser: Browser, app: LoginApp, provider: MisbehavingProvider, cookie: tuple[str, str, str], by_bearer: bool
) -> None:
    """A sign-out that guesses would report success, and might leave the person's own session behind."""
    assert sign_in(browser, app).status_code == 200
    secret = own_secret(browser)
    plant(browser, cookie)
    headers = {"authorization": f"Bearer {provider.access_token()}"} if by_bearer else {}
    refused = sign_out(browser, app, **headers)
    assert (refused.status_code, code_of(refused)) == (401, "AUTH_007")
    assert not browser.set_cookies
    assert len(app.store.rows) == 1
    assert secret
    assert secret not in refused.text

    path, name, _ = cookie
    del browser.cookies[HOST, path, name]
    assert sign_out(browser, app, **headers).status_code == 200
    assert not app.store.rows
