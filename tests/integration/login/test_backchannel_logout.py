"""The endpoint for logout tokens: its requests and responses over HTTP, with a provider that misbehaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import httpx2
import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.databases.recording_cache import RecordingCache
from tests.fixtures.login.app import LoginApp, code_of, returned_to, running_login_app
from tests.fixtures.providers.misbehaving import CLIENT_ID, CannedResponse, MisbehavingProvider, rsa_key

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def signed_in(browser: Browser, app: LoginApp) -> Browser:
    assert browser.get(returned_to(browser, app)).status_code == 303
    return browser


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    """The provider's client, without a cookie."""
    with httpx2.Client(trust_env=False, timeout=30) as client:
        yield client


def post(http: httpx2.Client, app: LoginApp, body: str, media_type: str | None = FORM) -> httpx2.Response:
    headers = {} if media_type is None else {"content-type": media_type}
    return http.post(app.backchannel_logout_url, content=body.encode(), headers=headers)


def form(*fields: tuple[str, str]) -> str:
    return urlencode(fields)


def test_other_parameters_are_ignored(
    signed_in: Browser, http: httpx2.Client, app: LoginApp, provider: MisbehavingProvider
) -> None:
    body = form(("iss", "x"), ("logout_token", provider.logout_token()), ("x", ""))
    assert post(http, app, body, f"{FORM}; charset=utf-8").status_code == 200
    assert not app.store.rows


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        pytest.param("", FORM, id="empty"),
        pytest.param("logout_token=", FORM, id="empty-token"),
        pytest.param("logout_token={token}&logout_token={token}", FORM, id="twice"),
        pytest.param("token={token}", FORM, id="another-name"),
        pytest.param("logout_token={token}", None, id="no-media-type"),
        pytest.param("logout_token={token}", "text/plain", id="plain-text"),
        pytest.param('{"logout_token": "{token}"}', "application/json", id="json"),
        pytest.param("logout_token={token}%FF", FORM, id="not-utf-8"),
        pytest.param("logout_token={token}ä", FORM, id="not-ascii"),
        pytest.param("&".join("a=b" for _ in range(60)) + "&logout_token={token}", FORM, id="too-many-parameters"),
        pytest.param("x=" + "y" * 70_000 + "&logout_token={token}", FORM, id="oversized"),
        pytest.param("logout_token={token}" + "A" * 20_000, FORM, id="oversized-token"),
    ],
)
def test_a_malformed_request_ends_nothing(
    body: str,
    media_type: str | None,
    *,
    signed_in: Browser,
    http: httpx2.Client,
    app: LoginApp,
    provider: MisbehavingProvider,
) -> None:
    response = post(http, app, body.replace("{token}", provider.logout_token()), media_type)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert response.headers["cache-control"] == "no-store"
    assert len(app.store.rows) == 1


def test_the_token_in_the_query_does_not_count(
    signed_in: Browser, http: httpx2.Client, app: LoginApp, provider: MisbehavingProvider
) -> None:
    query = form(("logout_token", provider.logout_token()))
    assert http.post(f"{app.backchannel_logout_url}?{query}").status_code == 400
    assert http.get(f"{app.backchannel_logout_url}?{query}").status_code == 405
    assert len(app.store.rows) == 1


