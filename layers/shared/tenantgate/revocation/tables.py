"""The tables of revocations, for migrations and their tests. The repositories use SQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from tenantgate.database.base import Base


class RevocationRow(Base):
    """Table `revocations`, shared by all tenants: hashes and times, no personal data.

    `name`: as in `revoked/names.py`. `user_name`, `tenant_name`: of the user and tenant of a token or session, if they
    are known; a snapshot that is too large refuses all of their tokens instead. `revoked_at`: what a user, client or
    tenant got up to then is refused. `expires_at`: when nothing is left to refuse; null: never. `epoch`: that of the
    change.
    """

    __tablename__ = "revocations"
    __table_args__ = (
        UniqueConstraint("name", name="revocations_name_key"),
        CheckConstraint("kind IN ('token', 'session', 'user', 'client', 'tenant', 'kid')", name="kind"),
        CheckConstraint("octet_length(name) = 16", name="name"),
        Index("revocations_expires_at_idx", "expires_at"),
        Index("revocations_epoch_idx", "epoch"),
    )

    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[bytes] = mapped_column(LargeBinary)
    user_name: Mapped[bytes | None] = mapped_column(LargeBinary)
    tenant_name: Mapped[bytes | None] = mapped_column(LargeBinary)
    revoked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    epoch: Mapped[int] = mapped_column(BigInteger)


class RevocationEpochRow(Base):
    """Table `revocation_epoch`: one row, which each change locks and counts up, so that changes have an order.

    `additions`: the changes that only added to `revocations`.
    """

    __tablename__ = "revocation_epoch"
    __table_args__ = (
        UniqueConstraint("only_row", name="revocation_epoch_only_row_key"),
        CheckConstraint("only_row", name="only_row"),
    )

    only_row: Mapped[bool] = mapped_column(server_default=text("true"))
    epoch: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    additions: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
