"""Sign-outs by session cookie or bearer token, and the URL that the browser is sent to."""

import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.identity.session_entry import TOMBSTONE
from tenantgate.login.service.logout import REVOCATION_SECONDS
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy
from tenantgate.tokens.discovery import provider_directory
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.recording_cache import RecordingCache
from tests.fixtures.login.app import ALLOWED_ORIGIN, LoginApp, code_of, returned_to, sign_in
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    TENANT,
    CannedResponse,
    Claims,
    MisbehavingProvider,
    rsa_key,
    signed,
)

SESSION = "__Host-tg_session"


def with_session(browser: Browser, app: LoginApp) -> None:
    assert browser.get(returned_to(browser, app)).status_code == 303
    assert browser.named(SESSION)


def sign_out(browser: Browser, app: LoginApp, body: object = None, **headers: str) -> httpx2.Response:
    return browser.post_json(app.logout_url, body if body is not None else {}, headers=headers)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def parameters(response: httpx2.Response) -> dict[str, str]:
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"logout_url"}
    return {name: values[0] for name, values in parse_qs(urlsplit(response.json()["logout_url"]).query).items()}


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


class TestByToken:
    def test_needs_no_session(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        sent = parameters(
            sign_out(browser, app, {"redirect_uri": ALLOWED_ORIGIN + "/"}, **bearer(provider.access_token()))
        )
        assert sent == {"client_id": CLIENT_ID, "post_logout_redirect_uri": ALLOWED_ORIGIN + "/"}

    def test_an_expired_but_valid_token_signs_out(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_access_token = lambda claims: (
            claims | {"iat": claims["iat"] - 86400, "exp": claims["iat"] - 84600}
        )
        token = provider.access_token()
        refused = browser.get(app.base + "/api/v1/auth/validate", headers=bearer(token))
        assert code_of(refused) == "AUTH_003"
        assert sign_out(browser, app, **bearer(token)).status_code == 200

    @pytest.mark.parametrize(
        "forge",
        [
            pytest.param(lambda c, p: signed(c, rsa_key("not published"), kid="first", typ="at+jwt"), id="signature"),
            pytest.param(lambda c, p: signed(c | {"aud": "another"}, p.key, typ="at+jwt"), id="audience"),
            pytest.param(lambda c, p: signed(c | {"iss": "https://evil.example"}, p.key, typ="at+jwt"), id="issuer"),
            pytest.param(lambda c, p: signed(c | {"nonce": "x", "at_hash": "y"}, p.key), id="id-token"),
            pytest.param(lambda c, p: signed(c, p.key, typ="logout+jwt"), id="logout-token"),
        ],
    )
    def test_a_forged_token_does_not_sign_out(
        self,
        forge: Callable[[Claims, MisbehavingProvider], str],
        browser: Browser,
        app: LoginApp,
        provider: MisbehavingProvider,
    ) -> None:
        for age in (0, 86400):
            made: list[Claims] = []

            def aged(claims: Claims, age: int = age, made: list[Claims] = made) -> Claims:
                made.append(claims | {"iat": claims["iat"] - age, "exp": claims["exp"] - age})
                return made[0]

            provider.edit_access_token = aged
            provider.access_token()
            response = sign_out(browser, app, **bearer(forge(made[0], provider)))
            assert (response.status_code, code_of(response)) == (401, "AUTH_004")
            assert response.headers["www-authenticate"].startswith('Bearer realm="tenantgate", error="invalid_token"')

    def test_with_a_session_cookie_ends_the_session_too(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        with_session(browser, app)
        assert "id_token_hint" in parameters(sign_out(browser, app, **bearer(provider.access_token())))
        assert not app.store.rows
        assert not browser.cookies

    def test_a_forged_token_with_a_session_cookie_ends_nothing(self, browser: Browser, app: LoginApp) -> None:
        with_session(browser, app)
        assert code_of(sign_out(browser, app, origin="https://evil.example", **bearer("e30.e30.x"))) == "AUTH_004"
        assert len(app.store.rows) == 1

    def test_ends_the_sessions_of_its_sid(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_id_token = lambda claims: claims | {"sid": "a"}
        with_session(browser, app)
        provider.edit_id_token = lambda claims: claims | {"sid": "b"}
        with Browser() as other:
            with_session(other, app)
        assert len(app.store.rows) == 2
        provider.edit_access_token = lambda claims: claims | {"sid": "a"}
        with Browser() as client:
            assert "id_token_hint" in parameters(sign_out(client, app, **bearer(provider.access_token())))
        assert len(app.store.rows) == 1

    @pytest.mark.parametrize("edits", [{"sid": "a", "sub": "another"}, {"sid": "b"}, {"sid": 7}, {"sid": ["a"]}])
    def test_ends_no_other_session(
        self, edits: Claims, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        provider.edit_id_token = lambda claims: claims | {"sid": "a"}
        with_session(browser, app)
        provider.edit_access_token = lambda claims: claims | edits
        with Browser() as client:
            assert sign_out(client, app, **bearer(provider.access_token())).status_code == 200
        assert len(app.store.rows) == 1


class TestRevocation:
    """RFC 7009."""

    @pytest.fixture(autouse=True)
    def _refresh_tokens(self, provider: MisbehavingProvider) -> None:
        provider.issues_refresh_tokens = True

    def test_revokes_the_tokens_of_the_session(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        with_session(browser, app)
        ((refresh_token, _),) = provider.refresh_tokens.items()
        assert sign_out(browser, app, origin=app.base).status_code == 200
        sent = {request.form["token_type_hint"]: request.form["token"] for request in provider.asked("/revoke")}
        assert sent["refresh_token"] == refresh_token
        assert sent["access_token"].count(".") == 2
        assert not provider.refresh_tokens

    def test_revokes_the_tokens_of_a_session_that_ended_only_in_part(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        with_session(browser, app)
        app.cache = SessionCache(RecordingCache(down=True), SessionPolicy())
        assert sign_out(browser, app, origin=app.base).status_code == 503
        assert not provider.refresh_tokens

    def test_revokes_nothing_without_a_session(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        browser.cookies["127.0.0.1", "/", SESSION] = f"{TENANT}.{'x' * 43}"
        assert sign_out(browser, app, origin=app.base).status_code == 200
        assert not provider.asked("/revoke")

    @pytest.mark.parametrize(
        "response",
        [
            pytest.param(CannedResponse(status=503), id="unavailable"),
            pytest.param(CannedResponse.of_json({"error": "invalid_client"}, 401), id="refused"),
            pytest.param(CannedResponse(status=200, body=b"x" * 300_000), id="oversized"),
            pytest.param(CannedResponse(status=302, headers={"Location": "http://127.0.0.1:1/"}), id="redirect"),
        ],
    )
    def test_a_failure_does_not_keep_the_user_signed_in(
        self, response: CannedResponse, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        with_session(browser, app)
        provider.responses["/revoke"] = response
        assert "id_token_hint" in parameters(sign_out(browser, app, origin=app.base))
        assert not app.store.rows
        assert not browser.cookies

    def test_a_silent_provider_delays_the_sign_out_for_three_seconds_at_most(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        with_session(browser, app)
        provider.responses["/revoke"] = CannedResponse(hold=provider.hold())
        began = time.monotonic()
        assert "id_token_hint" in parameters(sign_out(browser, app, origin=app.base))
        assert time.monotonic() - began < REVOCATION_SECONDS + 2
        assert not app.store.rows


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


def test_the_token_of_a_sign_in_signs_out(browser: Browser, app: LoginApp) -> None:
    token = sign_in(browser, app).json()["access_token"]
    assert sign_out(browser, app, **bearer(token)).status_code == 200
