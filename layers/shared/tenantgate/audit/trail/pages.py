"""Pages of audit events in PostgreSQL, by their position in an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from tenantgate.audit.models import StoredEvent
from tenantgate.audit.repository import record
from tenantgate.audit.trail.models import FIRST, LAST, Position, Query, Rows, StoredRow
from tenantgate.database.unit import Database, Row, Unit

_COLUMNS = ", ".join(StoredRow._fields)
# Statements name the tenant too, and do not rely only on row-level security.
_BETWEEN = "tenant_id = $1 AND (created_at, id) < ($2, $3) AND (created_at, id) >= ($4, $5)"
_MATCHES = (
    "($6::text IS NULL OR event_type = $6) AND ($7::text IS NULL OR outcome = $7)"
    " AND ($8::uuid IS NULL OR session_id = $8) AND ($9::text IS NULL OR resource_type = $9)"
    " AND ($10::text IS NULL OR resource_id = $10) AND ($11::text IS NULL OR request_id = $11)"
)
_NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"
_PAGE = (
    f"SELECT {_COLUMNS} FROM audit_events WHERE {_BETWEEN} AND {_MATCHES}"  # noqa: S608  (constants, here and below)
    f" {_NEWEST_FIRST} LIMIT $12"
)
_EXAMINED = f"SELECT created_at, id FROM audit_events WHERE {_BETWEEN} {_NEWEST_FIRST} OFFSET $6 LIMIT 1"  # noqa: S608
# One search of the index for each digest: there are several after the user's key was rotated.
_PAGE_OF_USER = (
    "SELECT found.* FROM unnest($13::bytea[]) AS wanted (digest), LATERAL ("  # noqa: S608
    f"SELECT {_COLUMNS} FROM audit_events WHERE {_BETWEEN} AND user_digest = wanted.digest AND {_MATCHES}"
    f" {_NEWEST_FIRST} LIMIT $12) AS found {_NEWEST_FIRST} LIMIT $12"
)
_EXAMINED_OF_USER = (
    "SELECT found.* FROM unnest($7::bytea[]) AS wanted (digest), LATERAL ("  # noqa: S608
    f"SELECT created_at, id FROM audit_events WHERE {_BETWEEN} AND user_digest = wanted.digest"
    f" {_NEWEST_FIRST} OFFSET $6 LIMIT 1) AS found {_NEWEST_FIRST} LIMIT 1"
)
_AFTER = (
    f"SELECT {_COLUMNS} FROM audit_events"  # noqa: S608
    " WHERE tenant_id = $1 AND (created_at, id) > ($2, $3) AND created_at < $4 ORDER BY created_at, id LIMIT $5"
)
_CLOCK = "SELECT clock_timestamp() AS now"
_IS_OWNER = "SELECT pg_has_role(relowner, 'USAGE') AS owns FROM pg_class WHERE oid = to_regclass('audit_events')"


class EventPages:
    """Reads the events of one log at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: Query, access: Callable[[int], StoredEvent]) -> Rows:
        """Return a page, and record `access` of its number of events in the same transaction.

        Raises `DatabaseUnreachable`: then nothing was read.
        """
        async with self._database.tenant(query.tenant_id) as unit:
            found = await _page(unit, query)
            await record(unit, access(len(found.rows)))
        return found

    async def after(self, tenant_id: str, position: Position, *, before: datetime, limit: int) -> Sequence[StoredRow]:
        """Return up to `limit` events that come after a position, the oldest first, recorded before a time."""
        async with self._database.tenant(tenant_id) as unit:
            return list(map(_row, await unit.fetch_all(_AFTER, tenant_id, *position, before, limit)))

    async def newest(self, tenant_id: str, *, limit: int) -> Sequence[StoredRow]:
        """Return the newest events, the newest first."""
        async with self._database.tenant(tenant_id) as unit:
            nothing = (None,) * 6
            return list(map(_row, await unit.fetch_all(_PAGE, tenant_id, *LAST, *FIRST, *nothing, limit)))

    async def add(self, event: StoredEvent) -> datetime:
        """Record an event in its own transaction, and return the database's time."""
        async with self._database.tenant(event.tenant_id) as unit:
            await record(unit, event)
            row = await unit.fetch_one(_CLOCK)
        now: datetime = (row or {})["now"]
        return now

    async def is_owner(self) -> bool:
        """Tell whether this login has the rights of the table's owner."""
        async with self._database.untenanted() as unit:
            row = await unit.fetch_one(_IS_OWNER)
        return row is not None and bool(row["owns"])


async def _page(unit: Unit, query: Query) -> Rows:
    if query.digests is not None and not query.digests:
        return Rows([], None)
    filters = query.filters
    before = query.before
    if filters.recorded_to is not None:
        before = min(before, Position(filters.recorded_to, UUID(int=0)))
    since = FIRST if filters.recorded_from is None else Position(filters.recorded_from, UUID(int=0))
    between = (query.tenant_id, *before, *since)
    if query.digests is None:
        last = await unit.fetch_one(_EXAMINED, *between, query.examined - 1)
    else:
        last = await unit.fetch_one(_EXAMINED_OF_USER, *between, query.examined - 1, query.digests)
    until = None if last is None else Position(last["created_at"], last["id"])
    conditions = (
        *(query.tenant_id, *before, *(until or since)),
        *(filters.event_type, filters.outcome, filters.session_id),
        *(filters.resource_type, filters.resource_id, filters.request_id),
    )
    if query.digests is None:
        rows = await unit.fetch_all(_PAGE, *conditions, query.limit + 1)
    else:
        rows = await unit.fetch_all(_PAGE_OF_USER, *conditions, query.limit + 1, query.digests)
    found = list(map(_row, rows[: query.limit]))
    return Rows(found, found[-1].position if len(rows) > query.limit else until)


def _row(row: Row) -> StoredRow:
    return StoredRow(**row)
