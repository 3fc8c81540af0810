"""Browsers that are signed in at the provider, each known by an opaque cookie."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from tenantgate.openid_provider.models import BROWSER_SESSION_LIFETIME_SECONDS, BROWSER_SESSIONS, BrowserSession, User
from tenantgate.openid_provider.storage.stores import BrowserSessionStore


@dataclass(frozen=True, slots=True)
class StartedBrowserSession:
    """A new browser session and its cookie, which is not stored."""

    session: BrowserSession
    cookie: str = field(repr=False)


class BrowserSessions:
    """Starts, finds and ends browser sessions."""

    def __init__(self, store: BrowserSessionStore, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def start(self, user: User, *, replacing: str | None) -> StartedBrowserSession:
        """Start a session with a new cookie, and end the session of the cookie `replacing` (session fixation)."""
        await self.end(replacing)
        now = int(self._clock())
        secret = BROWSER_SESSIONS.issue(user.tenant_id)
        session = BrowserSession(
            digest=secret.digest,
            sid=str(uuid.uuid4()),
            tenant_id=user.tenant_id,
            user_id=user.id,
            auth_time=now,
            expires_at=now + BROWSER_SESSION_LIFETIME_SECONDS,
        )
        await self._store.save(session)
        return StartedBrowserSession(session, secret.text)

    async def find_live(self, cookie: str | None) -> BrowserSession | None:
        """Return the browser session of this cookie; None if it is unknown or has expired."""
        if cookie is None or (secret := BROWSER_SESSIONS.parse(cookie)) is None:
            return None
        session = await self._store.find(secret.digest, tenant_id=secret.tenant_id)
        return session if session is not None and session.expires_at > self._clock() else None

    async def end(self, cookie: str | None) -> bool:
        """End the browser session of this cookie; return False if it has ended already."""
        if cookie is None or (secret := BROWSER_SESSIONS.parse(cookie)) is None:
            return False
        return await self._store.remove(secret.digest, tenant_id=secret.tenant_id)
