"""Who is signed in at the provider in which browser: an opaque cookie, looked up under its tenant."""

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
    def __init__(self, store: BrowserSessionStore, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def start(self, user: User, *, replacing: str | None) -> StartedBrowserSession:
        """A new session with a new id at every sign-in; the one that the browser had before ends (session fixation)."""
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
        """Find the browser session of this cookie; None when there is none, or it has expired."""
        if cookie is None or (secret := BROWSER_SESSIONS.parse(cookie)) is None:
            return None
        session = await self._store.find(secret.digest, tenant_id=secret.tenant_id)
        return session if session is not None and session.expires_at > self._clock() else None

    async def end(self, cookie: str | None) -> None:
        """End the browser session of this cookie, if there is one."""
        if cookie is not None and (secret := BROWSER_SESSIONS.parse(cookie)) is not None:
            await self._store.remove(secret.digest, tenant_id=secret.tenant_id)
