"""Sign-ins of browsers and single-page apps, and every reason to refuse one."""

import base64
import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.login.transactions import COOKIE_PREFIX, LIFETIME_SECONDS, transaction_cookie_name
from tests.fixtures.browsers.scripted import HTML, Browser, location
from tests.fixtures.login.app import (
    ALLOWED_ORIGIN,
    LoginApp,
    code_of,
    redeem,
    response_parameters,
    returned_to,
    running_login_app,
    sign_in,
)
from tests.fixtures.providers.misbehaving import (
    SUBJECT,
    TENANT,
    Claims,
    MisbehavingProvider,
    half_hash,
    rsa_key,
    signed,
)

JSON = "application/json"
SESSION = "__Host-tg_session"
# The parameters of the authorization request.
SENT = {
    *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
    *("code_challenge", "code_challenge_method"),
}
SAFE_ATTRIBUTES = {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}


def attributes(set_cookie: str) -> set[str]:
    return {part.strip() for part in set_cookie.split(";")[1:]}


class TestBegin:
    def test_sends_a_browser_to_the_provider(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        response = browser.get(app.login_url)
        assert response.status_code == 302
        assert location(response).startswith(provider.issuer + "/authorize?")
        (cookie,) = browser.set_cookies
        assert cookie.startswith(COOKIE_PREFIX)
        assert attributes(cookie) == SAFE_ATTRIBUTES | {f"Max-Age={LIFETIME_SECONDS}"}
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


class TestComplete:
    def test_starts_a_session_and_returns(self, browser: Browser, app: LoginApp) -> None:
        response = browser.get(returned_to(browser, app))
        assert response.status_code == 303
        assert response.headers["location"] == "/"
        session, cleared = sorted(browser.set_cookies, reverse=True)
        assert session.startswith(f"{SESSION}={TENANT}.")
        kept = attributes(session) - SAFE_ATTRIBUTES
        assert 1790 <= int(kept.pop().removeprefix("Max-Age=")) <= 1800
        assert not kept
        assert attributes(cleared) == SAFE_ATTRIBUTES | {"Max-Age=0"}
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
        provider.edit_authorization_answer = lambda response: response | {"session_state": "x", "scope": "openid"}
        assert browser.get(returned_to(browser, app)).status_code == 303

    def test_iss_may_be_absent_when_it_is_not_announced(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_metadata = lambda metadata: metadata | {"authorization_response_iss_parameter_supported": False}
        assert redeem(browser, app, returned_to(browser, app), iss=None).status_code == 200

    def test_returns_the_shorter_of_two_lifetimes(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_token_answer = lambda response: response | {"expires_in": 300}
        assert sign_in(browser, app).json()["expires_in"] == 300
        provider.edit_token_answer = lambda response: response | {"expires_in": 999_999}
        assert 1790 <= sign_in(browser, app).json()["expires_in"] <= 1800
        provider.edit_token_answer = lambda response: {
            name: response[name] for name in response if name != "expires_in"
        }
        assert 1790 <= sign_in(browser, app).json()["expires_in"] <= 1800


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
        provider.edit_authorization_answer = lambda response: {
            "error": error,
            "error_description": "<b>no</b>",
            "state": response["state"],
            "iss": response["iss"],
        }
        response = browser.get(returned_to(browser, app), accept=JSON)
        assert (response.status_code, code_of(response)) == (400, "AUTH_001")
        assert response.json()["error"]["detail"] == {"provider_error": reported}
        assert not provider.asked("/token")
        assert not browser.cookies

    def test_an_error_needs_a_matching_state_too(self, browser: Browser, app: LoginApp) -> None:
        response = browser.get(app.callback_url + "?error=access_denied&state=foreign", accept=JSON)
        assert code_of(response) == "AUTH_002"


class TestIdToken:
    """Checks that the conformance modules of test_rp_conformance.py don't cover."""

    @pytest.mark.parametrize(
        "edit",
        [
            pytest.param(lambda claims: claims | {"at_hash": half_hash("another token")}, id="swapped-at-hash"),
            pytest.param(lambda claims: claims | {"at_hash": ""}, id="empty-at-hash"),
            pytest.param(lambda claims: claims | {"at_hash": 1}, id="at-hash-of-another-type"),
            pytest.param(lambda claims: {n: claims[n] for n in claims if n != "nonce"}, id="no-nonce"),
            pytest.param(lambda claims: claims | {"nonce": None}, id="null-nonce"),
            pytest.param(lambda claims: claims | {"azp": "another-client"}, id="azp-of-another"),
            pytest.param(lambda claims: claims | {"aud": [claims["aud"], "another"]}, id="two-audiences-without-azp"),
            pytest.param(lambda claims: claims | {"aud": []}, id="no-audience"),
            pytest.param(lambda claims: claims | {"exp": claims["iat"] - 3600}, id="expired"),
            pytest.param(lambda claims: claims | {"iat": claims["iat"] + 3600}, id="issued-in-the-future"),
            pytest.param(lambda claims: claims | {"iss": "https://evil.example"}, id="foreign-issuer"),
            pytest.param(lambda claims: claims | {"sub": ""}, id="empty-subject"),
            pytest.param(lambda claims: claims | {"sub": 7}, id="subject-of-another-type"),
        ],
    )
    def test_refused(
        self, edit: Callable[[Claims], Claims], browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_id_token = edit
        response = sign_in(browser, app)
        assert (response.status_code, code_of(response)) == (400, "AUTH_008")
        assert not browser.cookies

    def test_missing_from_the_response(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_token_answer = lambda response: {name: response[name] for name in response if name != "id_token"}
        response = sign_in(browser, app)
        assert (response.status_code, code_of(response)) == (400, "AUTH_008")

    def test_of_an_earlier_sign_in(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        seen: list[str] = []

        def remember(response: Claims) -> Claims:
            seen.append(response["id_token"])
            return response | {"id_token": seen[0]}

        provider.edit_token_answer = remember
        assert sign_in(browser, app).status_code == 200
        assert code_of(sign_in(browser, app)) == "AUTH_008"

    def test_two_audiences_with_our_azp_are_accepted(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_id_token = lambda claims: claims | {"aud": [claims["aud"], "another"], "azp": claims["aud"]}
        assert sign_in(browser, app).status_code == 200


class TestAccessToken:
    """A token that the next request would refuse: the sign-in reports it, with the remedy of the check."""

    def refused(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider, token: str) -> str:
        # Without at_hash, which would detect the exchange earlier.
        provider.edit_id_token = lambda claims: {name: claims[name] for name in claims if name != "at_hash"}
        provider.edit_token_answer = lambda response: response | {"access_token": token}
        response = sign_in(browser, app)
        assert (response.status_code, code_of(response)) == (502, "AUTH_009")
        assert token not in response.text
        return str(response.json()["error"]["detail"])

    def test_opaque(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        assert "OIDC_RESOURCE" in self.refused(browser, app, provider, "mF_9.B5f-4.1JqM-and-more-than-two.dots")
        assert "opaque" in self.refused(browser, app, provider, "2YotnFZFEjr1zCsicMWpAA")

    def test_for_another_audience(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_access_token = lambda claims: claims | {"aud": "https://graph.example"}
        assert "OIDC_AUDIENCE" in self.refused(browser, app, provider, provider.access_token())

    def test_that_is_the_id_token(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        claims = provider.id_token_claims("nonce", "token") | {"aud": provider.audience, "tenant_id": TENANT}
        assert "another type" in self.refused(browser, app, provider, signed(claims, provider.key))

    def test_expired(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_access_token = lambda claims: claims | {"iat": claims["iat"] - 3000, "exp": claims["iat"] - 1200}
        assert "JWT_LEEWAY_SECONDS" in self.refused(browser, app, provider, provider.access_token())

    def test_with_too_long_a_lifetime(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_access_token = lambda claims: claims | {"exp": claims["iat"] + 86400}
        remedy = self.refused(browser, app, provider, provider.access_token())
        assert "JWT_MAX_LIFETIME_MINUTES" in remedy
        assert "OIDC_RESOURCE" not in remedy

    def test_signed_with_an_unknown_key(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        forged = signed({"iss": provider.issuer, "sub": "x"}, rsa_key("not published"), kid="first", typ="at+jwt")
        assert "signature" in self.refused(browser, app, provider, forged)

    @pytest.mark.parametrize(
        "edit",
        [
            pytest.param(lambda claims: {n: claims[n] for n in claims if n != "tenant_id"}, id="missing"),
            pytest.param(lambda claims: claims | {"tenant_id": "acme"}, id="malformed"),
            pytest.param(lambda claims: claims | {"tenant_id": ["org"]}, id="of-another-type"),
        ],
    )
    def test_without_a_tenant(
        self, edit: Callable[[Claims], Claims], browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_access_token = edit
        response = sign_in(browser, app)
        assert (response.status_code, code_of(response)) == (403, "AUTH_005")
        detail = response.json()["error"]["detail"]
        assert "JWT_TENANT_CLAIM_NAME" in detail or "TENANT_ID_PATTERN" in detail


class TestPostedBody:
    @pytest.mark.parametrize(
        ("content", "code"),
        [
            pytest.param(b"{}", "VAL_001", id="empty-object"),
            pytest.param(b'{"code":"a"}', "VAL_001", id="no-state"),
            pytest.param(b'{"code":1,"state":"b"}', "VAL_001", id="number-for-code"),
            pytest.param(b'{"code":"a","state":"b","nonce":"c"}', "VAL_001", id="unknown-member"),
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


def test_the_authorization_request_has_only_the_required_parameters(browser: Browser, app: LoginApp) -> None:
    sent = parse_qs(urlsplit(location(browser.get(app.login_url))).query)
    assert set(sent) == SENT
    assert all(
        len(base64.urlsafe_b64decode(sent[name][0] + "=")) == 32 for name in ("state", "nonce", "code_challenge")
    )


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
