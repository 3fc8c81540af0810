"""Sessions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from tenantgate.database.unit import Database, Row, Unit
from tenantgate.sessions.ending.record import Endings
from tenantgate.sessions.models import Grants, StoredSession, TenantState, User

_NAMES = (
    *("id", "tenant_id", "user_id", "issuer", "secret_hash", "sealed_tokens", "created_at", "expires_at", "auth_time"),
    *("last_used_at", "csrf_token", "scopes", "roles", "acr", "amr", "provider_auth_time", "device", "address"),
    "issued_tokens",
)
_ROTATION = ("version", "previous_hash", "rotated_at", "sealed_replay", "lease_holder", "lease_until")
POLICY = "t.status, t.session_idle_minutes, t.session_absolute_hours, t.allowed_issuers"
# Columns for `stored_session`, from `sessions s` and its tenant `t`.
STORED_COLUMNS = f"{', '.join(f's.{name}' for name in _NAMES + _ROTATION)}, {POLICY}"
FROM = "FROM sessions s LEFT JOIN tenants t ON t.tenant_id = s.tenant_id"

# Every statement names the tenant too, and does not rely only on row-level security.
_TENANT = f"SELECT {POLICY} FROM tenants t WHERE t.tenant_id = $1"  # noqa: S608  (constant lists, here and below)
_REGISTER = "INSERT INTO tenants (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO NOTHING"
_ADD = (
    f"INSERT INTO sessions ({', '.join(_NAMES)})"  # noqa: S608
    f" VALUES ({', '.join(f'${place}' for place in range(1, len(_NAMES) + 1))})"
)
_ADD_LOOKUPS = "INSERT INTO session_lookup (lookup_hash, tenant_id, session_id) SELECT unnest($1::bytea[]), $2, $3"
# A token that names a `sid` and a subject concerns sessions with both.
_WAS_LOGGED_OUT = (
    "SELECT 1 FROM seen_token_ids"
    " WHERE named && $1::bytea[] AND named <@ $1::bytea[] AND issued_at >= $2 AND expires_at > now() LIMIT 1"
)
FIND = f"SELECT {STORED_COLUMNS} {FROM} WHERE s.tenant_id = $1 AND s.secret_hash = $2"
FIND_BY_EARLIER_SECRET = (
    f"SELECT {STORED_COLUMNS} FROM session_secrets e"  # noqa: S608
    " JOIN sessions s ON s.tenant_id = e.tenant_id AND s.id = e.session_id"
    " LEFT JOIN tenants t ON t.tenant_id = s.tenant_id WHERE e.tenant_id = $1 AND e.secret_hash = $2"
)
_OF_USER = (
    f"SELECT {STORED_COLUMNS} {FROM}"
    " WHERE s.tenant_id = $1 AND s.issuer = $2 AND s.user_id = $3 ORDER BY s.last_used_at DESC, s.id"
)
MARK_USED = "UPDATE sessions SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2 AND last_used_at < $3"


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


class SessionRepository:
    """The session store on PostgreSQL: one transaction per call, inside the tenant. `endings` records removals."""

    def __init__(self, database: Database, endings: Endings) -> None:
        self._database = database
        self._endings = endings

    async def tenant(self, tenant_id: str, *, register: bool) -> TenantState | None:
        async with self._database.untenanted() as unit:
            row = await unit.fetch_one(_TENANT, tenant_id)
            if row is None and register:
                await unit.execute(_REGISTER, tenant_id)
                row = await unit.fetch_one(_TENANT, tenant_id)
        return None if row is None else tenant_state(row)

    async def add(self, session: StoredSession, *, lookups: Sequence[bytes] = ()) -> None:
        async with self._database.tenant(session.tenant_id) as unit:
            await unit.execute(_ADD, *_values(session))
            if lookups:
                await unit.execute(_ADD_LOOKUPS, [*lookups], session.tenant_id, session.id)

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
            await unit.execute(MARK_USED, tenant_id, session_id, moment(at))

    async def remove(self, session_ids: Sequence[UUID], *, tenant_id: str) -> Sequence[StoredSession]:
        async with self._database.tenant(tenant_id) as unit:
            rows = await unit.fetch_all(_REMOVE, tenant_id, [*session_ids])
            return await self._recorded(unit, rows)

    async def remove_of_user(self, user: User, session_id: UUID | None = None) -> Sequence[StoredSession]:
        async with self._database.tenant(user.tenant_id) as unit:
            if session_id is None:
                rows = await unit.fetch_all(_REMOVE_OF_USER, user.tenant_id, user.issuer, user.user_id)
            else:
                rows = await unit.fetch_all(_REMOVE_ONE_OF_USER, user.tenant_id, user.issuer, user.user_id, session_id)
            return await self._recorded(unit, rows)

    async def _recorded(self, unit: Unit, rows: Sequence[Row]) -> Sequence[StoredSession]:
        removed = [stored_session(row) for row in rows]
        await self._endings.record(unit, removed)
        return removed


def stored_session(row: Row) -> StoredSession:
    """Return the session in a row of `STORED_COLUMNS`."""
    return StoredSession(
        id=row["id"],
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        issuer=row["issuer"],
        secret_hash=row["secret_hash"],
        sealed_tokens=row["sealed_tokens"],
        created_at=seconds_of(row["created_at"]),
        expires_at=seconds_of(row["expires_at"]),
        auth_time=seconds_of(row["auth_time"]),
        last_used_at=seconds_of(row["last_used_at"]),
        csrf_token=row["csrf_token"],
        grants=Grants(tuple(row["scopes"]), tuple(row["roles"]), row["acr"], tuple(row["amr"])),
        provider_auth_time=None if row["provider_auth_time"] is None else seconds_of(row["provider_auth_time"]),
        version=row["version"],
        previous_hash=row["previous_hash"],
        rotated_at=None if row["rotated_at"] is None else row["rotated_at"].timestamp(),
        sealed_replay=row["sealed_replay"],
        lease_holder=row["lease_holder"],
        lease_until=None if row["lease_until"] is None else row["lease_until"].timestamp(),
        device=row["device"],
        address=row["address"],
        issued_tokens=tuple(row["issued_tokens"]),
        tenant=None if row["status"] is None else tenant_state(row),
    )


def moment(seconds: float) -> datetime:
    """Return epoch seconds as PostgreSQL's driver takes them."""
    return datetime.fromtimestamp(seconds, UTC)


def tenant_state(row: Row) -> TenantState:
    issuers = row["allowed_issuers"]
    return TenantState(
        row["status"],
        row["session_idle_minutes"],
        row["session_absolute_hours"],
        None if issuers is None else tuple(issuers),
    )


def _values(session: StoredSession) -> tuple[object, ...]:
    """Return the values of `_NAMES`."""
    return (
        session.id,
        session.tenant_id,
        session.user_id,
        session.issuer,
        session.secret_hash,
        session.sealed_tokens,
        moment(session.created_at),
        moment(session.expires_at),
        moment(session.auth_time),
        moment(session.last_used_at),
        session.csrf_token,
        [*session.grants.scopes],
        [*session.grants.roles],
        session.grants.acr,
        [*session.grants.amr],
        None if session.provider_auth_time is None else moment(session.provider_auth_time),
        session.device,
        session.address,
        [*session.issued_tokens],
    )


def seconds_of(at: datetime) -> int:
    return int(at.timestamp())
