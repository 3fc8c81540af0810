"""The ID token of a sign-in or a refresh: verified, and signed by a key that isn't revoked."""

from __future__ import annotations

from collections.abc import Callable

from tenantgate.errors.revocation import TokenRevoked
from tenantgate.errors.tokens import IdTokenRefused
from tenantgate.login.service.access_tokens import KeyCheck
from tenantgate.tokens.claims import VerifiedToken
from tenantgate.tokens.waiting import awaited


async def verified_id_token(verify: Callable[[], VerifiedToken], require_key: KeyCheck) -> VerifiedToken:
    """Return the token that `verify` verifies without a fetch.

    Raises `IdTokenRefused`, `RevocationUnknown`, and `ProviderUnreachable` or `Overloaded` when the keys can't be
    fetched.
    """
    token = await awaited(verify)
    try:
        await require_key(token.issuer, token.kid)
    except TokenRevoked as revoked:
        raise IdTokenRefused.of(revoked) from revoked
    return token
