"""Audit events in PostgreSQL: written inside the unit of work of the act that they record."""

from __future__ import annotations

from collections.abc import Sequence

from tenantgate.audit.models import StoredEvent
from tenantgate.database.moments import moment
from tenantgate.database.unit import Database, Unit

_TYPES = {
    "id": "uuid",
    "session_id": "uuid",
    "user_digest": "bytea",
    "occurred_at": "timestamptz",
}
_COLUMNS = StoredEvent._fields
_CAST = ", ".join("detail::jsonb" if name == "detail" else name for name in _COLUMNS)
_NAMES = ", ".join(_COLUMNS)
_RECORD = (
    f"INSERT INTO audit_events ({_NAMES}) SELECT {_CAST} FROM unnest("  # noqa: S608  (constants, here and below)
    + ", ".join(f"${place}::{_TYPES.get(name, 'text')}[]" for place, name in enumerate(_COLUMNS, 1))
    + f") AS given ({_NAMES})"
)
_RECORD_ONCE = f"{_RECORD} ON CONFLICT DO NOTHING RETURNING id"
_LAST_ERASURE = (
    "SELECT created_at FROM privacy_erasures WHERE tenant_id = $1 AND created_at >= $2"
    " ORDER BY created_at DESC, id DESC LIMIT 1"
)


async def record(unit: Unit, *events: StoredEvent) -> None:
    """Record events in the caller's own unit of work, inside their tenant: they are committed with the act, or not."""
    if events:
        columns = zip(*map(event_values, events), strict=True)
        await unit.execute(_RECORD, *([*column] for column in columns))


def insertion(first: int, *, source: str) -> str:
    """Return a statement that records an event for each row of `source`, as a part of another statement.

    `first`: the number of its first placeholder; its values are those of `event_values`.
    """
    values = (
        f"${place}::{'jsonb' if name == 'detail' else _TYPES.get(name, 'text')}"
        for place, name in enumerate(_COLUMNS, first)
    )
    return f"INSERT INTO audit_events ({_NAMES}) SELECT {', '.join(values)} FROM {source}"  # noqa: S608


def event_values(event: StoredEvent) -> Sequence[object]:
    """Return the values of the columns in the order of `StoredEvent`."""
    return (*event[:-1], moment(event.occurred_at))


class EventRepository:
    """The store of events that belong to no other unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, event: StoredEvent) -> None:
        async with self._database.tenant(event.tenant_id) as unit:
            await record(unit, event)

    async def add_once(self, tenant_id: str, events: Sequence[StoredEvent]) -> int:
        """Add those events of one log whose ids it doesn't have; return their number."""
        columns = zip(*map(event_values, events), strict=True)
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_RECORD_ONCE, *([*column] for column in columns))
        return len(rows)

    async def last_erasure(self, tenant_id: str, *, since: float) -> float | None:
        """Return when a person of the tenant was erased last, at `since` or later; None if none was. Epoch seconds."""
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_LAST_ERASURE, tenant_id, moment(since))
        return None if row is None else row["created_at"].timestamp()
