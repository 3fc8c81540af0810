"""Who is signed in at the provider in which browser: an opaque cookie, looked up under its tenant."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from tenantgate.openid_provider.models import BROWSER_SESSION_LIFETIME_SECONDS, BrowserSession, User, digest
from tenantgate.openid_provider.storage.stores import BrowserSessionStore

# `{tenant}.{secret}`: codes and cookies alike. The bounds keep nonsense away from the database.
_OPAQUE = re.compile(r"(?P<tenant>[A-Za-z0-9_\-]{1,128})\.[A-Za-z0-9_\-]{43}\Z")


def tenant_of(opaque: str) -> str | None:
    """The tenant that a code or cookie of ours begins with, or None if it can't be one."""
    match = _OPAQUE.match(opaque)
    return match["tenant"] if match else None


@dataclass(frozen=True, slots=True)
class StartedBrowserSession:
    session: BrowserSession
    cookie: str


class BrowserSessions:
    def __init__(self, store: BrowserSessionStore, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def start(self, user: User, *, replacing: str | None) -> StartedBrowserSession:
        """A new session with a new id at every sign-in; the one that the browser had before ends (session fixation)."""
        await self.end(replacing)
        now = int(self._clock())
        cookie = f"{user.tenant_id}.{secrets.token_urlsafe(32)}"
        session = BrowserSession(
            key=digest(cookie),
            sid=str(uuid.uuid4()),
            tenant_id=user.tenant_id,
            user_id=user.id,
            auth_time=now,
            expires_at=now + BROWSER_SESSION_LIFETIME_SECONDS,
        )
        await self._store.save(session)
        return StartedBrowserSession(session, cookie)

    async def find_live(self, cookie: str | None) -> BrowserSession | None:
        tenant_id = tenant_of(cookie or "")
        if cookie is None or tenant_id is None:
            return None
        session = await self._store.find(digest(cookie), tenant_id=tenant_id)
        return session if session is not None and session.expires_at > self._clock() else None

    async def end(self, cookie: str | None) -> None:
        tenant_id = tenant_of(cookie or "")
        if cookie is not None and tenant_id is not None:
            await self._store.remove(digest(cookie), tenant_id=tenant_id)
