"""The table of the registry, for migrations and their tests. The repository uses SQL."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class TenantRow(Base):
    """Table `tenants`, shared by all tenants: no personal data. A policy that is NULL adds no limit."""

    __tablename__ = "tenants"
    __table_args__ = (
        UniqueConstraint("tenant_id", name="tenants_tenant_id_key"),
        CheckConstraint("status IN ('active', 'suspended')", name="status"),
        CheckConstraint("session_idle_minutes > 0", name="session_idle_minutes"),
        CheckConstraint("session_absolute_hours > 0", name="session_absolute_hours"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=text("'active'"))
    session_idle_minutes: Mapped[int | None]
    session_absolute_hours: Mapped[int | None]
    allowed_issuers: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
