"""The database as services see it: units of work inside one tenant, or outside of any.

Time limits, so that a server that is gone, starting or frozen holds no request for long: connecting 3 s (and 0.4 s when
it is refused, three tries included), the check of a pooled connection 1 s, each statement 5 s, waiting for a free
connection 30 s. After each of them the caller gets `DatabaseUnreachable`, and the connection is dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tenantgate.database.connection import is_unreachable
from tenantgate.database.dialect import DRIVER
from tenantgate.database.probe import UNSAFE_ROLE, Probe
from tenantgate.errors import DatabaseUnreachable, InternalError


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Connections kept, connections on top of them under load, and seconds to wait for one."""

    size: int
    overflow: int
    wait_seconds: float


CONTAINER_POOL = PoolLimits(size=10, overflow=10, wait_seconds=30)
# A Lambda environment serves one request at a time, and the proxy does the pooling.
LAMBDA_POOL = PoolLimits(size=1, overflow=0, wait_seconds=5)

# `true`: for this transaction only. The setting ends with it, so it can't leak to whom a proxy lends the connection
# next. The role is looked at in the same breath: one that may bypass row-level security sees every tenant.
_ENTER_TENANT = text(
    "SELECT set_config('tenantgate.tenant_id', :tenant_id, true),"
    " (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user)"
)


class Database:
    """One connection pool. Belongs to one event loop; `dispose()` it before that loop ends.

    `url`: `postgresql://…`, with or without `+asyncpg`; no connection is made before the first unit of work.
    """

    def __init__(self, url: str, *, pool: PoolLimits = CONTAINER_POOL) -> None:
        target = make_url(url).set(drivername=DRIVER)
        self._engine = create_async_engine(
            target,
            pool_size=pool.size,
            max_overflow=pool.overflow,
            pool_timeout=pool.wait_seconds,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._probe = Probe(target.set(drivername="postgresql").render_as_string(hide_password=False))

    def tenant(self, tenant_id: str) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction in which only `tenant_id`'s rows exist; committed at the end, rolled back by an exception.

        Raises `DatabaseUnreachable`, also at the end: then it is unknown whether the transaction was committed.
        """
        if not tenant_id:
            raise ValueError("a tenant id is never empty")
        return self._unit_of_work(tenant_id)

    def untenanted(self) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction in which no tenant's rows exist: for tables that belong to no tenant."""
        return self._unit_of_work(None)

    async def check(self, timeout: float) -> None:  # noqa: ASYNC109  (the caller's deadline is what this is about)
        """Return when the database answered; raise `DatabaseUnreachable` at the latest after `timeout` seconds."""
        await self._probe.check(timeout)

    async def dispose(self) -> None:
        """Close every connection that is not in use, and the check's."""
        await self._probe.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _unit_of_work(self, tenant_id: str | None) -> AsyncIterator[AsyncSession]:
        try:
            async with self._sessions() as session, session.begin():
                if tenant_id is not None:
                    await _enter(session, tenant_id)
                yield session
        except (exc.DBAPIError, exc.TimeoutError) as error:
            if _is_unreachable(error):
                # The chain holds the driver's words; the statement's parameters are hidden in it.
                raise DatabaseUnreachable(type(error).__name__, error=_told(error)) from error
            raise


async def _enter(session: AsyncSession, tenant_id: str) -> None:
    (_, bypasses) = (await session.execute(_ENTER_TENANT, {"tenant_id": tenant_id})).one()
    if bypasses:
        raise InternalError(UNSAFE_ROLE)


def _is_unreachable(error: exc.DBAPIError | exc.TimeoutError) -> bool:
    if isinstance(error, exc.TimeoutError):
        # No connection came free in time.
        return True
    if error.connection_invalidated or isinstance(error, exc.OperationalError):
        return True
    return is_unreachable(getattr(error.orig, "sqlstate", None))


def _told(error: exc.DBAPIError | exc.TimeoutError) -> str:
    return str(error.orig) if isinstance(error, exc.DBAPIError) else str(error)
