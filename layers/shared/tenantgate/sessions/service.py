"""When a session starts, is good, and ends."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol
from urllib.parse import quote, unquote
from uuid import UUID, uuid4

from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.identity.principal import Principal
from tenantgate.sessions.errors import SessionEnded
from tenantgate.sessions.models import Session, SessionTokens, StartedSession, StoredSession

_PURPOSE = "session-tokens"
_SECRET_BYTES = 32
_COOKIE = re.compile(r"(?P<tenant>[A-Za-z0-9._~%-]{1,512})\.(?P<secret>[A-Za-z0-9_-]{43})")


class SessionStore(Protocol):
    """Where sessions are kept. Every call is inside one tenant: another tenant's sessions aren't found."""

    async def add(self, session: StoredSession) -> None: ...

    async def find(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None: ...

    async def remove(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        """Remove the session and give back what it was; None when there was none."""
        ...


class SessionService:
    """Starts, finds and ends sessions.

    The cookie's value is `<tenant id>.<secret>`. The tenant in front says in which tenant to look, nothing more:
    whoever changes it looks where the secret is unknown. Raises `DatabaseUnreachable` throughout.
    """

    def __init__(self, store: SessionStore, sealer: Sealer, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._sealer = sealer
        self._clock = clock

    async def start(self, *, principal: Principal, tokens: SessionTokens) -> StartedSession:
        """A new session, which ends when the principal's token does. Its id and secret are always new (no fixation)."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
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
                secret_hash=_hash(secret),
                sealed_tokens=self._seal(tokens, session.id),
                created_at=session.created_at,
                expires_at=session.expires_at,
            )
        )
        return StartedSession(cookie_value=f"{quote(principal.tenant_id, safe='')}.{secret}", session=session)

    async def find_live(self, cookie_value: str) -> Session:
        """The session that the cookie stands for; `SessionEnded` when it expired, was ended, or never was."""
        tenant_id, secret_hash = _parse(cookie_value)
        stored = await self._store.find(secret_hash, tenant_id=tenant_id)
        if stored is None:
            raise SessionEnded("unknown", tenant_id=tenant_id)
        if stored.expires_at <= self._clock():
            raise SessionEnded("expired", session_id=stored.id)
        return self._opened(stored)

    async def end(self, cookie_value: str) -> Session | None:
        """End the session, expired or not, and give back what it was; None when there is nothing to end."""
        try:
            tenant_id, secret_hash = _parse(cookie_value)
            stored = await self._store.remove(secret_hash, tenant_id=tenant_id)
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
        # The id as context: tokens copied from one row into another don't open there.
        return self._sealer.seal(json.dumps(asdict(tokens)).encode(), purpose=_PURPOSE, context=session_id.bytes)

    def _open(self, stored: StoredSession) -> SessionTokens:
        try:
            opened = self._sealer.open(stored.sealed_tokens, purpose=_PURPOSE, context=stored.id.bytes)
        except SealBroken:
            # Its key was retired, or the row was tampered with. Signing in again mends the former.
            raise SessionEnded("tokens don't open", session_id=stored.id) from None
        return SessionTokens(**json.loads(opened))


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash; whoever reads the table still can't make a cookie of it.
    return hashlib.sha256(secret.encode()).digest()


def _parse(cookie_value: str) -> tuple[str, bytes]:
    if (found := _COOKIE.fullmatch(cookie_value)) is None:
        raise SessionEnded("malformed cookie")
    tenant_id = unquote(found["tenant"])
    # One spelling per tenant, and none that PostgreSQL can't hold.
    if quote(tenant_id, safe="") != found["tenant"] or "\0" in tenant_id:
        raise SessionEnded("malformed cookie")
    return tenant_id, _hash(found["secret"])