def test_cookies_and_origins_make_no_difference(
    signed_in: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    """A page of another site gains nothing: only the token counts."""
    headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    refused = signed_in.post(app.backchannel_logout_url, b"logout_token=x", media_type=FORM, headers=headers)
    assert refused.status_code == 400
    assert len(app.store.rows) == 1
    kept = dict(signed_in.cookies)
    body = form(("logout_token", provider.logout_token())).encode()
    assert signed_in.post(app.backchannel_logout_url, body, media_type=FORM, headers=headers).status_code == 200
    assert not app.store.rows
    assert signed_in.cookies == kept


def test_a_replay_after_the_next_sign_in_does_not_end_it(
    signed_in: Browser, http: httpx2.Client, app: LoginApp, provider: MisbehavingProvider
) -> None:
    token = provider.logout_token(edit=lambda claims: claims | {"iat": claims["iat"] - 5})
    assert post(http, app, form(("logout_token", token))).status_code == 200
    assert signed_in.get(returned_to(signed_in, app)).status_code == 303
    assert post(http, app, form(("logout_token", token))).status_code == 400
    assert len(app.store.rows) == 1


def test_a_sign_in_before_the_logout_whose_session_comes_after_it_is_refused(
    browser: Browser, http: httpx2.Client, app: LoginApp, provider: MisbehavingProvider
) -> None:
    url = returned_to(browser, app)
    # The logout comes between the ID token and the session.
    token = provider.logout_token(edit=lambda claims: claims | {"iat": claims["iat"] + 5})
    assert post(http, app, form(("logout_token", token))).status_code == 200
    response = browser.get(url, accept="application/json")
    assert (response.status_code, code_of(response)) == (401, "AUTH_020")
    assert not app.store.rows
    assert not browser.named("__Host-tg_session")


def test_our_failure_lets_the_provider_repeat_the_token(
    signed_in: Browser, http: httpx2.Client, app: LoginApp, provider: MisbehavingProvider
) -> None:
    body = form(("logout_token", provider.logout_token()))
    app.store.broken = DatabaseUnreachable("connection refused")
    failed = post(http, app, body)
    assert (failed.status_code, code_of(failed)) == (503, "SYS_001")
    app.store.broken = None
    assert post(http, app, body).status_code == 200
    assert not app.store.rows


def test_a_cache_that_is_down_is_reported_after_the_sessions_ended(
    signed_in: Browser, http: httpx2.Client, app: LoginApp, provider: MisbehavingProvider
) -> None:
    body = form(("logout_token", provider.logout_token()))
    app.cache = SessionCache(RecordingCache(down=True), SessionPolicy())
    failed = post(http, app, body)
    assert (failed.status_code, code_of(failed)) == (503, "SYS_005")
    assert not app.store.rows
    app.cache = None
    assert post(http, app, body).status_code == 200


def test_keys_that_can_not_be_fetched_are_our_failure(http: httpx2.Client, provider: MisbehavingProvider) -> None:
    provider.responses["/jwks"] = CannedResponse(status=503)
    with running_login_app(provider.issuer) as app:
        response = post(http, app, form(("logout_token", provider.logout_token())))
    assert (response.status_code, code_of(response)) == (502, "SYS_004")


def test_another_trusted_issuer_can_not_end_sessions(http: httpx2.Client, provider: MisbehavingProvider) -> None:
    """A customer's own issuer, whose bearer tokens count for its tenant."""
    with MisbehavingProvider() as other:
        other.rotate(rsa_key("of another issuer"))
        entry = {"issuer": other.issuer, "audiences": [CLIENT_ID], "tenants": "*"}
        with running_login_app(provider.issuer, variables={"TRUSTED_ISSUERS": json.dumps([entry])}) as app:
            with Browser() as browser:
                assert browser.get(returned_to(browser, app)).status_code == 303
            for token in (
                other.logout_token(),
                other.logout_token(edit=lambda claims: claims | {"iss": provider.issuer}, kid="first"),
            ):
                assert post(http, app, form(("logout_token", token))).status_code == 400
            assert len(app.store.rows) == 1


def test_the_log_has_nothing_of_a_token(
    signed_in: Browser,
    http: httpx2.Client,
    app: LoginApp,
    provider: MisbehavingProvider,
    capfd: pytest.CaptureFixture[str],
) -> None:
    canaries = {"sid": "canary-of-the-sid", "jti": "canary-of-the-token-id"}
    good = provider.logout_token(edit=lambda claims: claims | canaries)
    other = provider.logout_token(edit=lambda claims: claims | canaries | {"aud": "another client"})
    statuses = [post(http, app, form(("logout_token", token))).status_code for token in (good, good, other, other[:-9])]
    assert statuses == [200, 400, 400, 400]
    written = "".join(capfd.readouterr())
    # Each has its line, and here, where no database is, its marked line for the audit trail.
    assert written.count("LOGOUT_TOKEN_REFUSED") == 6
    assert "BACKCHANNEL_LOGOUT" in written
    for secret in (*canaries.values(), good, other, good.split(".")[1]):
        assert secret not in written
