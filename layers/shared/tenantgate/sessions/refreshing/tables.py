"""The table of earlier secrets, for migrations and their tests. The repository uses SQL."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class SessionSecretRow(Base):
    """Table `session_secrets`, under row-level security: every earlier secret of a session that exists."""

    __tablename__ = "session_secrets"
    __table_args__ = (
        UniqueConstraint("tenant_id", "secret_hash", name="session_secrets_tenant_id_secret_hash_key"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["sessions.tenant_id", "sessions.id"],
            name="session_secrets_tenant_id_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        Index("session_secrets_tenant_id_session_id_idx", "tenant_id", "session_id"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    session_id: Mapped[UUID]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
