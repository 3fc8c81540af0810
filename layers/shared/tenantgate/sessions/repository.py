"""Sessions in PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import CheckConstraint, DateTime, LargeBinary, Text, UniqueConstraint, delete, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base
from tenantgate.database.engine import Database
from tenantgate.sessions.models import StoredSession


class SessionRow(Base):
    """Table `sessions`: a tenant's table, under row-level security."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "secret_hash", name="sessions_tenant_id_secret_hash_key"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str] = mapped_column(Text)
    issuer: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_tokens: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    def stored(self) -> StoredSession:
        return StoredSession(
            id=self.id,
            tenant_id=self.tenant_id,
            user_id=self.user_id,
            issuer=self.issuer,
            secret_hash=self.secret_hash,
            sealed_tokens=self.sealed_tokens,
            created_at=int(self.created_at.timestamp()),
            expires_at=int(self.expires_at.timestamp()),
        )


class SessionRepository:
    """The session store of the running system: one transaction per call, inside the tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: StoredSession) -> None:
        values = {
            "id": session.id,
            "tenant_id": session.tenant_id,
            "user_id": session.user_id,
            "issuer": session.issuer,
            "secret_hash": session.secret_hash,
            "sealed_tokens": session.sealed_tokens,
            "created_at": datetime.fromtimestamp(session.created_at, UTC),
            "expires_at": datetime.fromtimestamp(session.expires_at, UTC),
        }
        async with self._database.tenant(session.tenant_id) as unit:
            await unit.execute(insert(SessionRow).values(values))

    async def find(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        # By tenant in the statement too, not by row-level security alone.
        wanted = select(SessionRow).where(SessionRow.tenant_id == tenant_id, SessionRow.secret_hash == secret_hash)
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.scalar(wanted)
            return None if row is None else row.stored()

    async def remove(self, secret_hash: bytes, *, tenant_id: str) -> StoredSession | None:
        removed = (
            delete(SessionRow)
            .where(SessionRow.tenant_id == tenant_id, SessionRow.secret_hash == secret_hash)
            .returning(SessionRow)
        )
        async with self._database.tenant(tenant_id) as unit:
            row = await unit.scalar(removed)
            return None if row is None else row.stored()
