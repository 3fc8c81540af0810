"""The transparency log in PostgreSQL: the queue of events, leaves, checkpoints, and the queue of anchors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from tenantgate.database.unit import Database, Row, StatementRefused, Unit
from tenantgate.transparency.errors import LogBroken
from tenantgate.transparency.leaves import COLUMNS, Kind
from tenantgate.transparency.models import Batch, QueuedEvent, QueueState, Sealed, SealedCheckpoint, Waiting
from tenantgate.transparency.retention import EVENT_TYPE
from tenantgate.transparency.tree import HASH_BYTES
from tenantgate.transparency.verification.models import StoredCheckpoint, StoredState, Unsealed, UnsealedPage

_AS_TEXT: dict[Kind, str] = {
    "uuid": "e.{0}::text",
    "text": "e.{0}",
    "bytes": "encode(e.{0}, 'hex')",
    "json": "e.{0}::text",
    # Not as a bigint: an infinite time must have a leaf, too.
    "time": "trunc(extract(epoch FROM e.{0}) * 1000000)::text",
}
# The columns of `audit_events AS e` as `leaves.leaf_data` takes them.
LEAF_COLUMNS = ", ".join(f"{_AS_TEXT[kind].format(name)} AS {name}" for name, kind in COLUMNS.items())

# The rows of every tenant, which name only ids and times (migration 0011).
_SEE_QUEUES = "SELECT set_config('tenantgate.audit_sealing', 'on', true)"
# From one tenant's first row to the next one's: as many steps as there are tenants, no matter how long the queue is.
_WAITING = """
SELECT tenant_id, created_at FROM (
    WITH RECURSIVE waiting AS (
        (SELECT tenant_id, created_at FROM audit_queue WHERE tenant_id > $1 ORDER BY tenant_id, created_at LIMIT 1)
        UNION ALL
        SELECT next.tenant_id, next.created_at FROM waiting, LATERAL (
            SELECT tenant_id, created_at FROM audit_queue WHERE tenant_id > waiting.tenant_id
            ORDER BY tenant_id, created_at LIMIT 1
        ) AS next
    ) SELECT * FROM waiting LIMIT $2
) AS found
"""
_QUEUE = f"""
SELECT count(*)::int AS unsealed_tenants,
    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::int AS unsealed_seconds,
    (SELECT count(*) FROM audit_anchor_queue)::int AS unanchored,
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM audit_anchor_queue)::int
        AS unanchored_seconds
FROM ({_WAITING.replace("tenant_id > $1 ", "true ").replace("LIMIT $2", "")}) AS oldest
"""  # noqa: S608  (constants)
_HOLD = "SELECT size, frontier, now() FROM audit_trees WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED"
_BEGIN = (
    "INSERT INTO audit_trees (tenant_id, size, frontier) VALUES ($1, 0, '') ON CONFLICT (tenant_id) DO NOTHING"
    " RETURNING size, frontier, now()"
)
_NOTE = "SELECT note FROM audit_checkpoints WHERE tenant_id = $1 AND size = $2"
_QUEUED = f"""
SELECT q.id AS queued_id, q.created_at AS queued_at, l.id IS NOT NULL AS is_sealed, {LEAF_COLUMNS}
FROM (
    SELECT tenant_id, id, created_at FROM audit_queue WHERE tenant_id = $1 ORDER BY tenant_id, created_at, id LIMIT $2
) AS q
LEFT JOIN audit_events e ON e.tenant_id = q.tenant_id AND e.id = q.id
LEFT JOIN audit_leaves l ON l.tenant_id = q.tenant_id AND l.id = q.id
ORDER BY q.created_at, q.id
"""  # noqa: S608  (constants)
_SEAL = """
WITH leaves AS (
    INSERT INTO audit_leaves (tenant_id, id, position, leaf_hash, recorded_at)
    SELECT $1, given.id, $2 + given.place - 1, given.leaf_hash, given.recorded_at
    FROM unnest($3::uuid[], $4::bytea[], $5::timestamptz[]) WITH ORDINALITY
        AS given (id, leaf_hash, recorded_at, place)
), tree AS (
    UPDATE audit_trees SET size = $6, frontier = $7 WHERE tenant_id = $1
), checkpoint AS (
    INSERT INTO audit_checkpoints (tenant_id, id, size, note) VALUES ($1, $8, $6, $9)
)
INSERT INTO audit_anchor_queue (tenant_id, id) VALUES ($1, $8)
"""
_UNQUEUE = "DELETE FROM audit_queue WHERE tenant_id = $1 AND id = ANY($2)"
_UNANCHORED = (
    "SELECT tenant_id, id FROM audit_anchor_queue WHERE (tenant_id, id) > ($1, $2) ORDER BY tenant_id, id LIMIT $3"
)
_NOTES = "SELECT id, note FROM audit_checkpoints WHERE tenant_id = $1 AND id = ANY($2)"
_ANCHORED = "DELETE FROM audit_anchor_queue WHERE tenant_id = $1 AND id = ANY($2)"

_MICROSECONDS = "trunc(extract(epoch FROM {}) * 1000000)::text"
_STATE = "SELECT size, frontier FROM audit_trees WHERE tenant_id = $1"
_LEAF_ROWS = f"""
SELECT l.position, l.id::text AS leaf_id, l.leaf_hash, {_MICROSECONDS.format("l.recorded_at")} AS leaf_recorded_at,
       {LEAF_COLUMNS}
