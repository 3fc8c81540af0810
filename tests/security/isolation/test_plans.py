"""Every statement of the product finds its rows by an index, as the application's role and under its policies."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.isolation.plans import fill, full_scans, plan
from tests.fixtures.isolation.schema import read_tables
from tests.fixtures.isolation.statements import product_statements

pytestmark = pytest.mark.anyio

# Statements that need all rows of their table, or of a tenant.
WHOLE_TABLES = {
    "openid_provider.storage.repository._LOAD_KEYS": "one row for each algorithm",
    **dict.fromkeys(
        ("revocation.repository._COUNT_CHANGE", "revocation.repository._ADDITIONS"), "the table has one row"
    ),
    **dict.fromkeys(
        (f"revocation.repository.{name}" for name in ("_RULES", "_EXACT", "_BY_USER", "_BY_TENANT")),
        "the list of all revocations, and the registry, read only after a change",
    ),
    "data_keys.repository._GROUPS": "the numbers of a tenant's keys, for operators",
    **dict.fromkeys(
        (f"transparency.repository.{name}" for name in ("_OF_ALL", "_QUEUE", "_SEALED_THROUGH")),
        "the sealer's queues, once a run, of which nothing remains",
    ),
    "transparency.pages._NEWEST": "one row, the first of the index backwards",
    "transparency.repository._QUEUED": "the tenant's queue, in batches, of which nothing remains",
    "openid_provider.storage.repository._OF_USER": "the built-in provider's rows of a user, only in development",
    "openid_provider.storage.repository._REMOVE_OF_USER": "the same rows, to erase them",
    **dict.fromkeys(
        (
            f"privacy.repository.{name}"
            for name in ("_COUNT_EVENTS", "_COUNT_KEYS", "_ERASURES", "_SESSIONS", "_TENANTS")
        ),
        "the report of personal data, for operators",
    ),
    "sessions.repository._COUNT": "the number of a tenant's sessions, for operators",
    "sessions.repository._REMOVE_BEGUN": "all of a revoked tenant's sessions, in pages",
}
_INDEXES = """
SELECT x.indrelid::regclass::text AS table,
       ARRAY(SELECT a.attname::text FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.number ORDER BY k.place) AS columns
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid WHERE t.relnamespace = 'public'::regnamespace
"""


@pytest.fixture(scope="module")
def filled(database_urls: DatabaseUrls) -> DatabaseUrls:
    fill(database_urls.admin_url, read_tables(database_urls.admin_url))
    return database_urls


@pytest.fixture
async def connection(filled: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """The application's own connection."""
    opened = await asyncpg.connect(filled.app_url, statement_cache_size=0)
    yield opened
    await opened.close()


async def test_every_statement_uses_an_index(connection: asyncpg.Connection) -> None:
    statements = product_statements()
    assert len(statements) > 15
    found = {name: list(full_scans(await plan(connection, statement))) for name, statement in statements.items()}
    assert {name: scans for name, scans in found.items() if scans and name not in WHOLE_TABLES} == {}
    assert [name for name in WHOLE_TABLES if not found.get(name)] == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM session_lookup WHERE tenant_id = $1",
        "SELECT * FROM sessions WHERE device = $1",
        "DELETE FROM seen_token_ids WHERE done_at < $1",
        "UPDATE tenants SET name = $1 WHERE name = $1",
        "SELECT * FROM session_lookup ORDER BY lookup_hash",
    ],
)
async def test_a_statement_without_an_index_is_found(connection: asyncpg.Connection, statement: str) -> None:
    assert list(full_scans(await plan(connection, statement)))


async def test_row_level_security_itself_uses_an_index(connection: asyncpg.Connection) -> None:
    (found,) = full_scans(await plan(connection, "SELECT * FROM sessions"))
    assert found.startswith("all of a tenant's sessions")


def test_every_foreign_key_has_an_index(database_urls: DatabaseUrls) -> None:
    """PostgreSQL looks for the rows that refer to a row that is deleted."""
    (indexes,) = execute(database_urls.admin_url, _INDEXES)
    for table in read_tables(database_urls.admin_url):
        for key in table.foreign_keys:
            assert [
                row["columns"]
                for row in indexes
                if row["table"] == table.name and set(row["columns"][: len(key.columns)]) == set(key.columns)
            ], f"{key.name} has no index"
