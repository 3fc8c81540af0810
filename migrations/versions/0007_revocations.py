"""Revocations, their epoch, and the access tokens that a session issued."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revocations",
        *_first(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("user_name", sa.LargeBinary(), nullable=True),
        sa.Column("tenant_name", sa.LargeBinary(), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="revocations_pkey"),
        sa.UniqueConstraint("name", name="revocations_name_key"),
        sa.CheckConstraint(
            "kind IN ('token', 'session', 'user', 'client', 'tenant', 'kid')", name="revocations_kind_check"
        ),
        sa.CheckConstraint("octet_length(name) = 16", name="revocations_name_check"),
    )
    op.create_index("revocations_expires_at_idx", "revocations", ["expires_at"])
    op.execute("SELECT tenantgate_shared_table('revocations')")
    op.create_table(
        "revocation_epoch",
        *_first(),
        sa.Column("only_row", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default="1", nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="revocation_epoch_pkey"),
        sa.UniqueConstraint("only_row", name="revocation_epoch_only_row_key"),
        sa.CheckConstraint("only_row", name="revocation_epoch_only_row_check"),
    )
    op.execute("SELECT tenantgate_shared_table('revocation_epoch')")
    op.execute("INSERT INTO revocation_epoch DEFAULT VALUES")
    op.add_column(
        "sessions",
        sa.Column("issued_tokens", ARRAY(sa.LargeBinary()), server_default=sa.text("'{}'"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("sessions", "issued_tokens")
    op.drop_table("revocation_epoch")
    op.drop_table("revocations")


def _first() -> tuple[sa.Column[object], ...]:
    return (sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),)


def _last() -> tuple[sa.Column[object], ...]:
    moment, now = sa.DateTime(timezone=True), sa.text("now()")
    return (
        sa.Column("created_at", moment, server_default=now, nullable=False),
        sa.Column("updated_at", moment, server_default=now, nullable=False),
    )
