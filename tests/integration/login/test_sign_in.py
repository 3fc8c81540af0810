"""Completed sign-ins of browsers and single-page apps, and errors that end one."""

import json

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tests.fixtures.browsers.scripted import HTML, Browser
from tests.fixtures.login.app import (
    ALLOWED_ORIGIN,
    SAFE_COOKIE,
    LoginApp,
    code_of,
    cookie_attributes,
    redeem,
    response_parameters,
    returned_to,
    sign_in,
)
from tests.fixtures.providers.misbehaving import (
    SUBJECT,
    TENANT,
    MisbehavingProvider,
)

JSON = "application/json"
SESSION = "__Host-tg_session"


class TestComplete:
    def test_starts_a_session_and_returns(self, browser: Browser, app: LoginApp) -> None:
        response = browser.get(returned_to(browser, app))
        assert response.status_code == 303
        assert response.headers["location"] == "/"
        session, cleared = sorted(browser.set_cookies, reverse=True)
        assert session.startswith(f"{SESSION}={TENANT}.")
        kept = cookie_attributes(session) - SAFE_COOKIE
        assert 43_190 <= int(kept.pop().removeprefix("Max-Age=")) <= 43_200
        assert not kept
        assert cookie_attributes(cleared) == SAFE_COOKIE | {"Max-Age=0"}
        assert set(browser.named("__Host-")) == {SESSION}
        (stored,) = app.store.rows.values()
        assert (stored.tenant_id, stored.user_id) == (TENANT, SUBJECT)

    @pytest.mark.parametrize("target", ["/settings?tab=2#top", ALLOWED_ORIGIN + "/home"])
    def test_returns_to_the_requested_target(self, target: str, browser: Browser, app: LoginApp) -> None:
        response = browser.get(returned_to(browser, app, return_to=target))
        assert (response.status_code, response.headers["location"]) == (303, target)

    def test_ends_the_session_that_the_browser_had(self, browser: Browser, app: LoginApp) -> None:
        browser.get(returned_to(browser, app))
        first = browser.named(SESSION)
        browser.get(returned_to(browser, app))
        assert browser.named(SESSION) != first
        assert len(app.store.rows) == 1

    def test_several_tabs_sign_in_at_once(self, browser: Browser, app: LoginApp) -> None:
        first, second, third = (returned_to(browser, app, return_to=f"/{tab}") for tab in range(3))
        assert browser.get(second).headers["location"] == "/1"
        assert browser.get(first).headers["location"] == "/0"
        assert redeem(browser, app, third).status_code == 200

    def test_providers_may_add_members(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_authorization_response = lambda response: response | {"session_state": "x", "scope": "openid"}
        assert browser.get(returned_to(browser, app)).status_code == 303

    def test_iss_may_be_absent_when_it_is_not_announced(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_metadata = lambda metadata: metadata | {"authorization_response_iss_parameter_supported": False}
        assert redeem(browser, app, returned_to(browser, app), iss=None).status_code == 200

    def test_returns_the_shorter_of_two_lifetimes(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_token_response = lambda response: response | {"expires_in": 300}
        assert sign_in(browser, app).json()["expires_in"] == 300
        provider.edit_token_response = lambda response: response | {"expires_in": 999_999}
        assert 1790 <= sign_in(browser, app).json()["expires_in"] <= 1800
        provider.edit_token_response = lambda response: {
            name: response[name] for name in response if name != "expires_in"
        }
        assert 1790 <= sign_in(browser, app).json()["expires_in"] <= 1800


class TestPostedBody:
    @pytest.mark.parametrize(
        ("content", "code"),
        [
            pytest.param(b"{}", "VAL_001", id="empty-object"),
            pytest.param(b'{"code":"a"}', "VAL_001", id="no-state"),
            pytest.param(b'{"code":1,"state":"b"}', "VAL_001", id="number-for-code"),
            pytest.param(b'{"code":null,"state":"b"}', "VAL_001", id="null-for-code"),
            pytest.param(b'{"state":"b","error":null}', "VAL_001", id="null-for-error"),
            pytest.param(b'{"state":"b","error":7}', "VAL_001", id="number-for-error"),
            pytest.param(b'{"error":"access_denied"}', "VAL_001", id="error-without-state"),
            pytest.param(b'{"code":"a","state":"b","nonce":"c"}', "AUTH_002", id="unknown-member"),
            pytest.param(b'{"code":"a","state":"b","x":"' + b"a" * 70_000 + b'"}', "VAL_003", id="huge-unknown-member"),
            pytest.param(b'{"code":["a"],"state":"b"}', "VAL_001", id="list-for-code"),
            pytest.param(b'{"code":"' + b"a" * 5000 + b'","state":"b"}', "VAL_001", id="long-code"),
            pytest.param(b'{"code":"a","state":"\\ud800"}', "VAL_001", id="lone-surrogate"),
            pytest.param(b"[]", "VAL_001", id="array"),
            pytest.param(b'{"code":', "VAL_002", id="cut-off"),
            pytest.param(b'{"code":"' + b"a" * 70_000 + b'"}', "VAL_003", id="huge"),
        ],
    )
    def test_refused(self, content: bytes, code: str, browser: Browser, app: LoginApp) -> None:
        assert code_of(browser.post(app.callback_url, content, media_type=JSON)) == code

    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
    def test_of_a_media_type_that_any_site_may_send_is_refused(
        self, media_type: str, browser: Browser, app: LoginApp
    ) -> None:
        response = browser.post(app.callback_url, b'{"code":"a","state":"b"}', media_type=media_type)
        assert (response.status_code, code_of(response)) == (415, "VAL_004")


class TestFailurePage:
    def test_a_browser_sees_a_page_and_others_json(self, browser: Browser, app: LoginApp) -> None:
        shown = browser.get(app.callback_url + "?code=a&state=<script>", accept=HTML)
        assert shown.status_code == 403
        assert shown.headers["content-type"].startswith("text/html")
        assert "AUTH_002" in shown.text
        assert "<script>" not in shown.text
        reported = browser.get(app.callback_url + "?code=a&state=b", accept="*/*")
        assert code_of(reported) == "AUTH_002"

    def test_the_page_links_to_the_start(self, browser: Browser, app: LoginApp) -> None:
        assert "/api/v1/auth/login" in browser.get(app.callback_url, accept=HTML).text

    def test_a_database_that_is_down_starts_no_session(self, browser: Browser, app: LoginApp) -> None:
        app.store.broken = DatabaseUnreachable("connection refused")
        response = browser.get(returned_to(browser, app), accept=HTML)
        assert response.status_code == 503
        assert "SYS_001" in response.text
        assert not browser.cookies


def test_no_secret_is_logged(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider, capfd: pytest.CaptureFixture[str]
) -> None:
    url = returned_to(browser, app)
    token = redeem(browser, app, url).json()["access_token"]
    denied = returned_to(browser, app)
    redeem(browser, app, denied, code="never-seen-code")
    browser.get(returned_to(browser, app))
    out, err = capfd.readouterr()
    secret = [token, "never-seen-code", *response_parameters(url).values(), *response_parameters(denied).values()]
    secret += browser.named("__Host-").values()
    secret += [request.form["code_verifier"] for request in provider.asked("/token")]
    for value in secret:
        if value != provider.issuer:
            assert value not in out + err
    assert all(json.loads(line) for line in out.splitlines())
