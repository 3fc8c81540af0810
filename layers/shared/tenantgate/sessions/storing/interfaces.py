"""The store that sessions need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from tenantgate.audit.service import Keys
from tenantgate.crypto.envelopes import DataKey, KeyOwner
from tenantgate.database.unit import Unit
from tenantgate.sessions.models import BY_USER, End, StoredSession, TenantState, User


class SubjectKeys(Keys, Protocol):
    """The part of `data_keys.service.DataKeys` that a sign-in uses."""

    async def hold_in(self, unit: Unit, owner: KeyOwner, key: DataKey) -> bool:
        """Keep a key from being destroyed until the unit of work ends; return False if it is destroyed."""
        ...


class SessionStore(Protocol):
    """A store of sessions. Every call is inside one tenant: another tenant's sessions aren't found."""

    async def tenant(self, tenant_id: str, *, register: bool) -> TenantState | None:
        """Return the tenant's state; None if it isn't registered. `register`: register it first."""
        ...

    async def add(self, session: StoredSession, *, lookups: Sequence[bytes] = ()) -> None:
        """Add a session, its audit event, and the digests by which a logout token finds it.

        Raises `KeyServiceUnavailable` and `SecretsUnavailable` if the user's key is needed and unavailable.
        """
        ...

    async def was_logged_out(self, lookups: Sequence[bytes], *, since: float) -> bool:
        """Tell whether a logout token issued since then named a session or user with these digests."""
        ...

    async def find(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        """Return the session that has, or once had, this secret."""
        ...

    async def of_user(self, user: User) -> Sequence[StoredSession]:
        """Return all sessions of the user, the one that was used last first."""
        ...

    async def mark_used(self, session_id: UUID, *, tenant_id: str, at: float) -> None: ...

    async def remove(
        self, session_ids: Sequence[UUID], *, tenant_id: str, end: End = BY_USER
    ) -> Sequence[StoredSession]:
        """Remove sessions and return those that existed. Of concurrent calls only one gets each.

        The transaction records their audit events, and them as revoked, with each unexpired access token that their
        clients got.
        """
        ...

    async def remove_of_user(
        self, user: User, session_id: UUID | None = None, *, end: End = BY_USER
    ) -> Sequence[StoredSession]:
        """Remove the user's sessions, or only one of them, as `remove` does."""
        ...
