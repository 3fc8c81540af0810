"""The transparency log in PostgreSQL as the sealer writes it: two queues, leaves, and checkpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

from tenantgate.database.unit import Database, Row, StatementRefused, Unit
from tenantgate.transparency.errors import LogBroken
from tenantgate.transparency.leaves import COLUMNS, Kind
from tenantgate.transparency.models import Batch, QueuedEvent, QueueState, Sealed, SealedCheckpoint
from tenantgate.transparency.statements import SealedThrough
from tenantgate.transparency.tree import HASH_BYTES

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
SELECT found.tenant_id FROM (
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
_OF_ALL = _WAITING.replace("found.tenant_id", "created_at").replace("tenant_id > $1 ", "true ").replace("LIMIT $2", "")
# The time of each tenant's oldest entry.
_FROM_OLDEST = f"FROM ({_OF_ALL}) AS oldest"
# In seconds. The application's login may write any time into a queue, and none may end the run.
_AGE = (
    "CASE WHEN min(created_at) IS NULL THEN 0 ELSE extract(epoch FROM clock_timestamp() - least(clock_timestamp(),"
    " greatest(min(created_at), clock_timestamp() - interval '10 years')))::int END"
)
_QUEUE = f"""
SELECT count(*)::int AS unsealed_tenants, {_AGE} AS unsealed_seconds,
    (SELECT count(*) FROM audit_anchor_queue)::int AS unanchored,
    (SELECT {_AGE} FROM audit_anchor_queue) AS unanchored_seconds
{_FROM_OLDEST}
"""  # noqa: S608
# No row if an older event waits. The time is read after the queue: leaves of events that have left it are older.
_SEALED_THROUGH = f"""
SELECT trunc(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint AS at,
       trunc(extract(epoch FROM pg_catalog.now() - make_interval(secs => $1)) * 1000000)::bigint AS through
{_FROM_OLDEST}
HAVING coalesce(min(created_at) >= pg_catalog.now() - make_interval(secs => $1), true)
"""  # noqa: S608
_HOLD = "SELECT size, frontier, now() FROM audit_trees WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED"
_BEGIN = (
    "INSERT INTO audit_trees (tenant_id, size, frontier) VALUES ($1, 0, '') ON CONFLICT (tenant_id) DO NOTHING"
    " RETURNING size, frontier, now()"
)
_NOTE = "SELECT note FROM audit_checkpoints WHERE tenant_id = $1 AND size = $2"
# A time that Python has, or an infinite one.
_KEPT = (
    "CASE WHEN isfinite({0}) THEN least(greatest({0}, '0001-01-02Z'::timestamptz), '9999-12-30Z'::timestamptz)"
    " ELSE {0} END"
)
_QUEUED = f"""
SELECT q.id AS queued_id, {_KEPT.format("e.created_at")} AS recorded_at, q.created_at <> e.created_at AS is_moved,
       l.id IS NOT NULL AS is_sealed, {LEAF_COLUMNS}
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

_FIRST = UUID(int=0)
_UNIQUE_VIOLATION = "23505"

# Seals a batch; None if there is nothing to add.
type Work = Callable[[Batch], Awaitable[Sealed | None]]


class LogRepository:
    """The logs of all tenants. Every method raises `DatabaseUnreachable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, *, after: str, limit: int) -> Sequence[str]:
        """Return up to `limit` tenants with unsealed events whose ids come after `after`, in their order."""
        async with self._database.untenanted() as unit:
            await unit.execute(_SEE_QUEUES)
            rows = await unit.fetch_all(_WAITING, after, limit)
        return [row["tenant_id"] for row in rows]

    async def queue(self) -> QueueState:
        """Return what waits in all tenants."""
        async with self._database.untenanted() as unit:
            await unit.execute(_SEE_QUEUES)
            row = await unit.fetch_one(_QUEUE)
        return QueueState(0, 0, 0, 0) if row is None else QueueState(**row)

    async def sealed_through(self, *, window_seconds: float) -> SealedThrough | None:
        """Return the time before which every event is sealed, None if an event waits that is older than the window."""
        async with self._database.untenanted() as unit:
            await unit.execute(_SEE_QUEUES)
            row = await unit.fetch_one(_SEALED_THROUGH, window_seconds)
        return None if row is None else SealedThrough(row["at"], row["through"])

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
    is_there = row["id"] is not None
    return QueuedEvent(
        row["queued_id"], row["recorded_at"], row if is_there else None, row["is_sealed"], is_there and row["is_moved"]
    )
