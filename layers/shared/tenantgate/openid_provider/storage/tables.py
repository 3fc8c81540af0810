"""The provider's tables, for migrations and their tests. The repositories use SQL."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKeyConstraint, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base, personal

_SUBJECT = "The built-in provider issues tokens for it, and ends what belongs to it."


class SigningKeyRow(Base):
    __tablename__ = "provider_signing_keys"

    kid: Mapped[str] = mapped_column(Text, unique=True)
    algorithm: Mapped[str] = mapped_column(Text, unique=True)
    sealed_jwk: Mapped[str] = mapped_column(Text)


class CodeRow(Base):
    __tablename__ = "provider_authorization_codes"
    __table_args__ = (
        UniqueConstraint("tenant_id", "code_hash"),
        Index(None, "tenant_id", "sid"),
        Index(None, "tenant_id", "expires_at"),
        CheckConstraint("octet_length(code_hash) = 32", name="code_hash"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    client_id: Mapped[str] = mapped_column(Text)
    redirect_uri: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID] = mapped_column(info=personal("identifier", _SUBJECT))
    sid: Mapped[UUID]
    auth_time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    code_challenge: Mapped[str] = mapped_column(Text)
    nonce: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    redeemed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RefreshTokenRow(Base):
    """A family of refresh tokens, with the digest of the latest."""

    __tablename__ = "provider_refresh_tokens"
    __table_args__ = (
        UniqueConstraint("tenant_id", "token_hash"),
        UniqueConstraint("tenant_id", "code_hash"),
        Index(None, "tenant_id", "sid"),
        Index(None, "tenant_id", "expires_at"),
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("octet_length(code_hash) = 32", name="code_hash"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    client_id: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID] = mapped_column(info=personal("identifier", _SUBJECT))
    sid: Mapped[UUID]
    auth_time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ends_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class UsedRefreshTokenRow(Base):
    """An earlier token of a family."""

    __tablename__ = "provider_used_refresh_tokens"
    __table_args__ = (
        UniqueConstraint("tenant_id", "token_hash"),
        Index(None, "tenant_id", "family_id"),
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        ForeignKeyConstraint(
            ["tenant_id", "family_id"],
            ["provider_refresh_tokens.tenant_id", "provider_refresh_tokens.id"],
            ondelete="CASCADE",
        ),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    family_id: Mapped[UUID]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary)


class BrowserSessionRow(Base):
    __tablename__ = "provider_browser_sessions"
    __table_args__ = (
        UniqueConstraint("tenant_id", "cookie_hash"),
        Index(None, "tenant_id", "expires_at"),
        CheckConstraint("octet_length(cookie_hash) = 32", name="cookie_hash"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    cookie_hash: Mapped[bytes] = mapped_column(LargeBinary)
    sid: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(info=personal("identifier", _SUBJECT))
    auth_time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
