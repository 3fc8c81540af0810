"""The statements on the wire: none would pin a proxy's connection or leak into the next transaction."""

import re
from collections.abc import Iterator

import pytest

from tenantgate.database import migrator
from tenantgate.database.unit import StatementRefused
from tenantgate.sessions.repository import SessionRepository
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.kinds import KINDS, Kind
from tests.fixtures.databases.postgres import start_postgres
from tests.fixtures.databases.session_stores import TENANT, stored_session

pytestmark = pytest.mark.anyio

SESSION_SCOPED = re.compile(
    r"""(?ix)
    execute\s+(?!<unnamed>)\S+:          # a prepared statement with a name
    | \b(?:statement|execute\s+<unnamed>):\s*(?:
        (?:re)?set\b | discard\b | prepare\b | deallocate\b | listen\b | unlisten\b | declare\b | close\b
        | create\s+temp | load\b )
    | set_config\([^)]*,\s*false\)
    | pg_(?:try_)?advisory_(?:un)?lock(?!_xact|_shared_xact)
    | nextval\(
    """
)


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


# The pool checks that an earlier connection still works; on Lambda the next BEGIN does.
ASKED = {"pool": ["statement: SELECT 1"], "single": []}


@pytest.mark.parametrize("name", KINDS)
async def test_a_unit_of_work_sends_its_statements_and_nothing_else(server: EmbeddedPostgres, name: str) -> None:
    since = len(server.log.read_text())
    database = KINDS[name](server.start().app_url)
    try:
        async with database.tenant(TENANT) as unit:
            await unit.execute("SELECT 1")
        async with database.tenant(TENANT) as unit:
            await unit.execute("SELECT 2")
    finally:
        await database.dispose()
    entering = (
        "execute <unnamed>: SELECT set_config('tenantgate.tenant_id', $1, true),"
        " (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user)"
    )
    assert statements(server, since=since) == [
        "statement: BEGIN;",
        entering,
        "execute <unnamed>: SELECT 1",
        "statement: COMMIT;",
        *ASKED[name],
        "statement: BEGIN;",
        entering,
        "execute <unnamed>: SELECT 2",
        "statement: COMMIT;",
    ]


async def test_nothing_session_scoped_is_ever_sent(server: EmbeddedPostgres, kind: Kind) -> None:
    since = len(server.log.read_text())
    database = kind(server.start().app_url)
    repository = SessionRepository(database)
    session = stored_session()
    try:
        await database.check(5)
        await repository.add(session)
        await repository.find(session.secret_hash, tenant_id=TENANT)
        await repository.remove(session.secret_hash, tenant_id=TENANT)
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
    assert [line for line in sent if SESSION_SCOPED.search(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        "statement: SET search_path TO x",
        "statement: RESET ALL;",
        "execute __asyncpg_stmt_1__: SELECT 1",
        "execute <unnamed>: SELECT set_config('jit', 'off', false)",
        "statement: SELECT pg_advisory_unlock_all();",
        "statement: DISCARD ALL",
    ],
)
def test_the_search_above_would_find_it(line: str) -> None:
    assert SESSION_SCOPED.search(line)
