"""The ledger of erasures, and the data held about a person, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from tenantgate.audit.declarations import Actor
from tenantgate.audit.models import Event
from tenantgate.audit.repository import record
from tenantgate.crypto.envelopes import KeyOwner, subject_digest
from tenantgate.database.moments import moment, whole_seconds
from tenantgate.database.unit import Database, Row, Unit
from tenantgate.privacy.models import LedgerEntry, Source, Subject

# Every statement names the tenant too, and does not rely only on row-level security.
_KEYS = (
    "SELECT id, purpose, wrapped_by, created_at, retired_at FROM data_keys"
    " WHERE tenant_id = $1 AND purpose = $2 AND subject_hash = $3 AND wrapped_key IS NOT NULL ORDER BY created_at, id"
)
_ADD = (
    "INSERT INTO privacy_erasures (id, tenant_id, key_ids, source, anchored, sessions, rows)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
)
_TENANTS = "SELECT tenant_id FROM tenants ORDER BY tenant_id"
_SESSIONS = (
    "SELECT count(*) AS sessions, count(*) FILTER (WHERE expires_at <= $2 OR last_used_at <= $3) AS overdue"
    " FROM sessions WHERE tenant_id = $1"
)
_COUNT_EVENTS = "SELECT count(*) AS events, min(created_at) AS oldest FROM audit_events WHERE tenant_id = $1"
_COUNT_KEYS = (
    "SELECT count(*) FILTER (WHERE octet_length(subject_hash) > 0) AS keys,"
    " count(*) FILTER (WHERE wrapped_key IS NULL) AS destroyed FROM data_keys WHERE tenant_id = $1"
)
_ERASURES = "SELECT id, created_at, source, anchored FROM privacy_erasures WHERE tenant_id = $1 ORDER BY created_at, id"
# By one digest: in this order, the index has all that a page needs.
_EVENTS = (
    "SELECT id, event_type, outcome, actor, resource_type, resource_id, request_id, session_id, encrypted_user,"
    " encrypted_detail, detail, occurred_at, created_at FROM audit_events"
    " WHERE tenant_id = $1 AND user_digest = $2 AND (created_at, id) > ($3, $4) AND created_at <= $5"
    " ORDER BY created_at, id LIMIT $6"
)


class HeldKey(NamedTuple):
    """A data key that isn't destroyed, without its wrapped form."""

    id: UUID
    purpose: str
    wrapped_by: str
    created_at: datetime
    retired_at: datetime | None


class KnownErasure(NamedTuple):
    """An erasure in the ledger. `at`: in epoch seconds."""

    id: UUID
    at: int
    source: str
    anchored: bool


class Held(NamedTuple):
    """The numbers of a tenant's rows. `overdue`: sessions past their time-out. `keys`: of persons.

    `oldest_event`: in epoch seconds; None without one.
    """

    tenant_id: str
    sessions: int
    overdue: int
    events: int
    oldest_event: int | None
    keys: int
    destroyed: int
    erasures: Sequence[KnownErasure]


class KeysChanged(Exception):
    """A key was destroyed that the entry doesn't name. The unit of work must not be committed."""


class Destroyer(Protocol):
    """The part of `data_keys.repository.DataKeyRepository` that destroys."""

    async def destroyed_in(self, unit: Unit, owner: KeyOwner) -> Sequence[UUID]:
        """Destroy all keys of an owner inside a unit of work in its tenant; return their ids."""
        ...


class Eraser(Protocol):
    """Deletes the rows of a person that one domain has."""

    async def __call__(self, unit: Unit, subject: Subject) -> int:
        """Delete inside the unit of work, in the person's tenant; return the number of rows."""
        ...


@dataclass(frozen=True, slots=True)
class Erasers:
    """The deletions by domain. `sessions` ends them; `others` has the built-in provider's in development."""

    sessions: Eraser
    others: Sequence[Eraser] = ()


