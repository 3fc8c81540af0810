"""Tokens of the provider that a sign-in refuses."""

from collections.abc import Callable

import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import (
    LoginApp,
    code_of,
    sign_in,
)
from tests.fixtures.providers.misbehaving import (
    TENANT,
    Claims,
    MisbehavingProvider,
    half_hash,
    rsa_key,
    signed,
)


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
        provider.edit_token_response = lambda response: {
            name: response[name] for name in response if name != "id_token"
        }
        response = sign_in(browser, app)
        assert (response.status_code, code_of(response)) == (400, "AUTH_008")

    def test_of_an_earlier_sign_in(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        seen: list[str] = []

        def remember(response: Claims) -> Claims:
            seen.append(response["id_token"])
            return response | {"id_token": seen[0]}

        provider.edit_token_response = remember
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
        provider.edit_token_response = lambda response: response | {"access_token": token}
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
