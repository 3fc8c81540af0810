"""The time for which revocations are kept, and the owners of tokens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RevocationPolicy:
    """`longest_token`: seconds for which a token is accepted at most, with leeway. `longest_session`: as for sessions.

    `closed`: only registered tenants may take part.
    """

    longest_token: float = 86_400.0
    longest_session: float = 43_200.0
    closed: bool = False

    @property
    def longest(self) -> float:
        """Seconds after which no token or session of a user, client or tenant is left."""
        return max(self.longest_token, self.longest_session)


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """The user of a revoked token or session, if it is known."""

    tenant_id: str
    issuer: str
    user_id: str
