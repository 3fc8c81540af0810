"""The database of a Lambda environment: one connection, kept between invocations; the proxy does the pooling.

It uses only asyncpg: importing SQLAlchemy would take a third of a cold start.

Time limits: 5 s to wait for the connection, 1 s for a kept connection's first response, 3 s to connect (0.4 s for three
refused attempts), 5 s for each statement. After a time-out the caller gets `DatabaseUnreachable`.

A connection is kept only after the server has confirmed the end of its transaction. A connection that is lost, timed
out, or belongs to a cancelled request is dropped at once: the next request must not find an open transaction or tenant.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import override

from tenantgate.database.connection import BEGIN, COMMIT, Connection, connect
from tenantgate.database.driver import DriverTransaction, command, rolls_back
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.failures import DRIVER_ERRORS, failure
from tenantgate.database.transactions import Transaction, TransactionDatabase

WAIT_SECONDS = 5.0
KEPT_SECONDS = 1.0
_CLOSE_SECONDS = 1.0


class SingleConnectionDatabase(TransactionDatabase):
    """One unit of work at a time: a Lambda environment serves one request at a time."""

    def __init__(self, url: str, *, wait_seconds: float = WAIT_SECONDS) -> None:
        super().__init__(url)
        self._url = url
        self._wait_seconds = wait_seconds
        self._turn = asyncio.Lock()
        # Only between units of work: a unit takes the connection from here.
        self._kept: Connection | None = None
        self._disposed = False

    @override
    async def dispose(self) -> None:
        await super().dispose()
        self._disposed = True
        kept, self._kept = self._kept, None
        if kept is not None:
            try:
                await kept.close(timeout=_CLOSE_SECONDS)
            except DRIVER_ERRORS:
                kept.terminate()

    @override
    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        await self._take_turn()
        try:
            connection = await self._begin()
            ended = False
            try:
                yield DriverTransaction(connection)
            except Exception:
                ended = await rolls_back(connection)
                raise
            else:
                await command(connection, COMMIT)
                ended = True
            finally:
                if ended and not self._disposed:
                    self._kept = connection
                else:
                    connection.terminate()
        finally:
            self._turn.release()

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseUnreachable("no connection became free in time", seconds=self._wait_seconds) from None

    async def _begin(self) -> Connection:
        """Return a connection in a transaction: the kept one if it still responds, otherwise a new one.

        BEGIN is the test: no statement has run yet, so a second connection can safely begin again.
        """
        kept, self._kept = self._kept, None
        if kept is not None and await _still_begins(kept):
            return kept
        connection = await _connect(self._url)
        try:
            await command(connection, BEGIN)
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _connect(url: str) -> Connection:
    try:
        return await connect(url)
    except DRIVER_ERRORS as error:
        failed = failure(error, lost=True)
    raise failed


async def _still_begins(kept: Connection) -> bool:
    try:
        await kept.execute(BEGIN, timeout=KEPT_SECONDS)
    except BaseException as error:
        kept.terminate()
        if isinstance(error, DRIVER_ERRORS):
            return False
        raise
    return True
