"""The provider's rows in PostgreSQL. Codes and browser sessions belong to a tenant, signing keys to nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, LargeBinary, Text, UniqueConstraint, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base
from tenantgate.database.engine import Database
from tenantgate.provider.models import SIGNING_ALGORITHMS, AuthorizationCode, BrowserSession, StoredKey

# Used and expired codes stay for a while, so that their reuse can be looked into.
_CODES_KEPT = timedelta(hours=1)


class SigningKeyRow(Base):
    __tablename__ = "provider_signing_keys"

    kid: Mapped[str] = mapped_column(Text, unique=True)
    algorithm: Mapped[str] = mapped_column(Text, unique=True)
    sealed_jwk: Mapped[str] = mapped_column(Text)


class CodeRow(Base):
    __tablename__ = "provider_authorization_codes"
    __table_args__ = (
        UniqueConstraint("tenant_id", "code_hash"),
        Index(None, "tenant_id", "expires_at"),
        CheckConstraint("octet_length(code_hash) = 32", name="code_hash"),
    )

    tenant_id: Mapped[str] = mapped_column(Text)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    client_id: Mapped[str] = mapped_column(Text)
    redirect_uri: Mapped[str] = mapped_column(Text)
    scope: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID]
    sid: Mapped[UUID]
    auth_time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    code_challenge: Mapped[str] = mapped_column(Text)
    nonce: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    redeemed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


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
    user_id: Mapped[UUID]
    auth_time: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class KeyRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> list[StoredKey]:
        async with self._database.untenanted() as session:
            rows = (await session.scalars(select(SigningKeyRow).order_by(SigningKeyRow.algorithm))).all()
        return [
            StoredKey(row.kid, algorithm, row.sealed_jwk)
            for row in rows
            for algorithm in SIGNING_ALGORITHMS
            if algorithm == row.algorithm
        ]

    async def add(self, key: StoredKey) -> None:
        row = insert(SigningKeyRow).values(kid=key.kid, algorithm=key.algorithm, sealed_jwk=key.sealed_jwk)
        async with self._database.untenanted() as session:
            # Whoever comes second waits for the first to commit, and then adds nothing.
            await session.execute(row.on_conflict_do_nothing(index_elements=[SigningKeyRow.algorithm]))

    async def remove(self, kid: str) -> None:
        async with self._database.untenanted() as session:
            await session.execute(delete(SigningKeyRow).where(SigningKeyRow.kid == kid))


class CodeRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, code: AuthorizationCode) -> None:
        expires_at = _at(code.expires_at)
        async with self._database.tenant(code.tenant_id) as session:
            await session.execute(
                delete(CodeRow).where(
                    CodeRow.tenant_id == code.tenant_id, CodeRow.expires_at < expires_at - _CODES_KEPT
                )
            )
            session.add(
                CodeRow(
                    tenant_id=code.tenant_id,
                    code_hash=bytes.fromhex(code.key),
                    client_id=code.client_id,
                    redirect_uri=code.redirect_uri,
                    scope=code.scope,
                    user_id=UUID(code.user_id),
                    sid=UUID(code.sid),
                    auth_time=_at(code.auth_time),
                    code_challenge=code.code_challenge,
                    nonce=code.nonce,
                    expires_at=expires_at,
                )
            )

    async def redeem(self, key: str, *, tenant_id: str, client_id: str, now: int) -> AuthorizationCode | None:
        # One statement: of concurrent redemptions PostgreSQL lets one change the row, and the others, once it has
        # committed, find that `redeemed_at` is set.
        redemption = (
            update(CodeRow)
            .where(
                CodeRow.tenant_id == tenant_id,
                CodeRow.code_hash == bytes.fromhex(key),
                CodeRow.client_id == client_id,
                CodeRow.redeemed_at.is_(None),
                CodeRow.expires_at > _at(now),
            )
            .values(redeemed_at=_at(now))
            .returning(CodeRow)
        )
        async with self._database.tenant(tenant_id) as session:
            row = (await session.scalars(redemption)).one_or_none()
        if row is None:
            return None
        return AuthorizationCode(
            key=row.code_hash.hex(),
            client_id=row.client_id,
            redirect_uri=row.redirect_uri,
            scope=row.scope,
            tenant_id=row.tenant_id,
            user_id=str(row.user_id),
            sid=str(row.sid),
            auth_time=_seconds(row.auth_time),
            code_challenge=row.code_challenge,
            nonce=row.nonce,
            expires_at=_seconds(row.expires_at),
        )


class BrowserSessionRepository:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, session: BrowserSession) -> None:
        async with self._database.tenant(session.tenant_id) as unit:
            await unit.execute(
                delete(BrowserSessionRow).where(
                    BrowserSessionRow.tenant_id == session.tenant_id,
                    BrowserSessionRow.expires_at < _at(session.auth_time),
                )
            )
            unit.add(
                BrowserSessionRow(
                    tenant_id=session.tenant_id,
                    cookie_hash=bytes.fromhex(session.key),
                    sid=UUID(session.sid),
                    user_id=UUID(session.user_id),
                    auth_time=_at(session.auth_time),
                    expires_at=_at(session.expires_at),
                )
            )

    async def find(self, key: str, *, tenant_id: str) -> BrowserSession | None:
        wanted = select(BrowserSessionRow).where(
            BrowserSessionRow.tenant_id == tenant_id, BrowserSessionRow.cookie_hash == bytes.fromhex(key)
        )
        async with self._database.tenant(tenant_id) as unit:
            row = (await unit.scalars(wanted)).one_or_none()
        if row is None:
            return None
        return BrowserSession(
            key=row.cookie_hash.hex(),
            sid=str(row.sid),
            tenant_id=row.tenant_id,
            user_id=str(row.user_id),
            auth_time=_seconds(row.auth_time),
            expires_at=_seconds(row.expires_at),
        )

    async def remove(self, key: str, *, tenant_id: str) -> None:
        async with self._database.tenant(tenant_id) as unit:
            await unit.execute(
                delete(BrowserSessionRow).where(
                    BrowserSessionRow.tenant_id == tenant_id, BrowserSessionRow.cookie_hash == bytes.fromhex(key)
                )
            )


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
