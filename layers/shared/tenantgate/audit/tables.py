"""The table of audit events, for migrations and their tests. The repository uses SQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class AuditEventRow(Base):
    """Table `audit_events`, under row-level security. Rows are never updated; only retention deletes them.

    `created_at` is when the event was recorded, `occurred_at` when it happened.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        CheckConstraint("octet_length(user_digest) = 32", name="user_digest"),
        CheckConstraint("outcome IN ('success', 'failure', 'denied')", name="outcome"),
        Index("audit_events_tenant_id_created_at_id_idx", "tenant_id", "created_at", "id"),
        Index(
            "audit_events_tenant_id_user_digest_created_at_id_idx",
            "tenant_id",
            "user_digest",
            "created_at",
            "id",
            postgresql_where=text("user_digest IS NOT NULL"),
        ),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    event_type: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    actor: Mapped[str | None] = mapped_column(Text)
    resource_type: Mapped[str | None] = mapped_column(Text)
    resource_id: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    session_id: Mapped[UUID | None]
    user_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    encrypted_user: Mapped[str | None] = mapped_column(Text)
    encrypted_detail: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[dict[str, object]] = mapped_column(JSONB)
    occurred_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
