"""The access token of a sign-in or a refresh: verified, and issued by the provider or the issuer paired with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from tenantgate.errors.tokens import AUTH_005, TokenError
from tenantgate.identity.principal import Principal
from tenantgate.login.errors import AccessTokenUnusable
from tenantgate.login.service.remedies import ISSUER_PAIR, access_token_remedy
from tenantgate.tokens.claims import VerifiedToken
from tenantgate.tokens.waiting import awaited

# Raises `TokenRevoked` if the issuer's key with this id is revoked, and `RevocationUnknown`.
type KeyCheck = Callable[[str, str | None], Awaitable[None]]


class Credential(Protocol):
    """Verifies an access token without its revocation; see `identity.bearer.BearerCredential`."""

    def verify(self, token: str, *, fetch: bool) -> tuple[Principal, VerifiedToken]: ...


class AccessTokens:
    """Verifies access tokens. `issuer`: of those that come with the provider's ID tokens, None for the provider."""

    def __init__(self, credential: Credential, *, issuer: str | None, require_key: KeyCheck) -> None:
        self._credential = credential
        self._require_key = require_key
        self._issuer = issuer

    async def principal(self, access_token: str, *, provider: str) -> Principal:
        """Return the principal of a token that came from this provider (its issuer).

        Raises the tenant extractor's errors (AUTH_005), `AccessTokenUnusable` for any other failed check, and
        `RevocationUnknown`. Of revocations only those of keys count: a user, client or tenant that was revoked may
        sign in again.
        """
        principal = await self._verified(access_token)
        # An access token of another trusted issuer must not take part. Only the configured pair may.
        expected = self._issuer or provider
        if principal.issuer != expected:
            raise AccessTokenUnusable(
                "the tokens come from two issuers", detail=ISSUER_PAIR, expected=expected, actual=principal.issuer
            )
        return principal

    async def _verified(self, access_token: str) -> Principal:
        try:
            principal, verified = await awaited(lambda: self._credential.verify(access_token, fetch=False))
            await self._require_key(verified.issuer, verified.kid)
            return principal
        except TokenError as error:
            if error.error is AUTH_005:
                error.detail = access_token_remedy(error, access_token)
                raise
            raise AccessTokenUnusable(
                f"{type(error).__name__}: {error.reason}",
                detail=access_token_remedy(error, access_token),
                **error.private,
            ) from error


def lifetime(principal: Principal, stated: int | None, *, now: float) -> int:
    """Return the seconds until the access token expires. `stated`: the response's `expires_in`."""
    left = max(0, principal.expires_at - int(now))
    return left if stated is None else min(left, stated)
