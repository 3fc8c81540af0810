"""Sessions of whole tenants in PostgreSQL, for the sweep, the registry and revocations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from tenantgate.database.unit import Database, Row
from tenantgate.sessions.models import PageWork, SessionSecrets
from tenantgate.sessions.repository import FROM, MARK_USED, POLICY, moment, seconds_of, tenant_state

_TENANTS = "SELECT tenant_id, session_idle_minutes FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2"
_COUNT = "SELECT count(*) AS sessions FROM sessions WHERE tenant_id = $1"
_SECRETS = f"s.id, s.issuer, s.secret_hash, s.previous_hash, s.last_used_at, s.expires_at, {POLICY}"
# The lock lets a session be used, but not rotated or ended, until the page's work is done.
_HELD_PAGE = f"SELECT {_SECRETS} {FROM} WHERE s.tenant_id = $1 AND s.id > $2 ORDER BY s.id LIMIT $3 FOR KEY SHARE OF s"
# Two index scans: a condition with OR would read the whole tenant.
_OVERDUE = (
    f"(SELECT {_SECRETS} {FROM} WHERE s.tenant_id = $1 AND s.last_used_at <= $2 ORDER BY s.last_used_at LIMIT $4)"
    f" UNION (SELECT {_SECRETS} {FROM} WHERE s.tenant_id = $1 AND s.expires_at <= $3 ORDER BY s.expires_at LIMIT $4)"
)


def _removal_of(rows: str) -> str:
    """Return the statement that removes sessions with their look-ups, and returns their ids."""
    # Rows that another transaction holds are left to it, or to the next call: no waiting, no deadlock.
    return (
        "WITH s AS (DELETE FROM sessions WHERE tenant_id = $1"  # noqa: S608
        f" AND id IN (SELECT id FROM sessions WHERE tenant_id = $1 AND {rows} FOR UPDATE SKIP LOCKED) RETURNING id),"
        " l AS (DELETE FROM session_lookup WHERE session_id IN (SELECT id FROM s)) SELECT id FROM s"
    )


_PURGE = _removal_of("id = ANY($2) AND (last_used_at <= $3 OR expires_at <= $4)")
_REMOVE_BEGUN = _removal_of("auth_time <= $2 LIMIT $3")
_HAS_BEGUN = "SELECT 1 FROM sessions WHERE tenant_id = $1 AND auth_time <= $2 LIMIT 1"
_LOOKUPS = (
    "SELECT tenant_id, array_agg(id) AS ids FROM"
    " (SELECT id, tenant_id FROM session_lookup WHERE id >= $1 ORDER BY id LIMIT $2) AS page GROUP BY tenant_id"
)
# The age keeps the statement away from a look-up that a session's change of id is moving at this moment.
_PRUNE_LOOKUPS = (
    "DELETE FROM session_lookup l WHERE l.tenant_id = $1 AND l.id = ANY($2)"
    " AND l.updated_at < now() - interval '1 hour'"
    " AND NOT EXISTS (SELECT FROM sessions s WHERE s.tenant_id = $1 AND s.id = l.session_id) RETURNING l.id"
)
_PRUNE_SEEN = (
    "DELETE FROM seen_token_ids WHERE id IN (SELECT id FROM seen_token_ids WHERE expires_at <= $1"
    " ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id"
)


class TenantSessionRepository:
    """All sessions of a tenant, a page at a time. `StoredSession` would bring the tokens along."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants(self, *, after: str, limit: int) -> Sequence[tuple[str, int | None]]:
        async with self._database.untenanted() as unit:
            rows = await unit.fetch_all(_TENANTS, after, limit)
        return [(row["tenant_id"], row["session_idle_minutes"]) for row in rows]

    async def count(self, tenant_id: str) -> int:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_COUNT, tenant_id)
        return 0 if row is None else int(row["sessions"])

    async def with_page(self, tenant_id: str, work: PageWork, *, after: UUID, limit: int) -> UUID | None:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_HELD_PAGE, tenant_id, after, limit)
            await work([_secrets(row) for row in rows])
        return rows[-1]["id"] if rows else None

    async def overdue(self, tenant_id: str, *, idle_since: float, now: float, limit: int) -> Sequence[SessionSecrets]:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_OVERDUE, tenant_id, moment(idle_since), moment(now), limit)
        return [_secrets(row) for row in rows]

    async def mark_used(self, session_id: UUID, *, tenant_id: str, at: float) -> None:
        async with self._database.tenant(tenant_id) as unit:
            await unit.execute(MARK_USED, tenant_id, session_id, moment(at))

    async def purge(
        self, session_ids: Sequence[UUID], *, tenant_id: str, idle_since: float, now: float
    ) -> Sequence[UUID]:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_PURGE, tenant_id, [*session_ids], moment(idle_since), moment(now))
        return [row["id"] for row in rows]

    async def remove_begun(self, tenant_id: str, *, until: float, limit: int) -> int:
        async with self._database.tenant(tenant_id) as unit:
            return len(await unit.fetch_all(_REMOVE_BEGUN, tenant_id, moment(until), limit))

    async def has_begun(self, tenant_id: str, *, until: float) -> bool:
        async with self._database.tenant(tenant_id) as unit:
            return await unit.fetch_one(_HAS_BEGUN, tenant_id, moment(until)) is not None

    async def lookups(self, *, after: UUID, limit: int) -> Mapping[str, Sequence[UUID]]:
        async with self._database.untenanted() as unit:
            rows = await unit.fetch_all(_LOOKUPS, after, limit)
        return {row["tenant_id"]: row["ids"] for row in rows}

    async def prune_lookups(self, lookup_ids: Sequence[UUID], *, tenant_id: str) -> int:
        async with self._database.tenant(tenant_id) as unit:
            return len(await unit.fetch_all(_PRUNE_LOOKUPS, tenant_id, [*lookup_ids]))

    async def prune_token_ids(self, *, now: float, limit: int) -> int:
        async with self._database.untenanted() as unit:
            return len(await unit.fetch_all(_PRUNE_SEEN, moment(now), limit))


def _secrets(row: Row) -> SessionSecrets:
    hashes = (row["secret_hash"],) if row["previous_hash"] is None else (row["secret_hash"], row["previous_hash"])
    return SessionSecrets(
        id=row["id"],
        secret_hashes=hashes,
        last_used_at=seconds_of(row["last_used_at"]),
        expires_at=seconds_of(row["expires_at"]),
        admitted=row["status"] is None or tenant_state(row).admits(row["issuer"]),
    )
