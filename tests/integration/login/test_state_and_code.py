"""Authorization responses with a wrong state or code."""

import pytest

from tenantgate.login.attempts.transactions import COOKIE_PREFIX, LIFETIME_SECONDS, transaction_cookie_name
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import (
    LoginApp,
    code_of,
    redeem,
    response_parameters,
    returned_to,
    running_login_app,
)
from tests.fixtures.providers.misbehaving import (
    Claims,
    MisbehavingProvider,
)

JSON = "application/json"


class TestState:
    """Forged, stolen or stale responses: each is AUTH_002, and none reaches the token endpoint."""

    @pytest.fixture(autouse=True)
    def _never_redeemed(self, provider: MisbehavingProvider) -> object:
        yield
        assert len(provider.asked("/token")) == self.redeemed

    redeemed = 0

    def refused(self, browser: Browser, app: LoginApp, url: str, **changes: str | None) -> None:
        posted = redeem(browser, app, url, **changes)
        assert (posted.status_code, code_of(posted)) == (403, "AUTH_002")

    def test_missing(self, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app)
        code = response_parameters(url)["code"]
        response = browser.get(f"{app.callback_url}?code={code}", accept=JSON)
        assert (response.status_code, code_of(response)) == (403, "AUTH_002")
        self.refused(browser, app, url, state="")

    def test_of_another_browser(self, browser: Browser, app: LoginApp) -> None:
        with Browser() as attacker:
            self.refused(browser, app, returned_to(attacker, app))

    def test_of_another_browser_while_this_one_has_a_pending_attempt(self, browser: Browser, app: LoginApp) -> None:
        returned_to(browser, app)
        with Browser() as attacker:
            self.refused(browser, app, returned_to(attacker, app))

    def test_replayed(self, browser: Browser, app: LoginApp) -> None:
        self.redeemed = 1
        url = returned_to(browser, app)
        assert redeem(browser, app, url).status_code == 200
        self.refused(browser, app, url)
        again = browser.get(url, accept=JSON)
        assert (again.status_code, code_of(again)) == (403, "AUTH_002")

    def test_expired(self, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app)
        app.clock.offset = LIFETIME_SECONDS + 1
        self.refused(browser, app, url)

    def test_made_up(self, browser: Browser, app: LoginApp) -> None:
        self.refused(browser, app, returned_to(browser, app), state="x" * 43)

    def test_cookie_of_another_attempt(self, browser: Browser, app: LoginApp) -> None:
        one, two = returned_to(browser, app), returned_to(browser, app)
        states = [response_parameters(url)["state"] for url in (one, two)]
        names = [("127.0.0.1", "/", transaction_cookie_name(state)) for state in states]
        browser.cookies[names[0]], browser.cookies[names[1]] = browser.cookies[names[1]], browser.cookies[names[0]]
        self.refused(browser, app, one)

    def test_iss_of_another_provider(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        url = returned_to(browser, app)
        self.refused(browser, app, url, iss="https://evil.example")
        self.refused(browser, app, returned_to(browser, app), iss=provider.issuer + "/")

    def test_a_refused_attempt_is_ended(self, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app)
        self.refused(browser, app, url, iss="https://evil.example")
        assert not browser.named(COOKIE_PREFIX)
        self.refused(browser, app, url)


class TestCode:
    def refused(self, browser: Browser, app: LoginApp, url: str, **changes: str | None) -> Claims:
        response = redeem(browser, app, url, **changes)
        assert (response.status_code, code_of(response)) == (400, "AUTH_001")
        assert not browser.named(COOKIE_PREFIX)
        error: Claims = response.json()["error"]
        return error

    def test_made_up(self, browser: Browser, app: LoginApp) -> None:
        error = self.refused(browser, app, returned_to(browser, app), code="made-up")
        assert error["detail"] == {"provider_error": "invalid_grant"}

    def test_empty(self, browser: Browser, app: LoginApp) -> None:
        self.refused(browser, app, returned_to(browser, app), code="")

    def test_used_before(self, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app)
        assert redeem(browser, app, url).status_code == 200
        self.refused(browser, app, returned_to(browser, app), code=response_parameters(url)["code"])

    def test_of_another_attempt_fails_the_pkce_challenge(self, browser: Browser, app: LoginApp) -> None:
        with Browser() as victim:
            stolen = response_parameters(returned_to(victim, app))["code"]
        self.refused(browser, app, returned_to(browser, app), code=stolen)

    @pytest.mark.parametrize(
        ("error", "reported"),
        [
            pytest.param("access_denied", "access_denied", id="denied"),
            pytest.param("login_required", "login_required", id="login-required"),
            pytest.param("temporarily_unavailable", "temporarily_unavailable", id="unavailable"),
            pytest.param("<script>alert(1)</script>", "unknown", id="markup"),
            pytest.param("x" * 500, "unknown", id="long"),
        ],
    )
    def test_the_provider_returns_an_error(
        self, error: str, reported: str, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_authorization_response = lambda response: {
            "error": error,
            "error_description": "<b>no</b>",
            "state": response["state"],
            "iss": response["iss"],
        }
        response = browser.get(returned_to(browser, app), accept=JSON)
        assert (response.status_code, code_of(response)) == (400, "AUTH_001")
        assert response.json()["error"]["detail"] == {"provider_error": reported, "description": "<b>no</b>"}
        assert not provider.asked("/token")
        assert not browser.cookies

    def test_an_error_needs_a_matching_state_too(self, browser: Browser, app: LoginApp) -> None:
        response = browser.get(app.callback_url + "?error=access_denied&state=foreign", accept=JSON)
        assert code_of(response) == "AUTH_002"


def test_an_attempt_begun_at_another_provider_is_refused(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    url = returned_to(browser, app)
    with MisbehavingProvider() as other, running_login_app(other.issuer) as moved:
        # The same sealing keys and cookies, but the settings now name another provider (mix-up, RFC 9700 §4.4).
        moved.service._sealer = app.service._sealer
        moved.service._clock = app.service._clock
        response = redeem(browser, moved, url, iss=other.issuer)
        assert code_of(response) == "AUTH_002"
        assert not other.asked("/token")
