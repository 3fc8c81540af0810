"""The stores that the provider's services need. `repository.py` implements them on PostgreSQL."""

from __future__ import annotations

from typing import Protocol

from tenantgate.openid_provider.models import AuthorizationCode, BrowserSession, RefreshToken, StoredKey


class KeyStore(Protocol):
    """Signing keys, which belong to no tenant."""

    async def load(self) -> list[StoredKey]:
        """Return all keys, at most one for each algorithm."""
        ...

    async def add(self, key: StoredKey) -> None:
        """Store `key`, unless its algorithm has one already."""
        ...

    async def remove(self, kid: str) -> None: ...


class CodeStore(Protocol):
    """Authorization codes. Each belongs to a tenant."""

    async def save(self, code: AuthorizationCode) -> None: ...

    async def redeem(self, digest: bytes, *, tenant_id: str, client_id: str, now: int) -> AuthorizationCode | None:
        """Mark the code as used and return it; None if it is unknown, used, expired or another client's.

        Of concurrent calls for one code, in any number of processes, only one gets it.
        """
        ...


class RefreshTokenStore(Protocol):
    """Refresh tokens, by family. Each family belongs to a tenant, and its latest token is the only one that works."""

    async def save(self, token: RefreshToken) -> bool:
        """Store the first token of a family, unless its code or browser session has been revoked: return False then."""
        ...

    async def find(self, digest: bytes, *, tenant_id: str) -> RefreshToken | None:
        """Return the latest token of the family to which the token of this digest belongs.

        None if the family is unknown or was revoked. The token may have expired.
        """
        ...

    async def rotate(self, token: RefreshToken, successor: RefreshToken) -> bool:
        """Replace the token; return False if it is no longer its family's latest, or the family was revoked.

        Of concurrent calls for one token, in any number of processes, only one succeeds.
        """
        ...

    async def revoke(self, token: RefreshToken) -> bool:
        """End the token's family, whichever is its latest token; return False if it has ended already."""
        ...

    async def revoke_for_code(self, digest: bytes, *, tenant_id: str, client_id: str) -> None:
        """End the family that the code of this digest began, or that it would begin now."""
        ...

    async def revoke_for_session(self, sid: str, *, tenant_id: str) -> None:
        """End the families that began in this browser session, and those that its codes would begin now."""
        ...


class BrowserSessionStore(Protocol):
    """Browser sessions. Each belongs to a tenant."""

    async def save(self, session: BrowserSession) -> None: ...

    async def find(self, digest: bytes, *, tenant_id: str) -> BrowserSession | None: ...

    async def remove(self, digest: bytes, *, tenant_id: str) -> bool:
        """Remove the session. Of concurrent calls, only one returns True."""
        ...
