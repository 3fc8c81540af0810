"""The start of a sign-in."""

import base64
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tenantgate.login.attempts.transactions import COOKIE_PREFIX, LIFETIME_SECONDS, transaction_cookie_name
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.login.app import (
    ALLOWED_ORIGIN,
    SAFE_COOKIE,
    LoginApp,
    code_of,
    cookie_attributes,
    redeem,
    response_parameters,
    returned_to,
    running_login_app,
    sign_in,
)
from tests.fixtures.providers.misbehaving import (
    MisbehavingProvider,
)

JSON = "application/json"
# The parameters of the authorization request.
SENT = {
    *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
    *("code_challenge", "code_challenge_method"),
}


class TestBegin:
    def test_sends_a_browser_to_the_provider(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        response = browser.get(app.login_url)
        assert response.status_code == 302
        assert location(response).startswith(provider.issuer + "/authorize?")
        (cookie,) = browser.set_cookies
        assert cookie.startswith(COOKIE_PREFIX)
        assert cookie_attributes(cookie) == SAFE_COOKIE | {f"Max-Age={LIFETIME_SECONDS}"}
        assert response.headers["cache-control"] == "no-store"

    def test_returns_the_url_to_a_script(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        response = browser.get(app.login_url, accept=JSON)
        assert response.status_code == 200
        assert set(response.json()) == {"authorization_url"}
        assert response.json()["authorization_url"].startswith(provider.issuer + "/authorize?")
        assert len(browser.named(COOKIE_PREFIX)) == 1

    def test_redirects_clients_that_accept_anything(self, browser: Browser, app: LoginApp) -> None:
        assert browser.get(app.login_url, accept="*/*").status_code == 302

    def test_names_the_cookie_after_the_state(self, browser: Browser, app: LoginApp) -> None:
        state = response_parameters(location(browser.get(app.login_url)))["state"]
        assert set(browser.named(COOKIE_PREFIX)) == {transaction_cookie_name(state)}

    def test_sends_the_resource_and_the_configured_parameters(
        self, browser: Browser, provider: MisbehavingProvider
    ) -> None:
        variables = {
            "OIDC_RESOURCE": "https://api.example.test",
            "OIDC_AUTHORIZE_PARAMS": '{"audience":"https://api.example.test","prompt":"login"}',
            "OIDC_SCOPES": "profile api:read",
        }
        with running_login_app(provider.issuer, variables=variables) as app:
            assert sign_in(browser, app).status_code == 200
        asked = provider.asked("/authorize")[0].query
        assert asked["resource"] == asked["audience"] == "https://api.example.test"
        assert asked["prompt"] == "login"
        assert asked["scope"] == "openid profile api:read"
        assert provider.asked("/token")[0].form["resource"] == "https://api.example.test"

    def test_an_app_may_receive_the_code_itself(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        url = returned_to(browser, app, redirect_uri=ALLOWED_ORIGIN + "/signed-in?tab=1")
        assert url.startswith(ALLOWED_ORIGIN + "/signed-in?tab=1")
        assert redeem(browser, app, url).status_code == 200
        assert provider.asked("/token")[0].form["redirect_uri"] == ALLOWED_ORIGIN + "/signed-in?tab=1"

    @pytest.mark.parametrize(
        "query",
        [
            pytest.param({"redirect_uri": "https://evil.example/"}, id="foreign-redirect-uri"),
            pytest.param({"redirect_uri": ALLOWED_ORIGIN + "@evil.example/"}, id="user-info"),
            pytest.param({"redirect_uri": ALLOWED_ORIGIN + ".evil.example/"}, id="suffix"),
            pytest.param({"redirect_uri": "/callback"}, id="relative-redirect-uri"),
            pytest.param({"redirect_uri": ""}, id="empty-redirect-uri"),
            pytest.param({"return_to": "//evil.example"}, id="foreign-return-to"),
            pytest.param({"return_to": "/\\evil.example"}, id="backslash-return-to"),
            pytest.param({"return_to": "javascript:alert(1)"}, id="script-return-to"),
            pytest.param({"return_to": ""}, id="empty-return-to"),
        ],
    )
    def test_refuses_other_targets(
        self, query: dict[str, str], browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        response = browser.get(f"{app.login_url}?{urlencode(query)}", accept=JSON)
        assert response.status_code == 400
        assert code_of(response) == "AUTH_006"
        assert not browser.set_cookies
        assert not provider.requests

    @pytest.mark.parametrize(
        "foreign", ["fbclid=IwAR0", "utm_source=a&utm_source=b", "next=/", "=", "x[]=1", "a" * 3000]
    )
    def test_ignores_parameters_that_others_add_to_a_link(self, foreign: str, browser: Browser, app: LoginApp) -> None:
        response = browser.get(f"{app.login_url}?{foreign}&return_to=/x")
        assert browser.get(location(browser.get(location(response)))).headers["location"] == "/x"
        assert set(response_parameters(location(response))) == SENT

    def test_begins_on_the_host_that_the_provider_returns_to(self, browser: Browser, app: LoginApp) -> None:
        port = urlsplit(app.base).port
        response = browser.get(app.login_url + "?fbclid=1&return_to=/x", headers={"host": f"localhost:{port}"})
        assert location(response) == app.login_url + "?return_to=/x"
        assert not browser.set_cookies
        reported = browser.get(app.login_url, accept=JSON, headers={"host": f"localhost:{port}"})
        assert "authorization_url" in reported.json()

    def test_keeps_five_attempts_at_most(self, browser: Browser, app: LoginApp) -> None:
        urls = []
        for second in range(7):
            app.clock.offset = second
            urls.append(returned_to(browser, app))
        assert len(browser.named(COOKIE_PREFIX)) == 5
        assert [redeem(browser, app, url).status_code for url in urls] == [403, 403, 200, 200, 200, 200, 200]


def test_the_authorization_request_has_only_the_required_parameters(browser: Browser, app: LoginApp) -> None:
    sent = parse_qs(urlsplit(location(browser.get(app.login_url))).query)
    assert set(sent) == SENT
    assert all(
        len(base64.urlsafe_b64decode(sent[name][0] + "=")) == 32 for name in ("state", "nonce", "code_challenge")
    )
