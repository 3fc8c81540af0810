"""The tables of the transparency log, for migrations and their tests. The repository uses SQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class AuditQueueRow(Base):
    """Table `audit_queue`: the events that aren't sealed yet. A trigger adds them, and the sealer removes them.

    `id` and `created_at` are the event's.
    """

    __tablename__ = "audit_queue"
    __table_args__ = (Index("audit_queue_tenant_id_created_at_id_idx", "tenant_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-3)
    tenant_id: Mapped[str] = mapped_column(Text)


class AuditLeafRow(Base):
    """Table `audit_leaves`: the leaf of each sealed event. Never changed or removed: it outlives the event.

    `id`: the event's. `position`: the leaf's index in the tenant's log, from 0. `recorded_at`: the event's
    `created_at`. `created_at`: when it was sealed.
    """

    __tablename__ = "audit_leaves"
    __table_args__ = (
        UniqueConstraint("tenant_id", "position"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("octet_length(leaf_hash) = 32", name="leaf_hash"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-3)
    tenant_id: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(BigInteger)
    leaf_hash: Mapped[bytes] = mapped_column(LargeBinary)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class AuditTreeRow(Base):
    """Table `audit_trees`: the sealer's state, one row for each tenant. A sealer locks its tenant's row.

    `frontier`: the hashes of the complete subtrees, the largest first (`tree.Frontier`).
    """

    __tablename__ = "audit_trees"
    __table_args__ = (
        UniqueConstraint("tenant_id"),
        CheckConstraint("mod(octet_length(frontier), 32) = 0", name="frontier"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    frontier: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckpointRow(Base):
    """Table `audit_checkpoints`: the signed checkpoints of each log. Never changed or removed.

    `note`: the signed note (`checkpoints.py`). `size`: the log's, as in the note.
    """

    __tablename__ = "audit_checkpoints"
    __table_args__ = (UniqueConstraint("tenant_id", "size"),)

    tenant_id: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text)


class AuditAnchorQueueRow(Base):
    """Table `audit_anchor_queue`: the checkpoints that aren't anchored outside the database yet.

    `id`: the checkpoint's.
    """

    __tablename__ = "audit_anchor_queue"

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-3)
    tenant_id: Mapped[str] = mapped_column(Text)
