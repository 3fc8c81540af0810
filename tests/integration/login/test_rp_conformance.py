"""The OpenID Foundation's relying-party modules, basic and config: each test has its module's name.

The relying party is the whole application under uvicorn; the provider is a real HTTP server with real keys that
misbehaves as the module says (`oidcc-client-test-…` of the conformance suite).
"""

import time

import pytest

from tenantgate.errors.tokens import IdTokenRefused
from tenantgate.login.provider.client import ProviderClient
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tests.fixtures.browsers.scripted import Browser, location
from tests.fixtures.login.app import LoginApp, code_of, redeem, returned_to, running_login_app, sign_in
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    CLIENT_SECRET,
    SUBJECT,
    TENANT,
    Claims,
    MisbehavingProvider,
    basic_credentials,
    ec_key,
    rsa_key,
    signed,
    unsigned,
)


def validated(browser: Browser, app: LoginApp, access_token: str) -> Claims:
    response = browser.get(app.base + "/api/v1/auth/validate", headers={"authorization": f"Bearer {access_token}"})
    assert response.status_code == 200, response.text
    claims: Claims = response.json()
    return claims


def refused(browser: Browser, app: LoginApp) -> str:
    """Return the error code of the sign-in, which is the same in both forms of the callback."""
    posted = sign_in(browser, app)
    got = browser.get(returned_to(browser, app), accept="application/json")
    assert posted.status_code == got.status_code
    assert code_of(posted) == code_of(got)
    assert not browser.named("__Host-tg_session")
    return code_of(posted)


