"""Build the service that refreshes sessions, for the provider that the caller brings."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from tenantgate.database.wiring import database
from tenantgate.sessions.cache import entry_of
from tenantgate.sessions.models import SessionPolicy, StoredSession
from tenantgate.sessions.refreshing.interfaces import Provider
from tenantgate.sessions.refreshing.repository import RefreshRepository
from tenantgate.sessions.refreshing.service import RefreshService, SharedRefreshes
from tenantgate.sessions.wiring import session_cache, session_endings, session_service, unrevoked
from tenantgate.shared_calls import SharedCalls

# By event loop: a task must not outlive its loop.
_refreshes: WeakKeyDictionary[asyncio.AbstractEventLoop, SharedRefreshes] = WeakKeyDictionary()


async def make_refresh_service(provider: Provider[Any]) -> RefreshService:
    """Build the service that refreshes sessions, on the process's database and cache. It is cheap."""
    sessions = await session_service()
    shared = _refreshes.setdefault(asyncio.get_running_loop(), SharedCalls())
    return RefreshService(
        RefreshRepository(database(), session_endings(sessions.policy)),
        sessions,
        provider,
        shared=shared,
        cache=session_cache(sessions.policy),
        unrevoked=partial(_require_unrevoked, sessions.policy),
    )


async def _require_unrevoked(policy: SessionPolicy, session: StoredSession) -> None:
    await unrevoked(entry_of(session, policy, read_at=time.time()))
