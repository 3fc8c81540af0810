"""The container's database: SQLAlchemy's connection pool.

Time limits keep a server that is down, starting or frozen from blocking requests: 3 s to connect (0.4 s for three
refused attempts), 1 s for the check of a pooled connection, 5 s for each statement, 30 s to wait for a free connection.
After a time-out the caller gets `DatabaseUnreachable`, and the connection is dropped.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import override

from sqlalchemy import exc, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tenantgate.database.dialect import DRIVER
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.failures import failure
from tenantgate.database.transactions import Transaction, TransactionDatabase
from tenantgate.database.unit import Row, StatementRefused


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Connections kept, further connections under load, and the seconds to wait for one."""

    size: int
    overflow: int
    wait_seconds: float


CONTAINER_POOL = PoolLimits(size=10, overflow=10, wait_seconds=30)


class PooledDatabase(TransactionDatabase):
    """Runs as many units of work in parallel as the pool has connections."""

    def __init__(self, url: str, *, pool: PoolLimits = CONTAINER_POOL) -> None:
        super().__init__(url)
        self._limits = pool
        self._engine = create_async_engine(
            make_url(url).set(drivername=DRIVER),
            pool_size=pool.size,
            max_overflow=pool.overflow,
            pool_timeout=pool.wait_seconds,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    @override
    async def dispose(self) -> None:
        await super().dispose()
        await self._engine.dispose()

    @override
    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        failed: DatabaseUnreachable | StatementRefused
        connected = False
        try:
            async with self._engine.begin() as connection:
                connected = True
                yield _PooledTransaction(connection)
            return
        except exc.TimeoutError:
            failed = DatabaseUnreachable("no connection became free in time", seconds=self._limits.wait_seconds)
        except exc.DBAPIError as error:
            failed = _failure(error, lost=not connected)
        raise failed


class _PooledTransaction(Transaction):
    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__()
        self._connection = connection

    @override
    async def _run(self, statement: str, values: Sequence[object]) -> Sequence[Row]:
        try:
            result = await self._connection.exec_driver_sql(statement, tuple(values))
        except exc.DBAPIError as error:
            failed = _failure(error)
        else:
            return [row._asdict() for row in result] if result.returns_rows else []
        raise failed


def _failure(error: exc.DBAPIError, *, lost: bool = False) -> DatabaseUnreachable | StatementRefused:
    # SQLAlchemy's error wraps its dialect's, which wraps asyncpg's.
    driver_error = getattr(error.orig, "orig", None) or error
    lost = lost or error.connection_invalidated or isinstance(error, exc.OperationalError)
    return failure(driver_error, lost=lost)
