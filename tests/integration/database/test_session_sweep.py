"""The sweep, and the effect of the registry on sessions, with PostgreSQL and Valkey."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tenantgate.cache.client import ValkeyCache
from tenantgate.cache.interface import Cache
from tenantgate.cache_url import parse_cache_url
from tenantgate.database.pool import PooledDatabase
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_entry import TOMBSTONE, live_entry, session_keys
from tenantgate.sessions import tasks as session_tasks
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.models import SessionPolicy, StoredSession
from tenantgate.sessions.repository import SessionRepository, TenantSessionRepository
from tenantgate.sessions.tasks import SessionSweep, Swept, TenantSessions
from tests.fixtures.audit.events import MemoryKeys, recorded_events
from tests.fixtures.databases.postgres import DatabaseUrls, execute
from tests.fixtures.databases.session_stores import ENDINGS, OTHER_TENANT, TENANT, stored_session

pytestmark = pytest.mark.anyio

NOW = 1_800_100_000
POLICY = SessionPolicy()
IDLE, BOUND = POLICY.idle_seconds, POLICY.cache_seconds + 120


class Downed:
    """A Valkey that can't be reached."""

    async def get_many(self, *_: object) -> list[bytes | None]:
        raise CacheUnavailable("down")

    async def set(self, *_: object, seconds: int) -> None:
        raise CacheUnavailable("down")

    async def run_script(self, *_: object) -> object:
        raise CacheUnavailable("down")

    async def run_script_for_each(self, *_: object) -> None:
        raise CacheUnavailable("down")


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    statements = ("DELETE FROM sessions", "DELETE FROM session_lookup", "DELETE FROM tenants")
    await asyncio.to_thread(execute, database_urls.admin_url, *statements, "DELETE FROM seen_token_ids")
    made = PooledDatabase(database_urls.app_url)
    for tenant_id in (TENANT, OTHER_TENANT):
        await SessionRepository(made, ENDINGS).tenant(tenant_id, register=True)
    yield made
    await made.dispose()


@pytest.fixture
async def valkey(redis_url: str) -> AsyncIterator[ValkeyCache]:
    made = ValkeyCache(parse_cache_url(redis_url, protection="private-network"))
    yield made
    await made.dispose()


def session(*, used: int = NOW, expires_at: int = NOW + 3600, tenant_id: str = TENANT) -> StoredSession:
    return stored_session(tenant_id=tenant_id, last_used_at=used, expires_at=expires_at, auth_time=NOW - 7200)


async def add(database: PooledDatabase, *sessions: StoredSession) -> None:
    for each in sessions:
        await SessionRepository(database, ENDINGS).add(each, lookups=[hashlib.sha256(each.id.bytes).digest()])


async def left(database: PooledDatabase) -> set[UUID]:
    found: set[UUID] = set()
    for tenant_id in (TENANT, OTHER_TENANT):
        async with database.tenant(tenant_id) as unit:
            found |= {row["id"] for row in await unit.fetch_all("SELECT id FROM sessions")}
    return found


async def sweep(database: PooledDatabase, cache: object = None, policy: SessionPolicy = POLICY) -> Swept:
    given: Cache | None = cache  # type: ignore[assignment]
    store = TenantSessionRepository(database)
    return await SessionSweep(store, SessionCache(given, policy), policy, clock=lambda: NOW).run()


