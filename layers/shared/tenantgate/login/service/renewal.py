"""A session's new tokens: redeem its refresh token, and verify what the provider issued (OpenID Connect Core §12)."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import IdTokenRefused, MalformedToken, ProviderUnreachable, TokenError, UnsupportedHeader
from tenantgate.identity.principal import Principal
from tenantgate.login.errors import RefreshTokenRefused
from tenantgate.login.models import RenewedTokens
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata
from tenantgate.login.service.access_tokens import AccessTokens, KeyCheck, lifetime
from tenantgate.login.service.id_tokens import verified_id_token
from tenantgate.tokens.jws import read_jws
from tenantgate.tokens.verifier import VerifiedToken

_log = logging.getLogger(__name__)


class TokenEndpoint(Protocol):
    """Redeems and revokes refresh tokens; see `client.ProviderClient`."""

    async def refresh(self, provider: ProviderMetadata, refresh_token: str) -> RenewedTokens: ...

    async def revoke(self, provider: ProviderMetadata, refresh_token: str) -> None: ...


class Verifier(Protocol):
    """The part of `tokens.verifier.TokenVerifier` that a refresh uses."""

    def verify_id_token(
        self, token: str, *, client_id: str, nonce: str | None, access_token: str | None, fetch: bool
    ) -> VerifiedToken: ...


class Identity(NamedTuple):
    """The person of a session, and the ID token that the session has, which was verified when it came."""

    tenant_id: str
    issuer: str
    user_id: str
    id_token: str


@dataclass(frozen=True, slots=True)
class VerifiedRenewal:
    """New tokens that passed every check. `expires_at`: of the access token, in epoch seconds."""

    principal: Principal
    id_token: VerifiedToken | None
    expires_at: int


class RenewalService:
    """Redeems refresh tokens and verifies the result. `clock` gives epoch seconds."""

    def __init__(
        self,
        *,
        registration: ClientRegistration,
        provider: Callable[[], Awaitable[ProviderMetadata]],
        token_endpoint: TokenEndpoint,
        verifier: Verifier,
        access_tokens: AccessTokens,
        require_key: KeyCheck,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registration = registration
        self._provider = provider
        self._token_endpoint = token_endpoint
        self._verifier = verifier
        self._access_tokens = access_tokens
        self._require_key = require_key
        self._clock = clock

    async def redeem(self, refresh_token: str, identity: Identity) -> RenewedTokens:
        """Redeem the refresh token.

        Raises `SessionEnded` when the provider refuses it, and the other errors of `ProviderClient.refresh`.
        """
        provider = await self._provider()
        if _claims(identity.id_token).get("iss") != provider.issuer:
            # Another provider must not get this one's refresh token, if the settings have changed.
            raise SessionEnded("the session is of another provider", expected=provider.issuer)
        try:
            return await self._token_endpoint.refresh(provider, refresh_token)
        except RefreshTokenRefused as refused:
            raise _ended(refused) from refused

    async def verify(self, tokens: RenewedTokens, identity: Identity) -> VerifiedRenewal:
        """Verify the tokens as those of a sign-in, and that they are about the same person in the same tenant.

        Raises `SessionEnded` for another person, tenant or issuer, and for any ID token that a sign-in would refuse.
        Raises `AccessTokenUnusable` when the access token fails another check, `ProviderUnreachable` or `Overloaded`
        when the keys can't be fetched, and `RevocationUnknown`; all can be repaired without ending the session.
        """
        earlier = _claims(identity.id_token)
        try:
            principal = await self._access_tokens.principal(tokens.access_token, provider=str(earlier.get("iss")))
            id_token = await self._id_token(tokens) if tokens.id_token is not None else None
        except (TokenError, IdTokenRefused) as error:
            raise _ended(error) from error
        if (principal.tenant_id, principal.issuer, principal.user_id) != identity[:3]:
            raise SessionEnded("the refresh brought another user or tenant", actual=principal.global_id)
        if id_token is not None:
            _require_same_sign_in(id_token.claims, earlier)
        now = self._clock()
        return VerifiedRenewal(principal, id_token, int(now) + lifetime(principal, tokens.expires_in, now=now))

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token that no session keeps. A failure is only logged: the session has ended here."""
        try:
            await self._token_endpoint.revoke(await self._provider(), refresh_token)
        except TenantgateError as error:
            _log.warning("a refresh token could not be revoked", extra={"context": {"failure": type(error)}})

    async def _id_token(self, tokens: RenewedTokens) -> VerifiedToken:
        # A refresh has no nonce: the ID token came straight from the token endpoint, over TLS (§12.2).
        return await verified_id_token(
            lambda: self._verifier.verify_id_token(
                tokens.id_token or "",
                client_id=self._registration.client_id,
                nonce=None,
                access_token=tokens.access_token,
                fetch=False,
            ),
            self._require_key,
        )


def _require_same_sign_in(claims: Mapping[str, object], earlier: Mapping[str, object]) -> None:
    """Compare the claims that OpenID Connect Core §12.2 wants unchanged. Raises `SessionEnded`."""
    for name in ("iss", "sub", "azp"):
        if claims.get(name) != earlier.get(name):
            raise SessionEnded("the refreshed ID token is about another sign-in", claim=name)
    if not _audiences(earlier) <= _audiences(claims):
        raise SessionEnded("the refreshed ID token is about another sign-in", claim="aud")
    if claims.get("nonce") is not None and claims["nonce"] != earlier.get("nonce"):
        raise SessionEnded("the refreshed ID token is about another sign-in", claim="nonce")
    # `auth_time` isn't compared: Keycloak sends the time of the last sign-in of its own session. The session keeps the
    # time of its own sign-in, so that a refresh never satisfies a rule that wants a recent one.


def _ended(cause: TenantgateError) -> SessionEnded:
    ended = SessionEnded(f"{type(cause).__name__}: {cause.reason}")
    ended.private = dict(cause.private)
    return ended


def _audiences(claims: Mapping[str, object]) -> frozenset[object]:
    audience = claims.get("aud")
    return frozenset(audience) if isinstance(audience, list) else frozenset({audience})


def _claims(id_token: str) -> Mapping[str, object]:
    """Return the claims of an ID token that was verified before it was stored."""
    try:
        return read_jws(id_token, {})[1]
    except (MalformedToken, UnsupportedHeader) as error:
        raise ProviderUnreachable("the session's ID token can't be read", failure=type(error)) from error
