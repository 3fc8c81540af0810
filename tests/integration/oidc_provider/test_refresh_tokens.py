"""Refresh tokens of a certified provider that rotates them: our client's calls, one by one."""

from collections.abc import Callable
from typing import Any

import httpx2
import jwt
import pytest

from tenantgate.login.attempts.transactions import LoginTransaction
from tenantgate.login.errors import RefreshTokenRefused
from tenantgate.login.models import ProviderTokens
from tenantgate.login.provider.client import ProviderClient
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tenantgate.login.service.login import TokenEndpoint
from tests.fixtures.browsers.certified_provider import returned
from tests.fixtures.browsers.scripted import Browser
from tests.fixtures.login.app import LoginApp, redeem
from tests.fixtures.login.client_secret import RotatedSecret
from tests.fixtures.programs.requires import requires_node
from tests.integration.oidc_provider.conftest import RESOURCE, TENANT

pytestmark = [requires_node, pytest.mark.anyio]

type SignIn = Callable[[], ProviderTokens]


class KeptTokens:
    """The token endpoint, whose last response is kept."""

    def __init__(self, real: TokenEndpoint) -> None:
        self.real = real
        self.last: ProviderTokens | None = None

    async def exchange(self, provider: ProviderMetadata, *, code: str, transaction: LoginTransaction) -> ProviderTokens:
        self.last = await self.real.exchange(provider, code=code, transaction=transaction)
        return self.last


@pytest.fixture
def sign_in(browser: Browser, refreshing_app: LoginApp, monkeypatch: pytest.MonkeyPatch) -> SignIn:
    """Sign in through the application, and return the tokens that it got."""
    app = refreshing_app
    kept = KeptTokens(app.service._token_endpoint)
    monkeypatch.setattr(app.service, "_token_endpoint", kept)

    def signed_in() -> ProviderTokens:
        response = redeem(browser, app, returned(browser, app))
        assert response.status_code == 200, response.text
        assert kept.last is not None
        return kept.last

    return signed_in


@pytest.fixture
def client(refreshing_app: LoginApp) -> ProviderClient:
    settings = refreshing_app.settings
    registration = ClientRegistration(settings.oidc_client_id, settings.oidc_scopes, resource=settings.oidc_resource)
    return ProviderClient(registration, RotatedSecret("s3cret: +%&/"))


@pytest.fixture
def provider(issuer: str) -> ProviderMetadata:
    return ProviderMetadata.from_document(httpx2.get(f"{issuer}/.well-known/openid-configuration").json())


def claims_of(token: str | None) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token or "", options={"verify_signature": False})
    return claims


def redemptions(issuer: str) -> int:
    return int(httpx2.get(f"{issuer}/redemptions").text)


async def test_each_refresh_gets_new_tokens_of_the_same_sign_in(
    sign_in: SignIn, client: ProviderClient, provider: ProviderMetadata, issuer: str
) -> None:
    signed_in = sign_in()
    before, token = redemptions(issuer), signed_in.refresh_token
    for _ in range(3):
        assert token is not None
        renewed = await client.refresh(provider, token)
        claims, first = claims_of(renewed.id_token), claims_of(signed_in.id_token)
        same = ("iss", "sub", "aud", "auth_time")
        assert {name: claims.get(name) for name in same} == {name: first.get(name) for name in same}
        access = claims_of(renewed.access_token)
        assert (access["aud"], access["tenant_id"]) == (RESOURCE, TENANT)
        assert renewed.refresh_token not in (None, token)
        token = renewed.refresh_token
    assert redemptions(issuer) == before + 3


async def test_a_token_that_was_replaced_ends_the_grant(
    sign_in: SignIn, client: ProviderClient, provider: ProviderMetadata
) -> None:
    first = sign_in().refresh_token
    assert first is not None
    second = (await client.refresh(provider, first)).refresh_token
    assert second is not None
    for token in (first, second):
        with pytest.raises(RefreshTokenRefused):
            await client.refresh(provider, token)


async def test_a_revoked_token_is_refused(sign_in: SignIn, client: ProviderClient, provider: ProviderMetadata) -> None:
    token = sign_in().refresh_token
    assert token is not None
    await client.revoke(provider, token)
    with pytest.raises(RefreshTokenRefused):
        await client.refresh(provider, token)
    # A token that is unknown now is not an error (RFC 7009 §2.2).
    await client.revoke(provider, token)
