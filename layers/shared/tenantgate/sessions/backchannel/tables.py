"""The tables of back-channel logout, for migrations and their tests. The repositories use SQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class SessionLookupRow(Base):
    """Table `session_lookup`, shared by all tenants: sessions by the subject or `sid` of logout tokens, hashed."""

    __tablename__ = "session_lookup"
    __table_args__ = (
        CheckConstraint("octet_length(lookup_hash) = 32", name="lookup_hash"),
        Index("session_lookup_lookup_hash_idx", "lookup_hash"),
        Index("session_lookup_session_id_idx", "session_id"),
    )

    lookup_hash: Mapped[bytes] = mapped_column(LargeBinary)
    tenant_id: Mapped[str] = mapped_column(Text)
    session_id: Mapped[UUID]


class SeenTokenIdRow(Base):
    """Table `seen_token_ids`, shared by all tenants: the logout tokens and security events that were received.

    `token_hash`: SHA-256 of issuer, NUL and `jti`; for a security event with a prefix. `named`: the look-up digests of
    the `sid` and subject that it names, for sign-ins that were running. `issued_at`: the token's. `done_at`: when every
    session that it named had ended.
    """

    __tablename__ = "seen_token_ids"
    __table_args__ = (
        UniqueConstraint("token_hash", name="seen_token_ids_token_hash_key"),
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        Index("seen_token_ids_expires_at_idx", "expires_at"),
        Index("seen_token_ids_named_idx", "named", postgresql_using="gin"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    named: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary), server_default=text("'{}'"))
    issued_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
