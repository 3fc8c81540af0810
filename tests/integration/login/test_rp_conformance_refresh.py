"""The OpenID Foundation's relying-party modules for refresh: each test has its module's name."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import ALLOWED_ORIGIN, LoginApp, code_of, sign_in
from tests.fixtures.providers.misbehaving import MisbehavingProvider, rsa_key, signed, unsigned


@pytest.fixture
def provider() -> Iterator[MisbehavingProvider]:
    with MisbehavingProvider() as running:
        running.issues_refresh_tokens = True
        yield running


def refresh(browser: Browser, app: LoginApp) -> httpx2.Response:
    return browser.post(app.refresh_url, b"", media_type="application/json", headers={"origin": ALLOWED_ORIGIN})


def ended(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> bool:
    """Tell whether a refresh ends the session here, and its grant at the provider."""
    response = refresh(browser, app)
    assert (response.status_code, code_of(response)) == (401, "AUTH_020")
    assert not app.store.rows
    assert not browser.named("__Host-tg_session")
    return provider.refresh_tokens == {}


def test_refresh_token(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    first = sign_in(browser, app).json()["access_token"]
    cookie = browser.named("__Host-tg_session")
    response = refresh(browser, app)
    assert response.status_code == 200, response.text
    assert set(response.json()) == {"access_token", "token_type", "expires_in"}
    assert response.json()["access_token"] != first
    assert 1790 <= response.json()["expires_in"] <= 1800
    assert browser.named("__Host-tg_session") != cookie
    assert [request.form["grant_type"] for request in provider.asked("/token")] == [
        "authorization_code",
        "refresh_token",
    ]


@pytest.mark.parametrize("changes", [{"refresh_token"}, {"id_token"}, {"refresh_token", "id_token", "expires_in"}])
def test_refresh_token_with_fewer_members(
    changes: set[str], browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    """Members that the response leaves out stay (RFC 6749 §6, OpenID Connect Core §12.2)."""
    provider.rotates_refresh_tokens = False
    sign_in(browser, app)
    provider.edit_token_response = lambda response: {
        name: value for name, value in response.items() if name not in changes
    }
    for _ in range(3):
        assert refresh(browser, app).status_code == 200
        app.clock.offset += 10
    assert len(provider.asked("/token")) == 4


def test_refresh_token_invalid_issuer(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    sign_in(browser, app)
    provider.edit_id_token = lambda claims: claims | {"iss": provider.issuer + "/other"}
    assert ended(browser, app, provider)


def test_refresh_token_invalid_sub(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    sign_in(browser, app)
    provider.edit_id_token = lambda claims: claims | {"sub": "user-2"}
    assert ended(browser, app, provider)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": "another-client"}, id="another-audience"),
        pytest.param({"azp": "another-client"}, id="another-party"),
        pytest.param({"nonce": "another"}, id="another-nonce"),
        pytest.param({"at_hash": "another"}, id="another-access-token"),
        pytest.param({"exp": 1}, id="expired"),
    ],
)
def test_refresh_token_invalid_claims(
    changes: dict[str, object], browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    sign_in(browser, app)
    provider.edit_id_token = lambda claims: claims | changes
    assert ended(browser, app, provider)


def test_refresh_token_without_a_good_signature(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    forged = rsa_key("first", 2)
    for sign in (unsigned, lambda claims: signed(claims, forged)):
        provider.sign_id_token = lambda claims: signed(claims, provider.key)
        assert sign_in(browser, app).status_code == 200
        provider.sign_id_token = sign
        assert ended(browser, app, provider)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sub": "user-2"}, id="another-user"),
        pytest.param({"tenant_id": "org-3f0c2f5e-7f6b-4c59-9d0a-0f2f4b1b7c12"}, id="another-tenant"),
        pytest.param({"tenant_id": None}, id="no-tenant"),
    ],
)
def test_an_access_token_of_someone_else_ends_the_session(
    changes: dict[str, object], browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    sign_in(browser, app)
    provider.edit_access_token = lambda claims: {
        name: value for name, value in (claims | changes).items() if value is not None
    }
    assert ended(browser, app, provider)


def test_an_access_token_that_is_unusable_leaves_the_session(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    sign_in(browser, app)
    provider.edit_access_token = lambda claims: claims | {"aud": "https://other.example.test"}
    response = refresh(browser, app)
    assert (response.status_code, code_of(response)) == (502, "AUTH_009")
    assert response.headers["x-csrf-token"]
    provider.edit_access_token = dict
    assert refresh(browser, app).status_code == 200, "the refresh token of the failed attempt was kept"


def test_a_later_sign_in_at_the_provider_is_not_one_of_the_session(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    sign_in(browser, app)
    (before,) = app.store.rows.values()
    provider.edit_id_token = lambda claims: claims | {"auth_time": claims["auth_time"] + 30}
    assert refresh(browser, app).status_code == 200
    (after,) = app.store.rows.values()
    assert (after.auth_time, after.provider_auth_time) == (before.auth_time, before.provider_auth_time)
    assert after.id == before.id
