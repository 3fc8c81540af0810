"""New tokens for a session: the provider that gets the refresh token, the checks, and a failed revocation."""

from __future__ import annotations

import logging
from typing import NoReturn

import pytest

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.identity.principal import Principal
from tenantgate.login.errors import RefreshTokenRefused
from tenantgate.login.models import RenewedTokens
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tenantgate.login.service.access_tokens import AccessTokens
from tenantgate.login.service.renewal import Identity, RenewalService
from tenantgate.tokens.verifier import VerifiedToken
from tests.fixtures.revoked.keys import RevokedKeys
from tests.fixtures.tokens.issuer import ISSUER, NOW, TENANT, good_claims, sign

pytestmark = pytest.mark.anyio

IDENTITY = Identity(TENANT, ISSUER, "user-1", sign(good_claims(aud="client-1", azp=None)))
TOKENS = RenewedTokens("access")


class Endpoint:
    """Records what it was sent. `error`: what it raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.sent: list[str] = []

    async def refresh(self, provider: ProviderMetadata, refresh_token: str) -> RenewedTokens:
        self._send(refresh_token)
        return TOKENS

    async def revoke(self, provider: ProviderMetadata, refresh_token: str) -> None:
        self._send(refresh_token)

    def _send(self, refresh_token: str) -> None:
        self.sent.append(refresh_token)
        if self.error is not None:
            raise self.error


class Credential:
    def __init__(self, issuer: str) -> None:
        self.issuer = issuer

    def verify(self, token: str, *, fetch: bool) -> tuple[Principal, VerifiedToken]:
        principal = Principal("user-1", TENANT, self.issuer, frozenset(), NOW + 600)
        return principal, VerifiedToken(ISSUER, "user-1", NOW, NOW + 600, frozenset(), {})


class NoIdTokens:
    def verify_id_token(
        self, token: str, *, client_id: str, nonce: str | None, access_token: str | None, fetch: bool
    ) -> VerifiedToken:
        return self._refuse()

    def _refuse(self) -> NoReturn:
        raise AssertionError("the response has no ID token")


def service(
    endpoint: Endpoint,
    *,
    issuer: str = ISSUER,
    access_token_issuer: str = ISSUER,
) -> RenewalService:
    keys = RevokedKeys()

    async def provider() -> ProviderMetadata:
        return ProviderMetadata.from_document({"issuer": issuer})

    return RenewalService(
        registration=ClientRegistration("client-1", ("openid",)),
        provider=provider,
        token_endpoint=endpoint,
        verifier=NoIdTokens(),
        access_tokens=AccessTokens(Credential(access_token_issuer), issuer=None, require_key=keys.require),
        require_key=keys.require,
        clock=lambda: NOW,
    )


async def test_a_refresh_token_is_sent_only_to_the_provider_that_issued_it() -> None:
    """After `OIDC_ISSUER_URL` has changed, a session of the provider before ends."""
    endpoint = Endpoint()
    assert await service(endpoint).redeem("refresh", IDENTITY) is TOKENS
    with pytest.raises(SessionEnded):
        await service(endpoint, issuer="https://other.example").redeem("refresh", IDENTITY)
    assert endpoint.sent == ["refresh"]


async def test_a_refused_refresh_token_ends_the_session() -> None:
    with pytest.raises(SessionEnded, match="RefreshTokenRefused"):
        await service(Endpoint(RefreshTokenRefused("refused"))).redeem("refresh", IDENTITY)


async def test_the_access_token_gives_the_principal_and_the_time() -> None:
    verified = await service(Endpoint()).verify(RenewedTokens("access", expires_in=60), IDENTITY)
    assert (verified.principal.user_id, verified.id_token, verified.expires_at) == ("user-1", None, NOW + 60)


@pytest.mark.parametrize(
    "changes", [{"user_id": "user-2"}, {"tenant_id": "org-2"}], ids=["another-user", "another-tenant"]
)
async def test_another_identity_ends_the_session(changes: dict[str, str]) -> None:
    with pytest.raises(SessionEnded):
        await service(Endpoint()).verify(TOKENS, IDENTITY._replace(**changes))


async def test_an_unreadable_id_token_leaves_the_session() -> None:
    with pytest.raises(ProviderUnreachable):
        await service(Endpoint()).redeem("refresh", IDENTITY._replace(id_token="unreadable"))


async def test_a_failed_revocation_is_logged_without_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    await service(Endpoint(ProviderUnreachable("down"))).revoke("a-refresh-token")
    (record,) = caplog.records
    assert "a-refresh-token" not in caplog.text + repr(vars(record))
