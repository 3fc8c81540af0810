"""The end of a unit of work: committed, rolled back, refused, lost or cancelled, and its effect on the next one."""

import asyncio
import secrets
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import LAMBDA_POOL, PooledDatabase
from tenantgate.database.unit import Database, StatementRefused, Unit
from tests.fixtures.databases.kinds import with_one_connection
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import OTHER_TENANT, TENANT

pytestmark = pytest.mark.anyio

INSERT = "INSERT INTO example_notes (tenant_id, number, text) VALUES ($1, $2, $3)"
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tenantgate_app' AND pid = {}"


@pytest.fixture(scope="module", autouse=True)
def notes(database_urls: DatabaseUrls) -> None:
    """A tenant's table whose numbers are unique, which is looked at when a transaction commits; and a shared one.

    Of a table under row-level security PostgreSQL itself repeats no values.
    """
    execute(
        database_urls.owner_url,
        "CREATE TABLE example_notes (tenant_id text, number int UNIQUE DEFERRABLE INITIALLY DEFERRED, text text UNIQUE,"
        " created_at timestamptz, updated_at timestamptz, id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
        " CHECK (text <> ''))",
        "SELECT tenantgate_tenant_table('example_notes')",
        "CREATE TABLE example_labels (text text UNIQUE CHECK (text !~ '!'),"
        " created_at timestamptz, updated_at timestamptz)",
        "SELECT tenantgate_shared_table('example_labels')",
    )


@pytest.fixture(autouse=True)
def _no_notes(notes: None, database_urls: DatabaseUrls) -> Iterator[None]:
    yield
    # An abandoned statement keeps running on the server until its time limit, and holds its locks.
    execute(
        database_urls.admin_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'tenantgate_app' AND datname = current_database()",
        "TRUNCATE example_notes",
    )


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """One connection, so that the next unit of work has the one of the last, if that is still in use."""
    made = with_one_connection(database_urls.app_url, wait_seconds=5)
    yield made
    await made.dispose()


@pytest.fixture
async def single(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(database_urls.app_url, pool=LAMBDA_POOL)
    yield made
    await made.dispose()


async def backend(unit: Unit) -> int:
    row = await unit.fetch_one("SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])


async def used_backend(database: Database) -> int:
    async with database.untenanted() as unit:
        return await backend(unit)


async def kill(urls: DatabaseUrls, pid: int) -> None:
    """End the connection on the server's side, as a failover or an administrator does."""
    (((killed,),),) = await asyncio.to_thread(execute, urls.admin_url, KILL.format(pid))
    assert killed
    while (await asyncio.to_thread(execute, urls.admin_url, KILL.format(pid)))[0]:
        await asyncio.sleep(0.01)


async def numbers(database: Database, tenant: str = TENANT) -> list[int]:
    async with database.tenant(tenant) as unit:
        return [row["number"] for row in await unit.fetch_all("SELECT number FROM example_notes ORDER BY number")]


async def assert_nothing_is_left(database: Database) -> None:
    """Check that the next unit has its own transaction, no tenant, and sees only committed notes."""
    async with database.untenanted() as unit:
        left = await unit.fetch_one("SELECT current_setting('tenantgate.tenant_id', true) AS tenant, now() AS began")
        later = await unit.fetch_one("SELECT now() AS began, clock_timestamp() - now() < '1 s' AS fresh")
        assert left is not None
        assert later is not None
        assert not left["tenant"]
        assert later == {"began": left["began"], "fresh": True}
    assert await numbers(database) == await numbers(database, OTHER_TENANT) == []


async def test_the_end_commits(database: Database) -> None:
    async with database.tenant(TENANT) as unit:
        await unit.execute(INSERT, TENANT, 1, "one")
        await unit.execute(INSERT, TENANT, 2, None)
    assert await numbers(database) == [1, 2]
    assert await numbers(database, OTHER_TENANT) == []


async def test_a_unit_gives_back_rows_by_column_name(database: Database) -> None:
    async with database.tenant(TENANT) as unit:
        assert await unit.fetch_one("SELECT number FROM example_notes") is None
        assert await unit.fetch_all("SELECT number FROM example_notes") == []
        await unit.execute("INSERT INTO example_notes SELECT $1, n FROM generate_series(1, $2) AS n", TENANT, 3)
        assert await unit.fetch_one("SELECT number, text FROM example_notes ORDER BY 1") == {"number": 1, "text": None}
        assert await unit.fetch_all("DELETE FROM example_notes WHERE number > $1 RETURNING number AS n", 1) == [
            {"n": 2},
            {"n": 3},
        ]
        assert await unit.fetch_all("UPDATE example_notes SET text = $1", "%s :x $9") == []
        assert await unit.fetch_one("SELECT text FROM example_notes WHERE text LIKE '%s :%'") == {"text": "%s :x $9"}


async def test_an_exception_rolls_back_and_is_raised_unchanged(database: Database) -> None:
    before = await used_backend(database)
    own = ZeroDivisionError()

    async def fail() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 1, "one")
            raise own

    with pytest.raises(ZeroDivisionError) as caught:
        await fail()
    assert caught.value is own
    await assert_nothing_is_left(database)
    assert await used_backend(database) == before


async def test_a_refused_statement_rolls_back_and_leaves_the_connection_in_use(database: Database) -> None:
    before = await used_backend(database)

    async def fail() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 1, "one")
            await unit.execute("SELECT no_such_column FROM example_notes")

    with pytest.raises(StatementRefused, match='column "no_such_column" does not exist') as caught:
        await fail()
    assert caught.value.sqlstate == "42703"
    await assert_nothing_is_left(database)
    assert await used_backend(database) == before


