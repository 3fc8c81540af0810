"""ID tokens that come back as hints: ours by signature and issuer; how old they are doesn't matter (OIDC Core §3.1.2.1,
RP-Initiated Logout §2)."""

from __future__ import annotations

from tenantgate.openid_provider.protocol.keys import KeyRing, TokenRefused


class IdTokenHints:
    def __init__(self, ring: KeyRing, issuer: str) -> None:
        self._ring = ring
        self._issuer = issuer

    def claims(self, id_token: str) -> dict[str, object]:
        """The claims of an ID token of ours; raises `TokenRefused` for anything else."""
        claims = self._ring.verify(id_token, typ="JWT")
        if claims.get("iss") != self._issuer:
            raise TokenRefused("wrong issuer")
        return claims

    def subject_of(self, id_token: str) -> object:
        """Whom the hint means, or None if it isn't ours."""
        try:
            return self.claims(id_token).get("sub")
        except TokenRefused:
            return None
