"""The database as repositories see it: units of work inside one tenant, or outside of any. No library shows here.

A statement is SQL with PostgreSQL's own placeholders (`$1`, `$2`). Values travel beside it, never in its text, and have
the Python type of their column, as those in rows have: text `str`, uuid `UUID`, timestamptz an aware `datetime`, bytea
`bytes`, json and jsonb `str`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol

from tenantgate.errors.base import InternalError

type Row = Mapping[str, Any]


class StatementRefused(InternalError):
    """PostgreSQL refused a statement or a commit, or the driver refused its values.

    `sqlstate`: PostgreSQL's code (its documentation, appendix A), or None when the driver refused without one. Neither
    this nor what is logged of it repeats a bound value or a row.
    """

    def __init__(self, reason: str, *, sqlstate: str | None) -> None:
        super().__init__(reason, sqlstate=sqlstate)
        self.sqlstate = sqlstate


class Checked(NamedTuple):
    """A check's findings. `vector`: the database has pgvector."""

    vector: bool


class Unit(Protocol):
    """One transaction, one statement after the other.

    Raises `DatabaseUnreachable` and `StatementRefused`. After either of them nothing of the unit is committed: to who
    catches it, the end of the unit raises it again.
    """

    async def execute(self, statement: str, *values: object) -> None:
        """Run a statement whose rows, if it has any, don't matter."""
        ...

    async def fetch_one(self, statement: str, *values: object) -> Row | None:
        """Its first row by column name; None when it has none."""
        ...

    async def fetch_all(self, statement: str, *values: object) -> Sequence[Row]:
        """Its rows by column name."""
        ...


class Database(Protocol):
    """Belongs to one event loop; `dispose()` it before that loop ends."""

    def tenant(self, tenant_id: str) -> AbstractAsyncContextManager[Unit]:
        """One transaction in which only `tenant_id`'s rows exist; committed at the end, rolled back by an exception.

        Raises `DatabaseUnreachable`, also at the end: then it is unknown whether the transaction was committed. At the
        end `StatementRefused`, too, when PostgreSQL refused to commit.
        """
        ...

    def untenanted(self) -> AbstractAsyncContextManager[Unit]:
        """One transaction in which no tenant's rows exist: for tables that belong to no tenant."""
        ...

    async def check(self, timeout: float) -> Checked:  # noqa: ASYNC109  (the caller's deadline is what this is about)
        """Return when the database responded; raise `DatabaseUnreachable` at the latest after `timeout` seconds."""
        ...

    async def dispose(self) -> None:
        """Close every connection that is not in use, and the check's."""
        ...