async def test_an_error_that_the_caller_catches_is_raised_again_at_the_end(database: Database) -> None:
    """PostgreSQL rolls back at the COMMIT of a failed transaction, and reports no error."""

    async def continue_after_error() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 1, "one")
            with suppress(StatementRefused):
                await unit.execute(INSERT, TENANT, 1, "")

    with pytest.raises(StatementRefused) as caught:
        await continue_after_error()
    assert caught.value.sqlstate == "23514"
    await assert_nothing_is_left(database)


async def test_a_refused_commit_raises_and_leaves_nothing(database: Database) -> None:
    async def repeat_a_number() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 7, "one")
            await unit.execute(INSERT, TENANT, 7, "two")

    with pytest.raises(StatementRefused, match="example_notes_number_key") as caught:
        await repeat_a_number()
    assert caught.value.sqlstate == "23505"
    await assert_nothing_is_left(database)


async def test_one_connection_is_not_kept_after_a_refused_commit(single: PooledDatabase) -> None:
    before = await used_backend(single)
    with pytest.raises(StatementRefused):
        async with single.tenant(TENANT) as unit:
            await unit.execute("INSERT INTO example_notes (tenant_id, number) VALUES ($1, 7), ($1, 7)", TENANT)
    assert await used_backend(single) != before


async def test_a_connection_to_a_server_that_takes_no_writes_is_given_up(database: Database) -> None:
    """After a failover, the old primary still responds as a standby."""
    before = await used_backend(database)

    async def write() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute("SET TRANSACTION READ ONLY")
            await unit.execute(INSERT, TENANT, 1, "one")

    with pytest.raises(DatabaseUnreachable):
        await write()
    assert await used_backend(database) != before


async def test_a_commit_that_finds_no_server_raises(database: Database, database_urls: DatabaseUrls) -> None:
    async def lose_it_at_the_end() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 1, "one")
            await kill(database_urls, await backend(unit))

    with pytest.raises(DatabaseUnreachable):
        await lose_it_at_the_end()
    await assert_nothing_is_left(database)


async def test_a_connection_lost_within_a_unit_raises_even_if_the_caller_catches_it(
    database: Database, database_urls: DatabaseUrls
) -> None:
    async def lose_it(*, catch: bool) -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 1, "one")
            await kill(database_urls, await backend(unit))
            try:
                await unit.execute(INSERT, TENANT, 2, "two")
            except DatabaseUnreachable:
                if not catch:
                    raise

    for catch in (False, True):
        with pytest.raises(DatabaseUnreachable):
            await lose_it(catch=catch)
        await assert_nothing_is_left(database)


