"""The client's calls that redeem and revoke a refresh token (RFC 6749 §6, RFC 7009)."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.login.errors import ProviderRefusedClient, RefreshTokenRefused
from tenantgate.login.provider.calls import Timeouts
from tenantgate.login.provider.client import REFRESH_TIMEOUTS, ProviderClient
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tests.fixtures.login.client_secret import RotatedSecret
from tests.fixtures.providers.misbehaving import CLIENT_ID, CLIENT_SECRET, CannedResponse, MisbehavingProvider

pytestmark = pytest.mark.anyio

NONCE = "the-nonce"


@pytest.fixture
def provider() -> Iterator[MisbehavingProvider]:
    with MisbehavingProvider() as running:
        running.issues_refresh_tokens = True
        running.refresh_tokens["first"] = NONCE
        yield running


def client(*secrets: str, **changes: Any) -> ProviderClient:
    registration = ClientRegistration(CLIENT_ID, ("openid",), resource=changes.pop("resource", None))
    return ProviderClient(registration, RotatedSecret(*(secrets or (CLIENT_SECRET,))), **changes)


def metadata(provider: MisbehavingProvider, **changes: object) -> ProviderMetadata:
    return ProviderMetadata.from_document(provider.metadata() | changes)


async def test_a_refresh_token_is_redeemed_once(provider: MisbehavingProvider) -> None:
    tokens = await client(resource="https://api.example.test").refresh(metadata(provider), "first")
    (request,) = provider.asked("/token")
    assert request.form == {
        "grant_type": "refresh_token",
        "refresh_token": "first",
        "resource": "https://api.example.test",
    }
    assert tokens.id_token
    assert tokens.expires_in == 1800
    assert list(provider.refresh_tokens) == [tokens.refresh_token]
    with pytest.raises(RefreshTokenRefused):
        await client().refresh(metadata(provider), "first")


async def test_a_response_may_have_only_an_access_token(provider: MisbehavingProvider) -> None:
    provider.edit_token_response = lambda response: {name: response[name] for name in ("access_token", "token_type")}
    tokens = await client().refresh(metadata(provider), "first")
    assert tokens.access_token
    assert (tokens.id_token, tokens.refresh_token, tokens.expires_in) == (None, None, None)


async def test_a_rotated_client_secret_is_used_at_once(provider: MisbehavingProvider) -> None:
    await client("the old one", CLIENT_SECRET).refresh(metadata(provider), "first")
    await client("the old one", CLIENT_SECRET).revoke(metadata(provider), "first")
    assert [len(provider.asked(path)) for path in ("/token", "/revoke")] == [2, 1]


@pytest.mark.parametrize(
    ("response", "error"),
    [
        pytest.param(CannedResponse.of_json({"error": "invalid_grant"}, 400), RefreshTokenRefused, id="invalid-grant"),
        pytest.param(CannedResponse.of_json({"error": "invalid_grant"}, 200), RefreshTokenRefused, id="by-status-200"),
        pytest.param(CannedResponse.of_json({"error": "invalid_client"}, 401), ProviderRefusedClient, id="client"),
        pytest.param(CannedResponse.of_json({"error": "server_error"}, 500), ProviderUnreachable, id="error-500"),
        pytest.param(CannedResponse.of_json({}, 200), ProviderUnreachable, id="no-access-token"),
        pytest.param(CannedResponse(status=302, headers={"Location": "/elsewhere"}), ProviderUnreachable, id="moved"),
    ],
)
async def test_a_failed_refresh_has_its_own_error(
    response: CannedResponse, error: type[TenantgateError], provider: MisbehavingProvider
) -> None:
    provider.responses["/token"] = response
    with pytest.raises(error) as raised:
        await client().refresh(metadata(provider), "first")
    assert type(raised.value) is error
    assert "first" not in repr(raised.value.private) + repr(raised.value.detail)


async def test_an_error_that_repeats_the_refresh_token_is_not_shown(provider: MisbehavingProvider) -> None:
    provider.responses["/token"] = CannedResponse.of_json(
        {"error": "invalid_grant", "error_description": "unknown: a-refresh-token-that-is-long"}, 400
    )
    with pytest.raises(RefreshTokenRefused) as raised:
        await client().refresh(metadata(provider), "a-refresh-token-that-is-long")
    assert "a-refresh-token" not in repr(raised.value.private) + repr(raised.value.detail)


async def test_a_refresh_has_separate_limits(provider: MisbehavingProvider) -> None:
    provider.responses["/token"] = CannedResponse(hold=provider.hold())
    limits = Timeouts(read=0.3, total=0.3)
    began = time.monotonic()
    with pytest.raises(ProviderTimeout):
        await client(refresh_timeouts=limits).refresh(metadata(provider), "first")
    assert time.monotonic() - began < 3
    # The gateway waits 30 s, the function 29 s.
    assert REFRESH_TIMEOUTS.total == REFRESH_TIMEOUTS.read == 25.0


async def test_a_token_is_revoked_with_the_clients_authentication(provider: MisbehavingProvider) -> None:
    await client().revoke(metadata(provider), "first")
    (request,) = provider.asked("/revoke")
    assert request.form == {"token": "first", "token_type_hint": "refresh_token"}
    assert request.headers["authorization"].startswith("Basic ")
    assert provider.refresh_tokens == {}


async def test_the_revocation_endpoint_may_want_the_secret_in_the_form(provider: MisbehavingProvider) -> None:
    posts = {"revocation_endpoint_auth_methods_supported": ["client_secret_post"]}
    await client().revoke(metadata(provider, **posts), "first")
    (request,) = provider.asked("/revoke")
    assert "authorization" not in request.headers
    assert (request.form["client_id"], request.form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)


async def test_nothing_is_sent_without_a_revocation_endpoint(provider: MisbehavingProvider) -> None:
    provider.issues_refresh_tokens = False
    await client().revoke(metadata(provider), "first")
    assert provider.requests == []


@pytest.mark.parametrize(
    ("response", "error"),
    [
        pytest.param(CannedResponse(status=503), ProviderUnreachable, id="error-503"),
        pytest.param(
            CannedResponse.of_json({"error": "unsupported_token_type"}, 400), ProviderRefusedClient, id="token-type"
        ),
    ],
)
async def test_a_failed_revocation_is_reported(
    response: CannedResponse, error: type[TenantgateError], provider: MisbehavingProvider
) -> None:
    provider.responses["/revoke"] = response
    with pytest.raises(error):
        await client().revoke(metadata(provider), "first")
