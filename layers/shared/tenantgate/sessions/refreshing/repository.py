"""The lease and the rotation of sessions in PostgreSQL, whose clock is that of all leases."""

from __future__ import annotations

from uuid import UUID

from tenantgate.audit.repository import event_values, insertion
from tenantgate.database.moments import moment
from tenantgate.database.unit import Database
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import REFRESH_REFUSED, StoredSession
from tenantgate.sessions.refreshing.models import Claim, Rotation
from tenantgate.sessions.repository import (
    FIND,
    FIND_BY_EARLIER_SECRET,
    STORED_COLUMNS,
    removal,
)
from tenantgate.sessions.storing import acts
from tenantgate.sessions.storing.rows import stored_session

# A lease need not survive a crash of the server, so it isn't committed durably (decision 0051).
# Every statement names the tenant too, and does not rely only on row-level security.
_HELD = "WHERE tenant_id = $1 AND id = $2 AND lease_holder = $3"
# Also if a crash has lost the lease, and no other caller has one or has stored a result.
_STILL_HELD = "WHERE tenant_id = $1 AND id = $2 AND (lease_holder = $3 OR lease_holder IS NULL AND secret_hash = $15)"
_UNTIL = "clock_timestamp() + {} * interval '1 second'"
_CLAIM = (
    f"WITH s AS (UPDATE sessions SET lease_holder = $3, lease_until = {_UNTIL.format('$4::float8')}"  # noqa: S608
    " WHERE tenant_id = $1 AND secret_hash = $2 AND (rotated_at IS NULL OR rotated_at <= $5)"
    " AND (lease_until <= clock_timestamp() OR lease_holder IS NULL AND NOT $6) RETURNING *)"
    f" SELECT {STORED_COLUMNS} FROM s LEFT JOIN tenants t ON t.tenant_id = s.tenant_id"
)
_EXTEND = f"UPDATE sessions SET lease_until = {_UNTIL.format('$4::float8')} {_HELD}"  # noqa: S608
_RELEASE = (
    "UPDATE sessions SET lease_holder = NULL, lease_until = NULL,"  # noqa: S608  (constants)
    " sealed_tokens = coalesce($4, sealed_tokens),"
    f" last_used_at = greatest(last_used_at, $5) {_HELD}"
)
_ROTATE = (
    "WITH rotated AS (UPDATE sessions SET id = $4, secret_hash = $5,"  # noqa: S608
    " previous_hash = secret_hash, rotated_at = $6,"
    " sealed_tokens = $7, sealed_replay = $8, csrf_token = $9, scopes = $10, roles = $11, acr = $12, amr = $13,"
    " issued_tokens = $14,"
    " version = version + 1, last_used_at = greatest(last_used_at, $6), lease_holder = NULL, lease_until = NULL"
    f" {_STILL_HELD} RETURNING tenant_id, id, previous_hash),"
    # In the same statement: a refresh pays for no further round trip.
    f" recorded AS ({insertion(16, source='rotated')})"
    " INSERT INTO session_secrets (tenant_id, session_id, secret_hash)"
    " SELECT tenant_id, id, previous_hash FROM rotated RETURNING session_id"
)
# The look-ups of a session that gets a new id follow it.
_FOLLOW = "UPDATE session_lookup SET session_id = $3 WHERE session_id = $2 AND tenant_id = $1"
_OUTCOME = "SELECT secret_hash FROM sessions WHERE tenant_id = $1 AND id = ANY($2)"
_END = removal("id = $2 AND lease_holder = $3")


class RefreshRepository:
    """The refresh store on PostgreSQL: one transaction per call, inside the tenant. `endings` records removals."""

    def __init__(self, database: Database, endings: Endings) -> None:
        self._database = database
        self._endings = endings

    async def claim(
        self,
        secret_hash: bytes,
        *,
        tenant_id: str,
        holder: UUID,
        seconds: float,
        rotated_before: float,
        only_expired: bool,
    ) -> Claim | None:
        async with self._database.tenant(tenant_id, durable=False) as unit:
            values = (tenant_id, secret_hash, holder, seconds, moment(rotated_before), only_expired)
            if (row := await unit.fetch_one(_CLAIM, *values)) is not None:
                return Claim(stored_session(row), is_taken=True)
            row = await unit.fetch_one(FIND, tenant_id, secret_hash)
            if row is None:
                row = await unit.fetch_one(FIND_BY_EARLIER_SECRET, tenant_id, secret_hash)
        return None if row is None else Claim(stored_session(row), is_taken=False)

    async def extend(self, session: StoredSession, holder: UUID, *, seconds: float) -> None:
        async with self._database.tenant(session.tenant_id, durable=False) as unit:
            await unit.execute(_EXTEND, session.tenant_id, session.id, holder, seconds)

    async def release(
        self, session: StoredSession, holder: UUID, *, used_at: float, sealed_tokens: str | None = None
    ) -> None:
        async with self._database.tenant(session.tenant_id) as unit:
            held = (session.tenant_id, session.id, holder)
            await unit.execute(_RELEASE, *held, sealed_tokens, moment(used_at))

    async def rotate(self, session: StoredSession, holder: UUID, *, to: StoredSession) -> Rotation:
        held = (session.tenant_id, session.id, holder)
        event = event_values(acts.refreshed(session, to))
        async with self._database.tenant(session.tenant_id) as unit:
            if await unit.fetch_one(_ROTATE, *held, *_rotated(to), session.secret_hash, *event) is not None:
                if to.id != session.id:
                    await unit.execute(_FOLLOW, session.tenant_id, session.id, to.id)
                return "stored"
            found = await unit.fetch_one(_OUTCOME, session.tenant_id, [session.id, to.id])
        if found is None:
            return "ended"
        return "stored" if found["secret_hash"] == to.secret_hash else "lost"

    async def end(self, session: StoredSession, holder: UUID) -> StoredSession | None:
        async with self._database.tenant(session.tenant_id) as unit:
            row = await unit.fetch_one(_END, session.tenant_id, session.id, holder)
            ended = None if row is None else stored_session(row)
            await self._endings.record(unit, [] if ended is None else [ended], REFRESH_REFUSED)
        return ended


def _rotated(session: StoredSession) -> tuple[object, ...]:
    """Return the values $4 to $14 of `_ROTATE`."""
    return (
        session.id,
        session.secret_hash,
        moment(session.rotated_at or 0),
        session.sealed_tokens,
        session.sealed_replay,
        session.csrf_token,
        [*session.grants.scopes],
        [*session.grants.roles],
        session.grants.acr,
        [*session.grants.amr],
        [*session.issued_tokens],
    )
