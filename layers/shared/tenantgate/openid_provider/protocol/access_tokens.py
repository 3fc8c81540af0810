"""Access tokens: JWTs of RFC 9068 §2.2 with the claim `tenant_id`, and roles as in §2.2.3.1.

The token endpoint and `tenantgate token` both issue them here, so that their tokens can't differ.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from tenantgate.openid_provider.models import OFFLINE_ACCESS, SigningAlgorithm
from tenantgate.openid_provider.protocol.keys import KeyRing


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """The content of an access token. Times are whole epoch seconds; `scope` is space-separated."""

    user_id: str
    tenant_id: str
    client_id: str
    scope: str
    roles: Sequence[str]
    auth_time: int
    amr: Sequence[str]
    issued_at: int
    expires_at: int


class AccessTokens:
    """Issues access tokens. Made for each request: `ring` holds the current keys."""

    def __init__(self, issuer: str, audience: str, ring: KeyRing) -> None:
        self._issuer = issuer
        self._audience = audience
        self._ring = ring

    def issue(self, grant: AccessGrant, algorithm: SigningAlgorithm) -> str:
        """Return a signed token. The caller has checked that the user may have everything in `grant`."""
        claims: dict[str, object] = {
            "iss": self._issuer,
            "sub": grant.user_id,
            "aud": self._audience,
            "client_id": grant.client_id,
            "iat": grant.issued_at,
            "exp": grant.expires_at,
            "jti": secrets.token_urlsafe(16),
            "scope": " ".join(name for name in grant.scope.split() if name != OFFLINE_ACCESS),
            "auth_time": grant.auth_time,
            "amr": list(grant.amr),
            "tenant_id": grant.tenant_id,
        }
        if grant.roles:
            claims["roles"] = list(grant.roles)
        return self._ring.sign(claims, algorithm=algorithm, typ="at+jwt")
