"""The stores that the provider's services need. `repository.py` implements them on PostgreSQL."""

from __future__ import annotations

from typing import Protocol

from tenantgate.openid_provider.models import AuthorizationCode, BrowserSession, StoredKey


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


class BrowserSessionStore(Protocol):
    """Browser sessions. Each belongs to a tenant."""

    async def save(self, session: BrowserSession) -> None: ...

    async def find(self, digest: bytes, *, tenant_id: str) -> BrowserSession | None: ...

    async def remove(self, digest: bytes, *, tenant_id: str) -> None: ...
