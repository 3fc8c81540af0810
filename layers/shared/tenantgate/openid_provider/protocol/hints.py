"""ID tokens that a client sends back as hints (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2).

Signature and issuer must be this provider's. A hint may have expired.
"""

from __future__ import annotations

from tenantgate.openid_provider.protocol.keys import KeyRing, TokenRefused


class IdTokenHints:
    """Reads hints with the current keys."""

    def __init__(self, ring: KeyRing, issuer: str) -> None:
        self._ring = ring
        self._issuer = issuer

    def claims(self, id_token: str) -> dict[str, object]:
        """Return the claims of an ID token of this provider. Raises `TokenRefused` for any other text."""
        claims = self._ring.verify(id_token, typ="JWT")
        if claims.get("iss") != self._issuer:
            raise TokenRefused("wrong issuer")
        return claims

    def subject_of(self, id_token: str) -> object:
        """Return the hint's subject; None if this provider didn't issue it."""
        try:
            return self.claims(id_token).get("sub")
        except TokenRefused:
            return None
