"""The common part of both databases: entering a tenant, and committing or rolling back."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.probe import UNSAFE_ROLE, Probe
from tenantgate.database.unit import Checked, Row, StatementRefused, Unit
from tenantgate.errors.base import InternalError

# `true`: only for this transaction. The setting ends with it, so it can't leak to the next client of a proxy's
# connection. The same statement checks the role: one that may bypass row-level security sees every tenant.
_ENTER_TENANT = (
    "SELECT set_config('tenantgate.tenant_id', $1, true),"
    " (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user)"
)


class Transaction(ABC):
    """An open transaction as a `Unit`. Subclasses run the statements."""

    def __init__(self) -> None:
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
            return await self._run(statement, values)
        except (DatabaseUnreachable, StatementRefused) as failure:
            self._failure = failure
            raise
        except asyncio.CancelledError:
            # For example by a time limit inside the unit. The connection is lost even if the unit catches this.
            self._failure = DatabaseUnreachable("a statement was cancelled")
            raise

    def end(self) -> None:
        """Reject every further statement."""
        self._ended = True

    def require_success(self) -> None:
        """Raise a statement's error again: PostgreSQL accepts the COMMIT of a failed transaction and rolls back."""
        if self._failure is not None:
            raise self._failure

    @abstractmethod
    async def _run(self, statement: str, values: Sequence[object]) -> Sequence[Row]:
        """Run it as the unnamed statement; raise `DatabaseUnreachable` or `StatementRefused`."""


class TransactionDatabase(ABC):
    """A `Database`, whose methods `unit.py` documents. Subclasses open the transactions.

    `url`: `postgresql://…`, with or without `+asyncpg`; no connection is made before the first unit of work.
    """

    def __init__(self, url: str) -> None:
        self._probe = Probe(url)

    def tenant(self, tenant_id: str) -> AbstractAsyncContextManager[Unit]:
        if not tenant_id:
            raise ValueError("a tenant id is never empty")
        return self._unit_of_work(tenant_id)

    def untenanted(self) -> AbstractAsyncContextManager[Unit]:
        return self._unit_of_work(None)

    async def check(self, timeout: float) -> Checked:  # noqa: ASYNC109  (the caller's own deadline)
        return await self._probe.check(timeout)

    async def dispose(self) -> None:
        await self._probe.close()

    @abstractmethod
    def _transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A new transaction; committed at the end, rolled back by an exception."""

    @asynccontextmanager
    async def _unit_of_work(self, tenant_id: str | None) -> AsyncIterator[Unit]:
        async with self._transaction() as transaction:
            try:
                if tenant_id is not None:
                    await _enter(transaction, tenant_id)
                yield transaction
                transaction.require_success()
            finally:
                transaction.end()


async def _enter(unit: Unit, tenant_id: str) -> None:
    (entered,) = await unit.fetch_all(_ENTER_TENANT, tenant_id)
    _, bypasses = entered.values()
    if bypasses:
        raise InternalError(UNSAFE_ROLE)
