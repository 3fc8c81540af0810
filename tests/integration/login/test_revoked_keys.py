"""Tokens by a revoked key, over HTTP: they begin, renew and end nothing, whether or not they name the key."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tenantgate.errors.revocation import RevocationUnknown
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import ALLOWED_ORIGIN, LoginApp, code_of, sign_in
from tests.fixtures.providers.misbehaving import MisbehavingProvider, ec_key, signed

COOKIE = "__Host-tg_session"
# The only key of its algorithm, so that a token without `kid` is verified, too.
STOLEN = ec_key("stolen")

type Resign = Callable[..., None]


@pytest.fixture
def provider() -> Iterator[MisbehavingProvider]:
    with MisbehavingProvider() as running:
        running.issues_refresh_tokens = True
        running.published.append(STOLEN.jwk)
        # It names the other token by its text, which `resign` changes.
        running.edit_id_token = lambda claims: {name: claims[name] for name in claims if name != "at_hash"}
        yield running


@pytest.fixture
def app(app: LoginApp, provider: MisbehavingProvider) -> LoginApp:
    app.keys.names.add((provider.issuer, "stolen"))
    return app


@pytest.fixture(params=["stolen", None], ids=["named", "unnamed"])
def kid(request: pytest.FixtureRequest) -> str | None:
    """The `kid` in the header of a token that the stolen key signed."""
    name: str | None = request.param
    return name


@pytest.fixture
def resign(provider: MisbehavingProvider, kid: str | None) -> Resign:
    """Have the provider's next tokens of these names signed by the stolen key."""

    def resign(*names: str) -> None:
        provider.edit_token_response = lambda response: (
            response
            | {
                name: signed(
                    claims_of(response[name]), STOLEN, kid=kid, **({"typ": "at+jwt"} if "access" in name else {})
                )
                for name in names
            }
        )

    return resign


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def refresh(browser: Browser, app: LoginApp) -> httpx2.Response:
    headers = {"origin": ALLOWED_ORIGIN, "cookie": f"{COOKIE}={browser.named(COOKIE)[COOKIE]}"}
    return httpx2.post(app.refresh_url, headers=headers)


def sign_out(app: LoginApp, token: str) -> httpx2.Response:
    return httpx2.post(app.logout_url, json={}, headers={"authorization": f"Bearer {token}"})


def send_logout_token(app: LoginApp, token: str) -> httpx2.Response:
    return httpx2.post(app.backchannel_logout_url, data={"logout_token": token})


def _with_sid(claims: dict[str, Any]) -> dict[str, Any]:
    return claims | {"sid": "sid-1"}


@pytest.mark.parametrize(("name", "code"), [("id_token", "AUTH_008"), ("access_token", "AUTH_009")])
def test_no_session_begins(name: str, code: str, *, browser: Browser, app: LoginApp, resign: Resign) -> None:
    resign(name)
    response = sign_in(browser, app)
    assert (response.status_code, code_of(response)) == (400 if code == "AUTH_008" else 502, code)
    assert not app.store.rows
    app.keys.names.clear()
    assert sign_in(browser, app).status_code == 200


def test_no_session_is_renewed_by_its_access_token(browser: Browser, app: LoginApp, resign: Resign) -> None:
    assert sign_in(browser, app).status_code == 200
    resign("access_token")
    response = refresh(browser, app)
    assert code_of(response) == "AUTH_009"
    assert "set-cookie" not in response.headers
    # The session stays: the provider may sign with another key, or the operator accept this one again.
    resign()
    assert refresh(browser, app).status_code == 200


def test_an_id_token_ends_the_session_that_it_would_renew(browser: Browser, app: LoginApp, resign: Resign) -> None:
    assert sign_in(browser, app).status_code == 200
    resign("id_token")
    assert (response := refresh(browser, app)).status_code == 401
    assert code_of(response) == "AUTH_020"
    assert not app.store.rows


def test_a_bearer_token_ends_no_session(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider, kid: str | None
) -> None:
    provider.edit_id_token = _with_sid
    assert sign_in(browser, app).status_code == 200
    token = signed(_with_sid(claims_of(provider.access_token())), STOLEN, kid=kid, typ="at+jwt")
    response = sign_out(app, token)
    assert (response.status_code, code_of(response)) == (401, "AUTH_030")
    assert (len(app.store.rows), app.revoked) == (1, [])
    app.keys.names.clear()
    assert sign_out(app, token).status_code == 200
    assert not app.store.rows


def test_a_logout_token_ends_no_session(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider, kid: str | None
) -> None:
    assert sign_in(browser, app).status_code == 200
    token = provider.logout_token(key=STOLEN, kid=kid)
    response = send_logout_token(app, token)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert len(app.store.rows) == 1
    # It isn't used up: an operator may accept the key again.
    app.keys.names.clear()
    assert send_logout_token(app, token).status_code == 200
    assert not app.store.rows


def test_without_a_recent_list_nothing_begins_or_ends(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    assert sign_in(browser, app).status_code == 200
    app.keys.unknown = RevocationUnknown("too old")
    responses = [
        refresh(browser, app),
        sign_out(app, provider.access_token()),
        send_logout_token(app, provider.logout_token()),
        sign_in(browser, app),
    ]
    assert [(response.status_code, code_of(response)) for response in responses] == [(503, "SYS_011")] * 4
    assert all(response.headers["retry-after"] == "1" for response in responses)
    assert len(app.store.rows) == 1
    app.keys.unknown = None
    assert refresh(browser, app).status_code == 200


def test_another_issuers_key_of_the_same_name_counts(browser: Browser, app: LoginApp, resign: Resign) -> None:
    app.keys.names = {("https://another.example", "stolen")}
    resign("id_token", "access_token")
    assert sign_in(browser, app).status_code == 200
