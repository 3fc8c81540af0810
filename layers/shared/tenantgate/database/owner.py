"""Connections of the database's owner, and the lock that keeps migrations apart."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import exc, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tenantgate.database.errors import DatabaseUnreachable, MigrationBusy, MigrationFailed

# An arbitrary number that no other program uses for a lock of this database.
LOCK_KEY = 0x7E4A_6A7E
LOCK_WAIT_SECONDS = 30.0
_LOCK_POLL_SECONDS = (0.02, 0.2)


@asynccontextmanager
async def owner_connection(url: str, limits: Mapping[str, str] | None = None) -> AsyncIterator[AsyncConnection]:
    """Open a new connection; PostgreSQL's errors become `DatabaseUnreachable` or `MigrationFailed`.

    `limits`: PostgreSQL's settings for each transaction of the connection, such as `{"lock_timeout": "1s"}`.
    """
    from tenantgate.database.dialect import DRIVER  # noqa: PLC0415  (registers the dialect)

    engine = create_async_engine(
        make_url(url).set(drivername=DRIVER),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"statement_seconds": None, "limits": limits or {}},
    )
    try:
        async with engine.connect() as connection:
            yield connection
    except exc.DBAPIError as error:
        if error.connection_invalidated or isinstance(error, exc.OperationalError) or error.statement is None:
            raise DatabaseUnreachable(type(error).__name__, error=str(error.orig), sqlstate=sqlstate(error)) from error
        raise MigrationFailed("a statement was refused", detail={"reason": server_message(error)}) from error
    finally:
        await engine.dispose()


@asynccontextmanager
async def locked_connection(url: str, limits: Mapping[str, str] | None = None) -> AsyncIterator[AsyncConnection]:
    """Connect as `owner_connection` does, with a lock against other migrations and login changes of this database.

    The lock belongs to a transaction on a second connection. A session's lock would stay with a server connection of a
    transaction pooler (PgBouncer, RDS Proxy): never released, and without effect on other clients.
    Raises `MigrationBusy`.
    """
    async with owner_connection(url) as keeper:
        await _lock(keeper)
        async with owner_connection(url, limits) as connection:
            yield connection


async def _lock(connection: AsyncConnection) -> None:
    """Wait for the lock; the end of this connection's transaction releases it.

    Neither waiting for the lock nor holding it keeps a snapshot. `CREATE INDEX CONCURRENTLY`, in the migration that has
    the lock, waits for the end of every snapshot: both would wait for each other, and PostgreSQL wouldn't see it.
    So each attempt is a separate transaction, not a statement that waits.
    """
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while not await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LOCK_KEY}):
        await connection.rollback()
        if time.monotonic() >= deadline:
            raise MigrationBusy("the migration lock was not released in time", waited_seconds=LOCK_WAIT_SECONDS)
        await asyncio.sleep(random.uniform(*_LOCK_POLL_SECONDS))  # noqa: S311  (jitter, not a secret)
    # By the simple protocol, which replaces the unnamed portal of the last statement, and with it its snapshot.
    driver: Any = (await connection.get_raw_connection()).driver_connection
    await driver.execute("SELECT set_config('idle_in_transaction_session_timeout', '0', true)")


def sqlstate(error: exc.DBAPIError) -> str | None:
    """Return PostgreSQL's code of the error (its documentation, appendix A), or None if it has none."""
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None


def server_message(error: exc.DBAPIError) -> str:
    """Return PostgreSQL's message without the statement, or the error's name if the message may contain a value."""
    from tenantgate.database.failures import loggable_message  # noqa: PLC0415  (the driver, loaded by a connection)

    cause = (error.orig.__cause__ if error.orig is not None else None) or error
    state = sqlstate(error)
    return loggable_message(cause) or type(cause).__name__ + (f" ({state})" if state else "")
