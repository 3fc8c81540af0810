"""The built-in provider's refresh tokens: one row for each family, and the digests of its earlier tokens.

A sign-out ends the codes of its browser session, too, so codes are found by session.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CODES_OF_SESSION = "provider_authorization_codes_tenant_id_sid_idx"


def upgrade() -> None:
    op.create_index(_CODES_OF_SESSION, "provider_authorization_codes", ["tenant_id", "sid"])

    op.create_table(
        "provider_refresh_tokens",
        *_first(),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("sid", sa.Uuid(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="provider_refresh_tokens_pkey"),
        sa.UniqueConstraint("tenant_id", "token_hash", name="provider_refresh_tokens_tenant_id_token_hash_key"),
        # A code begins one family.
        sa.UniqueConstraint("tenant_id", "code_hash", name="provider_refresh_tokens_tenant_id_code_hash_key"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="provider_refresh_tokens_token_hash_check"),
        sa.CheckConstraint("octet_length(code_hash) = 32", name="provider_refresh_tokens_code_hash_check"),
    )
    for column in ("sid", "expires_at"):
        op.create_index(
            f"provider_refresh_tokens_tenant_id_{column}_idx", "provider_refresh_tokens", ["tenant_id", column]
        )
    op.execute("SELECT tenantgate_tenant_table('provider_refresh_tokens')")

    op.create_table(
        "provider_used_refresh_tokens",
        *_first(),
        sa.Column("family_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="provider_used_refresh_tokens_pkey"),
        sa.UniqueConstraint("tenant_id", "token_hash", name="provider_used_refresh_tokens_tenant_id_token_hash_key"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="provider_used_refresh_tokens_token_hash_check"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "family_id"],
            ["provider_refresh_tokens.tenant_id", "provider_refresh_tokens.id"],
            name="provider_used_refresh_tokens_tenant_id_family_id_fkey",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "provider_used_refresh_tokens_tenant_id_family_id_idx",
        "provider_used_refresh_tokens",
        ["tenant_id", "family_id"],
    )
    op.execute("SELECT tenantgate_tenant_table('provider_used_refresh_tokens')")


def downgrade() -> None:
    op.drop_table("provider_used_refresh_tokens")
    op.drop_table("provider_refresh_tokens")
    op.drop_index(_CODES_OF_SESSION, "provider_authorization_codes")


def _first() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
    ]


def _last() -> list[sa.Column[object]]:
    return [
        sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
        for name in ("created_at", "updated_at")
    ]
