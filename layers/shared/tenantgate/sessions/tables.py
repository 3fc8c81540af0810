"""The table of sessions, for migrations and their tests. The repository uses SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class SessionRow(Base):
    """Table `sessions`, which is under row-level security."""

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
