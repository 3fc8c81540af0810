"""The two forms of the callback, by post or by redirect: the attempts that each completes, and those that fail."""

from collections.abc import Iterator
from typing import ClassVar
from urllib.parse import quote, urlencode

import httpx2
import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.login.attempts.transactions import COOKIE_PREFIX
from tenantgate.login.provider.metadata import ProviderMetadata
from tests.fixtures.browsers.scripted import HTML, Browser
from tests.fixtures.login.app import (
    ALLOWED_ORIGIN,
    LoginApp,
    code_of,
    redeem,
    response_parameters,
    returned_to,
    sign_in,
)
from tests.fixtures.providers.misbehaving import SUBJECT, TENANT, MisbehavingProvider

JSON = "application/json"
SESSION = "__Host-tg_session"
APP = ALLOWED_ORIGIN + "/signed-in"


def posted(browser: Browser, app: LoginApp, url: str, **more: object) -> httpx2.Response:
    """Post only the code, the state, and `more`."""
    response = response_parameters(url)
    return browser.post_json(app.callback_url, {"code": response["code"], "state": response["state"], **more})


def by_redirect(browser: Browser, app: LoginApp, url: str, **changes: str | None) -> httpx2.Response:
    """Send the authorization response in `url` to the callback by GET. A change to None omits the parameter."""
    response = {name: value for name, value in (response_parameters(url) | changes).items() if value is not None}
    return browser.get(f"{app.callback_url}?{urlencode(response)}", accept=JSON)


