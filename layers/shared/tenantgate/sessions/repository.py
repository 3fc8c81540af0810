"""Sessions in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from tenantgate.database.unit import Database, Row
from tenantgate.sessions.models import StoredSession

_COLUMNS = "id, tenant_id, user_id, issuer, secret_hash, sealed_tokens, created_at, expires_at"
_ADD = f"INSERT INTO sessions ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"  # noqa: S608  (a constant list of columns)
# The statement names the tenant too, and does not rely only on row-level security.
_FIND = f"SELECT {_COLUMNS} FROM sessions WHERE tenant_id = $1 AND secret_hash = $2"  # noqa: S608
_REMOVE = f"DELETE FROM sessions WHERE tenant_id = $1 AND secret_hash = $2 RETURNING {_COLUMNS}"  # noqa: S608


class SessionRepository:
    """The session store on PostgreSQL: one transaction per call, inside the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: StoredSession) -> None:
        async with self._database.tenant(session.tenant_id) as unit:
            await unit.execute(
                _ADD,
                session.id,
                session.tenant_id,
                session.user_id,
                session.issuer,
                session.secret_hash,
                session.sealed_tokens,
                datetime.fromtimestamp(session.created_at, UTC),
                datetime.fromtimestamp(session.expires_at, UTC),
            )

    async def find(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_FIND, tenant_id, secret_hash)
        return None if row is None else _stored(row)

    async def remove(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.fetch_one(_REMOVE, tenant_id, secret_hash)
        return None if row is None else _stored(row)


def _stored(row: Row) -> StoredSession:
    return StoredSession(
        id=row["id"],
        tenant_id=row["tenant_id"],
        user_id=row["user_id"],
        issuer=row["issuer"],
        secret_hash=row["secret_hash"],
        sealed_tokens=row["sealed_tokens"],
        created_at=int(row["created_at"].timestamp()),
        expires_at=int(row["expires_at"].timestamp()),
    )
