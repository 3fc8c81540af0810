"""The tokens of a session that signed out are revoked at the provider."""

import time

import pytest

from tenantgate.login.service.logout import REVOCATION_SECONDS
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.recording_cache import RecordingCache
from tests.fixtures.login.app import LoginApp
from tests.fixtures.login.sign_outs import SESSION, parameters, sign_out, with_session
from tests.fixtures.providers.misbehaving import (
    TENANT,
    CannedResponse,
    MisbehavingProvider,
)


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
