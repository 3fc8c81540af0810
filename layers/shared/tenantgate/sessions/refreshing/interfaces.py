"""The parts that a refresh needs: the store of leases, and the provider."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from tenantgate.sessions.models import SessionTokens, StoredSession
from tenantgate.sessions.refreshing.models import Claim, Redeemed, Rotation, Verified


class RefreshStore(Protocol):
    """A store of leases and rotations. Every call is inside one tenant: another tenant's sessions aren't found."""

    async def claim(
        self,
        secret_hash: bytes,
        *,
        tenant_id: str,
        holder: UUID,
        seconds: float,
        rotated_before: float,
        only_expired: bool,
    ) -> Claim | None:
        """Return the session that has, or once had, this secret, and take its lease if that is possible.

        The lease is free if it has run out, or if it was never taken or freed by its holder; `only_expired` leaves the
        latter out. It isn't taken by an earlier secret, or if the last rotation is later than `rotated_before`.
        """
        ...

    async def extend(self, session: StoredSession, holder: UUID, *, seconds: float) -> None:
        """Let the holder's lease run for so many seconds from now."""
        ...

    async def release(
        self, session: StoredSession, holder: UUID, *, used_at: float, sealed_tokens: str | None = None
    ) -> None:
        """Free the holder's lease without a rotation, and replace the tokens if there are new ones."""
        ...

    async def rotate(self, session: StoredSession, holder: UUID, *, to: StoredSession) -> Rotation:
        """Store a rotation and free the lease, if the holder still has it, or if it is free and no result is stored.

        A repeated call is safe: it returns `stored` for a rotation that was stored before.
        """
        ...

    async def end(self, session: StoredSession, holder: UUID) -> StoredSession | None:
        """Remove the session if the holder still has its lease, record that as `SessionStore.remove`, and return it."""
        ...


class Provider[Response](Protocol):
    """The provider's side of a refresh."""

    async def redeem(self, session: StoredSession, tokens: SessionTokens) -> Redeemed[Response]:
        """Redeem the refresh token. Raises `SessionEnded` when the provider refuses it, and other errors."""
        ...

    async def verify(self, session: StoredSession, tokens: SessionTokens, redeemed: Redeemed[Response]) -> Verified:
        """Verify the new tokens. `tokens`: those before. Raises `SessionEnded` if they belong to anyone else."""
        ...

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token that isn't kept. Never raises."""
        ...