FROM (
    SELECT * FROM audit_leaves WHERE tenant_id = $1 AND position > $2 ORDER BY tenant_id, position LIMIT $3
) AS l
LEFT JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.id = l.id
ORDER BY l.position
"""  # noqa: S608  (constants, as below)
_CHECKPOINT_ROWS = (
    "SELECT size, note FROM audit_checkpoints WHERE tenant_id = $1 AND size > $2 ORDER BY tenant_id, size LIMIT $3"
)
# Of a page of events, those without a leaf, and the last one, where the next page begins. Its time is kept within the
# years that Python has: a forged one must be found, not end the verification.
_UNSEALED = f"""
SELECT e.id, e.seen, e.is_last, e.is_sealed, {_MICROSECONDS.format("e.created_at")} AS recorded_at,
       least(greatest(e.created_at, '0001-01-02Z'::timestamptz), '9999-12-30Z'::timestamptz) AS next_at,
       CASE WHEN e.event_type = '{EVENT_TYPE}' THEN e.detail::text END AS retention
FROM (
    SELECT *, count(*) OVER () AS seen, lead(id) OVER (ORDER BY created_at, id) IS NULL AS is_last,
           (SELECT l.id FROM audit_leaves l WHERE l.tenant_id = page.tenant_id AND l.id = page.id) IS NOT NULL
               AS is_sealed
    FROM (
        SELECT tenant_id, id, created_at, event_type, detail FROM audit_events
        WHERE tenant_id = $1 AND (created_at, id) >= (coalesce($2, '-infinity'::timestamptz), $3)
        ORDER BY tenant_id, created_at, id LIMIT $4
    ) AS page
) AS e
WHERE NOT e.is_sealed OR e.is_last
ORDER BY e.created_at, e.id
"""  # noqa: S608
_REGISTERED = "SELECT tenant_id FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2"
_NEWEST = "SELECT size, note FROM audit_checkpoints WHERE tenant_id = $1 ORDER BY tenant_id, size DESC LIMIT 1"
_HASHES = (
    "SELECT leaf_hash FROM audit_leaves WHERE tenant_id = $1 AND position >= $2 ORDER BY tenant_id, position LIMIT $3"
)
_POSITION = "SELECT position FROM audit_leaves WHERE tenant_id = $1 AND id = $2"

_LEAF_PAGE, _HASH_PAGE, _CHECKPOINT_PAGE, _EVENT_PAGE, _TENANT_PAGE = 2000, 10_000, 1000, 5000, 1000
_FIRST = UUID(int=0)
_UNIQUE_VIOLATION = "23505"

# Seals a batch; None if there is nothing to add.
type Work = Callable[[Batch], Awaitable[Sealed | None]]


class LogRepository:
    """The logs of all tenants. Every method raises `DatabaseUnreachable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, *, after: str, limit: int) -> Sequence[Waiting]:
        """Return up to `limit` tenants with unsealed events whose ids come after `after`, in their order."""
        async with self._database.untenanted() as unit:
            await unit.execute(_SEE_QUEUES)
            rows = await unit.fetch_all(_WAITING, after, limit)
        return [Waiting(row["tenant_id"], row["created_at"]) for row in rows]

    async def queue(self) -> QueueState:
        """Return what waits in all tenants."""
        async with self._database.untenanted() as unit:
            await unit.execute(_SEE_QUEUES)
            row = await unit.fetch_one(_QUEUE)
        return QueueState(0, 0, 0, 0) if row is None else QueueState(**row)

    async def seal(self, tenant_id: str, work: Work, *, limit: int) -> tuple[int, SealedCheckpoint | None]:
        """Hold the tenant's log while `work` seals up to `limit` queued events; commit everything or nothing.

        Returns the number of events that have left the queue: 0 if none wait, or another process holds the log. Raises
        `LogBroken` if the log has a leaf or checkpoint already that the batch would add.
        """
        async with self._database.tenant(tenant_id) as unit:
            if (batch := await _batch(unit, tenant_id, limit)) is None or not batch.events:
                return 0, None
            sealed = await work(batch)
            checkpoint = None if sealed is None else await _add(unit, batch, sealed)
            await unit.execute(_UNQUEUE, tenant_id, [event.id for event in batch.events])
        return len(batch.events), checkpoint

    async def unanchored(self, *, after: tuple[str, UUID], limit: int) -> Sequence[tuple[str, UUID]]:
        """Return up to `limit` checkpoints that aren't anchored: tenants and ids that come after `after`."""
        async with self._database.untenanted() as unit:
            await unit.execute(_SEE_QUEUES)
            rows = await unit.fetch_all(_UNANCHORED, *after, limit)
        return [(row["tenant_id"], row["id"]) for row in rows]

    async def checkpoints(self, tenant_id: str, ids: Sequence[UUID]) -> Sequence[SealedCheckpoint]:
        """Return those of the tenant's checkpoints that exist."""
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_NOTES, tenant_id, [*ids])
        return [SealedCheckpoint(tenant_id, row["id"], row["note"]) for row in rows]

    async def mark_anchored(self, tenant_id: str, ids: Sequence[UUID]) -> None:
        async with self._database.tenant(tenant_id) as unit:
            await unit.execute(_ANCHORED, tenant_id, [*ids])


class LogPages:
    """The logs as a verification reads them (`verification.models.LogReader`): each page is a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self, tenant_id: str) -> StoredState | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_STATE, tenant_id)
        return None if row is None else StoredState(row["size"], row["frontier"])

    async def leaves(self, tenant_id: str, *, after: int) -> Sequence[Mapping[str, Any]]:
        async with self._database.tenant(tenant_id) as unit:
            return await unit.fetch_all(_LEAF_ROWS, tenant_id, after, _LEAF_PAGE)

    async def checkpoints(self, tenant_id: str, *, after: int) -> Sequence[StoredCheckpoint]:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_CHECKPOINT_ROWS, tenant_id, after, _CHECKPOINT_PAGE)
        return [StoredCheckpoint(row["size"], row["note"]) for row in rows]

    async def unsealed(self, tenant_id: str, *, after: tuple[Any, Any] | None) -> UnsealedPage:
        moment, event_id = after or (None, _FIRST)
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_UNSEALED, tenant_id, moment, event_id, _EVENT_PAGE + 1)
        has_next = bool(rows) and rows[0]["seen"] > _EVENT_PAGE
        found = [
            Unsealed(str(row["id"]), row["recorded_at"], row["retention"])
            for row in rows
            if not row["is_sealed"] and not (has_next and row["is_last"])
        ]
        following = (rows[-1]["next_at"], rows[-1]["id"]) if has_next else None
        return UnsealedPage(found, None if following == after else following)

    async def tenants(self, *, after: str) -> Sequence[str]:
        """Return the next registered tenants by their ids."""
        async with self._database.untenanted() as unit:
            return [row["tenant_id"] for row in await unit.fetch_all(_REGISTERED, after, _TENANT_PAGE)]

    async def newest(self, tenant_id: str) -> StoredCheckpoint | None:
        """Return the newest checkpoint of a log, None if it has none."""
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_NEWEST, tenant_id)
        return None if row is None else StoredCheckpoint(row["size"], row["note"])

    async def hashes(self, tenant_id: str, *, begin: int) -> Sequence[bytes]:
        """Return the next hashes of leaves from a position on."""
        async with self._database.tenant(tenant_id) as unit:
            return [row["leaf_hash"] for row in await unit.fetch_all(_HASHES, tenant_id, begin, _HASH_PAGE)]

    async def position(self, tenant_id: str, event_id: UUID) -> int | None:
        """Return the position of an event in its log, None if it isn't sealed."""
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_POSITION, tenant_id, event_id)
        return None if row is None else row["position"]


async def _batch(unit: Unit, tenant_id: str, limit: int) -> Batch | None:
    """Lock the tenant's log; None if another transaction holds it."""
    tree = await unit.fetch_one(_HOLD, tenant_id) or await unit.fetch_one(_BEGIN, tenant_id)
    if tree is None:
        return None
    # After the lock: earlier statements may not see what the last holder has committed.
    rows = await unit.fetch_all(_QUEUED, tenant_id, limit)
    note = await unit.fetch_one(_NOTE, tenant_id, tree["size"]) if rows and tree["size"] else None
    frontier: bytes = tree["frontier"]
    return Batch(
        tenant_id=tenant_id,
        size=tree["size"],
        frontier=[frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES)],
        note=None if note is None else note["note"],
        events=[_queued(row) for row in rows],
        is_all=len(rows) < limit,
        now=tree["now"],
    )


async def _add(unit: Unit, batch: Batch, sealed: Sealed) -> SealedCheckpoint:
    checkpoint = SealedCheckpoint(batch.tenant_id, uuid4(), sealed.note)
    try:
        await unit.execute(
            _SEAL,
            batch.tenant_id,
            batch.size,
            [leaf.id for leaf in sealed.leaves],
            [leaf.leaf_hash for leaf in sealed.leaves],
            [leaf.recorded_at for leaf in sealed.leaves],
            sealed.size,
            b"".join(sealed.frontier),
            checkpoint.id,
            checkpoint.note,
        )
    except StatementRefused as error:
        if error.sqlstate != _UNIQUE_VIOLATION:
            raise
        raise LogBroken(
            "it has a leaf or checkpoint at the next position already", tenant_id=batch.tenant_id, size=batch.size
        ) from None
    return checkpoint


def _queued(row: Row) -> QueuedEvent:
    return QueuedEvent(row["queued_id"], row["queued_at"], None if row["id"] is None else row, row["is_sealed"])
