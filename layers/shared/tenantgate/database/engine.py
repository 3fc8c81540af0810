"""The container's database: SQLAlchemy's connection pool.

Time limits keep a server that is down, starting or frozen from blocking requests: 3 s to connect (0.4 s for three
refused attempts), 1 s for the check of a pooled connection, 5 s for each statement, 30 s to wait for a free connection.
The pool opens further connections, up to its limit, for callers that have waited 50 ms for one that is kept.
After a time-out the caller gets `DatabaseUnreachable`, and the connection is dropped.

SQLAlchemy keeps, checks and limits the connections. The statements go to the driver directly: through SQLAlchemy, a
unit of work takes twice the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import override

from sqlalchemy import exc, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util.concurrency import greenlet_spawn

from tenantgate.database.connection import BEGIN, COMMIT, Connection
from tenantgate.database.dialect import DRIVER, DriverError
from tenantgate.database.driver import DriverTransaction, command, rolls_back
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.failures import DRIVER_ERRORS, failure
from tenantgate.database.transactions import Transaction, TransactionDatabase
from tenantgate.database.unit import StatementRefused


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Connections kept, further connections under load, and the seconds to wait for one."""

    size: int
    overflow: int
    wait_seconds: float


# Most transactions are shorter, and opening a connection takes about as long: its login costs both sides 4,096
# rounds of a hash function.
FURTHER_AFTER_SECONDS = 0.05
CONTAINER_POOL = PoolLimits(size=10, overflow=10, wait_seconds=30)


class PooledDatabase(TransactionDatabase):
    """Runs as many units of work in parallel as the pool has connections."""

    def __init__(self, url: str, *, pool: PoolLimits = CONTAINER_POOL) -> None:
        super().__init__(url)
        self._limits = pool
        self._places = asyncio.Semaphore(pool.size)
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
        async with self._place(), self._connection() as driver:
            yield DriverTransaction(driver)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait a moment for one of the connections that are kept, before the pool opens a further one."""
        has_place = True
        if not self._places.locked():
            await self._places.acquire()
        else:
            try:
                async with asyncio.timeout(FURTHER_AFTER_SECONDS):
                    await self._places.acquire()
            except TimeoutError:
                has_place = False
        try:
            yield
        finally:
            if has_place:
                self._places.release()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Lend a connection with a transaction, which is committed at the end, and rolled back by an exception."""
        pooled = await self._checked_out()
        driver: Connection = pooled.driver_connection  # type: ignore[assignment]
        ended = False
        try:
            if not driver.is_in_transaction():
                # A new connection; the check of an old one has begun the transaction.
                await command(driver, BEGIN)
            try:
                yield driver
            except Exception:
                ended = await rolls_back(driver)
                raise
            else:
                await command(driver, COMMIT)
                ended = True
        finally:
            # The pool must not lend a connection whose transaction the server hasn't confirmed to have ended.
            await greenlet_spawn(pooled.close if ended else _drop(pooled, driver))

    async def _checked_out(self) -> PoolProxiedConnection:
        failed: DatabaseUnreachable | StatementRefused
        try:
            return await self._engine.raw_connection()
        except exc.TimeoutError:
            failed = DatabaseUnreachable("no connection became free in time", seconds=self._limits.wait_seconds)
        except (DriverError, *DRIVER_ERRORS) as error:
            # The dialect's error wraps asyncpg's.
            failed = failure(getattr(error, "orig", None) or error, lost=True)
        raise failed


def _drop(pooled: PoolProxiedConnection, driver: Connection) -> Callable[[], None]:
    def drop() -> None:
        driver.terminate()
        pooled.invalidate()

    return drop
