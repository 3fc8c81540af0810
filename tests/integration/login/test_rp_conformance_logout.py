"""The OpenID Foundation's relying-party modules of logout: each test has its module's name.

RP-Initiated Logout 1.0 (`oidcc-client-test-rp-init-logout…`) and Back-Channel Logout 1.0
(`oidcc-client-test-backchannel…`). The provider is a real HTTP server with real keys.
"""

from __future__ import annotations

import secrets

import httpx2
import jwt
import pytest

from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.login.app import LoginApp, code_of, returned_to
from tests.fixtures.providers.misbehaving import Edit, MisbehavingProvider, rsa_key, unsigned

SESSION = "__Host-tg_session"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def signed_in(browser: Browser, app: LoginApp) -> Browser:
    assert browser.get(returned_to(browser, app)).status_code == 303
    assert browser.named(SESSION)
    return browser


class TestLogout:
    def sign_out(self, browser: Browser, app: LoginApp) -> httpx2.Response:
        """Sign out, follow the browser to the provider, and return the response to its redirect."""
        target = app.base + "/api/v1/auth/validate"
        response = browser.post_json(app.logout_url, {"redirect_uri": target}, headers={"origin": app.base})
        assert response.status_code == 200, response.text
        back = location(browser.get(response.json()["logout_url"]))
        assert back.split("?")[0] == target
        return browser.get(back, accept="application/json")

    def is_signed_out(self, response: httpx2.Response, browser: Browser, app: LoginApp) -> None:
        assert (response.status_code, code_of(response)) == (401, "AUTH_007")
        assert not app.store.rows
        assert not browser.cookies

    def test_rp_init_logout(self, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        self.is_signed_out(self.sign_out(signed_in, app), signed_in, app)
        (request,) = provider.asked("/end_session")
        assert request.query["id_token_hint"].count(".") == 2
        assert jwt.decode(request.query["id_token_hint"], options={"verify_signature": False})["iss"] == provider.issuer

    def test_rp_init_logout_other_state(self, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        """The session ends before the browser leaves, so no state is sent, and one that comes back is ignored."""
        provider.edit_logout_response = lambda response: response | {"state": secrets.token_urlsafe(8)}
        self.is_signed_out(self.sign_out(signed_in, app), signed_in, app)

    def test_rp_init_logout_no_state(self, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        self.is_signed_out(self.sign_out(signed_in, app), signed_in, app)
        (request,) = provider.asked("/end_session")
        assert "state" not in request.query

    def test_the_response_of_a_logout_at_the_callback_starts_no_session(
        self, signed_in: Browser, app: LoginApp
    ) -> None:
        self.sign_out(signed_in, app)
        response = signed_in.get(app.callback_url + "?state=other", accept="application/json")
        assert code_of(response) == "AUTH_002"
        assert not app.store.rows


class TestBackChannel:
    def deliver(self, app: LoginApp, token: str) -> httpx2.Response:
        with Browser() as provider:
            response = provider.submit(app.backchannel_logout_url, {"logout_token": token})
        assert response.headers["cache-control"] == "no-store"
        assert "set-cookie" not in response.headers
        return response

    def refuses(self, app: LoginApp, token: str) -> None:
        response = self.deliver(app, token)
        assert response.status_code == 400
        assert response.json()["error"] == "invalid_request"
        assert set(response.json()) == {"error", "error_description"}
        assert token not in response.text
        assert len(app.store.rows) == 1

    def test_base(self, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        response = self.deliver(app, provider.logout_token())
        assert (response.status_code, response.content) == (200, b"")
        assert not app.store.rows

    def test_alg_none(self, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        claims = jwt.decode(provider.logout_token(), options={"verify_signature": False})
        self.refuses(app, unsigned(claims))

    def test_wrong_alg(self, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        claims = jwt.decode(provider.logout_token(), options={"verify_signature": False})
        self.refuses(app, jwt.encode(claims, provider.published[0]["n"], "HS256", headers={"typ": "logout+jwt"}))
        self.refuses(app, provider.logout_token(alg="RS512"))

    @pytest.mark.parametrize(
        "edit",
        [
            pytest.param(lambda claims: {n: claims[n] for n in claims if n != "events"}, id="no-event"),
            pytest.param(lambda claims: claims | {"events": {EVENT + "/other": {}}}, id="wrong-event"),
            pytest.param(lambda claims: claims | {"nonce": "n"}, id="with-nonce"),
            pytest.param(lambda claims: claims | {"aud": "another client"}, id="wrong-aud"),
            pytest.param(lambda claims: claims | {"iss": claims["iss"] + "/other"}, id="wrong-iss"),
        ],
    )
    def test_claims(self, edit: Edit, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        self.refuses(app, provider.logout_token(edit=edit))

    def test_signature(self, signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        self.refuses(app, provider.logout_token(key=rsa_key("not published"), kid="first"))

    def test_discovery(self, app: LoginApp, provider: MisbehavingProvider) -> None:
        """The keys come from the discovery document, and a key rotation is noticed."""
        provider.rotate(rsa_key("second"))
        assert self.deliver(app, provider.logout_token()).status_code == 200
        assert provider.asked("/.well-known/openid-configuration")


def test_a_logout_token_is_not_a_credential(signed_in: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    """§4.1: no confusion between the kinds of JWTs."""
    token = provider.logout_token(edit=lambda claims: claims | {"aud": provider.audience, "tenant_id": "org-1"})
    for typ in ("logout+jwt", "JWT", "at+jwt"):
        retyped = provider.logout_token(edit=lambda claims: claims | {"aud": provider.audience}, typ=typ)
        for text in (token, retyped):
            response = signed_in.get(app.base + "/api/v1/auth/validate", headers={"authorization": f"Bearer {text}"})
            assert (response.status_code, code_of(response)) == (401, "AUTH_004")
