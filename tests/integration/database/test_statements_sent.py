"""The statements on the wire: none would pin a proxy's connection or leak into the next transaction."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tenantgate.database import migrator
from tenantgate.database.unit import StatementRefused
from tenantgate.sessions.repository import SessionRepository
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.kinds import KINDS, Kind
from tests.fixtures.databases.postgres import start_postgres
from tests.fixtures.databases.recording_proxy import Sent
from tests.fixtures.databases.session_stores import ENDINGS, TENANT, stored_session
from tests.fixtures.isolation.pinning import pins

pytestmark = pytest.mark.anyio

# A line of PostgreSQL's log: a simple query, or the execution of a statement with its name.
LOGGED = re.compile(r"(?s)(?:statement|execute (?P<name>\S+)): (?P<text>.*)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = start_postgres(
        tmp_path_factory.mktemp("logging"), log_statement="all", log_min_duration_statement="-1", log_line_prefix="%u|"
    )
    migrator.upgrade(server.start().owner_url)
    yield server
    server.stop()


def statements(server: EmbeddedPostgres, *, since: int) -> list[str]:
    """Return the statements of the application's role, in order, without parameters."""
    lines = server.log.read_text()[since:].splitlines()
    prefix = "tenantgate_app|LOG:  "
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


@pytest.mark.parametrize("name", KINDS)
async def test_a_unit_of_work_sends_its_statements_and_nothing_else(server: EmbeddedPostgres, name: str) -> None:
    since = len(server.log.read_text())
    database = KINDS[name](server.start().app_url)
    try:
        async with database.tenant(TENANT) as unit:
            await unit.execute("SELECT 1")
        async with database.tenant(TENANT) as unit:
            await unit.execute("SELECT 2")
        async with database.tenant(TENANT, durable=False) as unit:
            await unit.execute("SELECT 3")
    finally:
        await database.dispose()
    # The tenant id in hexadecimal digits, by the simple protocol: one round trip.
    entering = (
        "statement: BEGIN; SELECT set_config('tenantgate.tenant_id',"
        f" convert_from(decode('{TENANT.encode().hex()}', 'hex'), 'UTF8'), true)"
    )
    protected = " WHERE row_security_active(to_regclass('sessions')) IS NOT FALSE;"
    assert statements(server, since=since) == [
        entering + protected,
        "execute <unnamed>: SELECT 1",
        "statement: COMMIT;",
        # It also checks that the connection still works.
        entering + protected,
        "execute <unnamed>: SELECT 2",
        "statement: COMMIT;",
        f"{entering}, set_config('synchronous_commit', 'off', true){protected}",
        "execute <unnamed>: SELECT 3",
        "statement: COMMIT;",
    ]


async def test_nothing_session_scoped_is_ever_sent(server: EmbeddedPostgres, kind: Kind) -> None:
    since = len(server.log.read_text())
    database = kind(server.start().app_url)
    repository = SessionRepository(database, ENDINGS)
    session = stored_session()
    try:
        await database.check(5)
        await repository.add(session)
        await repository.find(session.secret_hash, tenant_id=TENANT)
        await repository.remove([session.id], tenant_id=TENANT)
        async with database.untenanted() as unit:
            # Types that the driver must look up, JSON, arrays, the same statement twice, an error.
            await unit.execute("SELECT '[1,2]'::vector, '{}'::jsonb, ARRAY['a']")
            await unit.execute("SELECT CAST($1 AS json) ->> 'x'", '{"x": 1}')
            await unit.execute("SELECT CAST($1 AS json) ->> 'x'", '{"x": 2}')
            assert await unit.fetch_all("SELECT name FROM pg_prepared_statements WHERE name <> ''") == []
        with pytest.raises(ZeroDivisionError):
            async with database.tenant(TENANT):
                raise ZeroDivisionError
        with pytest.raises(StatementRefused):
            async with database.tenant(TENANT) as unit:
                await unit.execute("SELECT 1 / 0")
    finally:
        await database.dispose()
    sent = statements(server, since=since)
    assert len(sent) > 20
    assert [line for line in sent if pins(as_sent(line))] == []


def as_sent(line: str) -> Sent:
    """Return the message that caused a line."""
    found = LOGGED.fullmatch(line)
    assert found is not None, line
    name = found["name"] or ""
    return Sent("", "parse" if name else "query", name.replace("<unnamed>", ""), found["text"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("statement: RESET ALL;", "reset"),
        ("execute <unnamed>: SELECT set_config('jit', 'off', false)", "set_config beyond the transaction"),
        ("execute __asyncpg_stmt_1__: SELECT 1", "a prepared statement with a name, __asyncpg_stmt_1__"),
    ],
)
def test_the_check_above_would_find_it(line: str, reason: str) -> None:
    assert pins(as_sent(line)) == reason


async def test_arrays_are_not_looked_up(server: EmbeddedPostgres, kind: Kind) -> None:
    since = len(server.log.read_text())
    database = kind(server.start().app_url)
    values = {
        "text": ["a", 'b",{}', "ü"],
        "bytea": [b"\0\xff", b""],
        "uuid": [uuid4()],
        "int4": [1, -2],
        "int8": [2**40],
        "timestamptz": [datetime(2030, 1, 31, tzinfo=UTC)],
    }
    try:
        async with database.untenanted() as unit:
            for name, value in values.items():
                row = await unit.fetch_one(f"SELECT $1::{name}[] AS given, ARRAY[]::{name}[] AS none", value)
                assert row == {"given": value, "none": []}
    finally:
        await database.dispose()
    assert len(statements(server, since=since)) == 2 + len(values)
