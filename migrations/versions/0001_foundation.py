"""pgvector, the application's role, and the set-up of tables.

Roles. The owner runs the migrations and owns every table. The application's role, `tenantgate_app`, owns nothing, has
no `BYPASSRLS`, and gets its privileges table by table. This migration creates it without a login unless it exists; the
deployment gives it a login (a password or IAM), see `tenantgate.database.roles`.

Tenants. `tenantgate_tenant_table('x')` turns table `x`, which needs a column `tenant_id text`, into a tenant table: its
rows are visible and writable only inside a transaction that has entered their tenant, even for the owner.

Backfills. A migration that must see all tenants' rows enables this for its own transaction:
`SELECT set_config('tenantgate.every_tenant', 'on', true)`. This works only for the owner and takes no lock; for the
application's role the setting has no effect.
"""

from __future__ import annotations

from alembic import op

from tenantgate.database.vector import CREATE_WHERE_AVAILABLE, DROP_WHERE_POSSIBLE

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROLE = """
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'tenantgate_app') THEN
        CREATE ROLE tenantgate_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- made by another database's migration at this moment
END $$
"""

# On the server as well as in the driver, for a statement whose client has disconnected. If another user created the
# role, that user sets the limits.
_TIME_LIMITS = """
DO $$
BEGIN
    ALTER ROLE tenantgate_app SET statement_timeout = '10s';
    ALTER ROLE tenantgate_app SET lock_timeout = '2s';
    ALTER ROLE tenantgate_app SET idle_in_transaction_session_timeout = '30s';
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'the time limits of tenantgate_app are unchanged';
WHEN internal_error OR unique_violation THEN
    NULL;  -- "tuple concurrently updated", or both make the first setting: another database's migration sets the same
END $$
"""

_KEEP_TIMES = """
CREATE FUNCTION tenantgate_keep_times() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := OLD.created_at;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$
"""

_SHARED_TABLE = """
CREATE FUNCTION tenantgate_shared_table(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER keep_times BEFORE UPDATE ON %s'
                   ' FOR EACH ROW EXECUTE FUNCTION tenantgate_keep_times()', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO tenantgate_app', target);
END $$
"""

_TENANT_TABLE = """
CREATE FUNCTION tenantgate_tenant_table(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', target);
    -- Outside any tenant the setting is missing or, once it was set in this session, empty: no row matches.
    EXECUTE format('CREATE POLICY own_tenant ON %s'
                   ' USING (tenant_id = NULLIF(current_setting(''tenantgate.tenant_id'', true), ''''))'
                   ' WITH CHECK (tenant_id = NULLIF(current_setting(''tenantgate.tenant_id'', true), ''''))', target);
    EXECUTE format('CREATE POLICY every_tenant ON %s TO CURRENT_USER'
                   ' USING (current_setting(''tenantgate.every_tenant'', true) = ''on'')'
                   ' WITH CHECK (current_setting(''tenantgate.every_tenant'', true) = ''on'')', target);
    PERFORM tenantgate_shared_table(target);
END $$
"""


def upgrade() -> None:
    op.execute(CREATE_WHERE_AVAILABLE)
    op.execute(_ROLE)
    op.execute(_TIME_LIMITS)
    op.execute("GRANT USAGE ON SCHEMA public TO tenantgate_app")
    for function in (_KEEP_TIMES, _SHARED_TABLE, _TENANT_TABLE):
        op.execute(function)
    op.execute("REVOKE EXECUTE ON FUNCTION tenantgate_shared_table, tenantgate_tenant_table FROM PUBLIC")


def downgrade() -> None:
    op.execute("DROP FUNCTION tenantgate_tenant_table, tenantgate_shared_table, tenantgate_keep_times")
    op.execute("REVOKE USAGE ON SCHEMA public FROM tenantgate_app")
    op.execute(DROP_WHERE_POSSIBLE)
    # The role stays: it belongs to the server, and other databases may use it.
