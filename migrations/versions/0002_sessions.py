"""Sessions: a hashed id, sealed tokens, an expiry."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_tokens", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="sessions_pkey"),
        # The tenant first: every look-up is by tenant, and the policy filters by it.
        sa.UniqueConstraint("tenant_id", "secret_hash", name="sessions_tenant_id_secret_hash_key"),
        sa.CheckConstraint("octet_length(secret_hash) = 32", name="sessions_secret_hash_check"),
    )
    op.execute("SELECT tenantgate_tenant_table('sessions')")


def downgrade() -> None:
    op.drop_table("sessions")
