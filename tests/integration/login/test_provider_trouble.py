"""A provider that is down, slow or broken: the response is clear and in time, and no code or secret leaks."""

import json
import time
from collections.abc import Callable

import pytest

from tenantgate.login.attempts.transactions import COOKIE_PREFIX, LoginTransaction
from tenantgate.login.errors import ProviderRefusedClient
from tenantgate.login.provider.calls import MAX_RESPONSE_BYTES, Timeouts
from tenantgate.login.provider.client import ProviderClient
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import (
    LoginApp,
    code_of,
    redeem,
    response_parameters,
    returned_to,
    running_login_app,
    sign_in,
)
from tests.fixtures.login.client_secret import RotatedSecret
from tests.fixtures.providers.misbehaving import CLIENT_ID, CLIENT_SECRET, CannedResponse, MisbehavingProvider

DISCOVERY = "/.well-known/openid-configuration"
JSON = "application/json"


def good_enough(**changes: object) -> bytes:
    return json.dumps({"access_token": "a", "token_type": "Bearer", "id_token": "b", **changes}).encode()


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        pytest.param(CannedResponse(status=500), 502, "SYS_004", id="error-500"),
        pytest.param(CannedResponse(status=503, body=b"<html>"), 502, "SYS_004", id="error-503-in-html"),
        pytest.param(CannedResponse(status=404, body=b"{}"), 502, "SYS_004", id="not-found"),
        pytest.param(CannedResponse(status=204), 502, "SYS_004", id="no-content"),
        pytest.param(CannedResponse(status=201, body=good_enough()), 502, "SYS_004", id="another-success"),
        pytest.param(CannedResponse(body=b""), 502, "SYS_004", id="empty"),
        pytest.param(CannedResponse(body=b"<html>"), 502, "SYS_004", id="html"),
        pytest.param(CannedResponse(body=b"[]"), 502, "SYS_004", id="array"),
        pytest.param(CannedResponse(body=b"null"), 502, "SYS_004", id="null"),
        pytest.param(CannedResponse(body=b"\xff\xfe{"), 502, "SYS_004", id="not-utf-8"),
        pytest.param(CannedResponse(body=b"[" * 100_000), 502, "SYS_004", id="deeply-nested"),
        pytest.param(CannedResponse(body=good_enough(pad="x" * MAX_RESPONSE_BYTES)), 502, "SYS_004", id="too-large"),
        pytest.param(CannedResponse(body=good_enough(access_token=None)), 502, "SYS_004", id="no-access-token"),
        pytest.param(CannedResponse(body=good_enough(access_token=["a"])), 502, "SYS_004", id="list-for-access-token"),
        pytest.param(CannedResponse(body=good_enough(token_type="mac")), 502, "SYS_004", id="another-token-type"),
        pytest.param(CannedResponse(body=good_enough(token_type=None)), 502, "SYS_004", id="no-token-type"),
        pytest.param(CannedResponse(body=good_enough(id_token=None)), 400, "AUTH_008", id="no-id-token"),
        pytest.param(CannedResponse(body=good_enough()), 400, "AUTH_008", id="malformed-id-token"),
        pytest.param(CannedResponse.of_json({"error": "invalid_grant"}, 400), 400, "AUTH_001", id="invalid-grant"),
        pytest.param(
            CannedResponse.of_json({"error": "invalid_grant"}, 403), 400, "AUTH_001", id="invalid-grant-by-403"
        ),
        pytest.param(CannedResponse.of_json({"error": "invalid_client"}, 401), 502, "SYS_012", id="invalid-client"),
        pytest.param(CannedResponse.of_json({"error": "invalid_target"}, 400), 502, "SYS_012", id="invalid-target"),
        pytest.param(CannedResponse.of_json({"error": "of_its_own"}, 400), 502, "SYS_012", id="another-error-code"),
        pytest.param(CannedResponse.of_json({"error": "invalid_client"}, 200), 502, "SYS_012", id="invalid-client-200"),
        pytest.param(CannedResponse.of_json({"error": "server_error"}, 400), 502, "SYS_004", id="server-error"),
        pytest.param(CannedResponse.of_json({"error": "invalid_client"}, 503), 502, "SYS_004", id="error-503-in-json"),
        pytest.param(CannedResponse.of_json({"error": "slow_down"}, 429), 502, "SYS_004", id="rate-limit"),
        pytest.param(CannedResponse.of_json({"error": "<b>x</b>"}, 400), 502, "SYS_004", id="error-code-in-markup"),
        pytest.param(CannedResponse.of_json({"error": 7}, 400), 502, "SYS_004", id="error-code-of-another-type"),
    ],
)
def test_an_invalid_response_of_the_token_endpoint(
    response: CannedResponse, status: int, code: str, browser: Browser, provider: MisbehavingProvider
) -> None:
    provider.responses["/token"] = response
    with running_login_app(provider.issuer) as app:
        refused = sign_in(browser, app)
        assert (refused.status_code, code_of(refused)) == (status, code)
        assert CLIENT_SECRET not in refused.text
        assert "<b>" not in refused.text


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ("invalid_client", "OIDC_CLIENT_SECRET"),
        ("unauthorized_client", "OIDC_CLIENT_ID"),
        ("invalid_target", "OIDC_RESOURCE"),
        ("invalid_scope", "OIDC_SCOPES"),
    ],
)
def test_an_error_that_the_operator_can_fix_names_the_setting(
    error: str, named: str, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.responses["/token"] = CannedResponse.of_json({"error": error}, 400)
    detail = sign_in(browser, app).json()["error"]["detail"]
    assert detail["provider_error"] == error
    assert named in detail["remedy"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_with_code_or_secret(
    status: int, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    with MisbehavingProvider() as elsewhere:
        provider.responses["/token"] = CannedResponse(status=status, headers={"Location": elsewhere.issuer + "/token"})
        assert code_of(sign_in(browser, app)) == "SYS_004"
        assert not elsewhere.requests


@pytest.mark.parametrize(
    "slow",
    [
        pytest.param(lambda provider: CannedResponse(hold=provider.hold()), id="silent"),
        pytest.param(lambda provider: CannedResponse(body=b" " * 1000, drip=True), id="drips"),
    ],
)
def test_a_slow_token_endpoint_times_out(
    slow: Callable[[MisbehavingProvider], CannedResponse],
    browser: Browser,
    impatient_app: LoginApp,
    provider: MisbehavingProvider,
) -> None:
    provider.responses["/token"] = slow(provider)
    url = returned_to(browser, impatient_app)
    began = time.monotonic()
    response = redeem(browser, impatient_app, url)
    assert (response.status_code, code_of(response)) == (504, "SYS_004")
    assert time.monotonic() - began < 5, "the limit is one second in all; left alone it takes half a minute"


def test_the_limits_end_before_those_of_the_gateway() -> None:
    # API Gateway gives a function 30 s. Discovery and the key set may take another 3 s each.
    assert Timeouts().total + 2 * 3 < 15
    assert Timeouts().connect < Timeouts().read < Timeouts().total


def test_a_provider_that_is_down_when_signing_in_begins(browser: Browser) -> None:
    with MisbehavingProvider() as gone:
        issuer = gone.issuer
    with running_login_app(issuer) as app:
        response = browser.get(app.login_url, accept=JSON)
        assert (response.status_code, code_of(response)) == (502, "SYS_004")
        shown = browser.get(app.login_url)
        assert shown.headers["content-type"].startswith("text/html")
        assert "SYS_004" in shown.text
        assert not browser.cookies


def test_a_provider_that_is_slow_when_signing_in_begins(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.responses[DISCOVERY] = CannedResponse(hold=provider.hold())
    began = time.monotonic()
    response = browser.get(app.login_url, accept=JSON)
    assert (response.status_code, code_of(response)) == (504, "SYS_004")
    assert time.monotonic() - began < 10, "the limit is three seconds; left alone it takes half a minute"


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(CannedResponse(status=500), id="error"),
        pytest.param(CannedResponse(body=b"<html>"), id="html"),
        pytest.param(CannedResponse(body=b"x" * 400_000), id="too-large"),
        pytest.param(CannedResponse(status=302, headers={"Location": "/elsewhere"}), id="redirect"),
    ],
)
def test_an_invalid_discovery_response(
    response: CannedResponse, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.responses[DISCOVERY] = response
    refused = browser.get(app.login_url, accept=JSON)
    assert (refused.status_code, code_of(refused)) == (502, "SYS_004")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"authorization_endpoint": None}, id="no-authorization-endpoint"),
        pytest.param({"token_endpoint": None}, id="no-token-endpoint"),
        pytest.param({"token_endpoint": "http://provider.example/token"}, id="plain-http"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="script-as-endpoint"),
        pytest.param({"authorization_endpoint": "https://a.example/\r\nx: y"}, id="header-injection"),
        pytest.param({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, id="no-client-secret-accepted"),
    ],
)
def test_invalid_metadata(
    changes: dict[str, object], browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    provider.edit_metadata = lambda metadata: {
        name: value for name, value in (metadata | changes).items() if value is not None
    }
    response = browser.get(app.login_url, accept=JSON)
    assert (response.status_code, code_of(response)) == (502, "SYS_004")


def test_unreachable_keys(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    provider.responses["/jwks"] = CannedResponse(status=503)
    response = sign_in(browser, app)
    assert (response.status_code, code_of(response)) == (502, "SYS_004")


def test_an_attempt_survives_a_short_outage(browser: Browser, app: LoginApp, provider: MisbehavingProvider) -> None:
    url = returned_to(browser, app)
    provider.responses["/token"] = CannedResponse(status=503)
    assert browser.get(url).status_code == 502
    assert len(browser.named(COOKIE_PREFIX)) == 1
    del provider.responses["/token"]
    assert browser.get(url).status_code == 303


def attempt(browser: Browser, app: LoginApp) -> tuple[str, LoginTransaction]:
    """Return a code and its attempt."""
    code = response_parameters(returned_to(browser, app))["code"]
    ((name, sealed),) = browser.named(COOKIE_PREFIX).items()
    return code, LoginTransaction(**json.loads(app.sealer.open(sealed, purpose="login", context=name.encode())))


@pytest.mark.anyio
async def test_a_rotated_client_secret_is_used_at_once(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    code, transaction = attempt(browser, app)
    client = ProviderClient(ClientRegistration(CLIENT_ID, ("openid",)), RotatedSecret("the old one", CLIENT_SECRET))
    metadata = ProviderMetadata.from_document(provider.metadata())
    tokens = await client.exchange(metadata, code=code, transaction=transaction)
    assert tokens.id_token
    assert len(provider.asked("/token")) == 2


@pytest.mark.anyio
async def test_a_wrong_client_secret_is_not_tried_twice(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    code, transaction = attempt(browser, app)
    client = ProviderClient(ClientRegistration(CLIENT_ID, ("openid",)), RotatedSecret("wrong"))
    metadata = ProviderMetadata.from_document(provider.metadata())
    with pytest.raises(ProviderRefusedClient, match="invalid_client"):
        await client.exchange(metadata, code=code, transaction=transaction)
    assert len(provider.asked("/token")) == 1


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "error", "calls"),
    [
        pytest.param(401, "invalid_client", 2, id="by-the-specification"),
        pytest.param(401, "unauthorized_client", 2, id="keycloak"),
        pytest.param(401, "access_denied", 2, id="auth0"),
        pytest.param(400, "unauthorized_client", 1, id="the-grant-is-not-allowed"),
        pytest.param(400, "invalid_scope", 1, id="another-error"),
    ],
)
async def test_a_secret_is_read_again_when_the_credentials_were_refused(
    status: int, error: str, *, calls: int, browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    code, transaction = attempt(browser, app)
    provider.responses["/token"] = CannedResponse.of_json({"error": error}, status)
    client = ProviderClient(ClientRegistration(CLIENT_ID, ("openid",)), RotatedSecret("the old one", "the new one"))
    metadata = ProviderMetadata.from_document(provider.metadata())
    with pytest.raises(ProviderRefusedClient):
        await client.exchange(metadata, code=code, transaction=transaction)
    assert len(provider.asked("/token")) == calls


def test_a_reload_succeeds_after_the_client_secret_was_corrected(
    browser: Browser, app: LoginApp, provider: MisbehavingProvider
) -> None:
    url = returned_to(browser, app)
    provider.responses["/token"] = CannedResponse.of_json({"error": "invalid_client"}, 401)
    assert browser.get(url).status_code == 502
    del provider.responses["/token"]
    assert browser.get(url).status_code == 303
