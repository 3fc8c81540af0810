"""The names in received logout tokens, for sign-ins that were running at that moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "seen_token_ids",
        sa.Column("named", ARRAY(sa.LargeBinary()), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column(
        "seen_token_ids",
        sa.Column("issued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.create_index("seen_token_ids_named_idx", "seen_token_ids", ["named"], postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("seen_token_ids_named_idx", "seen_token_ids")
    op.drop_column("seen_token_ids", "issued_at")
    op.drop_column("seen_token_ids", "named")
