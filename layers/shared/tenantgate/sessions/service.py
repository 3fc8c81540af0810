"""Start, look-up and end of sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol
from uuid import UUID, uuid4

from tenantgate.crypto.opaque import OpaqueKind, OpaqueSecret
from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.errors.access import SessionEnded
from tenantgate.identity.principal import Principal
from tenantgate.sessions.models import Session, SessionTokens, StartedSession, StoredSession

_PURPOSE = "session-tokens"
# Stored sessions have digests of the random part; another digest would end them all.
_SECRETS = OpaqueKind(digests_random_part_only=True)


class SessionStore(Protocol):
    """A store of sessions. Every call is inside one tenant: another tenant's sessions aren't found."""

    async def add(self, session: StoredSession) -> None: ...

    async def find(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None: ...

    async def remove(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        """Remove the session and return it; None if it is unknown. Of concurrent calls only one gets it."""
        ...


class SessionService:
    """Starts, finds and ends sessions.

    A session's secret is opaque (`crypto/opaque.py`) and known only to its browser. Every method raises
    `DatabaseUnreachable`.
    """

    def __init__(self, store: SessionStore, sealer: Sealer, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock

    async def start(self, *, principal: Principal, tokens: SessionTokens) -> StartedSession:
        """Start a session that ends when the principal's token does.

        Its id and secret are always new, so an attacker can't plant a known one before the sign-in (session fixation).
        """
        secret = _SECRETS.issue(principal.tenant_id)
        session = Session(
            id=uuid4(),
            tenant_id=principal.tenant_id,
            user_id=principal.user_id,
            issuer=principal.issuer,
            created_at=int(self._clock()),
            expires_at=principal.expires_at,
            tokens=tokens,
        )
        await self._store.add(
            StoredSession(
                id=session.id,
                tenant_id=session.tenant_id,
                user_id=session.user_id,
                issuer=session.issuer,
                secret_hash=secret.digest,
                sealed_tokens=self._seal(tokens, session.id),
                created_at=session.created_at,
                expires_at=session.expires_at,
            )
        )
        return StartedSession(secret=secret.text, session=session)

    async def find_live(self, secret: str) -> Session:
        """Return the session of this secret. Raises `SessionEnded` if it expired, was ended, or never existed."""
        parsed = _parse(secret)
        stored = await self._store.find(parsed.digest, tenant_id=parsed.tenant_id)
        if stored is None:
            raise SessionEnded("unknown", tenant_id=parsed.tenant_id)
        if stored.expires_at <= self._clock():
            raise SessionEnded("expired", session_id=stored.id)
        return self._opened(stored)

    async def end(self, secret: str) -> Session | None:
        """End the session, expired or not, and return it; None if it is unknown."""
        try:
            parsed = _parse(secret)
            stored = await self._store.remove(parsed.digest, tenant_id=parsed.tenant_id)
            return None if stored is None else self._opened(stored)
        except SessionEnded:
            return None

    def _opened(self, stored: StoredSession) -> Session:
        return Session(
            id=stored.id,
            tenant_id=stored.tenant_id,
            user_id=stored.user_id,
            issuer=stored.issuer,
            created_at=stored.created_at,
            expires_at=stored.expires_at,
            tokens=self._open(stored),
        )

    def _seal(self, tokens: SessionTokens, session_id: UUID) -> str:
        # The session's id is the context, so tokens copied into another row don't open there.
        return self._sealer.seal(json.dumps(asdict(tokens)).encode(), purpose=_PURPOSE, context=session_id.bytes)

    def _open(self, stored: StoredSession) -> SessionTokens:
        try:
            opened = self._sealer.open(stored.sealed_tokens, purpose=_PURPOSE, context=stored.id.bytes)
        except SealBroken:
            # Its key was retired, or the row was changed.
            raise SessionEnded("tokens don't open", session_id=stored.id) from None
        return SessionTokens(**json.loads(opened))


def _parse(secret: str) -> OpaqueSecret:
    if (parsed := _SECRETS.parse(secret)) is None:
        raise SessionEnded("malformed")
    return parsed