class TestWhatProvidersAdd:
    """An app can post every parameter that the provider added to its redirect URI."""

    ADDED: ClassVar[dict[str, object]] = {
        "session_state": "4e7a.b1",
        "scope": "openid profile",
        "authuser": "0",
        "prompt": "consent",
        "hd": "example.com",
        "client_info": {"uid": 1},
        "admin_consent": True,
        "id_token": "eyJhbGciOiJub25lIn0.e30.",
        "redirect_uri": "https://evil.example/",
        "code_verifier": "chosen-by-the-caller",
    }

    def test_is_ignored(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        response = posted(browser, app, returned_to(browser, app, redirect_uri=APP), **self.ADDED)
        assert response.status_code == 200, response.text
        (sent,) = provider.asked("/token")
        assert sent.form["redirect_uri"] == APP
        assert sent.form["code_verifier"] != "chosen-by-the-caller"

    def test_an_error_is_reported_in_our_shape_and_ends_the_attempt(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        state = response_parameters(returned_to(browser, app, redirect_uri=APP))["state"]
        cancelled = {"error": "access_denied", "error_description": "The user cancelled.", "state": state}
        response = browser.post_json(app.callback_url, {**cancelled, "session_state": "x"})
        assert (response.status_code, code_of(response)) == (400, "AUTH_001")
        assert response.json()["error"]["detail"]["provider_error"] == "access_denied"
        assert not provider.asked("/token")
        assert not browser.cookies
        # Without the attempt's cookie, nothing shows that a provider sent it.
        again = browser.post_json(app.callback_url, cancelled)
        assert code_of(again) == "AUTH_002"
        assert "access_denied" not in again.text

    def test_an_error_counts_more_than_a_code(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        response = posted(browser, app, returned_to(browser, app), error="server_error")
        assert code_of(response) == "AUTH_001"
        assert not provider.asked("/token")


class TestIss:
    """One login provider, which announces `iss` (RFC 9207)."""

    def test_an_app_posts_only_code_and_state(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        assert provider.metadata()["authorization_response_iss_parameter_supported"] is True
        response = posted(browser, app, returned_to(browser, app, redirect_uri=APP))
        assert response.status_code == 200, response.text
        assert set(response.json()) == {"access_token", "token_type", "expires_in"}

    def test_a_posted_null_counts_as_absent(self, browser: Browser, app: LoginApp) -> None:
        assert posted(browser, app, returned_to(browser, app), iss=None).status_code == 200

    def test_a_redirect_without_it_is_refused(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        response = by_redirect(browser, app, returned_to(browser, app), iss=None)
        assert (response.status_code, code_of(response)) == (403, "AUTH_002")
        assert not provider.asked("/token")
        assert not browser.cookies

    @pytest.mark.parametrize("announced", [True, False])
    @pytest.mark.parametrize("wrong", ["", "https://evil.example", "{issuer}/", "{issuer}?", "{issuer} ", "HTTP{rest}"])
    def test_a_wrong_one_is_refused_in_both_forms_forms(
        self, wrong: str, announced: bool, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_metadata = lambda metadata: (
            metadata | {"authorization_response_iss_parameter_supported": announced}
        )
        iss = wrong.format(issuer=provider.issuer, rest=provider.issuer.removeprefix("http"))
        assert code_of(posted(browser, app, returned_to(browser, app), iss=iss)) == "AUTH_002"
        assert code_of(by_redirect(browser, app, returned_to(browser, app), iss=iss)) == "AUTH_002"
        assert not provider.asked("/token")

    def test_an_attempt_at_another_provider_is_refused_without_it(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        posted_url, url = returned_to(browser, app), returned_to(browser, app)
        moved = ProviderMetadata.from_document(provider.metadata() | {"issuer": provider.issuer + "/moved"})

        async def reconfigured() -> ProviderMetadata:
            return moved

        app.service._provider = reconfigured
        assert code_of(posted(browser, app, posted_url)) == "AUTH_002"
        assert code_of(by_redirect(browser, app, url, iss=moved.issuer)) == "AUTH_002"
        assert not provider.asked("/token")


class TestWhichFormCompletes:
    def test_an_apps_attempt_is_not_completed_by_redirect(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        response = by_redirect(browser, app, returned_to(browser, app, redirect_uri=APP))
        assert (response.status_code, code_of(response)) == (403, "AUTH_002")
        assert not provider.asked("/token")
        assert not app.store.rows
        assert not browser.cookies, "the refused attempt is over"

    def test_nor_that_of_an_app_on_this_origin(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        for target in (app.base + "/app", app.callback_url + "?app=1", app.callback_url + "/"):
            url = returned_to(browser, app, redirect_uri=target)
            assert code_of(by_redirect(browser, app, url)) == "AUTH_002"
        assert not provider.asked("/token")

    def test_an_apps_attempt_is_completed_by_post(self, browser: Browser, app: LoginApp) -> None:
        assert posted(browser, app, returned_to(browser, app, redirect_uri=APP)).status_code == 200

    def test_an_attempt_without_a_redirect_uri_is_completed_by_either_form(
        self, browser: Browser, app: LoginApp
    ) -> None:
        assert posted(browser, app, returned_to(browser, app)).status_code == 200
        assert by_redirect(browser, app, returned_to(browser, app)).status_code == 303

    def test_the_products_callback_as_redirect_uri_counts_as_none(self, browser: Browser, app: LoginApp) -> None:
        own = app.callback_url
        assert posted(browser, app, returned_to(browser, app, redirect_uri=own)).status_code == 200
        assert by_redirect(browser, app, returned_to(browser, app, redirect_uri=own)).status_code == 303

    def test_the_error_is_a_page_in_a_browser(self, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app, redirect_uri=APP)
        shown = browser.get(f"{app.callback_url}?{urlencode(response_parameters(url))}", accept=HTML)
        assert (shown.status_code, shown.headers["content-type"]) == (403, "text/html; charset=utf-8")
        assert "AUTH_002" in shown.text


class TestPostedSession:
    def test_is_started_as_by_redirect(self, browser: Browser, app: LoginApp) -> None:
        response = sign_in(browser, app)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "no-store"
        session, cleared = sorted(browser.set_cookies, reverse=True)
        assert session.startswith(f"{SESSION}={TENANT}.")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} < {part.strip() for part in session.split(";")}
        assert cleared.startswith(COOKIE_PREFIX)
        assert set(browser.named("__Host-")) == {SESSION}
        (stored,) = app.store.rows.values()
        assert (stored.tenant_id, stored.user_id) == (TENANT, SUBJECT)

    def test_ends_with_a_sign_out_by_its_cookie(self, browser: Browser, app: LoginApp) -> None:
        sign_in(browser, app)
        assert browser.post_json(app.logout_url, {}, headers={"origin": ALLOWED_ORIGIN}).status_code == 200
        assert not app.store.rows

    def test_replaces_the_browsers_earlier_session(self, browser: Browser, app: LoginApp) -> None:
        sign_in(browser, app)
        first = browser.named(SESSION)
        sign_in(browser, app)
        assert browser.named(SESSION) != first
        assert len(app.store.rows) == 1

    def test_a_refused_code_does_not_end_the_browsers_session(self, browser: Browser, app: LoginApp) -> None:
        sign_in(browser, app)
        kept = browser.named(SESSION)
        assert redeem(browser, app, returned_to(browser, app), code="made-up").status_code == 400
        assert browser.named(SESSION) == kept
        assert len(app.store.rows) == 1

    def test_without_a_database_no_token_is_returned(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        url = returned_to(browser, app)
        app.store.broken = DatabaseUnreachable("connection refused")
        response = redeem(browser, app, url)
        assert (response.status_code, code_of(response)) == (503, "SYS_001")
        assert "access_token" not in response.text
        assert len(provider.asked("/token")) == 1
        assert not browser.cookies, "the code is spent, so the attempt is over"
        app.store.broken = None
        assert sign_in(browser, app).status_code == 200, "another attempt succeeds"

    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({"origin": "https://evil.example"}, id="foreign-origin"),
            pytest.param({"origin": "null"}, id="opaque-origin"),
            pytest.param({"sec-fetch-site": "cross-site"}, id="fetch-metadata"),
        ],
    )
    def test_is_not_started_by_another_site(
        self, headers: dict[str, str], browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        url = returned_to(browser, app)
        body = {name: response_parameters(url)[name] for name in ("code", "state")}
        response = browser.post_json(app.callback_url, body, headers=headers)
        assert (response.status_code, code_of(response)) == (403, "AUTH_021")
        assert not provider.asked("/token")
        # The other site doesn't end the attempt, either.
        assert browser.post_json(app.callback_url, body, headers={"origin": ALLOWED_ORIGIN}).status_code == 200


class TestMalformedResponses:
    """None of these is redeemed."""

    @pytest.fixture(autouse=True)
    def _never_redeemed(self, provider: MisbehavingProvider) -> Iterator[None]:
        yield
        assert not provider.asked("/token")

    @pytest.mark.parametrize("name", ["state", "code", "iss"])
    @pytest.mark.parametrize("value", ["same", "another", ""])
    def test_a_repeated_parameter(self, name: str, value: str, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app)
        repeated = response_parameters(url)[name] if value == "same" else value
        for query in (f"{url}&{name}={quote(repeated)}", url.replace("?", f"?{name}={quote(repeated)}&")):
            assert code_of(browser.get(query, accept=JSON)) == "AUTH_002"

    def test_an_error_with_a_code(self, browser: Browser, app: LoginApp) -> None:
        response = by_redirect(browser, app, returned_to(browser, app), error="access_denied")
        assert code_of(response) == "AUTH_001"
        assert response.json()["error"]["detail"] == {"provider_error": "access_denied"}

    @pytest.mark.parametrize("length", [129, 4096, 60_000])
    def test_an_enormous_state(self, length: int, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app)
        assert code_of(by_redirect(browser, app, url, state="s" * length)) == "AUTH_002"
        assert len(browser.named(COOKIE_PREFIX)) == 1, "the attempt of the true state is still pending"

    @pytest.mark.parametrize("code", ["", "x" * 4097, "a\tb", "a\u2028b"])
    def test_a_malformed_code(self, code: str, browser: Browser, app: LoginApp) -> None:
        assert code_of(by_redirect(browser, app, returned_to(browser, app), code=code)) == "AUTH_001"

    @pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
    def test_another_method(self, method: str, browser: Browser, app: LoginApp) -> None:
        url = returned_to(browser, app)
        assert browser.request(method, url, headers={"accept": JSON}).status_code == 405
        assert browser.request(method, app.login_url, headers={"accept": JSON}).status_code == 405
        assert len(browser.named(COOKIE_PREFIX)) == 1


def test_the_longest_code_is_redeemed(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    assert code_of(by_redirect(browser, app, returned_to(browser, app), code="x" * 4096)) == "AUTH_001"
    assert code_of(redeem(browser, app, returned_to(browser, app), code="y" * 4096)) == "AUTH_001"
    assert [request.form["code"] for request in provider.asked("/token")] == ["x" * 4096, "y" * 4096]


def test_a_cookie_kept_after_success_completes_no_second_sign_in(browser: Browser, app: LoginApp) -> None:
    url = returned_to(browser, app)
    kept = dict(browser.cookies)
    assert by_redirect(browser, app, url).status_code == 303
    for again in (by_redirect, redeem):
        browser.cookies = dict(kept)
        assert code_of(again(browser, app, url)) == "AUTH_001", "the provider redeems a code once"
    assert len(app.store.rows) == 1


@pytest.mark.parametrize("media_type", [JSON, "Application/JSON", "application/json; charset=utf-8"])
def test_json_media_types_in_any_spelling_are_accepted(media_type: str, browser: Browser, app: LoginApp) -> None:
    response = response_parameters(returned_to(browser, app))
    body = f'{{"code":"{response["code"]}","state":"{response["state"]}"}}'.encode()
    assert browser.post(app.callback_url, body, media_type=media_type).status_code == 200
