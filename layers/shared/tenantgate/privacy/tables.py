"""The table of erasures, for migrations and their tests. The repository uses SQL."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class ErasureRow(Base):
    """Table `privacy_erasures`, which is under row-level security: the erasure ledger. It names no person.

    The application can only add rows. `key_ids`: the data keys that were destroyed. `source`: what asked for it.
    `anchored`: the entry is outside the database, too. `sessions`, `rows`: the numbers of those that were deleted.
    """

    __tablename__ = "privacy_erasures"
    __table_args__ = (
        CheckConstraint("source IN ('request', 'command', 'replay')", name="source"),
        Index("privacy_erasures_tenant_id_created_at_id_idx", "tenant_id", "created_at", "id"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    key_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    source: Mapped[str] = mapped_column(Text)
    anchored: Mapped[bool]
    sessions: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
