"""Sign-outs by session cookie, and the URL that the browser is sent to."""

from collections.abc import Callable

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.identity.session_entry import TOMBSTONE
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy
from tenantgate.tokens.discovery import provider_directory
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.recording_cache import RecordingCache
from tests.fixtures.login.app import ALLOWED_ORIGIN, LoginApp, code_of
from tests.fixtures.login.sign_outs import SESSION, bearer, parameters, sign_out, with_session
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    TENANT,
    CannedResponse,
    MisbehavingProvider,
)


class TestBySession:
    def test_ends_it_and_sends_the_id_token_as_a_hint(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        with_session(browser, app)
        response = sign_out(browser, app, {"redirect_uri": ALLOWED_ORIGIN + "/bye"}, origin=app.base)
        assert response.json()["logout_url"].startswith(provider.issuer + "/end_session?")
        sent = parameters(response)
        assert sent["client_id"] == CLIENT_ID
        assert sent["post_logout_redirect_uri"] == ALLOWED_ORIGIN + "/bye"
        assert sent["id_token_hint"].count(".") == 2
        assert response.headers["cache-control"] == "no-store"
        assert not app.store.rows
        assert not browser.cookies

    def test_returns_to_the_home_page_by_default(self, browser: Browser, app: LoginApp) -> None:
        with_session(browser, app)
        assert parameters(sign_out(browser, app, origin=app.base))["post_logout_redirect_uri"] == app.base + "/"

    def test_needs_no_body(self, browser: Browser, app: LoginApp) -> None:
        with_session(browser, app)
        response = browser.post(app.logout_url, b"", media_type="application/json", headers={"origin": app.base})
        assert parameters(response)["post_logout_redirect_uri"] == app.base + "/"
        assert "id_token_hint" in parameters(response)
        assert not app.store.rows
        assert not browser.cookies

    @pytest.mark.parametrize(
        ("headers", "allowed"),
        [
            pytest.param(lambda app: {"origin": app.base}, True, id="own-origin"),
            pytest.param(lambda app: {"origin": ALLOWED_ORIGIN}, True, id="allowed-origin"),
            pytest.param(lambda app: {"sec-fetch-site": "same-origin"}, True, id="same-origin-by-fetch-metadata"),
            pytest.param(lambda app: {"origin": "https://evil.example"}, False, id="foreign-origin"),
            pytest.param(lambda app: {"origin": "null"}, False, id="opaque-origin"),
            pytest.param(lambda app: {"origin": app.base + ".evil.example"}, False, id="suffix"),
            pytest.param(lambda app: {"sec-fetch-site": "cross-site"}, False, id="cross-site"),
            pytest.param(lambda app: {"sec-fetch-site": "same-site"}, False, id="sibling-subdomain"),
            pytest.param(lambda app: {}, False, id="neither"),
        ],
    )
    def test_only_from_the_same_site(
        self, headers: Callable[[LoginApp], dict[str, str]], allowed: bool, browser: Browser, app: LoginApp
    ) -> None:
        with_session(browser, app)
        response = sign_out(browser, app, **headers(app))
        if allowed:
            assert response.status_code == 200
            assert not app.store.rows
        else:
            assert (response.status_code, code_of(response)) == (403, "AUTH_021")
            assert len(app.store.rows) == 1
            assert browser.named(SESSION)

    @pytest.mark.parametrize(
        "cookie", [f"{TENANT}.{'x' * 43}", "", "nonsense", "." * 50, "a.b", f"{TENANT}.{'x' * 2000}"]
    )
    def test_an_ended_or_unknown_session_signs_out_too(self, cookie: str, browser: Browser, app: LoginApp) -> None:
        browser.cookies["127.0.0.1", "/", SESSION] = cookie
        sent = parameters(sign_out(browser, app, origin=app.base))
        assert "id_token_hint" not in sent
        assert sent["client_id"] == CLIENT_ID
        assert not browser.cookies

    def test_twice(self, browser: Browser, app: LoginApp) -> None:
        with_session(browser, app)
        kept = dict(browser.cookies)
        assert sign_out(browser, app, origin=app.base).status_code == 200
        browser.cookies |= kept
        assert "id_token_hint" not in parameters(sign_out(browser, app, origin=app.base))

    def test_a_refused_target_does_not_end_it(self, browser: Browser, app: LoginApp) -> None:
        with_session(browser, app)
        response = sign_out(browser, app, {"redirect_uri": "https://evil.example/"}, origin=app.base)
        assert (response.status_code, code_of(response)) == (400, "AUTH_006")
        assert len(app.store.rows) == 1
        assert browser.named(SESSION)

    def test_a_database_that_is_down_does_not_end_it(self, browser: Browser, app: LoginApp) -> None:
        with_session(browser, app)
        app.store.broken = DatabaseUnreachable("connection refused")
        response = sign_out(browser, app, origin=app.base)
        assert (response.status_code, code_of(response)) == (503, "SYS_001")
        assert browser.named(SESSION)

    def test_an_unreachable_provider_is_reported_after_the_session_ended(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        with_session(browser, app)
        provider_directory()._kept.clear()  # as in a process that never asked
        provider.responses["/.well-known/openid-configuration"] = CannedResponse(status=503)
        response = sign_out(browser, app, origin=app.base)
        assert (response.status_code, code_of(response)) == (502, "SYS_004")
        assert "signed out here" in response.json()["error"]["detail"]
        assert not app.store.rows
        assert not browser.cookies

    def test_a_cache_that_is_down_is_reported_and_the_sign_out_can_be_completed(
        self, browser: Browser, app: LoginApp
    ) -> None:
        with_session(browser, app)
        app.cache = SessionCache(RecordingCache(down=True), SessionPolicy())
        response = sign_out(browser, app, origin=app.base)
        assert (response.status_code, code_of(response)) == (503, "SYS_005")
        assert "not yet everywhere" in response.json()["error"]["detail"]
        assert not app.store.rows
        assert browser.named(SESSION)
        app.cache = SessionCache(cache := RecordingCache(), SessionPolicy())
        assert sign_out(browser, app, origin=app.base).status_code == 200
        ((_, _, written, _),) = cache.calls
        assert written == TOMBSTONE
        assert not browser.cookies


def test_needs_a_credential(browser: Browser, app: LoginApp) -> None:
    for headers in ({}, {"origin": app.base}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer"}):
        response = sign_out(browser, app, **headers)
        assert (response.status_code, code_of(response)) == (401, "AUTH_007")
        assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_provider_without_an_end_session_endpoint(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_metadata = lambda metadata: {n: metadata[n] for n in metadata if n != "end_session_endpoint"}
    response = sign_out(browser, app, {"redirect_uri": ALLOWED_ORIGIN + "/bye"}, **bearer(provider.access_token()))
    assert response.json() == {"logout_url": ALLOWED_ORIGIN + "/bye"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"redirect_uri": 1}, "VAL_001", id="number"),
        pytest.param({"redirect_uri": ALLOWED_ORIGIN, "state": "x"}, "VAL_001", id="unknown-member"),
        pytest.param([], "VAL_001", id="array"),
        pytest.param({"redirect_uri": ""}, "AUTH_006", id="empty"),
        pytest.param({"redirect_uri": "/"}, "AUTH_006", id="path"),
        pytest.param({"redirect_uri": "javascript:alert(1)"}, "AUTH_006", id="script"),
        pytest.param({"redirect_uri": ALLOWED_ORIGIN + ":80/"}, "AUTH_006", id="port"),
    ],
)
def test_the_body_is_strict(
    body: object, code: str, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    assert code_of(sign_out(browser, app, body, **bearer(provider.access_token()))) == code
