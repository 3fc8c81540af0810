"""The built-in provider: sealed signing keys, authorization codes, browser sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "provider_signing_keys",
        *_first(),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("sealed_jwk", sa.Text(), nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="provider_signing_keys_pkey"),
        sa.UniqueConstraint("kid", name="provider_signing_keys_kid_key"),
        # If several processes create the first key at the same time, only one succeeds.
        sa.UniqueConstraint("algorithm", name="provider_signing_keys_algorithm_key"),
    )
    op.execute("SELECT tenantgate_shared_table('provider_signing_keys')")

    op.create_table(
        "provider_authorization_codes",
        *_first(),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("sid", sa.Uuid(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=True),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="provider_authorization_codes_pkey"),
        sa.UniqueConstraint("tenant_id", "code_hash", name="provider_authorization_codes_tenant_id_code_hash_key"),
        sa.CheckConstraint("octet_length(code_hash) = 32", name="provider_authorization_codes_code_hash_check"),
    )
    op.create_index(
        "provider_authorization_codes_tenant_id_expires_at_idx",
        "provider_authorization_codes",
        ["tenant_id", "expires_at"],
    )
    op.execute("SELECT tenantgate_tenant_table('provider_authorization_codes')")

    op.create_table(
        "provider_browser_sessions",
        *_first(),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("cookie_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sid", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="provider_browser_sessions_pkey"),
        sa.UniqueConstraint("tenant_id", "cookie_hash", name="provider_browser_sessions_tenant_id_cookie_hash_key"),
        sa.CheckConstraint("octet_length(cookie_hash) = 32", name="provider_browser_sessions_cookie_hash_check"),
    )
    op.create_index(
        "provider_browser_sessions_tenant_id_expires_at_idx",
        "provider_browser_sessions",
        ["tenant_id", "expires_at"],
    )
    op.execute("SELECT tenantgate_tenant_table('provider_browser_sessions')")


def downgrade() -> None:
    op.drop_table("provider_browser_sessions")
    op.drop_table("provider_authorization_codes")
    op.drop_table("provider_signing_keys")


def _first() -> list[sa.Column[object]]:
    return [sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)]


def _last() -> list[sa.Column[object]]:
    return [
        sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
        for name in ("created_at", "updated_at")
    ]
