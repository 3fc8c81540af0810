"""The services of revocations in this process."""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

from tenantgate.cache.interface import Cache
from tenantgate.cache.wiring import cache
from tenantgate.database.unit import Database
from tenantgate.database.wiring import database
from tenantgate.observability.security_events import Actor
from tenantgate.revocation.distribution.current import CurrentRevocations, NoRevocations
from tenantgate.revocation.distribution.publisher import Publisher
from tenantgate.revocation.distribution.recorded import Recorded
from tenantgate.revocation.models import RevocationPolicy
from tenantgate.revocation.repository import RevocationRepository
from tenantgate.revocation.service import RevocationService
from tenantgate.revocation.tasks import Republisher
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings

# By event loop, as the databases and caches: they remember the last snapshot and the last publication.
_recorded: WeakKeyDictionary[asyncio.AbstractEventLoop, Recorded] = WeakKeyDictionary()
_publishers: WeakKeyDictionary[asyncio.AbstractEventLoop, Publisher] = WeakKeyDictionary()


async def revocation_service(*, actor: Actor = "system") -> RevocationService:
    """Build the service on the process's database and cache, for this actor of security events. It is cheap."""
    policy = revocation_policy(get_settings())
    return RevocationService(revocation_repository(), _publisher_here(), policy, actor=actor)


def revocation_repository() -> RevocationRepository:
    """Return the repository on the process's database."""
    return RevocationRepository(database(), closed=revocation_policy(get_settings()).closed)


def make_current_revocations() -> CurrentRevocations | NoRevocations:
    """Build the list by which the running event loop's requests are judged."""
    if get_settings().database_url is None:
        return NoRevocations()
    return CurrentRevocations(_recorded_here(), cache(), _publisher_here())


def republisher() -> Republisher | None:
    """Build the republisher on the process's database and cache; None without a cache."""
    publisher = _publisher_here()
    return None if publisher is None else Republisher(publisher)


def revocation_service_of(settings: Settings, store: Database, values: Cache | None) -> RevocationService:
    """Build the service of an operator's command."""
    policy = revocation_policy(settings)
    publisher = None if values is None else revocation_publisher_of(settings, store, values)
    return RevocationService(RevocationRepository(store, closed=policy.closed), publisher, policy, actor="operator")


def revocation_publisher_of(settings: Settings, store: Database, values: Cache) -> Publisher:
    """Build the publisher of a command."""
    repository = RevocationRepository(store, closed=revocation_policy(settings).closed)
    return Publisher(Recorded(repository), values)


def revocation_policy(settings: Settings) -> RevocationPolicy:
    """Return the deployment's limits."""
    tokens = settings.token_policy
    return RevocationPolicy(
        longest_token=tokens.max_lifetime_seconds + tokens.leeway_seconds,
        longest_session=settings.session_absolute_hours * 3600,
        closed=settings.tenant_registration == "closed",
    )


def _recorded_here() -> Recorded:
    loop = asyncio.get_running_loop()
    if (known := _recorded.get(loop)) is None:
        known = _recorded[loop] = Recorded(revocation_repository())
    return known


def _publisher_here() -> Publisher | None:
    values, loop = cache(), asyncio.get_running_loop()
    if values is None:
        return None
    known = _publishers.get(loop)
    if known is None or known.cache is not values:
        known = _publishers[loop] = Publisher(_recorded_here(), values)
    return known
