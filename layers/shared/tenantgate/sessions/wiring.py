"""The services of sessions in this process."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from tenantgate.audit.wiring import append
from tenantgate.cache.wiring import cache
from tenantgate.crypto.sealing import Sealer
from tenantgate.data_keys.wiring import data_keys
from tenantgate.database.wiring import database
from tenantgate.errors.base import InternalError
from tenantgate.identity.presented import presented_session
from tenantgate.identity.session_entry import SessionEntry
from tenantgate.provider_copies.wiring import sharing_verifier
from tenantgate.revocation.credential import current_revocations, require_key
from tenantgate.secrets.wiring import secret_store
from tenantgate.sessions.backchannel.repository import NameRepository
from tenantgate.sessions.backchannel.service import LogoutTokenService, NamedSessions
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import SessionPolicy
from tenantgate.sessions.repository import SessionRepository, TenantSessionRepository
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.tasks import SessionSweep, remove_of_revoked
from tenantgate.settings.environment import get_settings
from tenantgate.settings.model import Settings
from tenantgate.tokens.verifier import TokenVerifier

if TYPE_CHECKING:
    from tenantgate.cache.interface import Cache
    from tenantgate.database.unit import Database, Unit
    from tenantgate.revoked.change import Revocation


async def session_service() -> SessionService:
    """Build the service on the process's database and cache. It is cheap."""
    policy = session_policy(get_settings())
    store = SessionRepository(database(), session_endings(policy), data_keys())
    return SessionService(store, secret_store().sealer, keys=data_keys(), policy=policy, cache=session_cache(policy))


def session_service_of(
    settings: Settings, store: Database, values: Cache | None, *, publish: Callable[[], Awaitable[None]]
) -> SessionService:
    """Build the service of a command, which ends sessions and has no sealing keys. `publish`: as in `SessionCache`."""

    async def sealer() -> Sealer:
        raise InternalError("a command has no sealing keys")

    policy = session_policy(settings)
    repository = SessionRepository(store, session_endings(policy))
    cached = SessionCache(values, policy, publish=publish)
    return SessionService(repository, sealer, policy=policy, cache=cached)


async def remove_sessions_of_revoked(store: Database, tenant_id: str, *, until: float) -> int:
    """Remove the sessions that a revocation of the tenant refuses, as `tasks.remove_of_revoked` does."""
    return await remove_of_revoked(TenantSessionRepository(store), tenant_id, until=until)


def session_cache(policy: SessionPolicy) -> SessionCache:
    """Build the entries of sessions, on the process's cache."""
    return SessionCache(cache(), policy, publish=_publish)


def session_endings(policy: SessionPolicy) -> Endings:
    """Build what records the end of sessions."""
    return Endings(_record, policy)


async def _record(unit: Unit, revocations: Iterable[Revocation], *, at: float) -> None:
    # Imported here, and below: few requests end a session.
    from tenantgate.revocation.repository import record_in  # noqa: PLC0415

    await record_in(unit, revocations, at=at)


async def _publish() -> None:
    from tenantgate.revocation.wiring import revocation_service  # noqa: PLC0415

    await (await revocation_service()).spread()


def session_sweep() -> SessionSweep:
    """Build the sweep on the process's database and cache."""
    policy = session_policy(get_settings())
    return SessionSweep(TenantSessionRepository(database()), SessionCache(cache(), policy), policy)


async def named_sessions() -> NamedSessions:
    """Build the service that ends sessions by the provider's names. It is cheap."""
    return NamedSessions(NameRepository(database()), secret_store().sealer, session_service)


async def logout_token_service() -> LogoutTokenService:
    """Build the service that acts on logout tokens. It is cheap."""
    return LogoutTokenService(
        _verifier(),
        NameRepository(database()),
        await named_sessions(),
        client_id=get_settings().oidc_client_id,
        require_key=require_key,
        append=append,
    )


@functools.cache
def _verifier() -> TokenVerifier:
    return sharing_verifier(get_settings().token_policy)


async def unrevoked(entry: SessionEntry) -> SessionEntry:
    """Return a live session's entry. Raises `SessionEnded` and `TenantNotAllowed`, and `RevocationUnknown`."""
    revocations = current_revocations()
    await revocations.refresh()
    revocations.current().require_session(presented_session(entry))
    return entry


def session_policy(settings: Settings) -> SessionPolicy:
    """Return the deployment's limits."""
    return SessionPolicy(
        idle_seconds=settings.session_idle_minutes * 60,
        absolute_seconds=settings.session_absolute_hours * 3600,
        cache_seconds=settings.session_cache_seconds,
        grace_seconds=settings.session_reuse_grace_seconds,
        leeway_seconds=settings.token_policy.leeway_seconds,
        registers_tenants=settings.tenant_registration == "open",
    )
