"""The table of data keys, for migrations and their tests. The repository uses SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base

_OWNER = ("tenant_id", "purpose", "subject_hash")


class DataKeyRow(Base):
    """Table `data_keys`, which is under row-level security. The application can't delete from it.

    `subject_hash`: 32 bytes for a key of a single person, otherwise empty. `wrapped_by`: the key-encryption key.
    `wrapped_key`: null if the key was destroyed, at `updated_at`. `retired_at`: since when another key encrypts.
    """

    __tablename__ = "data_keys"
    __table_args__ = (
        CheckConstraint("octet_length(subject_hash) IN (0, 32)", name="subject_hash"),
        CheckConstraint("wrapped_key IS NOT NULL OR octet_length(subject_hash) = 0", name="wrapped_key"),
        Index(
            "data_keys_current_idx",
            *_OWNER,
            unique=True,
            postgresql_where=text("retired_at IS NULL AND wrapped_key IS NOT NULL"),
        ),
        Index("data_keys_usable_idx", *_OWNER, postgresql_where=text("wrapped_key IS NOT NULL")),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    subject_hash: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("''"))
    wrapped_by: Mapped[str] = mapped_column(Text)
    wrapped_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    retired_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
