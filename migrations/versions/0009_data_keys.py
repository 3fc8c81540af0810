"""Data keys in wrapped form."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        # Empty for a key of the whole tenant, so that the unique index compares it.
        sa.Column("subject_hash", sa.LargeBinary(), server_default=sa.text("''"), nullable=False),
        sa.Column("wrapped_by", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("retired_at", moment, nullable=True),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="data_keys_pkey"),
        sa.CheckConstraint("octet_length(subject_hash) IN (0, 32)", name="data_keys_subject_hash_check"),
        # A destroyed key has no wrapped form, and leaves no digest of its subject.
        sa.CheckConstraint(
            "wrapped_key IS NOT NULL OR octet_length(subject_hash) = 0", name="data_keys_wrapped_key_check"
        ),
    )
    op.execute("SELECT tenantgate_tenant_table('data_keys')")
    # A deleted or exchanged key can't be made again, and everything that it encrypts would be lost.
    op.execute("REVOKE UPDATE, DELETE ON data_keys FROM tenantgate_app")
    op.execute("GRANT UPDATE (subject_hash, wrapped_by, wrapped_key, retired_at) ON data_keys TO tenantgate_app")
    op.create_index(
        "data_keys_current_idx",
        "data_keys",
        ["tenant_id", "purpose", "subject_hash"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL AND wrapped_key IS NOT NULL"),
    )
    op.create_index(
        "data_keys_usable_idx",
        "data_keys",
        ["tenant_id", "purpose", "subject_hash"],
        postgresql_where=sa.text("wrapped_key IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("data_keys")
