"""`POST /api/v1/auth/refresh` over HTTP: headers, cookies and attacks."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import ALLOWED_ORIGIN, SAFE_COOKIE, LoginApp, code_of, cookie_attributes, sign_in
from tests.fixtures.providers.misbehaving import TENANT, CannedResponse, MisbehavingProvider

COOKIE = "__Host-tg_session"
OTHER_TENANT = "org-3f0c2f5e-7f6b-4c59-9d0a-0f2f4b1b7c12"


@pytest.fixture
def provider() -> Iterator[MisbehavingProvider]:
    with MisbehavingProvider() as running:
        running.issues_refresh_tokens = True
        yield running


@pytest.fixture
def cookie(browser: Browser, app: LoginApp) -> str:
    """The session cookie's value, after a sign-in."""
    assert sign_in(browser, app).status_code == 200
    return browser.named(COOKIE)[COOKIE]


def refresh(app: LoginApp, cookie: str | None, **headers: str) -> httpx2.Response:
    """Refresh as a page of an allowed origin does, unless other headers are given."""
    given = headers or {"origin": ALLOWED_ORIGIN}
    if cookie is not None:
        given = {**given, "cookie": f"{COOKIE}={cookie}"}
    return httpx2.post(app.refresh_url, headers={name.replace("_", "-"): value for name, value in given.items()})


def test_the_response_has_a_new_cookie_and_the_csrf_token(app: LoginApp, cookie: str) -> None:
    response = refresh(app, cookie)
    assert response.status_code == 200, response.text
    (set_cookie,) = response.headers.get_list("set-cookie")
    assert set_cookie.startswith(f"{COOKIE}={TENANT}.")
    assert cookie_attributes(set_cookie) >= SAFE_COOKIE
    assert 43_190 <= int(set_cookie.partition("Max-Age=")[2].partition(";")[0]) <= 43_200
    assert len(response.headers["x-csrf-token"]) == 43
    assert response.headers["cache-control"] == "no-store"
    again = refresh(app, cookie)
    assert again.headers["set-cookie"].partition(";")[0] == set_cookie.partition(";")[0]
    assert again.headers["x-csrf-token"] == response.headers["x-csrf-token"]


def test_a_provider_without_refresh_tokens_keeps_the_session(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.issues_refresh_tokens = False
    sign_in(browser, app)
    response = refresh(app, browser.named(COOKIE)[COOKIE])
    assert (response.status_code, code_of(response)) == (401, "AUTH_022")
    assert len(response.headers["x-csrf-token"]) == 43
    assert "set-cookie" not in response.headers


def test_a_provider_that_is_down_keeps_the_session(app: LoginApp, cookie: str, provider: MisbehavingProvider) -> None:
    provider.responses["/token"] = CannedResponse(status=503)
    response = refresh(app, cookie)
    assert (response.status_code, code_of(response)) == (502, "SYS_004")
    assert response.headers["x-csrf-token"]
    assert "set-cookie" not in response.headers
    del provider.responses["/token"]
    assert refresh(app, cookie).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"origin": "https://evil.test"}, id="another-origin"),
        pytest.param({"origin": "null"}, id="opaque-origin"),
        pytest.param({"origin": ALLOWED_ORIGIN + ".evil.test"}, id="suffix"),
        pytest.param({"sec_fetch_site": "cross-site"}, id="cross-site"),
        pytest.param({"sec_fetch_site": "same-site"}, id="sibling-subdomain"),
        pytest.param({"accept": "*/*"}, id="neither-header"),
    ],
)
def test_another_site_cannot_refresh(
    headers: dict[str, str], app: LoginApp, cookie: str, provider: MisbehavingProvider
) -> None:
    response = refresh(app, cookie, **headers)
    assert (response.status_code, code_of(response)) == (403, "AUTH_021")
    assert "x-csrf-token" not in response.headers
    assert len(provider.asked("/token")) == 1, "only the sign-in"


@pytest.mark.parametrize("headers", [{"origin": ALLOWED_ORIGIN}, {"sec_fetch_site": "same-origin"}])
def test_the_own_site_can_refresh_without_a_csrf_token(headers: dict[str, str], app: LoginApp, cookie: str) -> None:
    assert refresh(app, cookie, **headers).status_code == 200


def test_without_a_cookie_there_is_nothing_to_refresh(app: LoginApp) -> None:
    response = refresh(app, None)
    assert (response.status_code, code_of(response)) == (401, "AUTH_007")


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda cookie: cookie.replace(TENANT, OTHER_TENANT), id="another-tenant-in-front"),
        pytest.param(lambda cookie: cookie[:-1], id="one-character-short"),
        pytest.param(lambda cookie: cookie.rpartition(".")[2], id="only-the-random-part"),
        pytest.param(lambda cookie: f"{TENANT}.{'A' * 43}", id="never-issued"),
        pytest.param(lambda cookie: "", id="empty"),
    ],
)
def test_a_forged_cookie_is_refused_and_cleared(app: LoginApp, cookie: str, forge: object) -> None:
    assert callable(forge)
    response = refresh(app, forge(cookie))
    assert (response.status_code, code_of(response)) == (401, "AUTH_020")
    assert response.headers["set-cookie"].startswith(f"{COOKIE}=; Max-Age=0")
    assert "x-csrf-token" not in response.headers
    assert refresh(app, cookie).status_code == 200


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda cookie: f"{cookie}; {COOKIE}={cookie}", id="twice"),
        pytest.param(lambda cookie: f"{cookie}; __host-TG_session={cookie}", id="in-other-letters"),
        pytest.param(lambda cookie: cookie + "A" * 5000, id="oversized"),
    ],
)
def test_an_ambiguous_or_oversized_cookie_is_not_a_credential(app: LoginApp, cookie: str, forge: object) -> None:
    assert callable(forge)
    response = refresh(app, forge(cookie))
    assert (response.status_code, code_of(response)) == (401, "AUTH_007")
    assert refresh(app, cookie).status_code == 200


def test_a_replay_after_the_grace_ends_the_session_for_both(
    app: LoginApp, cookie: str, provider: MisbehavingProvider
) -> None:
    new = refresh(app, cookie).headers["set-cookie"].partition(";")[0].removeprefix(f"{COOKIE}=")
    app.clock.offset += 11
    stolen = refresh(app, cookie)
    assert (stolen.status_code, code_of(stolen)) == (401, "AUTH_023")
    assert stolen.headers["set-cookie"].startswith(f"{COOKIE}=; Max-Age=0")
    for secret in (new, cookie):
        owner = refresh(app, secret)
        assert (owner.status_code, code_of(owner)) == (401, "AUTH_020")
    assert len(provider.asked("/token")) == 2


def test_a_signed_out_session_is_not_refreshed(app: LoginApp, cookie: str) -> None:
    headers = {"origin": ALLOWED_ORIGIN, "cookie": f"{COOKIE}={cookie}"}
    assert httpx2.post(app.logout_url, headers=headers).status_code == 200
    assert code_of(refresh(app, cookie)) == "AUTH_020"