class TestBasic:
    def test_base(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        response = sign_in(browser, app)
        assert response.status_code == 200, response.text
        token = response.json()
        assert set(token) == {"access_token", "token_type", "expires_in"}
        assert token["token_type"] == "Bearer"
        assert 1790 <= token["expires_in"] <= 1800
        assert validated(browser, app, token["access_token"]) == {
            "valid": True,
            "user_id": SUBJECT,
            "tenant_id": TENANT,
            "expires_at": pytest.approx(time.time() + 1800, abs=10),
        }
        (authorization,) = provider.asked("/authorize")
        assert authorization.query["response_type"] == "code"
        assert authorization.query["client_id"] == CLIENT_ID
        assert authorization.query["scope"].split()[0] == "openid"
        assert authorization.query["redirect_uri"] == app.callback_url
        assert authorization.query["code_challenge_method"] == "S256"

    def test_invalid_iss(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_id_token = lambda claims: claims | {"iss": provider.issuer + "/"}
        assert refused(browser, app) == "AUTH_008"

    def test_missing_sub(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_id_token = lambda claims: {name: claims[name] for name in claims if name != "sub"}
        assert refused(browser, app) == "AUTH_008"

    def test_invalid_aud(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_id_token = lambda claims: claims | {"aud": "another-client"}
        assert refused(browser, app) == "AUTH_008"

    def test_missing_iat(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_id_token = lambda claims: {name: claims[name] for name in claims if name != "iat"}
        assert refused(browser, app) == "AUTH_008"

    def test_kid_absent_single_jwks(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.rotate(rsa_key(None))
        assert sign_in(browser, app).status_code == 200

    def test_kid_absent_multiple_jwks(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        # The module allows refusing the token, or trying every matching key. A token that none signed must be refused.
        provider.published = [rsa_key("other").jwk, ec_key("third").jwk, rsa_key("first").jwk]
        provider.sign_id_token = lambda claims: signed(claims, rsa_key("first"), kid=None)
        response = sign_in(browser, app)
        assert response.status_code == 200 or code_of(response) == "AUTH_008"
        provider.sign_id_token = lambda claims: signed(claims, rsa_key("not published"), kid=None)
        assert refused(browser, app) == "AUTH_008"

    def test_idtoken_sig_rs256(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        assert provider.key.alg == "RS256"
        assert sign_in(browser, app).status_code == 200

    def test_idtoken_sig_none(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        # The module allows a client that did not register for `none` to refuse it.
        provider.sign_id_token = unsigned
        assert refused(browser, app) == "AUTH_008"

    def test_invalid_sig_rs256(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.sign_id_token = lambda claims: signed(claims, rsa_key("not published"), kid="first")
        assert refused(browser, app) == "AUTH_008"

    @pytest.mark.anyio
    async def test_userinfo_invalid_sub(self, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.userinfo = {"sub": "somebody else", "email": "demo@example.test"}
        with pytest.raises(IdTokenRefused, match="another subject"):
            await userinfo(app, provider)

    def test_nonce_invalid(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_id_token = lambda claims: claims | {"nonce": claims["nonce"][:-1]}
        assert refused(browser, app) == "AUTH_008"

    @pytest.mark.anyio
    async def test_scope_userinfo_claims(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        assert sign_in(browser, app).status_code == 200
        assert provider.asked("/authorize")[0].query["scope"].split() == ["openid", "profile", "email"]
        claims = await userinfo(app, provider)
        assert claims == {"sub": SUBJECT, "email": "demo@example.test", "name": "Demo"}
        assert provider.asked("/userinfo")[0].headers["authorization"].startswith("Bearer ")

    def test_client_secret_basic(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        assert sign_in(browser, app).status_code == 200
        (request,) = provider.asked("/token")
        assert basic_credentials(request.headers["authorization"]) == (CLIENT_ID, CLIENT_SECRET)
        assert "client_secret" not in request.form


class TestConfig:
    def test_discovery_openid_config(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_metadata = lambda metadata: (
            metadata | {"authorization_endpoint": provider.issuer + "/elsewhere?a=b"}
        )
        started = browser.get(app.login_url)
        assert len(provider.asked("/.well-known/openid-configuration")) == 1
        assert location(started).startswith(provider.issuer + "/elsewhere?a=b&")

    def test_discovery_jwks_uri_keys(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        assert sign_in(browser, app).status_code == 200
        assert len(provider.asked("/jwks")) == 1

    def test_discovery_issuer_mismatch(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_metadata = lambda metadata: metadata | {"issuer": provider.issuer + "/other"}
        response = browser.get(app.login_url, accept="application/json")
        assert response.status_code == 502
        assert code_of(response) == "SYS_004"
        assert not browser.cookies

    def test_idtoken_sig_none(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        provider.edit_metadata = lambda metadata: (
            metadata | {"id_token_signing_alg_values_supported": ["RS256", "none"]}
        )
        provider.sign_id_token = unsigned
        assert refused(browser, app) == "AUTH_008"

    def test_signing_key_rotation_just_before_signing(
        self, browser: Browser, app: LoginApp, provider: MisbehavingProvider
    ) -> None:
        assert sign_in(browser, app).status_code == 200
        url = returned_to(browser, app)
        provider.before_signing = lambda: provider.rotate(rsa_key("second"), keep_published=True)
        assert redeem(browser, app, url).status_code == 200

    def test_signing_key_rotation(self, browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
        assert sign_in(browser, app).status_code == 200
        provider.rotate(rsa_key("second"))
        assert sign_in(browser, app).status_code == 200


async def userinfo(app: LoginApp, provider: MisbehavingProvider) -> Claims:
    """Call the endpoint as the registered client. A sign-in doesn't: identity comes only from verified tokens."""
    registration = ClientRegistration(client_id=CLIENT_ID, scopes=app.settings.oidc_scopes)
    client = ProviderClient(registration, _NoSecret())
    metadata = ProviderMetadata.from_document(provider.metadata())
    return dict(await client.userinfo(metadata, access_token=provider.access_token(), subject=SUBJECT))


class _NoSecret:
    async def get(self, name: str) -> str:
        raise AssertionError(f"userinfo needs no {name}")

    def invalidate(self) -> None:
        raise AssertionError("userinfo needs no secret")


def test_client_secret_post_when_the_provider_supports_only_that(
    provider: MisbehavingProvider, browser: Browser
) -> None:
    provider.edit_metadata = lambda metadata: (
        metadata | {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
    )
    with running_login_app(provider.issuer) as app:
        assert sign_in(browser, app).status_code == 200
    (request,) = provider.asked("/token")
    assert (request.form["client_id"], request.form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
    assert "authorization" not in request.headers
