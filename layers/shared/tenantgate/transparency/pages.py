"""The logs in PostgreSQL as a verification reads them, in pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tenantgate.database.unit import Database, Row
from tenantgate.tokens.tenant import DEPLOYMENT
from tenantgate.transparency.repository import LEAF_COLUMNS
from tenantgate.transparency.statements import RETENTION_EVENT, SEALED_EVENT
from tenantgate.transparency.verification.models import (
    StatementPage,
    StoredCheckpoint,
    StoredState,
    StoredStatement,
    Unsealed,
    UnsealedPage,
)

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
# Two counts, each by an index: leaves without a position are those of a table that has lost its constraint.
_COUNT_LEAVES = """
SELECT (SELECT count(*) FROM audit_leaves WHERE tenant_id = $1 AND position < $2)
     + (SELECT count(*) FROM audit_leaves WHERE tenant_id = $1 AND position IS NULL) AS leaves
"""
_CHECKPOINT_ROWS = (
    "SELECT size, note FROM audit_checkpoints WHERE tenant_id = $1 AND size > $2 ORDER BY tenant_id, size LIMIT $3"
)
# Within the years that Python has: a forged time must be found, not end the verification.
_PAGED = "least(greatest({}, '0001-01-02Z'::timestamptz), '9999-12-30Z'::timestamptz)"
_EVENTS = """
        SELECT tenant_id, id, created_at, event_type, detail FROM audit_events
        WHERE tenant_id = $1 AND (created_at, id) >= (coalesce($2, '-infinity'::timestamptz), $3)
        ORDER BY tenant_id, created_at, id LIMIT $4
    """
# Of a page of events, those without a leaf, and the last one, where the next page begins.
_UNSEALED = f"""
SELECT e.id, e.seen, e.is_last, e.is_sealed, {_MICROSECONDS.format("e.created_at")} AS recorded_at,
       {_PAGED.format("e.created_at")} AS next_at,
       CASE WHEN e.event_type = '{RETENTION_EVENT}' THEN e.detail::text END AS retention
FROM (
    SELECT *, count(*) OVER () AS seen, lead(id) OVER (ORDER BY created_at, id) IS NULL AS is_last,
           (SELECT l.id FROM audit_leaves l WHERE l.tenant_id = page.tenant_id AND l.id = page.id) IS NOT NULL
               AS is_sealed
    FROM ({_EVENTS}) AS page
) AS e
WHERE NOT e.is_sealed OR e.is_last
ORDER BY e.created_at, e.id
"""  # noqa: S608
# The same with the sealer's statements.
_STATEMENTS = f"""
SELECT e.id, e.seen, e.is_last, e.event_type = '{SEALED_EVENT}' AS is_statement, e.detail::text AS detail,
       {_MICROSECONDS.format("e.created_at")} AS recorded_at, {_PAGED.format("e.created_at")} AS next_at
FROM (
    SELECT *, count(*) OVER () AS seen, lead(id) OVER (ORDER BY created_at, id) IS NULL AS is_last
    FROM ({_EVENTS}) AS page
) AS e
WHERE e.event_type = '{SEALED_EVENT}' OR e.is_last
ORDER BY e.created_at, e.id
"""  # noqa: S608
_REGISTERED = "SELECT tenant_id FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2"
_NEWEST = "SELECT size, note FROM audit_checkpoints WHERE tenant_id = $1 ORDER BY tenant_id, size DESC LIMIT 1"
_HASHES = (
    "SELECT leaf_hash FROM audit_leaves WHERE tenant_id = $1 AND position >= $2 ORDER BY tenant_id, position LIMIT $3"
)
_POSITION = "SELECT position FROM audit_leaves WHERE tenant_id = $1 AND id = $2"

_BEGIN = (None, UUID(int=0))
_LEAF_PAGE, _HASH_PAGE, _CHECKPOINT_PAGE, _EVENT_PAGE, _TENANT_PAGE = 2000, 10_000, 1000, 5000, 1000


class LogPages:
    """The logs as a verification reads them (`verification.models.LogReader`): each page is a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self, tenant_id: str) -> StoredState | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_STATE, tenant_id)
        return None if row is None else StoredState(row["size"], row["frontier"])

    async def leaves_below(self, tenant_id: str, end: int) -> int:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_COUNT_LEAVES, tenant_id, end)
        return 0 if row is None else row["leaves"]

    async def leaves(self, tenant_id: str, *, after: int) -> Sequence[Mapping[str, Any]]:
        async with self._database.tenant(tenant_id) as unit:
            return await unit.fetch_all(_LEAF_ROWS, tenant_id, after, _LEAF_PAGE)

    async def checkpoints(self, tenant_id: str, *, after: int) -> Sequence[StoredCheckpoint]:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_CHECKPOINT_ROWS, tenant_id, after, _CHECKPOINT_PAGE)
        return [StoredCheckpoint(row["size"], row["note"]) for row in rows]

    async def unsealed(self, tenant_id: str, *, after: tuple[Any, Any] | None) -> UnsealedPage:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_UNSEALED, tenant_id, *(after or _BEGIN), _EVENT_PAGE + 1)
        rows, following = _page(rows, after)
        found = [Unsealed(str(row["id"]), row["recorded_at"], row["retention"]) for row in rows if not row["is_sealed"]]
        return UnsealedPage(found, following)

    async def statements(self, *, after: tuple[Any, Any] | None) -> StatementPage:
        """Return the sealer's statements in a page of the deployment's own events, by the time of their recording."""
        async with self._database.tenant(DEPLOYMENT) as unit:
            rows = await unit.fetch_all(_STATEMENTS, DEPLOYMENT, *(after or _BEGIN), _EVENT_PAGE + 1)
        rows, following = _page(rows, after)
        found = [
            StoredStatement(str(row["id"]), row["recorded_at"], row["detail"]) for row in rows if row["is_statement"]
        ]
        return StatementPage(found, following)

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


def _page(rows: Sequence[Row], after: tuple[Any, Any] | None) -> tuple[Sequence[Row], tuple[Any, Any] | None]:
    """Return the rows of a page of events, without the first of the next one, and where that begins."""
    if not rows or rows[0]["seen"] <= _EVENT_PAGE:
        return rows, None
    following = (rows[-1]["next_at"], rows[-1]["id"])
    return [row for row in rows if not row["is_last"]], None if following == after else following