async def test_expired_and_idle_sessions_go_with_their_look_ups_and_the_others_stay(
    database: PooledDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    live = [session(), session(used=NOW - IDLE + 1), session(tenant_id=OTHER_TENANT)]
    dead = [session(used=NOW - IDLE), session(expires_at=NOW), session(used=1_800_000_000, tenant_id=OTHER_TENANT)]
    await add(database, *live, *dead)
    with caplog.at_level(logging.INFO):
        swept = await sweep(database)
    assert await left(database) == {each.id for each in live}
    assert swept == Swept(tenants=2, sessions=3)
    assert [record.message for record in caplog.records if "swept" in record.message] == ["sessions swept"]
    async with database.untenanted() as unit:
        lookups = {row["session_id"] for row in await unit.fetch_all("SELECT session_id FROM session_lookup")}
    assert lookups == {each.id for each in live}
    assert (await sweep(database)).sessions == 0


async def test_each_session_that_timed_out_leaves_an_event_of_its_user(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    tenant = f"org-{uuid4()}"
    repository = SessionRepository(database, ENDINGS, MemoryKeys())
    await repository.tenant(tenant, register=True)
    dead = [session(used=NOW - IDLE, tenant_id=tenant), session(expires_at=NOW, tenant_id=tenant)]
    live = session(tenant_id=tenant)
    for each in (*dead, live):
        await repository.add(each)
    # A session from before the upgrade has no encrypted user.
    without = session(expires_at=NOW - 1, tenant_id=tenant)
    await add(database, without)
    await sweep(database)
    await sweep(database)
    rows = await recorded_events(database_urls.admin_url, tenant)
    users = {row["session_id"]: row["encrypted_user"] for row in rows if row["event_type"] == "AUTH_LOGIN_SUCCESS"}
    ends = {row["session_id"]: row for row in rows if row["event_type"] == "SESSION_ENDED"}
    assert ends.keys() == {each.id for each in (*dead, without)}
    assert len(rows) == 1 + 4 + 3
    assert {(row["actor"], row["detail"]) for row in ends.values()} == {("system", '{"reason": "timed_out"}')}
    assert [ends[each.id]["encrypted_user"] == users[each.id] != None for each in dead] == [True, True]  # noqa: E711
    assert ends[without.id]["encrypted_user"] is None


async def test_sweeps_at_the_same_time_record_each_end_once(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    tenant = f"org-{uuid4()}"
    await SessionRepository(database, ENDINGS).tenant(tenant, register=True)
    await add(database, *(session(used=NOW - IDLE, tenant_id=tenant) for _ in range(30)))
    await asyncio.gather(*(sweep(database) for _ in range(4)))
    rows = await recorded_events(database_urls.admin_url, tenant)
    ended = [row["session_id"] for row in rows if row["event_type"] == "SESSION_ENDED"]
    assert (len(ended), len(set(ended))) == (30, 30)


async def test_a_session_in_use_by_the_record_of_valkey_stays_and_postgresql_learns_of_it(
    database: PooledDatabase, valkey: ValkeyCache
) -> None:
    used, unused = session(used=NOW - IDLE - 100), session(used=NOW - IDLE - 100)
    await add(database, used, unused)
    await valkey.set(session_keys(TENANT, used.secret_hash).used, b"%d" % (NOW - 5), seconds=600)
    await valkey.set(session_keys(TENANT, unused.secret_hash).used, b"%d" % (NOW - IDLE - 50), seconds=600)
    swept = await sweep(database, valkey)
    assert (swept.sessions, swept.kept, await left(database)) == (1, 1, {used.id})
    kept = await SessionRepository(database, ENDINGS).find(used.secret_hash, tenant_id=TENANT)
    assert kept is not None
    assert kept.last_used_at == NOW - 5
    assert await valkey.get_many([session_keys(TENANT, unused.secret_hash).entry]) == [TOMBSTONE]


async def test_an_expired_session_goes_although_it_is_in_use(database: PooledDatabase, valkey: ValkeyCache) -> None:
    expired = session(expires_at=NOW - 1)
    await add(database, expired)
    await valkey.set(session_keys(TENANT, expired.secret_hash).used, b"%d" % NOW, seconds=600)
    await sweep(database, valkey)
    assert await left(database) == set()


async def test_while_valkey_is_down_only_sessions_that_it_cannot_know_to_be_in_use_go(database: PooledDatabase) -> None:
    unsure, sure = session(used=NOW - IDLE - BOUND + 1), session(used=NOW - IDLE - BOUND)
    expired = session(expires_at=NOW - 1)
    await add(database, unsure, sure, expired)
    assert (await sweep(database, Downed())).sessions == 2
    assert await left(database) == {unsure.id}


async def test_a_tenants_shorter_idle_timeout_counts(database: PooledDatabase, database_urls: DatabaseUrls) -> None:
    statement = f"UPDATE tenants SET session_idle_minutes = 5 WHERE tenant_id = '{TENANT}'"
    await asyncio.to_thread(execute, database_urls.admin_url, statement)
    mine, theirs = session(used=NOW - 300), session(used=NOW - 300, tenant_id=OTHER_TENANT)
    await add(database, mine, theirs)
    await sweep(database)
    assert await left(database) == {theirs.id}


async def test_many_sessions_go_in_small_steps_and_two_sweeps_share_the_work(database: PooledDatabase) -> None:
    dead = [session(used=NOW - IDLE - number) for number in range(450)]
    await add(database, *dead)
    first, second = await asyncio.gather(sweep(database), sweep(database))
    assert first.sessions + second.sessions == 450
    assert await left(database) == set()


async def test_a_row_that_another_transaction_holds_is_left_to_the_next_sweep(database: PooledDatabase) -> None:
    held, free = session(used=NOW - IDLE - 2), session(used=NOW - IDLE - 1)
    await add(database, held, free)
    async with database.tenant(TENANT) as unit:
        await unit.execute("SELECT FROM sessions WHERE tenant_id = $1 AND id = $2 FOR UPDATE", TENANT, held.id)
        async with asyncio.timeout(5):
            assert (await sweep(database)).sessions == 1
    assert await left(database) == {held.id}
    assert (await sweep(database)).sessions == 1


async def test_look_ups_without_a_session_go_after_an_hour(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    kept = session()
    await add(database, kept)
    orphans = [
        f"INSERT INTO session_lookup (id, lookup_hash, tenant_id, session_id, updated_at) VALUES"
        f" ('ffffffff-ffff-4fff-bfff-ffffffffff{number:02}', sha256('{number}'), '{TENANT}', '{uuid4()}', {at})"
        for number, at in ((1, "now()"), (2, "now() - interval '2 hours'"))
    ]
    await asyncio.to_thread(execute, database_urls.admin_url, *orphans)
    await asyncio.to_thread(
        execute,
        database_urls.admin_url,
        "ALTER TABLE session_lookup DISABLE TRIGGER USER",
        "UPDATE session_lookup SET updated_at = now() - interval '2 hours' WHERE id::text NOT LIKE '%01'",
        "ALTER TABLE session_lookup ENABLE TRIGGER USER",
    )
    # From any start on, the last look-ups in the order of ids are checked.
    assert (await sweep(database)).lookups == 1
    async with database.untenanted() as unit:
        rows = await unit.fetch_all("SELECT id, session_id FROM session_lookup")
    assert {str(row["id"])[-2:] for row in rows if row["session_id"] != kept.id} == {"01"}
    assert kept.id in {row["session_id"] for row in rows}


async def test_expired_ids_of_logout_tokens_go(database: PooledDatabase) -> None:
    async with database.untenanted() as unit:
        for number in range(3):
            await unit.execute(
                "INSERT INTO seen_token_ids (token_hash, expires_at) VALUES (sha256($1), to_timestamp($2))",
                b"%d" % number,
                float(NOW - 1 + number),
            )
    assert (await sweep(database)).token_ids == 2


# The registry


async def registry_of(database: PooledDatabase, urls: DatabaseUrls, status: str) -> None:
    statement = f"UPDATE tenants SET status = '{status}' WHERE tenant_id = '{TENANT}'"
    await asyncio.to_thread(execute, urls.admin_url, statement)


async def test_a_suspension_stops_entries_and_activation_lets_live_sessions_back(
    database: PooledDatabase, database_urls: DatabaseUrls, valkey: ValkeyCache
) -> None:
    cache = SessionCache(valkey, POLICY)
    mine = [replace(session(), previous_hash=bytes([number]) * 32) for number in range(3)]
    ended, theirs = session(), session(tenant_id=OTHER_TENANT)
    await add(database, *mine, theirs)
    for each in (*mine, theirs):
        await cache.put(each, read_at=NOW)
    await cache.end([ended])
    admission = TenantSessions(TenantSessionRepository(database), cache)

    async def accepted() -> list[bool]:
        keys = [session_keys(each.tenant_id, each.secret_hash) for each in (*mine, theirs, ended)]
        values = [await valkey.get_many([key.entry, key.used]) for key in keys]
        return [live_entry(entry, used, now=NOW) is not None for entry, used in values]

    # `accepted` judges by NOW; the server's clock is behind it, so that no entry has expired there.
    assert await accepted() == [True, True, True, True, False]
    await registry_of(database, database_urls, "suspended")
    assert await admission.apply_admission(TENANT) == (3, 0)
    assert await accepted() == [False, False, False, True, False]
    # A reader that was slower than the suspension.
    await cache.put(mine[0], read_at=NOW)
    assert await accepted() == [False, False, False, True, False]
    await registry_of(database, database_urls, "active")
    assert await admission.apply_admission(TENANT) == (0, 3)
    for each in (*mine, ended):
        await cache.put(each, read_at=NOW)
    assert await accepted() == [True, True, True, True, False]


async def test_activation_waits_for_no_session_that_is_ending(database: PooledDatabase, valkey: ValkeyCache) -> None:
    """The tombstone of a session that ends during an activation stays: the end waits for the page."""
    ending = session()
    await add(database, ending)
    cache = SessionCache(valkey, POLICY)
    store = TenantSessionRepository(database)
    ended = asyncio.Event()

    async def end() -> None:
        await cache.end(await SessionRepository(database, ENDINGS).remove([ending.id], tenant_id=TENANT))
        ended.set()

    async def work(page: object) -> None:
        task = asyncio.create_task(end())
        await asyncio.sleep(0.1)
        assert not ended.is_set()
        await cache.remove_tombstone(TENANT, ending.secret_hash)
        tasks.append(task)

    tasks: list[asyncio.Task[None]] = []
    await store.with_page(TENANT, work, after=UUID(int=0), limit=10)
    await asyncio.gather(*tasks)
    assert await valkey.get_many([session_keys(TENANT, ending.secret_hash).entry]) == [TOMBSTONE]


async def test_without_a_cache_the_caller_learns_that_entries_were_not_reached(database: PooledDatabase) -> None:
    admission = TenantSessions(TenantSessionRepository(database), SessionCache(None, POLICY))
    with pytest.raises(CacheUnavailable):
        await admission.apply_admission(TENANT)
    assert await admission.count(TENANT) == 0


async def test_the_sessions_of_a_revoked_tenant_go_in_pages_and_no_other_goes(
    database: PooledDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_tasks, "_PAGE", 2)
    begun, later = [session() for _ in range(5)], replace(session(), auth_time=NOW + 1)
    other = session(tenant_id=OTHER_TENANT)
    await add(database, *begun, later, other)
    store = TenantSessionRepository(database)
    # Killed after the first page.
    assert await store.remove_begun(TENANT, until=NOW, limit=2) == 2
    both = await asyncio.gather(*(session_tasks.remove_of_revoked(store, TENANT, until=NOW) for _ in range(2)))
    assert sum(both) == 3
    assert await left(database) == {later.id, other.id}
    async with database.untenanted() as unit:
        lookups = {row["session_id"] for row in await unit.fetch_all("SELECT session_id FROM session_lookup")}
    assert lookups == {later.id, other.id}
    assert await session_tasks.remove_of_revoked(store, TENANT, until=NOW) == 0


async def test_a_session_that_a_request_holds_is_removed_after_it(database: PooledDatabase) -> None:
    held = session()
    await add(database, held, session())
    store = TenantSessionRepository(database)
    async with database.tenant(TENANT) as unit:
        await unit.fetch_all("SELECT id FROM sessions WHERE tenant_id = $1 AND id = $2 FOR UPDATE", TENANT, held.id)
        assert await session_tasks.remove_of_revoked(store, TENANT, until=NOW) == 1
        assert await left(database) == {held.id}
        removing = asyncio.create_task(session_tasks.remove_of_revoked(store, TENANT, until=NOW))
        await asyncio.sleep(0.1)
    assert await removing == 1
    assert await left(database) == set()