class PrivacyRepository:
    """The store of erasures and exports: one transaction per call, inside the tenant."""

    def __init__(self, database: Database, keys: Destroyer) -> None:
        self._database = database
        self._keys = keys

    async def held_keys(self, subject: Subject) -> Sequence[HeldKey]:
        """Return the person's data keys that aren't destroyed."""
        async with self._database.tenant(subject.tenant_id) as unit:
            rows: list[Row] = []
            for owner in subject.owners:
                rows += await unit.fetch_all(_KEYS, owner.tenant_id, owner.purpose, subject_digest(owner))
        return [HeldKey(**row) for row in rows]

    async def erase(
        self, subject: Subject, entry: LedgerEntry, erasers: Erasers, *, source: Source, actor: Actor, anchored: bool
    ) -> tuple[int, int]:
        """Destroy the keys, delete the rows, and record both, all or nothing; return the numbers of rows.

        Raises `KeysChanged` if a key was made meanwhile that the entry doesn't name.
        """
        async with self._database.tenant(subject.tenant_id) as unit:
            # First: it waits for a sign-in that holds the key, whose session the next statement then sees.
            await self._destroy(unit, subject, entry)
            sessions = await erasers.sessions(unit, subject)
            # Again: without a key to wait for, a first sign-in may have been committed in between, its key before it.
            await self._destroy(unit, subject, entry)
            rows = sum([await eraser(unit, subject) for eraser in erasers.others])
            await unit.execute(_ADD, entry.id, entry.tenant_id, [*entry.key_ids], source, anchored, sessions, rows)
            event = Event(
                "USER_ERASED",
                subject.tenant_id,
                actor=actor,
                resource_type="erasure",
                resource_id=str(entry.id),
                detail={"source": source, "sessions": sessions, "keys": len(entry.key_ids)},
            )
            await record(unit, event.stored(None))
        return sessions, rows

    async def _destroy(self, unit: Unit, subject: Subject, entry: LedgerEntry) -> None:
        for owner in subject.owners:
            if not set(await self._keys.destroyed_in(unit, owner)) <= set(entry.key_ids):
                raise KeysChanged

    async def record(self, event: Event) -> None:
        """Record an event that belongs to no other unit of work."""
        async with self._database.tenant(event.tenant_id) as unit:
            await record(unit, event.stored(None))

    async def events(
        self, tenant_id: str, digest: bytes, *, after: tuple[datetime, UUID], until: datetime, limit: int
    ) -> Sequence[Row]:
        """Return up to `limit` events of a user's digest that were recorded after `after`, in their order."""
        async with self._database.tenant(tenant_id) as unit:
            return await unit.fetch_all(_EVENTS, tenant_id, digest, *after, until, limit)


class ReportRepository:
    """The numbers of rows, for an operator."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants(self) -> Sequence[str]:
        """Return the ids of the registered tenants."""
        async with self._database.untenanted() as unit:
            return [row["tenant_id"] for row in await unit.fetch_all(_TENANTS)]

    async def held(self, tenant_id: str, *, now: float, idle_seconds: int) -> Held:
        """Count what a tenant holds. `idle_seconds`: the deployment's idle timeout."""
        async with self._database.tenant(tenant_id) as unit:
            (sessions,) = await unit.fetch_all(_SESSIONS, tenant_id, moment(now), moment(now - idle_seconds))
            (events,) = await unit.fetch_all(_COUNT_EVENTS, tenant_id)
            (keys,) = await unit.fetch_all(_COUNT_KEYS, tenant_id)
            erasures = await unit.fetch_all(_ERASURES, tenant_id)
        oldest = events["oldest"]
        return Held(
            tenant_id,
            sessions["sessions"],
            sessions["overdue"],
            events["events"],
            None if oldest is None else whole_seconds(oldest),
            keys["keys"],
            keys["destroyed"],
            [
                KnownErasure(one["id"], whole_seconds(one["created_at"]), one["source"], one["anchored"])
                for one in erasures
            ],
        )
