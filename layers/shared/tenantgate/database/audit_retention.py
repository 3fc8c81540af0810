"""The statements of retention: only the owner of the tables has the right to delete audit events.

In a unit of work of the owner's `Database`, inside a tenant. Not on a request's path.
"""

from __future__ import annotations

from datetime import datetime

from tenantgate.database.unit import Unit

# The sealer skips a tenant whose log is held.
_HOLD = "SELECT size FROM audit_trees WHERE tenant_id = $1 FOR UPDATE"
_NEWEST = "SELECT note FROM audit_checkpoints WHERE tenant_id = $1 ORDER BY tenant_id, size DESC LIMIT 1"
_PAGE = """
SELECT max(position) AS last, min(position) FILTER (WHERE recorded_at >= $4) AS kept FROM (
    SELECT position, recorded_at FROM audit_leaves WHERE tenant_id = $1 AND position >= $2
    ORDER BY tenant_id, position LIMIT $3
) AS page
"""
_DECLARE = "SELECT set_config('tenantgate.audit_retention', 'on', true)"
_REMOVE = """
WITH removed AS (
    DELETE FROM audit_events e USING audit_leaves l
    WHERE l.tenant_id = $1 AND l.position >= $2 AND l.position <= $3 AND e.tenant_id = $1 AND e.id = l.id
    RETURNING e.id
)
SELECT count(*)::int AS events FROM removed
"""
_LEAVES = 10_000


async def hold_log(unit: Unit, tenant_id: str) -> str | None:
    """Lock the tenant's log and return its newest checkpoint's note; None if nothing is sealed."""
    if await unit.fetch_one(_HOLD, tenant_id) is None:
        return None
    row = await unit.fetch_one(_NEWEST, tenant_id)
    return None if row is None else str(row["note"])


async def remove_sealed(unit: Unit, tenant_id: str, *, before: datetime, most: int) -> tuple[int, int | None]:
    """Delete events from the beginning of the log up to the first one that was recorded at `before` or later.

    Stops after about `most` events. Returns their number, and the last position up to which none is left.
    """
    await unit.execute(_DECLARE)
    removed, last, start = 0, None, 0
    while removed < most:
        page = await unit.fetch_one(_PAGE, tenant_id, start, _LEAVES, before)
        if page is None or page["last"] is None:
            break
        end = page["last"] if page["kept"] is None else page["kept"] - 1
        if end >= start:
            row = await unit.fetch_one(_REMOVE, tenant_id, start, end)
            removed += 0 if row is None else row["events"]
            last = end
        if page["kept"] is not None:
            break
        start = end + 1
    return removed, last
