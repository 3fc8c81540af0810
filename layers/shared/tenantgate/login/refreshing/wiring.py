"""Build the service that refreshes sessions from the settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

from tenantgate.login.models import RenewedTokens
from tenantgate.login.provider.calls import Timeouts
from tenantgate.login.provider.client import REFRESH_TIMEOUTS, ProviderClient
from tenantgate.login.provider.source import provider_source
from tenantgate.login.service.access_tokens import KeyCheck
from tenantgate.login.service.renewal import Identity, RenewalService
from tenantgate.login.wiring import access_tokens, authentication, client_registration
from tenantgate.provider_copies.store import ProviderCopies
from tenantgate.provider_copies.wiring import provider_copies, sharing_verifier
from tenantgate.revocation.credential import require_key
from tenantgate.secrets.store import SecretStore
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.models import SessionTokens, StoredSession
from tenantgate.sessions.refreshing.models import Redeemed, Verified
from tenantgate.sessions.refreshing.service import RefreshService
from tenantgate.sessions.refreshing.wiring import make_refresh_service
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings
from tenantgate.tokens.verifier import TokenVerifier


async def refresh_service() -> RefreshService:
    """Build a `RefreshService` for one request."""
    return await make_refresh_service(RefreshProvider(_renewal_service()))


@cache
def _renewal_service() -> RenewalService:
    settings = get_settings()
    verifier = sharing_verifier(settings.token_policy)
    return make_renewal_service(settings, secret_store(), verifier, copies=provider_copies())


def make_renewal_service(
    settings: Settings,
    secrets: SecretStore,
    verifier: TokenVerifier,
    *,
    require_key: KeyCheck = require_key,
    timeouts: Timeouts = REFRESH_TIMEOUTS,
    clock: Callable[[], float] = time.time,
    copies: ProviderCopies | None = None,
) -> RenewalService:
    """Build a `RenewalService` from settings. `timeouts`: of the call that redeems a refresh token.

    `require_key`: by default, the current revocations count. `copies`: of the provider's metadata that other processes
    fetched.
    """
    registration = client_registration(settings)
    return RenewalService(
        registration=registration,
        provider=provider_source(settings, copies),
        token_endpoint=ProviderClient(registration, secrets, refresh_timeouts=timeouts),
        verifier=verifier,
        access_tokens=access_tokens(settings, verifier, require_key),
        require_key=require_key,
        clock=clock,
    )


class RefreshProvider:
    """Adapts `RenewalService` to the sessions' refresh."""

    def __init__(self, service: RenewalService) -> None:
        self._service = service

    async def redeem(self, session: StoredSession, tokens: SessionTokens) -> Redeemed[RenewedTokens]:
        response = await self._service.redeem(tokens.refresh_token or "", _identity(session, tokens))
        # Without new ones, the ID token and the refresh token stay (RFC 6749 §6, OpenID Connect Core §12.2).
        renewed = SessionTokens(
            response.access_token, response.id_token or tokens.id_token, response.refresh_token or tokens.refresh_token
        )
        return Redeemed(renewed, response)

    async def verify(
        self, session: StoredSession, tokens: SessionTokens, redeemed: Redeemed[RenewedTokens]
    ) -> Verified:
        verified = await self._service.verify(redeemed.response, _identity(session, tokens))
        if verified.id_token is None:
            # A refresh is not a sign-in: the way in which the user signed in has not changed.
            return Verified(verified.principal, verified.expires_at)
        acr, amr = authentication({**verified.principal.claims, **verified.id_token.claims})
        return Verified(verified.principal, verified.expires_at, acr=acr, amr=amr or None)

    async def revoke(self, refresh_token: str) -> None:
        await self._service.revoke(refresh_token)


def _identity(session: StoredSession, tokens: SessionTokens) -> Identity:
    return Identity(session.tenant_id, session.issuer, session.user_id, tokens.id_token)
