"""Verified credentials in the form in which revocations judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate.revoked.snapshot import PresentedSession, PresentedToken
from tenantgate.tokens.access_token import CLIENT_CLAIMS

if TYPE_CHECKING:
    from tenantgate.identity.session_entry import SessionEntry
    from tenantgate.tokens.claims import Claims, VerifiedToken


def presented_token(verified: VerifiedToken, *, tenant_id: str, token: str) -> PresentedToken:
    """Return a verified token with its tenant. `token`: as it was sent."""
    return PresentedToken(
        tenant_id,
        verified.issuer,
        verified.subject,
        verified.token_id,
        token,
        _clients(verified.claims),
        verified.kid,
        verified.issued_at,
    )


def presented_session(entry: SessionEntry) -> PresentedSession:
    """Return a live session."""
    return PresentedSession(entry.tenant_id, entry.issuer, entry.user_id, entry.session_id, entry.auth_time)


def _clients(claims: Claims) -> list[str]:
    """Return the ids of the client that got the token, which providers name in different claims.

    An ID token may name it only in `aud` (OpenID Connect Core §2).
    """
    named = [name for claim in CLIENT_CLAIMS if isinstance(name := claims.get(claim), str)]
    if named:
        return named
    audience = claims.get("aud")
    return [name for name in (audience if isinstance(audience, list) else (audience,)) if isinstance(name, str)]
