"""Sessions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from tenantgate.audit.models import stored_user
from tenantgate.audit.repository import record
from tenantgate.audit.service import key_for
from tenantgate.database.moments import moment, whole_seconds
from tenantgate.database.unit import Database, Row, Unit
from tenantgate.errors.base import InternalError
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import (
    BY_USER,
    End,
    PageWork,
    SessionSecrets,
    StoredSession,
    TenantState,
    User,
)
from tenantgate.sessions.storing import acts
from tenantgate.sessions.storing.interfaces import SubjectKeys
from tenantgate.sessions.storing.rows import (
    NAMES,
    ROTATION,
    audit_user_of,
    session_values,
    stored_session,
    tenant_state,
)

# A key that was taken may be destroyed before the session is added.
_ATTEMPTS = 5
_POLICY = "t.status, t.session_idle_minutes, t.session_absolute_hours, t.allowed_issuers"
# Columns for `stored_session`, from `sessions s` and its tenant `t`.
STORED_COLUMNS = f"{', '.join(f's.{name}' for name in NAMES + ROTATION)}, {_POLICY}"
_FROM = "FROM sessions s LEFT JOIN tenants t ON t.tenant_id = s.tenant_id"

# Every statement names the tenant too, and does not rely only on row-level security.
_TENANT = f"SELECT {_POLICY} FROM tenants t WHERE t.tenant_id = $1"  # noqa: S608  (constant lists, here and below)
_REGISTER = "INSERT INTO tenants (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO NOTHING RETURNING tenant_id"
_ADD = (
    f"INSERT INTO sessions ({', '.join(NAMES)})"  # noqa: S608
    f" VALUES ({', '.join(f'${place}' for place in range(1, len(NAMES) + 1))})"
)
_ADD_LOOKUPS = "INSERT INTO session_lookup (lookup_hash, tenant_id, session_id) SELECT unnest($1::bytea[]), $2, $3"
# A token that names a `sid` and a subject concerns sessions with both.
_WAS_LOGGED_OUT = (
    "SELECT 1 FROM seen_token_ids"
    " WHERE named && $1::bytea[] AND named <@ $1::bytea[] AND issued_at >= $2 AND expires_at > now() LIMIT 1"
)
FIND = f"SELECT {STORED_COLUMNS} {_FROM} WHERE s.tenant_id = $1 AND s.secret_hash = $2"
FIND_BY_EARLIER_SECRET = (
    f"SELECT {STORED_COLUMNS} FROM session_secrets e"  # noqa: S608
    " JOIN sessions s ON s.tenant_id = e.tenant_id AND s.id = e.session_id"
    " LEFT JOIN tenants t ON t.tenant_id = s.tenant_id WHERE e.tenant_id = $1 AND e.secret_hash = $2"
)
_OF_USER = (
    f"SELECT {STORED_COLUMNS} {_FROM}"
    " WHERE s.tenant_id = $1 AND s.issuer = $2 AND s.user_id = $3 ORDER BY s.last_used_at DESC, s.id"
)
_MARK_USED = "UPDATE sessions SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2 AND last_used_at < $3"


def removal(condition: str) -> str:
    """Return the statement that removes sessions with their look-ups, and returns them."""
    # Look-ups are shared by all tenants: only those of a session that this statement removed may go with it.
    return (
        f"WITH s AS (DELETE FROM sessions WHERE tenant_id = $1 AND {condition} RETURNING *),"  # noqa: S608
        " l AS (DELETE FROM session_lookup WHERE session_id IN (SELECT id FROM s))"
        f" SELECT {STORED_COLUMNS} FROM s LEFT JOIN tenants t ON t.tenant_id = s.tenant_id"
    )


_REMOVE = removal("id = ANY($2)")
_REMOVE_OF_USER = removal("issuer = $2 AND user_id = $3")
_REMOVE_ONE_OF_USER = removal("issuer = $2 AND user_id = $3 AND id = $4")

_TENANTS = "SELECT tenant_id, session_idle_minutes FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2"
_COUNT = "SELECT count(*) AS sessions FROM sessions WHERE tenant_id = $1"
_SECRETS = f"s.id, s.issuer, s.secret_hash, s.previous_hash, s.last_used_at, s.expires_at, {_POLICY}"
# The lock lets a session be used, but not rotated or ended, until the page's work is done.
_HELD_PAGE = f"SELECT {_SECRETS} {_FROM} WHERE s.tenant_id = $1 AND s.id > $2 ORDER BY s.id LIMIT $3 FOR KEY SHARE OF s"
# Two index scans: a condition with OR would read the whole tenant.
_OVERDUE = (
    f"(SELECT {_SECRETS} {_FROM} WHERE s.tenant_id = $1 AND s.last_used_at <= $2 ORDER BY s.last_used_at LIMIT $4)"
    f" UNION (SELECT {_SECRETS} {_FROM} WHERE s.tenant_id = $1 AND s.expires_at <= $3 ORDER BY s.expires_at LIMIT $4)"
)


def _removal_of_unheld(condition: str, columns: str = "id") -> str:
    # Rows that another transaction holds are left to it, or to the next call: no waiting, no deadlock. Materialized: a
    # sub-select with a limit that runs once for each row would remove more than the limit.
    return (
        "WITH unheld AS MATERIALIZED (SELECT id FROM sessions WHERE tenant_id = $1"  # noqa: S608
        f" AND {condition} FOR UPDATE SKIP LOCKED),"
        " s AS (DELETE FROM sessions WHERE tenant_id = $1 AND id IN (SELECT id FROM unheld)"
        f" RETURNING {columns}),"
        f" l AS (DELETE FROM session_lookup WHERE session_id IN (SELECT id FROM s)) SELECT {columns} FROM s"
    )


_PURGE = _removal_of_unheld(
    "id = ANY($2) AND (last_used_at <= $3 OR expires_at <= $4)", "id, audit_user_digest, audit_user"
)
_REMOVE_BEGUN = _removal_of_unheld("auth_time <= $2 LIMIT $3")
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


class SessionRepository:
    """The session store on PostgreSQL: one transaction per call, inside the tenant, with its audit event.

    `endings` records removals. `keys`: None where no session begins, or where events name no user.
    """

    def __init__(self, database: Database, endings: Endings, keys: SubjectKeys | None = None) -> None:
        self._database = database
        self._endings = endings
        self._keys = keys

    async def tenant(self, tenant_id: str, *, register: bool) -> TenantState | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_TENANT, tenant_id)
            if row is None and register:
                if await unit.fetch_one(_REGISTER, tenant_id) is not None:
                    await record(unit, acts.registered(tenant_id))
                row = await unit.fetch_one(_TENANT, tenant_id)
        return None if row is None else tenant_state(row)

    async def add(self, session: StoredSession, *, lookups: Sequence[bytes] = ()) -> None:
        owner = acts.owner_of(session.user)
        for _ in range(_ATTEMPTS):
            # Before the unit of work begins: this may read the database, and call AWS KMS.
            key = None if self._keys is None else await key_for(self._keys, owner)
            if key is not None:
                session = replace(session, audit_user=stored_user(key, session.issuer, session.user_id))
            async with self._database.tenant(session.tenant_id) as unit:
                # An erasure destroys keys that other processes still have in memory: no session may begin with one.
                if self._keys is not None and key is not None and not await self._keys.hold_in(unit, owner, key):
                    continue
                await unit.execute(_ADD, *session_values(session))
                if lookups:
                    await unit.execute(_ADD_LOOKUPS, [*lookups], session.tenant_id, session.id)
                await record(unit, acts.signed_in(session, key))
                return
        raise InternalError("the user's key is destroyed again and again", session_id=session.id)

    async def was_logged_out(self, lookups: Sequence[bytes], *, since: float) -> bool:
        async with self._database.untenanted() as unit:
            return await unit.fetch_one(_WAS_LOGGED_OUT, [*lookups], moment(since)) is not None

    async def find(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(FIND, tenant_id, secret_hash)
            if row is None:
                row = await unit.fetch_one(FIND_BY_EARLIER_SECRET, tenant_id, secret_hash)
        return None if row is None else stored_session(row)

    async def of_user(self, user: User) -> Sequence[StoredSession]:
        async with self._database.tenant(user.tenant_id) as unit:
            rows = await unit.fetch_all(_OF_USER, user.tenant_id, user.issuer, user.user_id)
        return [stored_session(row) for row in rows]

    async def mark_used(self, session_id: UUID, *, tenant_id: str, at: float) -> None:
        async with self._database.tenant(tenant_id) as unit:
            await unit.execute(_MARK_USED, tenant_id, session_id, moment(at))

    async def remove(
        self, session_ids: Sequence[UUID], *, tenant_id: str, end: End = BY_USER
    ) -> Sequence[StoredSession]:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_REMOVE, tenant_id, [*session_ids])
            return await self._recorded(unit, rows, end)

    async def remove_of_user(
        self, user: User, session_id: UUID | None = None, *, end: End = BY_USER
    ) -> Sequence[StoredSession]:
        async with self._database.tenant(user.tenant_id) as unit:
            if session_id is None:
                return await self.remove_of_user_in(unit, user, end=end)
            rows = await unit.fetch_all(_REMOVE_ONE_OF_USER, user.tenant_id, user.issuer, user.user_id, session_id)
            return await self._recorded(unit, rows, end)

    async def remove_of_user_in(self, unit: Unit, user: User, *, end: End) -> Sequence[StoredSession]:
        """Remove the user's sessions as `remove_of_user` does, inside a unit of work in the user's tenant."""
        rows = await unit.fetch_all(_REMOVE_OF_USER, user.tenant_id, user.issuer, user.user_id)
        return await self._recorded(unit, rows, end)

    async def _recorded(self, unit: Unit, rows: Sequence[Row], end: End) -> Sequence[StoredSession]:
        removed = [stored_session(row) for row in rows]
        await self._endings.record(unit, removed, end)
        return removed


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
            await unit.execute(_MARK_USED, tenant_id, session_id, moment(at))

    async def purge(
        self, session_ids: Sequence[UUID], *, tenant_id: str, idle_since: float, now: float
    ) -> Sequence[UUID]:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_PURGE, tenant_id, [*session_ids], moment(idle_since), moment(now))
            await record(unit, *(acts.timed_out(tenant_id, row["id"], audit_user_of(row)) for row in rows))
        return [row["id"] for row in rows]

    async def remove_begun(self, tenant_id: str, *, until: float, limit: int) -> int:
        async with self._database.tenant(tenant_id) as unit:
            return len(await unit.fetch_all(_REMOVE_BEGUN, tenant_id, moment(until), limit))

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
        last_used_at=whole_seconds(row["last_used_at"]),
        expires_at=whole_seconds(row["expires_at"]),
        admitted=row["status"] is None or tenant_state(row).admits(row["issuer"]),
    )
