"""PostgreSQL killed, frozen or slow: requests fail in the documented time with SYS_001, and recover automatically."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from contextvars import Context
from dataclasses import replace
from uuid import uuid4

import psutil
import pytest

from tenantgate.database import connection as limits
from tenantgate.database import migrator, pool
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.patience import note_work
from tenantgate.database.pool import CONTAINER_POOL, FURTHER_AFTER_SECONDS, LAMBDA_POOL, PooledDatabase
from tenantgate.database.unit import Database, Unit
from tenantgate.sessions.refreshing.repository import RefreshRepository
from tenantgate.sessions.repository import SessionRepository
from tenantgate_cli.stack.servers.postgres import EmbeddedPostgres
from tests.fixtures.databases.kinds import Kind, with_one_connection
from tests.fixtures.databases.postgres import start_postgres
from tests.fixtures.databases.refresh_stores import rotated
from tests.fixtures.databases.session_stores import ENDINGS, TENANT, stored_session

pytestmark = pytest.mark.anyio

# Extra seconds for a busy machine.
SLACK = 1.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = start_postgres(tmp_path_factory.mktemp("outages"))
    migrator.upgrade(server.start().owner_url)
    yield server
    server.stop()


@pytest.fixture
async def database(kind: Kind, server: EmbeddedPostgres) -> AsyncIterator[PooledDatabase]:
    made = kind(server.start().app_url)
    yield made
    await made.dispose()
    assert [task for task in asyncio.all_tasks() if "asyncpg" in repr(task)] == []


@contextmanager
def frozen(server: EmbeddedPostgres) -> Iterator[None]:
    """Freeze the server and all its processes."""
    # The postmaster first: then it can make no more.
    postmaster = psutil.Process(server.pid)
    postmaster.suspend()
    processes = [postmaster, *postmaster.children(recursive=True)]
    try:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


async def until_reached(database: Database) -> None:
    """Wait until a unit of work succeeds again."""
    async with asyncio.timeout(10):
        while True:
            with suppress(DatabaseUnreachable):
                async with database.tenant(TENANT) as unit:
                    await unit.execute("SELECT 1")
                return
            await asyncio.sleep(0.05)


class Load:
    """Workers that write sessions one after the other, and remember which were acknowledged."""

    def __init__(self, database: Database, workers: int) -> None:
        self._repository = SessionRepository(database, ENDINGS)
        self.acknowledged: list[bytes] = []
        self.failures: list[float] = []
        self._progress = asyncio.Condition()
        self._tasks = [asyncio.create_task(self._work()) for _ in range(workers)]

    async def _work(self) -> None:
        while True:
            session = stored_session()
            began = time.monotonic()
            try:
                await self._repository.add(session)
            except DatabaseUnreachable:
                self.failures.append(time.monotonic() - began)
            else:
                self.acknowledged.append(session.secret_hash)
            async with self._progress:
                self._progress.notify_all()

    async def until(self, *, acknowledged: int = 0, failures: int = 0) -> None:
        """Wait for so many more of each."""
        acknowledged, failures = acknowledged + len(self.acknowledged), failures + len(self.failures)
        async with asyncio.timeout(60), self._progress:
            await self._progress.wait_for(
                lambda: (
                    (len(self.acknowledged) >= acknowledged and len(self.failures) >= failures)
                    or any(task.done() for task in self._tasks)
                )
            )
        self._raise()

    async def stop(self) -> None:
        self._raise()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _raise(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()


@pytest.mark.timed
async def test_killed_under_load_and_restarted_requests_fail_and_recover_and_nothing_is_lost(
    server: EmbeddedPostgres, database: PooledDatabase
) -> None:
    # Only a few on one connection: each also waits for those before it.
    workers = 20 if database.limits.size > 1 else 3
    load = Load(database, workers)
    for _ in range(2):
        await load.until(acknowledged=200)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await load.until(failures=2 * workers)
        await asyncio.to_thread(server.start)
        back = time.monotonic()
        await load.until(acknowledged=1)
        assert time.monotonic() - back < 5
    await load.until(acknowledged=200)
    await load.stop()

    assert max(load.failures) < limits.CONNECT_ATTEMPT_SECONDS + SLACK
    async with database.tenant(TENANT) as unit:
        kept = {row["secret_hash"] for row in await unit.fetch_all("SELECT secret_hash FROM sessions")}
    assert [hash_ for hash_ in load.acknowledged if hash_ not in kept] == []


async def test_a_rotation_survives_a_crash_of_the_server_even_if_its_lease_does_not(
    server: EmbeddedPostgres, database: PooledDatabase
) -> None:
    sessions, leases = SessionRepository(database, ENDINGS), RefreshRepository(database, ENDINGS)
    kept = lost = 0
    for _ in range(3):
        session, holder = stored_session(), uuid4()
        await sessions.add(session)
        claim = await leases.claim(
            session.secret_hash, tenant_id=TENANT, holder=holder, seconds=60, rotated_before=0, only_expired=False
        )
        assert claim is not None
        assert claim.is_taken
        process = psutil.Process(server.pid)
        process.kill()
        await asyncio.to_thread(process.wait, 10)
        await asyncio.to_thread(server.start)
        await until_reached(database)
        found = await sessions.find(session.secret_hash, tenant_id=TENANT)
        assert found is not None
        kept, lost = kept + (found.lease_holder == holder), lost + (found.lease_holder is None)
        assert await leases.rotate(claim.session, holder, to=rotated(claim.session)) == "stored"
    assert kept + lost == 3
    assert lost > 0, "a lease waits for the disk"


@pytest.mark.timed
async def test_the_check_keeps_its_time_while_the_server_is_frozen(
    server: EmbeddedPostgres, database: Database
) -> None:
    await database.check(5)
    with frozen(server):
        for _ in range(3):
            began = time.monotonic()
            outcomes = await asyncio.gather(*[database.check(0.3) for _ in range(50)], return_exceptions=True)
            assert time.monotonic() - began < 0.3 + 0.15
            assert {type(outcome) for outcome in outcomes} == {DatabaseUnreachable}
    # Callers share one query, and the last one of the frozen server may still be pending.
    with suppress(DatabaseUnreachable):
        await database.check(5)
    await database.check(5)


@pytest.mark.timed
async def test_a_first_check_keeps_its_time_too(server: EmbeddedPostgres, database: Database) -> None:
    with frozen(server):
        began = time.monotonic()
        with pytest.raises(DatabaseUnreachable):
            await database.check(0.3)
        assert time.monotonic() - began < 0.3 + 0.15


@pytest.mark.timed
async def test_the_check_fails_when_no_new_connection_can_be_made(server: EmbeddedPostgres, database: Database) -> None:
    async with database.tenant(TENANT):
        await database.check(5)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)  # only the postmaster: open connections keep working
    try:
        async with database.tenant(TENANT):
            began = time.monotonic()
            with pytest.raises(DatabaseUnreachable):
                await database.check(0.3)
            assert time.monotonic() - began < 0.3 + 0.15
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def test_the_check_does_not_need_a_free_connection(server: EmbeddedPostgres) -> None:
    database = with_one_connection(server.start().app_url, wait_seconds=30)
    try:
        async with database.tenant(TENANT):
            await database.check(5)
    finally:
        await database.dispose()


async def test_a_check_that_is_cancelled_does_not_affect_the_others(database: Database) -> None:
    first = asyncio.create_task(database.check(5))
    second = asyncio.create_task(database.check(5))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()


async def running_statement(database: Database, entered: asyncio.Event) -> float:
    """Seconds until a statement that the server takes up is given up."""

    async def sleep() -> None:
        async with database.tenant(TENANT) as unit:
            entered.set()
            await unit.execute("SELECT pg_sleep(60)")

    began = time.monotonic()
    with pytest.raises(DatabaseUnreachable):
        await sleep()
    return time.monotonic() - began


async def new_request(database: Database) -> float:
    """Return the seconds until a request that needs the database fails."""
    began = time.monotonic()
    with pytest.raises(DatabaseUnreachable):
        async with database.tenant(TENANT):
            pytest.fail("entered")
    return time.monotonic() - began


async def test_a_frozen_server_holds_no_request_for_longer_than_stated(server: EmbeddedPostgres) -> None:
    database = PooledDatabase(server.start().app_url)
    try:
        async with AsyncExitStack() as stack:
            for _ in range(CONTAINER_POOL.size):
                await stack.enter_async_context(database.tenant(TENANT))
        entered = asyncio.Event()
        waiting = asyncio.create_task(running_statement(database, entered))
        await entered.wait()
        with frozen(server):
            # The begin on one of the kept connections, then a new connection: not one after the other of the kept ones.
            assert await new_request(database) < pool.KEPT_SECONDS + limits.CONNECT_ATTEMPT_SECONDS + SLACK
            assert await waiting < limits.STATEMENT_SECONDS + SLACK
        async with database.tenant(TENANT) as unit:
            assert await unit.fetch_one("SELECT 1 AS one") == {"one": 1}
    finally:
        await database.dispose()


async def test_a_kept_connection_to_a_frozen_server_holds_no_request_for_longer_than_stated(
    server: EmbeddedPostgres,
) -> None:
    database = PooledDatabase(server.start().app_url, pool=LAMBDA_POOL)
    try:
        async with database.tenant(TENANT):
            pass  # its connection is kept now
        with frozen(server):
            assert await new_request(database) < pool.KEPT_SECONDS + limits.CONNECT_ATTEMPT_SECONDS + SLACK
        async with database.tenant(TENANT) as unit:
            assert await unit.fetch_one("SELECT 1 AS one") == {"one": 1}
    finally:
        await database.dispose()


async def test_who_waits_for_a_turn_behind_a_frozen_statement_is_held_no_longer_than_stated(
    server: EmbeddedPostgres,
) -> None:
    database = PooledDatabase(server.start().app_url, pool=LAMBDA_POOL)
    try:
        entered = asyncio.Event()
        waiting = asyncio.create_task(running_statement(database, entered))
        await entered.wait()
        with frozen(server):
            limit = LAMBDA_POOL.wait_seconds + limits.CONNECT_ATTEMPT_SECONDS + SLACK
            assert await new_request(database) < limit
            assert await waiting < limits.STATEMENT_SECONDS + SLACK
        async with database.tenant(TENANT) as unit:
            assert await unit.fetch_one("SELECT 1 AS one") == {"one": 1}
    finally:
        await database.dispose()


async def test_a_cancelled_request_gives_its_connection_up_at_once(server: EmbeddedPostgres) -> None:
    database = with_one_connection(server.start().app_url, wait_seconds=1)
    entered = asyncio.Event()

    async def request() -> None:
        async with database.tenant(TENANT) as unit:
            entered.set()
            await unit.execute("SELECT pg_sleep(60)")

    try:
        for _ in range(3):
            entered.clear()
            task = asyncio.create_task(request())
            await entered.wait()
            await asyncio.sleep(0)
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with database.tenant(TENANT) as unit:
                assert await unit.fetch_one("SELECT 1 AS one") == {"one": 1}
            assert time.monotonic() - began < SLACK
    finally:
        await database.dispose()


async def backend(unit: Unit) -> int:
    """The server's process behind this unit's connection."""
    row = await unit.fetch_one("SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])


async def test_the_pool_holds_20_requests_at_once_and_the_next_one_waits(server: EmbeddedPostgres) -> None:
    database = PooledDatabase(server.start().app_url)
    together = asyncio.Barrier(21)
    leave = asyncio.Event()

    async def request() -> int:
        async with database.tenant(TENANT) as unit:
            used = await backend(unit)
            await together.wait()
            await leave.wait()
            return used

    async def late_request() -> int:
        async with database.tenant(TENANT) as unit:
            return await backend(unit)

    assert (CONTAINER_POOL.size, CONTAINER_POOL.overflow, CONTAINER_POOL.wait_seconds) == (10, 10, 5)
    held = [asyncio.create_task(request()) for _ in range(20)]
    async with asyncio.timeout(20):
        await together.wait()
        late = asyncio.create_task(late_request())
        done, _ = await asyncio.wait({late}, timeout=0.2)
        assert not done
        leave.set()
        backends = await asyncio.gather(*held)
        assert len(set(backends)) == 20
        assert await late in backends
    await database.dispose()


async def test_further_connections_are_kept_for_the_next_burst_and_closed_if_none_comes(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = PooledDatabase(server.start().app_url)
    together = asyncio.Barrier(20)

    async def request(*, single: bool) -> int:
        async with database.tenant(TENANT) as unit:
            used = await backend(unit)
            if not single:
                await together.wait()
            return used

    async def burst() -> set[int]:
        return set(await asyncio.gather(*(request(single=False) for _ in range(20))))

    try:
        async with asyncio.timeout(20):
            first = await burst()
            began = time.monotonic()
            assert await burst() == first
            # None of the requests had to wait for a further connection to be opened.
            assert time.monotonic() - began < 10 * FURTHER_AFTER_SECONDS
            monkeypatch.setattr(pool, "FURTHER_KEPT_SECONDS", 0.0)
            await asyncio.sleep(0.01)
            for _ in range(30):
                await request(single=True)
            assert len(database._kept) == CONTAINER_POOL.size
            assert {await request(single=True)} < first
    finally:
        await database.dispose()


async def test_reports_that_no_connection_became_free(server: EmbeddedPostgres) -> None:
    database = with_one_connection(server.start().app_url, wait_seconds=0.1)
    try:
        async with database.tenant(TENANT):
            with pytest.raises(DatabaseUnreachable):
                async with database.tenant(TENANT):
                    pytest.fail("entered")
    finally:
        await database.dispose()


async def test_a_request_that_has_done_nothing_yet_waits_for_a_connection_for_a_shorter_time(
    server: EmbeddedPostgres,
) -> None:
    pool = replace(LAMBDA_POOL, wait_seconds=30.0, first_wait_seconds=0.1)
    database = PooledDatabase(server.start().app_url, pool=pool)
    leave = asyncio.Event()
    entered = asyncio.Event()

    async def hold() -> None:
        async with database.tenant(TENANT):
            entered.set()
            await leave.wait()

    async def begin() -> str:
        async with database.tenant(TENANT):
            return "served"

    async def continue_working() -> str:
        note_work()
        return await begin()

    try:
        async with asyncio.timeout(20):
            holder = asyncio.create_task(hold())
            await entered.wait()
            working = asyncio.create_task(continue_working())
            # In a separate context: an earlier test may have worked in this one.
            with pytest.raises(DatabaseUnreachable, match="no connection became free"):
                await asyncio.create_task(begin(), context=Context())
            assert not working.done()
            leave.set()
            assert await working == "served"
            await holder
    finally:
        await database.dispose()


async def test_a_failure_of_the_callers_own_is_not_taken_for_the_databases(database: Database) -> None:
    for own in (TimeoutError("provider"), ConnectionResetError("provider"), ValueError("x")):
        with pytest.raises(type(own)) as caught:
            async with database.tenant(TENANT):
                raise own
        assert caught.value is own
