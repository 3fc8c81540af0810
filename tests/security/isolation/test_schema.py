"""Rules for every table, read from the migrated database: a new table is either isolated or listed here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.databases.postgres import DatabaseUrls, PostgresServer, execute
from tests.fixtures.isolation.schema import Table, read_tables

# Tables without a tenant's rows, or read before the tenant is known. Every tenant's units of work see all their rows.
SHARED = {
    "provider_signing_keys": "the built-in provider has one key set for all tenants",
    "tenants": "the registry of tenants: a policy is read before a tenant is entered, and lists are for operators",
    "session_lookup": "a logout token names no tenant; rows are keyed hashes, tenant ids and random ids",
    "seen_token_ids": "a logout token names no tenant; rows are hashes and times",
    "revocations": "the authorizer's list is of all tenants; rows are hashes and times",
    "revocation_epoch": "one row, the number of the last change",
}


def problems(tables: tuple[Table, ...], shared: dict[str, str]) -> Iterator[str]:
    """Yield the rules that tables break."""
    isolated = {table.name for table in tables if table.isolated}
    for table in tables:
        if table.name in shared and table.secured:
            yield f"{table.name} is listed as shared, but has row-level security"
        elif table.name not in shared | dict.fromkeys(isolated):
            yield f"{table.name} is not a tenant table (SELECT tenantgate_tenant_table('{table.name}')), nor listed"
        for key in table.foreign_keys:
            pairs = zip(key.columns, key.parent_columns, strict=True)
            if isolated & {table.name, key.parent} and ("tenant_id", "tenant_id") not in pairs:
                yield f"{key.name}: a key that doesn't contain the tenant tells whether another tenant's row exists"
        for unique in table.unique_keys if table.isolated else ():
            if unique.columns[0] != "tenant_id":
                yield f"{unique.name} doesn't begin with tenant_id: a conflict tells what another tenant has"
    for name in shared.keys() - {table.name for table in tables}:
        yield f"{name} is listed as shared, but there is no such table"


def test_every_table_is_isolated_or_listed(database_urls: DatabaseUrls) -> None:
    tables = read_tables(database_urls.admin_url)
    assert list(problems(tables, SHARED)) == []
    assert {table.name for table in tables if table.isolated} >= {"sessions", "provider_authorization_codes"}


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id text)", "notes is not a tenant table"),
        (
            (
                "CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id text); ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
                " CREATE POLICY own_tenant ON notes"
            ),
            "notes is not a tenant table",
        ),
        ("ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY", "sessions is not a tenant table"),
        ("DROP POLICY own_tenant ON sessions", "sessions is not a tenant table"),
        (
            (
                "ALTER TABLE sessions ADD UNIQUE (id);"
                " CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id text, session_id uuid REFERENCES sessions (id));"
                " SELECT tenantgate_tenant_table('notes')"
            ),
            "notes_session_id_fkey",
        ),
        ("ALTER TABLE sessions ADD UNIQUE (id)", "sessions_id_key"),
        ("CREATE UNIQUE INDEX one_user ON sessions (user_id, tenant_id)", "one_user"),
        ("CREATE UNIQUE INDEX one_name ON sessions (lower(user_id))", "one_name"),
        ("DROP TABLE provider_signing_keys", "no such table"),
    ],
)
def test_the_rules_find_a_table_that_breaks_them(postgres_server: PostgresServer, statement: str, found: str) -> None:
    urls = postgres_server.create_database()
    try:
        execute(urls.owner_url, *statement.split(";"))
        assert [line for line in problems(read_tables(urls.admin_url), SHARED) if found in line]
    finally:
        postgres_server.drop_database(urls)


def test_no_view_function_or_grant_gives_more(database_urls: DatabaseUrls) -> None:
    """A view or a function with its owner's rights, a sequence's position and a wider grant go around the policies."""
    views, functions, sequences, grants, public = execute(
        database_urls.admin_url,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'f')"
        " AND NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false)",
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace",
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'",
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = 'tenantgate_app'"
        " AND table_schema = 'public' AND privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')",
        "SELECT table_name FROM information_schema.role_table_grants"
        " WHERE grantee = 'PUBLIC' AND table_schema = 'public'",
    )
    assert [views, functions, sequences, grants, public] == [[], [], [], [], []]
