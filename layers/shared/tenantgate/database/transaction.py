"""A transaction on one connection: its begin, inside a tenant or outside of all, its statements, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tenantgate.database.connection import Connection
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.failures import DRIVER_ERRORS, failure
from tenantgate.database.probe import UNSAFE_ROLE
from tenantgate.database.unit import Row, StatementRefused
from tenantgate.errors.base import InternalError

BEGIN = "BEGIN;"
_COMMIT, _ROLLBACK = "COMMIT;", "ROLLBACK;"
# One message, and so one round trip (decision 0048). The simple protocol has no parameters: the tenant id is in the
# text, as hexadecimal digits, which can't end the literal. `true`: only for this transaction. The setting ends with it,
# so that it can't leak to the next client of a proxy's connection. No row means that the role may bypass row-level
# security and would see every tenant; a database without the table has nothing to protect yet.
_ENTER = "set_config('tenantgate.tenant_id', convert_from(decode('{}', 'hex'), 'UTF8'), true)"
_IF_PROTECTED = "WHERE row_security_active(to_regclass('sessions')) IS NOT FALSE;"
_BEGIN_IN_TENANT = f"BEGIN; SELECT {_ENTER} {_IF_PROTECTED}"
_BEGIN_NOT_DURABLE = f"BEGIN; SELECT {_ENTER}, set_config('synchronous_commit', 'off', true) {_IF_PROTECTED}"
_NOT_ENTERED = "SELECT 0"


class Transaction:
    """An open transaction as a `Unit`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._failure: DatabaseUnreachable | StatementRefused | None = None
        self._ended = False

    async def execute(self, statement: str, *values: object) -> None:
        await self.fetch_all(statement, *values)

    async def fetch_one(self, statement: str, *values: object) -> Row | None:
        rows = await self.fetch_all(statement, *values)
        return rows[0] if rows else None

    async def fetch_all(self, statement: str, *values: object) -> Sequence[Row]:
        if self._ended:
            # Its connection may already be in another request's transaction, and in another tenant.
            raise RuntimeError("this unit of work has ended")
        try:
            return [dict(row) for row in await self._connection.fetch(statement, *values)]
        except DRIVER_ERRORS as error:
            failed = self._failure = _failure(self._connection, error)
        except asyncio.CancelledError:
            # For example by a time limit inside the unit. The connection is lost even if the unit catches this.
            self._failure = DatabaseUnreachable("a statement was cancelled")
            raise
        raise failed

    def end(self) -> None:
        """Reject every further statement."""
        self._ended = True

    def require_success(self) -> None:
        """Raise a statement's error again: PostgreSQL accepts the COMMIT of a failed transaction and rolls back."""
        if self._failure is not None:
            raise self._failure


def begin_in(tenant_id: str, *, durable: bool) -> str:
    """Return the commands that begin a transaction inside the tenant. `durable`: see `Database.tenant`."""
    # No other statement enters a tenant: half a surrogate pair must reach PostgreSQL, which refuses it.
    return (_BEGIN_IN_TENANT if durable else _BEGIN_NOT_DURABLE).format(tenant_id.encode(errors="surrogatepass").hex())


async def begin(connection: Connection, commands: str, *, seconds: float | None = None) -> None:
    """Begin a transaction by `BEGIN`, or by the commands of `begin_in`. `seconds`: instead of the connection's limit.

    Raises `DatabaseUnreachable`, `StatementRefused`, and `InternalError` for a role that may bypass row-level
    security. The connection must not be used after any of them.
    """
    if await _run(connection, commands, seconds=seconds) == _NOT_ENTERED:
        raise InternalError(UNSAFE_ROLE)


async def commit(connection: Connection) -> None:
    """Commit. Raises `DatabaseUnreachable`, `StatementRefused`."""
    await _run(connection, _COMMIT)


async def rolls_back(connection: Connection) -> bool:
    """Roll back; return False if the connection is lost."""
    try:
        await connection.execute(_ROLLBACK)
    except DRIVER_ERRORS:
        return False
    return True


async def _run(connection: Connection, text: str, *, seconds: float | None = None) -> str:
    """Run commands by the simple protocol and return the last one's tag, such as `SELECT 1`."""
    try:
        tag: str = await connection.execute(text, timeout=seconds)
    except DRIVER_ERRORS as error:
        failed = _failure(connection, error)
    else:
        return tag
    raise failed


def _failure(connection: Connection, error: BaseException) -> DatabaseUnreachable | StatementRefused:
    failed = failure(error, lost=connection.is_closed())
    if isinstance(failed, DatabaseUnreachable):
        connection.terminate()
    return failed
