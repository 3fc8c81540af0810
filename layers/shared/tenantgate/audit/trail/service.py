"""Reading the audit trail. Each reading is recorded in it before anything is returned."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from tenantgate.audit.models import Event, StoredEvent, stored_user, user_digest, user_owner
from tenantgate.audit.service import Keys as MakingKeys
from tenantgate.audit.service import key_for
from tenantgate.audit.trail import cursor
from tenantgate.audit.trail.models import FIRST, LAST, Filters, OpenedEvent, Position, Query, Rows, StoredRow, written
from tenantgate.audit.trail.opening import Keys as OpeningKeys
from tenantgate.audit.trail.opening import opened
from tenantgate.crypto.envelopes import DataKey, KeyOwner
from tenantgate.crypto.sealing import Sealer

# The most rows that a page reads, even if none of them matches.
EXAMINED = 5_000
# Rows of a batch: some hundred kilobytes.
BATCH = 500
# Events are ordered by the time at which their transaction began. One that is committed late appears among those that
# were followed already, so the last minute is read again.
_OVERLAP = timedelta(seconds=60)
_REMEMBERED = 50_000


class Keys(MakingKeys, OpeningKeys, Protocol):
    """The part of `data_keys.service.DataKeys` that reading uses."""

    async def usable(self, owner: KeyOwner) -> Sequence[DataKey]:
        """Return the owner's keys that aren't destroyed."""
        ...


class EventReader(Protocol):
    """The store. Every method raises `DatabaseUnreachable`."""

    async def page(self, query: Query, access: Callable[[int], StoredEvent]) -> Rows: ...

    async def after(
        self, tenant_id: str, position: Position, *, before: datetime, limit: int
    ) -> Sequence[StoredRow]: ...

    async def newest(self, tenant_id: str, *, limit: int) -> Sequence[StoredRow]: ...

    async def add(self, event: StoredEvent) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Reader:
    """The user who reads a tenant's log. `session_id`: only of a session. `address`: masked."""

    tenant_id: str
    issuer: str = field(repr=False)
    user_id: str = field(repr=False)
    session_id: UUID | None = None
    address: str | None = field(default=None, repr=False)


class Page(NamedTuple):
    """Events, the newest first. `cursor`: for the next page, which may be empty; None after the last event."""

    events: Sequence[OpenedEvent]
    cursor: str | None


class TrailService:
    """Returns pages of a tenant's log to its own users."""

    def __init__(self, store: EventReader, keys: Keys, sealer: Callable[[], Awaitable[Sealer]]) -> None:
        """`sealer` returns the sealing keys and raises `SecretsUnavailable`."""
        self._store = store
        self._keys = keys
        self._sealer = sealer

    async def page(self, reader: Reader, filters: Filters, *, limit: int, after: str | None = None) -> Page:
        """Return a page, and record who read it. `after`: the cursor of the page before.

        The recording is a part of the transaction that reads: without it, nothing is returned. Raises
        `ValidationFailed` for a cursor, `KeyServiceUnavailable`, `SecretsUnavailable` and `DatabaseUnreachable`.
        """
        tenant_id, sealer = reader.tenant_id, await self._sealer()
        before = LAST if after is None else cursor.opened(sealer, after, tenant_id=tenant_id, filters=filters)
        digests = None if filters.user is None else await self._digests(tenant_id, *filters.user)
        key = await key_for(self._keys, user_owner(tenant_id, reader.issuer, reader.user_id))

        def access(number: int) -> StoredEvent:
            return Event(
                "DATA_ACCESS",
                tenant_id,
                actor="user",
                resource_type="audit_events",
                session_id=reader.session_id,
                user=None if key is None else stored_user(key, reader.issuer, reader.user_id),
                address=reader.address,
                detail={
                    "operation": "list",
                    "filters": filters.names(),
                    "form": "unmasked",
                    "events": number,
                    "page": "first" if after is None else "next",
                },
            ).stored(key)

        query = Query(tenant_id, filters, digests, before, limit, EXAMINED)
        found = await self._store.page(query, access)
        events = await opened(self._keys, tenant_id, found.rows)
        if found.following is None:
            return Page(events, None)
        return Page(events, cursor.sealed(sealer, found.following, tenant_id=tenant_id, filters=filters))

    async def _digests(self, tenant_id: str, issuer: str, user_id: str) -> Sequence[bytes]:
        """Return the digests by which the user's events are found: none for a user without a key, or an erased one."""
        return [user_digest(key) for key in await self._keys.usable(user_owner(tenant_id, issuer, user_id))]


class TrailExport:
    """Streams a log to an operator, in batches: its memory doesn't grow with the log."""

    def __init__(self, store: EventReader, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def begin(self, tenant_id: str, operation: str, filters: Filters, *, masked: bool) -> datetime:
        """Record that an operator reads the log, and return the time of the record. Raises `DatabaseUnreachable`."""
        event = Event(
            "DATA_ACCESS",
            tenant_id,
            actor="operator",
            resource_type="audit_events",
            detail={
                "operation": operation,
                "filters": filters.names(),
                "form": "masked" if masked else "unmasked",
                "from": None if filters.recorded_from is None else written(filters.recorded_from),
                "to": None if filters.recorded_to is None else written(filters.recorded_to),
            },
        )
        return await self._store.add(event.stored(None))

    async def between(self, tenant_id: str, since: datetime | None, until: datetime) -> AsyncIterator[OpenedEvent]:
        """Yield the events that were recorded at `since` or later and before `until`, the oldest first.

        Raises as `opening.opened` does, also in the middle: then the rest is missing.
        """
        position = FIRST if since is None else Position(since, UUID(int=0))
        while rows := await self._store.after(tenant_id, position, before=until, limit=BATCH):
            for event in await opened(self._keys, tenant_id, rows):
                yield event
            position = rows[-1].position

    async def newest(self, tenant_id: str, limit: int) -> Sequence[OpenedEvent]:
        """Return the newest events, the oldest of them first."""
        rows = await self._store.newest(tenant_id, limit=limit)
        return [*reversed(await opened(self._keys, tenant_id, rows))]


class Follower:
    """Finds events as they are committed, each once."""

    def __init__(
        self, store: EventReader, keys: Keys, tenant_id: str, shown: Sequence[OpenedEvent], *, began: datetime
    ) -> None:
        """Follow a log after the events that were `shown`, the oldest first. `began`: the database's time then."""
        self._store = store
        self._keys = keys
        self._tenant_id = tenant_id
        self._seen = dict.fromkeys(event.id for event in shown)
        self._began = shown[0].recorded_at if shown else began
        self._newest = shown[-1].recorded_at if shown else began

    async def more(self) -> Sequence[OpenedEvent]:
        """Return the events that were committed since the last call, in the order of their recording.

        An event that took more than a minute from the begin of its transaction to its commit may be missing.
        """
        position = Position(max(self._newest - _OVERLAP, self._began), UUID(int=0))
        found: list[StoredRow] = []
        while rows := await self._store.after(self._tenant_id, position, before=LAST.recorded_at, limit=BATCH):
            found += [row for row in rows if row.id not in self._seen]
            position = rows[-1].position
        events = await opened(self._keys, self._tenant_id, found)
        self._seen |= dict.fromkeys(event.id for event in events)
        self._newest = max([self._newest, *(event.recorded_at for event in events)])
        while len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return events