async def test_a_connection_killed_between_two_units_is_replaced(
    database: Database, database_urls: DatabaseUrls
) -> None:
    for _ in range(3):
        before = await used_backend(database)
        await kill(database_urls, before)
        async with database.tenant(TENANT) as unit:
            assert await backend(unit) != before
            await unit.execute("DELETE FROM example_notes")


async def at_once(unit: Unit, entered: asyncio.Event) -> None:
    entered.set()
    await asyncio.sleep(60)


async def in_a_statement(unit: Unit, entered: asyncio.Event) -> None:
    entered.set()
    await unit.execute("SELECT pg_sleep(60)")


async def after_a_statement(unit: Unit, entered: asyncio.Event) -> None:
    await unit.execute("SELECT 1")
    entered.set()
    await asyncio.sleep(60)


@pytest.mark.parametrize("body", [at_once, in_a_statement, after_a_statement])
@pytest.mark.parametrize("pauses", [0, 1, 5])
async def test_a_cancelled_unit_leaves_neither_its_transaction_nor_its_tenant(
    database: Database, body: Callable[[Unit, asyncio.Event], Awaitable[None]], pauses: int
) -> None:
    entered = asyncio.Event()

    async def request() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 1, "one")
            await body(unit, entered)

    task = asyncio.create_task(request())
    await entered.wait()
    for _ in range(pauses):
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_nothing_is_left(database)


async def test_a_unit_cancelled_at_any_moment_leaves_nothing_half_done(database: Database) -> None:
    """Cancel from before its turn to after its end: its writes are complete or absent, and no tenant remains."""

    async def request() -> None:
        async with database.tenant(TENANT) as unit:
            for _ in range(2):
                await unit.execute(
                    "INSERT INTO example_notes (tenant_id, number) SELECT $1, count(*) FROM example_notes", TENANT
                )

    await request()
    began = time.monotonic()
    await request()
    takes = time.monotonic() - began
    async with database.tenant(TENANT) as unit:
        await unit.execute("DELETE FROM example_notes")
    outcomes: set[bool] = set()
    for step in range(60):
        task = asyncio.create_task(request())
        await asyncio.sleep(takes * step / 30)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        found = await numbers(database)
        assert found in ([], [0, 1])
        outcomes.add(bool(found))
        async with database.tenant(TENANT) as unit:
            await unit.execute("DELETE FROM example_notes")
        await assert_nothing_is_left(database)
    assert outcomes == {False, True}


async def test_a_time_limit_within_a_unit_costs_the_unit(database: Database) -> None:
    async def be_impatient() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(INSERT, TENANT, 1, "one")
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await unit.execute("SELECT pg_sleep(60)")

    with pytest.raises(DatabaseUnreachable):
        await be_impatient()
    await assert_nothing_is_left(database)


async def test_a_unit_is_unusable_after_its_end(database: Database) -> None:
    async with database.tenant(OTHER_TENANT) as ended:
        pass
    async with database.tenant(TENANT) as unit:
        await unit.execute(INSERT, TENANT, 1, "one")
        for use in (ended.execute, ended.fetch_one, ended.fetch_all):
            with pytest.raises(RuntimeError, match="has ended"):
                await use("SELECT text FROM example_notes")
    with pytest.raises(ZeroDivisionError):
        async with database.tenant(TENANT) as failed:
            raise ZeroDivisionError
    with pytest.raises(RuntimeError, match="has ended"):
        await failed.execute("SELECT 1")


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        pytest.param("INSERT INTO example_labels (text) VALUES ($1 || $2), ($1 || $2)", "23505", id="in-the-detail"),
        pytest.param("INSERT INTO example_labels (text) VALUES ($1 || '!' || $2)", "23514", id="the-whole-row"),
        pytest.param("SELECT CAST(CAST($1 AS text) AS uuid), CAST($2 AS text)", "22P02", id="in-the-message"),
        pytest.param("SELECT CAST($1 AS int), CAST($2 AS text)", "22000", id="in-the-drivers-message"),
        pytest.param("SELECT CAST($1 AS uuid), CAST($2 AS text)", "22000", id="in-the-drivers-cause"),
        pytest.param("SELECT CAST($1 AS text)", None, id="one-value-too-many"),
        pytest.param("DO $do$ BEGIN RAISE 'canary'; END $do$", None, id="where-none-may-be"),
    ],
)
async def test_an_error_never_repeats_a_value(database: Database, statement: str, sqlstate: str | None) -> None:
    canary = f"canary-{secrets.token_hex(8)}"

    async def ask() -> None:
        async with database.tenant(TENANT) as unit:
            await unit.execute(statement, canary, TENANT)

    with pytest.raises(StatementRefused) as caught:
        await ask()
    refusal = caught.value
    assert refusal.sqlstate == sqlstate == refusal.private["sqlstate"]
    told = [str(refusal), refusal.reason, str(refusal.detail), str(refusal.private), repr(refusal.args)]
    assert canary not in "\n".join([*told, *traceback.format_exception(refusal)])
    links = [refusal.__cause__, refusal.__context__]
    assert [link for link in links if link is not None and canary in f"{link} {link.__cause__}"] == []


