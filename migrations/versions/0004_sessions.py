"""Sessions with time-outs, rotation and a lease; their earlier secrets; tenants; look-ups across tenants.

From here on, the primary key of a tenant table is (tenant_id, id). Keys aren't under row-level security: a conflict
of `id` would tell a tenant that another tenant has a row of that id.

A session that already exists keeps its end, and grants no scopes and roles until it is refreshed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Two random UUIDs have 244 random bits.
_RANDOM = "sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))"
_TENANTS_OF_SESSIONS = "INSERT INTO tenants (tenant_id) SELECT DISTINCT tenant_id FROM sessions"

_TENANT_TABLES = ("sessions", "provider_authorization_codes", "provider_browser_sessions")
_TENANT_KEY = """
CREATE FUNCTION tenantgate_tenant_key(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := (SELECT conname FROM pg_catalog.pg_constraint WHERE conrelid = target AND contype = 'p');
BEGIN
    IF name IS NULL THEN
        RAISE EXCEPTION '% needs the primary key id', target;
    END IF;
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I PRIMARY KEY (tenant_id, id)',
                   target, name, name);
END $$
"""
# `tenantgate_tenant_table` of the first migration, with the key.
_TENANT_TABLE = """
CREATE FUNCTION tenantgate_tenant_table(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tenantgate_tenant_key(target);
    PERFORM tenantgate_tenant_policies(target);
END $$
"""


def upgrade() -> None:
    op.execute("ALTER FUNCTION tenantgate_tenant_table(regclass) RENAME TO tenantgate_tenant_policies")
    op.execute(_TENANT_KEY)
    op.execute(_TENANT_TABLE)
    op.execute("REVOKE EXECUTE ON FUNCTION tenantgate_tenant_table, tenantgate_tenant_key FROM PUBLIC")
    for table in _TENANT_TABLES:
        op.execute(f"SELECT tenantgate_tenant_key('{table}')")
    _create_tenants()
    _extend_sessions()
    op.create_table(
        "session_secrets",
        *_first(),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="session_secrets_pkey"),
        sa.UniqueConstraint("tenant_id", "secret_hash", name="session_secrets_tenant_id_secret_hash_key"),
        sa.CheckConstraint("octet_length(secret_hash) = 32", name="session_secrets_secret_hash_check"),
        # With the tenant: a foreign key isn't under row-level security, and must not tell another tenant's ids.
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["sessions.tenant_id", "sessions.id"],
            name="session_secrets_tenant_id_fkey",
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
    )
    op.create_index("session_secrets_tenant_id_session_id_idx", "session_secrets", ["tenant_id", "session_id"])
    op.execute("SELECT tenantgate_tenant_table('session_secrets')")

    op.create_table(
        "session_lookup",
        *_first(),
        sa.Column("lookup_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="session_lookup_pkey"),
        sa.CheckConstraint("octet_length(lookup_hash) = 32", name="session_lookup_lookup_hash_check"),
    )
    op.create_index("session_lookup_lookup_hash_idx", "session_lookup", ["lookup_hash"])
    op.create_index("session_lookup_session_id_idx", "session_lookup", ["session_id"])
    op.execute("SELECT tenantgate_shared_table('session_lookup')")

    op.create_table(
        "seen_token_ids",
        *_first(),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="seen_token_ids_pkey"),
        sa.UniqueConstraint("token_hash", name="seen_token_ids_token_hash_key"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="seen_token_ids_token_hash_check"),
    )
    op.create_index("seen_token_ids_expires_at_idx", "seen_token_ids", ["expires_at"])
    op.execute("SELECT tenantgate_shared_table('seen_token_ids')")


def _create_tenants() -> None:
    op.create_table(
        "tenants",
        *_first(),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("session_idle_minutes", sa.Integer(), nullable=True),
        sa.Column("session_absolute_hours", sa.Integer(), nullable=True),
        sa.Column("allowed_issuers", ARRAY(sa.Text()), nullable=True),
        *_last(),
        sa.PrimaryKeyConstraint("id", name="tenants_pkey"),
        sa.UniqueConstraint("tenant_id", name="tenants_tenant_id_key"),
        sa.CheckConstraint("status IN ('active', 'suspended')", name="tenants_status_check"),
        sa.CheckConstraint("session_idle_minutes > 0", name="tenants_session_idle_minutes_check"),
        sa.CheckConstraint("session_absolute_hours > 0", name="tenants_session_absolute_hours_check"),
    )
    op.execute("SELECT tenantgate_shared_table('tenants')")
    op.execute("SELECT set_config('tenantgate.every_tenant', 'on', true)")
    op.execute(_TENANTS_OF_SESSIONS)
    op.execute("SELECT set_config('tenantgate.every_tenant', '', true)")


def _extend_sessions() -> None:
    texts = sa.text("'{}'")
    added: list[sa.Column[object]] = [
        sa.Column("auth_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("provider_auth_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text()), server_default=texts, nullable=False),
        sa.Column("roles", ARRAY(sa.Text()), server_default=texts, nullable=False),
        sa.Column("acr", sa.Text(), nullable=True),
        sa.Column("amr", ARRAY(sa.Text()), server_default=texts, nullable=False),
        # The version before this one inserts sessions without a token.
        sa.Column("csrf_token", sa.LargeBinary(), server_default=sa.text(_RANDOM), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=True),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed_replay", sa.Text(), nullable=True),
        sa.Column("lease_holder", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
    ]
    for column in added:
        op.add_column("sessions", column)
    op.create_check_constraint("sessions_csrf_token_check", "sessions", "octet_length(csrf_token) = 32")
    op.create_index("sessions_tenant_id_issuer_user_id_idx", "sessions", ["tenant_id", "issuer", "user_id"])
    op.create_index("sessions_tenant_id_last_used_at_idx", "sessions", ["tenant_id", "last_used_at"])
    op.create_index("sessions_tenant_id_expires_at_idx", "sessions", ["tenant_id", "expires_at"])


def downgrade() -> None:
    op.drop_table("seen_token_ids")
    op.drop_table("session_lookup")
    op.drop_table("session_secrets")
    op.drop_index("sessions_tenant_id_expires_at_idx", "sessions")
    op.drop_index("sessions_tenant_id_last_used_at_idx", "sessions")
    op.drop_index("sessions_tenant_id_issuer_user_id_idx", "sessions")
    op.drop_constraint("sessions_csrf_token_check", "sessions")
    for name in (
        *("auth_time", "provider_auth_time", "last_used_at", "scopes", "roles", "acr", "amr", "csrf_token", "version"),
        *("previous_hash", "rotated_at", "sealed_replay", "lease_holder", "lease_until", "device", "address"),
    ):
        op.drop_column("sessions", name)
    op.drop_table("tenants")
    for table in _TENANT_TABLES:
        op.drop_constraint(f"{table}_pkey", table)
        op.create_primary_key(f"{table}_pkey", table, ["id"])
    op.execute("DROP FUNCTION tenantgate_tenant_table, tenantgate_tenant_key")
    op.execute("ALTER FUNCTION tenantgate_tenant_policies(regclass) RENAME TO tenantgate_tenant_table")


def _first() -> list[sa.Column[object]]:
    return [sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)]


def _last() -> list[sa.Column[object]]:
    return [
        sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
        for name in ("created_at", "updated_at")
    ]
