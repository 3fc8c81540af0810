"""The ledger of erasures, to which the application only adds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "privacy_erasures",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_ids", ARRAY(sa.Uuid()), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("anchored", sa.Boolean(), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("created_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", moment, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="privacy_erasures_pkey"),
        sa.CheckConstraint("source IN ('request', 'command', 'replay')", name="privacy_erasures_source_check"),
    )
    op.execute("SELECT tenantgate_tenant_table('privacy_erasures')")
    op.execute("REVOKE UPDATE, DELETE ON privacy_erasures FROM tenantgate_app")
    op.create_index(
        "privacy_erasures_tenant_id_created_at_id_idx", "privacy_erasures", ["tenant_id", "created_at", "id"]
    )


def downgrade() -> None:
    op.drop_table("privacy_erasures")