async def test_what_a_trigger_says_is_not_repeated(database: Database) -> None:
    canary = f"canary-{secrets.token_hex(8)}"

    async def ask() -> None:
        async with database.untenanted() as unit:
            await unit.execute(f"DO $do$ BEGIN RAISE EXCEPTION '{canary}'; END $do$")

    with pytest.raises(StatementRefused) as caught:
        await ask()
    assert caught.value.sqlstate == "P0001"
    assert canary not in f"{caught.value} {caught.value.private}"


async def test_one_connection_serves_unit_after_unit(single: PooledDatabase) -> None:
    used = {await used_backend(single) for _ in range(5)}
    assert len(used) == 1


async def test_units_that_come_at_once_have_their_turn_one_after_the_other(single: PooledDatabase) -> None:
    inside: list[int] = []
    turns: list[int] = []

    async def request(number: int) -> None:
        async with single.tenant(f"org-{number}") as unit:
            inside.append(number)
            turns.append(number)
            row = await unit.fetch_one("SELECT current_setting('tenantgate.tenant_id') AS tenant, pg_sleep(0.02)")
            assert row is not None
            assert row["tenant"] == f"org-{number}"
            assert inside == [number]
            inside.remove(number)

    await asyncio.gather(*map(request, range(8)))
    assert turns == list(range(8))


async def test_a_caller_that_gives_up_waiting_does_not_take_a_turn(single: PooledDatabase) -> None:
    async with single.tenant(TENANT):
        waiting = [asyncio.create_task(used_backend(single)) for _ in range(3)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()
        waiting[1].cancel()
    assert await waiting[2] == await used_backend(single)
    assert [task.cancelled() for task in waiting] == [True, True, False]


async def test_the_turn_comes_back_however_a_unit_failed_to_begin(database_urls: DatabaseUrls) -> None:
    single = with_one_connection(f"{database_urls.app_url}_not_there", wait_seconds=0.5)
    for _ in range(3):
        with pytest.raises(DatabaseUnreachable, match="InvalidCatalogName"):
            await used_backend(single)
    await single.dispose()


async def test_a_database_disposed_within_a_unit_keeps_no_connection(
    single: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    async with single.tenant(TENANT) as unit:
        used = await backend(unit)
        await single.dispose()
        await unit.execute(INSERT, TENANT, 1, "one")
    query = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {used}"
    async with asyncio.timeout(5):
        while (await asyncio.to_thread(execute, database_urls.admin_url, query))[0][0][0]:
            await asyncio.sleep(0.01)
    assert await numbers(single) == [1]


async def test_a_caller_waits_for_a_connection_no_longer_than_the_limit(
    database_urls: DatabaseUrls,
) -> None:
    busy = with_one_connection(database_urls.app_url, wait_seconds=0.2)
    async with busy.untenanted():
        began = time.monotonic()
        with pytest.raises(DatabaseUnreachable) as refused:
            async with busy.untenanted():
                pass
        assert 0.2 <= time.monotonic() - began < 2
    assert refused.value.retry_after == 1
    async with busy.untenanted() as unit:
        assert await backend(unit) > 0
    await busy.dispose()
