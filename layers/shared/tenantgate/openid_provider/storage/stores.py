"""What the provider keeps, as its services see it. `repository.py` keeps it in PostgreSQL."""

from __future__ import annotations

from typing import Protocol

from tenantgate.openid_provider.models import AuthorizationCode, BrowserSession, StoredKey


class KeyStore(Protocol):
    async def load(self) -> list[StoredKey]:
        """All keys: one for each algorithm."""
        ...

    async def add(self, key: StoredKey) -> None:
        """Store `key`, unless there is one for its algorithm already."""
        ...

    async def remove(self, kid: str) -> None: ...


class CodeStore(Protocol):
    async def save(self, code: AuthorizationCode) -> None: ...

    async def redeem(self, digest: bytes, *, tenant_id: str, client_id: str, now: int) -> AuthorizationCode | None:
        """Use the code up and return it; None if it is unknown, used, expired or another client's.

        Of any number of concurrent calls for one code, in any number of processes, one gets it.
        """
        ...


class BrowserSessionStore(Protocol):
    async def save(self, session: BrowserSession) -> None: ...

    async def find(self, digest: bytes, *, tenant_id: str) -> BrowserSession | None: ...

    async def remove(self, digest: bytes, *, tenant_id: str) -> None: ...
