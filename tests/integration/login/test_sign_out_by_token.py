"""Sign-outs by bearer token."""

from collections.abc import Callable

import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import ALLOWED_ORIGIN, LoginApp, code_of, sign_in
from tests.fixtures.login.sign_outs import bearer, parameters, sign_out, with_session
from tests.fixtures.providers.misbehaving import (
    CLIENT_ID,
    Claims,
    MisbehavingProvider,
    rsa_key,
    signed,
)


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


def test_the_token_of_a_sign_in_signs_out(browser: Browser, app: LoginApp) -> None:
    token = sign_in(browser, app).json()["access_token"]
    assert sign_out(browser, app, **bearer(token)).status_code == 200
