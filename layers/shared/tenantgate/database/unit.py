"""The repositories' view of the database: units of work in one tenant, or outside of all. Independent of the library.

A statement is SQL with PostgreSQL's own placeholders (`$1`, `$2`). Values are passed separately, never in its text.
Values and the columns of rows have these Python types: text `str`, uuid `UUID`, timestamptz an aware `datetime`, bytea
`bytes`, json and jsonb `str`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol

from tenantgate.errors.base import InternalError

type Row = Mapping[str, Any]


class StatementRefused(InternalError):
    """PostgreSQL rejected a statement or a commit, or the driver rejected its values.

    `sqlstate` is PostgreSQL's code (its documentation, appendix A), or None if the driver gave none. Neither the text
    nor the log line contains a bound value or a row.
    """

    def __init__(self, reason: str, *, sqlstate: str | None) -> None:
        super().__init__(reason, sqlstate=sqlstate)
        self.sqlstate = sqlstate


class Checked(NamedTuple):
    """A check's findings. `vector`: the database has pgvector. `revision`: its schema's, None without a migration."""

    vector: bool
    revision: str | None


class Unit(Protocol):
    """One transaction, one statement after the other.

    Statements raise `DatabaseUnreachable` and `StatementRefused`. After either, the unit is not committed: if it
    catches the error, the end of the unit raises it again.
    """

    async def execute(self, statement: str, *values: object) -> None:
        """Run a statement and ignore its rows."""
        ...

    async def fetch_one(self, statement: str, *values: object) -> Row | None:
        """Run a statement; return its first row by column name, or None without rows."""
        ...

    async def fetch_all(self, statement: str, *values: object) -> Sequence[Row]:
        """Run a statement; return its rows by column name."""
        ...


class Database(Protocol):
    """Belongs to one event loop; `dispose()` it before that loop ends."""

    def tenant(self, tenant_id: str, *, durable: bool = True) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction in which only `tenant_id`'s rows exist; commit at the end, roll back on an exception.

        `durable` False: the commit doesn't wait for the disk. Others see it at once, but a crash of the server loses
        it, unless a later durable one was confirmed or about half a second has passed.
        Raises `DatabaseUnreachable`; at the end it means that the commit's outcome is unknown. Also raises
        `StatementRefused` at the end if PostgreSQL rejected the commit.
        """
        ...

    def untenanted(self) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction in which no tenant's rows exist, for tables without a tenant."""
        ...

    async def check(self, timeout: float) -> Checked:  # noqa: ASYNC109  (the caller's own deadline)
        """Return when the database responded; raise `DatabaseUnreachable` after at most `timeout` seconds."""
        ...

    async def dispose(self) -> None:
        """Close every unused connection, and that of the check."""
        ...
