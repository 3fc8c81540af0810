"""A transaction on one connection of the driver, the same for the pool and the single connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import override

from tenantgate.database.connection import ROLLBACK, Connection
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.failures import DRIVER_ERRORS, failure
from tenantgate.database.transactions import Transaction
from tenantgate.database.unit import Row, StatementRefused


class DriverTransaction(Transaction):
    """The statements of a transaction that has begun."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    @override
    async def _run(self, statement: str, values: Sequence[object]) -> Sequence[Row]:
        try:
            return [dict(row) for row in await self._connection.fetch(statement, *values)]
        except DRIVER_ERRORS as error:
            failed = _failure(self._connection, error)
        raise failed


async def command(connection: Connection, text: str) -> None:
    """Run `BEGIN` or `COMMIT`. Raises `DatabaseUnreachable`, `StatementRefused`."""
    try:
        await connection.execute(text)
    except DRIVER_ERRORS as error:
        failed = _failure(connection, error)
    else:
        return
    raise failed


async def rolls_back(connection: Connection) -> bool:
    """Roll back; return False if the connection is lost."""
    try:
        await connection.execute(ROLLBACK)
    except DRIVER_ERRORS:
        return False
    return True


def _failure(connection: Connection, error: BaseException) -> DatabaseUnreachable | StatementRefused:
    failed = failure(error, lost=connection.is_closed())
    if isinstance(failed, DatabaseUnreachable):
        connection.terminate()
    return failed
