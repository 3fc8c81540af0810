"""The transparency log: the queue of unsealed events, the leaves and checkpoints, and the sealer's state.

A trigger queues each event in its own transaction, with the rights of the role that inserts it. The rows of a queue
name only ids and times: a transaction that has declared sealing
(`SELECT set_config('tenantgate.audit_sealing', 'on', true)`) may read those of every tenant, because the sealer must
find the tenants that have work.

Nothing changes or removes a leaf or a checkpoint: a trigger refuses it to every role, the owner included.

An event can't be committed later than four minutes after `created_at`, nor be inserted with an older one: a deferred
trigger refuses its commit. The owner, who restores dumps, is exempt. So a checkpoint can state a time up to which no
event is missing.

Existing events are queued here, under a lock against new ones.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_QUEUE = """
CREATE FUNCTION tenantgate_queue_audit_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_queue (tenant_id, id, created_at) VALUES (NEW.tenant_id, NEW.id, NEW.created_at);
    RETURN NULL;
END $$
"""
_QUEUE_TRIGGER = """
CREATE TRIGGER queue_audit_event AFTER INSERT ON audit_events
    FOR EACH ROW EXECUTE FUNCTION tenantgate_queue_audit_event()
"""
# Shorter than the unsealed window (`transparency/models.py`): a commit takes time, too.
_TIMELY = """
CREATE FUNCTION tenantgate_timely_audit_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.created_at < clock_timestamp() - interval '240 seconds'
        OR NEW.created_at > clock_timestamp() + interval '30 seconds')
        AND NOT pg_has_role((SELECT relowner FROM pg_catalog.pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
        RAISE EXCEPTION 'an audit event was not committed within four minutes' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
"""
_TIMELY_TRIGGER = """
CREATE CONSTRAINT TRIGGER timely_audit_event AFTER INSERT ON audit_events
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tenantgate_timely_audit_event()
"""
_REFUSE = """
CREATE FUNCTION tenantgate_keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'leaves and checkpoints are never changed or removed' USING ERRCODE = 'insufficient_privilege';
END $$
"""
_REFUSE_TRIGGER = """
CREATE TRIGGER keep_audit_log BEFORE UPDATE OR DELETE OR TRUNCATE ON {}
    FOR EACH STATEMENT EXECUTE FUNCTION tenantgate_keep_audit_log()
"""
_SEALING = "CREATE POLICY sealing ON {} FOR SELECT USING (current_setting('tenantgate.audit_sealing', true) = 'on')"
_FUNCTIONS = ("tenantgate_queue_audit_event", "tenantgate_timely_audit_event", "tenantgate_keep_audit_log")


def upgrade() -> None:
    # The id is the event's, the checkpoint's for `audit_anchor_queue`.
    op.create_table("audit_queue", *_ids(given=True), *_times("audit_queue"))
    op.execute("SELECT tenantgate_tenant_table('audit_queue')")
    op.create_index("audit_queue_tenant_id_created_at_id_idx", "audit_queue", ["tenant_id", "created_at", "id"])
    op.execute("REVOKE UPDATE ON audit_queue FROM tenantgate_app")
    op.execute(_SEALING.format("audit_queue"))
    op.create_table(
        "audit_leaves",
        *_ids(given=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        *_times("audit_leaves"),
        sa.UniqueConstraint("tenant_id", "position", name="audit_leaves_tenant_id_position_key"),
        sa.CheckConstraint("position >= 0", name="audit_leaves_position_check"),
        sa.CheckConstraint("octet_length(leaf_hash) = 32", name="audit_leaves_leaf_hash_check"),
    )
    op.execute("SELECT tenantgate_tenant_table('audit_leaves')")
    op.create_table(
        "audit_trees",
        *_ids(),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        *_times("audit_trees"),
        sa.UniqueConstraint("tenant_id", name="audit_trees_tenant_id_key"),
        sa.CheckConstraint("mod(octet_length(frontier), 32) = 0", name="audit_trees_frontier_check"),
    )
    op.execute("SELECT tenantgate_tenant_table('audit_trees')")
    op.execute("REVOKE UPDATE, DELETE ON audit_trees FROM tenantgate_app")
    op.execute("GRANT UPDATE (size, frontier) ON audit_trees TO tenantgate_app")
    op.create_table(
        "audit_checkpoints",
        *_ids(),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        *_times("audit_checkpoints"),
        sa.UniqueConstraint("tenant_id", "size", name="audit_checkpoints_tenant_id_size_key"),
    )
    op.execute("SELECT tenantgate_tenant_table('audit_checkpoints')")
    op.create_table("audit_anchor_queue", *_ids(given=True), *_times("audit_anchor_queue"))
    op.execute("SELECT tenantgate_tenant_table('audit_anchor_queue')")
    op.execute("REVOKE UPDATE ON audit_anchor_queue FROM tenantgate_app")
    op.execute(_SEALING.format("audit_anchor_queue"))
    for function in (_QUEUE, _TIMELY, _REFUSE):
        op.execute(function)
    op.execute(f"REVOKE EXECUTE ON FUNCTION {', '.join(_FUNCTIONS)} FROM PUBLIC")
    for table in ("audit_leaves", "audit_checkpoints"):
        op.execute(f"REVOKE UPDATE, DELETE ON {table} FROM tenantgate_app")
        op.execute(_REFUSE_TRIGGER.format(table))
    # From here on, new events wait: none is missed between the fill and the triggers.
    op.execute(_QUEUE_TRIGGER)
    op.execute(_TIMELY_TRIGGER)
    op.execute("SELECT set_config('tenantgate.every_tenant', 'on', true)")
    op.execute("INSERT INTO audit_queue (tenant_id, id, created_at) SELECT tenant_id, id, created_at FROM audit_events")
    op.execute("SELECT set_config('tenantgate.every_tenant', '', true)")


def downgrade() -> None:
    op.execute("DROP TRIGGER queue_audit_event ON audit_events")
    op.execute("DROP TRIGGER timely_audit_event ON audit_events")
    for table in ("audit_anchor_queue", "audit_checkpoints", "audit_trees", "audit_leaves", "audit_queue"):
        op.drop_table(table)
    op.execute(f"DROP FUNCTION {', '.join(_FUNCTIONS)}")


def _ids(*, given: bool = False) -> tuple[sa.Column[object], ...]:
    made = None if given else sa.text("gen_random_uuid()")
    return sa.Column("id", sa.Uuid(), server_default=made, nullable=False), sa.Column(
        "tenant_id", sa.Text(), nullable=False
    )


def _times(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    moment, now = sa.DateTime(timezone=True), sa.text("now()")
    return (
        sa.Column("created_at", moment, server_default=now, nullable=False),
        sa.Column("updated_at", moment, server_default=now, nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"{table}_pkey"),
    )
