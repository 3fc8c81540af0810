"""Audit events, which can only be added; and the user of a session as its events name it.

The application's role may read and add rows. A trigger refuses UPDATE, DELETE and TRUNCATE to every role, the owner
included. Retention is the only exception: the owner may delete in a transaction that has declared it by
`SELECT set_config('tenantgate.audit_retention', 'on', true)`. An owner can drop the trigger: that its rows were changed
is then shown by the log of their hashes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_REFUSE = """
CREATE FUNCTION tenantgate_keep_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('tenantgate.audit_retention', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit events are never changed or removed' USING ERRCODE = 'insufficient_privilege';
END $$
"""
_TRIGGER = """
CREATE TRIGGER keep_audit_events BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION tenantgate_keep_audit_events()
"""


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("resource_type", sa.Text(), nullable=True),
        sa.Column("resource_id", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("user_digest", sa.LargeBinary(), nullable=True),
        sa.Column("encrypted_user", sa.Text(), nullable=True),
        sa.Column("encrypted_detail", sa.Text(), nullable=True),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_events_pkey"),
        sa.CheckConstraint("octet_length(user_digest) = 32", name="audit_events_user_digest_check"),
        sa.CheckConstraint("outcome IN ('success', 'failure', 'denied')", name="audit_events_outcome_check"),
    )
    op.create_index("audit_events_tenant_id_created_at_id_idx", "audit_events", ["tenant_id", "created_at", "id"])
    op.create_index(
        "audit_events_tenant_id_user_digest_created_at_id_idx",
        "audit_events",
        ["tenant_id", "user_digest", "created_at", "id"],
        postgresql_where=sa.text("user_digest IS NOT NULL"),
    )
    op.execute("SELECT tenantgate_tenant_table('audit_events')")
    op.execute("REVOKE UPDATE, DELETE ON audit_events FROM tenantgate_app")
    op.execute(_REFUSE)
    op.execute(_TRIGGER)
    op.execute("REVOKE EXECUTE ON FUNCTION tenantgate_keep_audit_events FROM PUBLIC")
    op.add_column("sessions", sa.Column("audit_user_digest", sa.LargeBinary(), nullable=True))
    op.add_column("sessions", sa.Column("audit_user", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "audit_user")
    op.drop_column("sessions", "audit_user_digest")
    op.drop_table("audit_events")
    op.execute("DROP FUNCTION tenantgate_keep_audit_events")
