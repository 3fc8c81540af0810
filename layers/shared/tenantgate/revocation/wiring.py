"""The services of revocations in this process."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from tenantgate.cache.interface import Cache
from tenantgate.cache.wiring import cache
from tenantgate.database.unit import Database
from tenantgate.database.wiring import database
from tenantgate.revocation.cache import Publisher
from tenantgate.revocation.models import RevocationPolicy
from tenantgate.revocation.repository import RevocationRepository
from tenantgate.revocation.service import RevocationService
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings

# By event loop, as the databases and caches: a publisher keeps the last snapshot that it read.
_publishers: WeakKeyDictionary[asyncio.AbstractEventLoop, Publisher] = WeakKeyDictionary()


async def revocation_service() -> RevocationService:
    """Build the service on the process's database and cache. It is cheap."""
    policy = revocation_policy(get_settings())
    return RevocationService(
        RevocationRepository(database(), closed=policy.closed), await revocation_publisher(), policy
    )


async def revocation_publisher() -> Publisher | None:
    """Return the running event loop's publisher; None without a cache."""
    loop, values = asyncio.get_running_loop(), cache()
    if values is None:
        return None
    if (known := _publishers.get(loop)) is not None:
        return known
    closed = revocation_policy(get_settings()).closed
    made = _publishers[loop] = Publisher(RevocationRepository(database(), closed=closed), values)
    return made


def revocation_service_of(settings: Settings, store: Database, values: Cache | None) -> RevocationService:
    """Build the service of a command."""
    policy = revocation_policy(settings)
    repository = RevocationRepository(store, closed=policy.closed)
    return RevocationService(repository, None if values is None else Publisher(repository, values), policy)


def revocation_policy(settings: Settings) -> RevocationPolicy:
    """Return the deployment's limits."""
    tokens = settings.token_policy
    return RevocationPolicy(
        longest_token=tokens.max_lifetime_seconds + tokens.leeway_seconds,
        longest_session=settings.session_absolute_hours * 3600,
        closed=settings.tenant_registration == "closed",
    )
