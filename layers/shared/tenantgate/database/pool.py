"""The database of a process: a few connections, kept between units of work and opened as they are needed.

A Lambda environment serves one request at a time and has one connection; the proxy does the pooling. The container has
more. SQLAlchemy isn't imported: it would take a third of a cold start.

Time limits keep a server that is down, starting or frozen from blocking requests: 1 s for a kept connection's first
response, 3 s to connect (0.4 s for three refused attempts), 5 s for each statement, and the pool's limit to wait for a
free connection. After a time-out the caller gets `DatabaseUnreachable`.

A connection is kept only after the server has confirmed the end of its transaction. A connection that is lost, timed
out, or belongs to a cancelled request is dropped at once: the next request must not find an open transaction or tenant.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from tenantgate import time_limits
from tenantgate.database.connection import Connection, connect
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.failures import DRIVER_ERRORS, failure
from tenantgate.database.patience import has_worked, note_work
from tenantgate.database.probe import Probe
from tenantgate.database.transaction import BEGIN, Transaction, begin, begin_in, commit, rolls_back
from tenantgate.database.unit import Checked, Unit

KEPT_SECONDS = time_limits.DATABASE_KEPT_CONNECTION
# Most transactions are shorter, and opening a connection takes about as long: its login costs both sides 4,096
# rounds of a hash function.
FURTHER_AFTER_SECONDS = 0.05
# A load that needed further connections for a moment usually needs them again: opening them again and again would take
# processor time just when there is too little.
FURTHER_KEPT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Connections kept, further connections under load, and the seconds to wait for one.

    A further connection is closed when it was not needed for `FURTHER_KEPT_SECONDS`. `first_wait_seconds`: for a
    request that has done nothing yet (`patience.py`); None: the same.
    """

    size: int
    overflow: int
    wait_seconds: float
    first_wait_seconds: float | None = None


CONTAINER_POOL = PoolLimits(
    size=10,
    overflow=10,
    wait_seconds=time_limits.DATABASE_WAIT,
    first_wait_seconds=time_limits.DATABASE_FIRST_WAIT,
)
LAMBDA_POOL = PoolLimits(size=1, overflow=0, wait_seconds=time_limits.DATABASE_WAIT)


class PooledDatabase:
    """A `Database`, whose methods `unit.py` documents. Runs as many units of work in parallel as `pool` allows.

    `url`: `postgresql://…`, with or without `+asyncpg`; no connection is made before the first unit of work.
    """

    def __init__(self, url: str, *, pool: PoolLimits = CONTAINER_POOL) -> None:
        self._url = url
        self.limits = pool
        self._probe = Probe(url)
        # Only between units of work, with the time of its return: a unit takes its connection from here. The last one
        # used is the first one taken, so that the first one is the one that is needed least.
        self._kept: list[tuple[Connection, float]] = []
        self._places = asyncio.Semaphore(pool.size)
        self._slots = asyncio.Semaphore(pool.size + pool.overflow)
        self._disposed = False

    def tenant(self, tenant_id: str, *, durable: bool = True) -> AbstractAsyncContextManager[Unit]:
        if not tenant_id:
            raise ValueError("a tenant id is never empty")
        return self._unit_of_work(begin_in(tenant_id, durable=durable))

    def untenanted(self) -> AbstractAsyncContextManager[Unit]:
        return self._unit_of_work(BEGIN)

    async def check(self, timeout: float) -> Checked:  # noqa: ASYNC109  (the caller's own deadline)
        return await self._probe.check(timeout)

    async def dispose(self) -> None:
        self._disposed = True
        self._drop_kept()
        await self._probe.close()
        # The transports close in the loop's next turn.
        await asyncio.sleep(0)

    @asynccontextmanager
    async def _unit_of_work(self, begins: str) -> AsyncIterator[Unit]:
        async with self._place(), self._connection(begins) as connection:
            transaction = Transaction(connection)
            try:
                yield transaction
                transaction.require_success()
            finally:
                transaction.end()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait for a connection that may be used; at first, for a moment, for one that is open."""
        # Without a wait if one is open already.
        has_place = not (self._kept and self._places.locked()) and await _takes(self._places, FURTHER_AFTER_SECONDS)
        try:
            seconds = self.limits.first_wait_seconds
            if seconds is None or has_worked():
                seconds = self.limits.wait_seconds
            if not await _takes(self._slots, seconds):
                raise _busy(seconds)
            note_work()
            try:
                yield
            finally:
                self._slots.release()
        finally:
            if has_place:
                self._places.release()

    @asynccontextmanager
    async def _connection(self, begins: str) -> AsyncIterator[Connection]:
        """Lend a connection in a transaction, which is committed at the end, and rolled back by an exception."""
        connection = await self._begun(begins)
        ended = False
        try:
            yield connection
        except Exception:
            ended = await rolls_back(connection)
            raise
        else:
            await commit(connection)
            ended = True
        finally:
            if ended and not self._disposed:
                self._keep(connection)
            else:
                connection.terminate()

    async def _begun(self, begins: str) -> Connection:
        """Return a connection in a transaction: a kept one if one still responds, otherwise a new one.

        The begin is the test: no statement has run yet, so that another connection can safely begin again.
        """
        while self._kept:
            kept, _ = self._kept.pop()
            if kept.is_closed():
                continue
            try:
                await _begin(kept, begins, seconds=KEPT_SECONDS)
            except DatabaseUnreachable:
                # The server is down or frozen, or the network has lost the connection: the others won't respond either.
                self._drop_kept()
            else:
                return kept
        connection = await _connect(self._url)
        await _begin(connection, begins)
        return connection

    def _keep(self, connection: Connection) -> None:
        now = time.monotonic()
        self._kept.append((connection, now))
        first, returned_at = self._kept[0]
        if len(self._kept) > self.limits.size and now - returned_at > FURTHER_KEPT_SECONDS:
            del self._kept[0]
            first.terminate()

    def _drop_kept(self) -> None:
        while self._kept:
            connection, _ = self._kept.pop()
            connection.terminate()


async def _begin(connection: Connection, begins: str, *, seconds: float | None = None) -> None:
    try:
        await begin(connection, begins, seconds=seconds)
    except BaseException:
        connection.terminate()
        raise


def _busy(seconds: float) -> DatabaseUnreachable:
    return DatabaseUnreachable("no connection became free in time", seconds=seconds)


async def _connect(url: str) -> Connection:
    try:
        return await connect(url)
    except DRIVER_ERRORS as error:
        failed = failure(error, lost=True)
    raise failed


async def _takes(semaphore: asyncio.Semaphore, seconds: float) -> bool:
    """Wait for the semaphore; return False after `seconds`."""
    if not semaphore.locked():
        return await semaphore.acquire()
    try:
        async with asyncio.timeout(seconds):
            return await semaphore.acquire()
    except TimeoutError:
        return False
