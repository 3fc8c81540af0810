"""The registry on a database and a cache."""

from __future__ import annotations

from tenantgate.cache.interface import Cache
from tenantgate.database.unit import Database
from tenantgate.revocation.repository import count_change
from tenantgate.revocation.wiring import revocation_publisher_of
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.repository import TenantSessionRepository
from tenantgate.sessions.tasks import TenantSessions
from tenantgate.sessions.wiring import session_policy
from tenantgate.settings.model import Settings
from tenantgate.tenants.models import TenantRules
from tenantgate.tenants.repository import TenantRepository
from tenantgate.tenants.service import TenantService


def tenant_service(settings: Settings, database: Database, cache: Cache | None) -> TenantService:
    """Build the service of a command."""
    policy = session_policy(settings)
    sessions = TenantSessions(TenantSessionRepository(database), SessionCache(cache, policy))
    publish = None if cache is None else revocation_publisher_of(settings, database, cache).publish
    return TenantService(TenantRepository(database, count_change), sessions, tenant_rules(settings), publish)


def tenant_rules(settings: Settings) -> TenantRules:
    """Return the deployment's limits for tenants."""
    policy = settings.token_policy
    return TenantRules(
        session_idle_minutes=settings.session_idle_minutes,
        session_absolute_hours=settings.session_absolute_hours,
        issuers=tuple(trusted.issuer for trusted in policy.issuers),
        matches=policy.tenant_id_pattern,
    )
