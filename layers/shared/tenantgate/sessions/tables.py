"""The tables of sessions, for migrations and their tests. The repositories use SQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base, personal

_REQUESTS = "Each request with the session's cookie is judged by it, and all sessions of a person are found by it."
_SHOWN = "People recognize their sessions by it in the list of sessions."
_NO_TEXTS = text("'{}'")


class SessionRow(Base):
    """Table `sessions`, which is under row-level security.

    `secret_hash`: of the current secret; `previous_hash`: of the one before it. `sealed_replay`: what the last rotation
    returned, until its grace ends. It and `sealed_tokens` are envelopes, or in the form of earlier versions
    (`storing/tokens.py`). `lease_holder`: the caller that asks the provider for new tokens.
    `issued_tokens`: the access tokens that clients got, each as its name (`revoked/names.py`) and 4 bytes of the epoch
    second of its expiry. `audit_user_digest`, `audit_user`: the user as its audit events name it.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "secret_hash", name="sessions_tenant_id_secret_hash_key"),
        CheckConstraint("octet_length(secret_hash) = 32", name="secret_hash"),
        CheckConstraint("octet_length(csrf_token) = 32", name="csrf_token"),
        Index("sessions_tenant_id_issuer_user_id_idx", "tenant_id", "issuer", "user_id"),
        Index("sessions_tenant_id_last_used_at_idx", "tenant_id", "last_used_at"),
        Index("sessions_tenant_id_expires_at_idx", "tenant_id", "expires_at"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str] = mapped_column(Text, info=personal("identifier", _REQUESTS))
    issuer: Mapped[str] = mapped_column(Text)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_tokens: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    auth_time: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    provider_auth_time: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=_NO_TEXTS)
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=_NO_TEXTS)
    acr: Mapped[str | None] = mapped_column(Text)
    amr: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=_NO_TEXTS)
    csrf_token: Mapped[bytes] = mapped_column(
        LargeBinary, server_default=text("sha256((uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))")
    )
    version: Mapped[int] = mapped_column(server_default=text("1"))
    previous_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    rotated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sealed_replay: Mapped[str | None] = mapped_column(Text)
    lease_holder: Mapped[UUID | None]
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    device: Mapped[str | None] = mapped_column(Text, info=personal("device", _SHOWN))
    address: Mapped[str | None] = mapped_column(Text, info=personal("address", f"The network only. {_SHOWN}"))
    issued_tokens: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary), server_default=_NO_TEXTS)
    audit_user_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    audit_user: Mapped[str | None] = mapped_column(Text)
