"""Reading audit events in PostgreSQL: pages, filters, other tenants, and events that are written meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tenantgate.audit.models import Event, StoredEvent, user_digest, user_owner
from tenantgate.audit.repository import record
from tenantgate.audit.trail.models import LAST, Filters, OpenedEvent, Position, Query
from tenantgate.audit.trail.pages import EventPages
from tenantgate.audit.trail.service import Reader, TrailExport, TrailService
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.data_keys.repository import DataKeyRepository
from tenantgate.data_keys.service import DataKeys
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import StatementRefused
from tests.fixtures.audit.events import any_event, recorded_events
from tests.fixtures.audit.trail import ISSUER, sign_in
from tests.fixtures.data_keys.memory import local_keys
from tests.fixtures.databases.postgres import DatabaseUrls

pytestmark = pytest.mark.anyio


ANY = Filters()


class Trail:
    """The logs of new tenants on a real database."""

    def __init__(self, urls: DatabaseUrls, database: PooledDatabase) -> None:
        self.urls, self.database = urls, database
        self.repository = EventPages(database)
        self.keys = DataKeys(DataKeyRepository(database), local_keys())
        self.tenant = f"org-{uuid4()}"
        self._sealer = Sealer([new_sealing_key()])

    async def sealer(self) -> Sealer:
        return self._sealer

    def service(self) -> TrailService:
        return TrailService(self.repository, self.keys, self.sealer)

    def reader(self, tenant: str | None = None) -> Reader:
        return Reader(tenant or self.tenant, ISSUER, "auditor")

    async def write(self, *events: StoredEvent) -> None:
        for event in events:
            async with self.database.tenant(event.tenant_id) as unit:
                await record(unit, event)

    def query(self, filters: Filters = ANY, **changes: Any) -> Query:
        return Query(self.tenant, filters, None, LAST, 100, 1000)._replace(**changes)

    async def pages(self, query: Query) -> list[list[UUID]]:
        found = []
        while True:
            page = await self.repository.page(query, lambda _: any_event(self.tenant))
            found.append([row.id for row in page.rows])
            if page.following is None:
                return found
            query = query._replace(before=page.following)

    async def insert_at(self, times: Sequence[datetime], **columns: object) -> list[UUID]:
        """Insert events that were recorded at these times, as the superuser."""
        connection = await asyncpg.connect(self.urls.admin_url)
        ids = [uuid4() for _ in times]
        names = "".join(f", {name}" for name in columns)
        values = "".join(f", ${number}" for number in range(4, 4 + len(columns)))
        statement = (
            "INSERT INTO audit_events (id, tenant_id, event_type, outcome, detail, occurred_at, created_at"
            f"{names}) VALUES ($1, $2, 'REVOKED', 'success', '{{}}', $3, $3{values})"
        )
        try:
            await connection.executemany(
                statement, [(one, self.tenant, at, *columns.values()) for one, at in zip(ids, times, strict=True)]
            )
        finally:
            await connection.close()
        return ids


@pytest.fixture
async def trail(database_urls: DatabaseUrls) -> AsyncIterator[Trail]:
    database = PooledDatabase(database_urls.app_url)
    yield Trail(database_urls, database)
    await database.dispose()


async def test_pages_in_the_order_of_recording_also_at_one_moment(trail: Trail) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ids = await trail.insert_at([now] * 7 + [now + timedelta(seconds=number) for number in range(5)])
    at = dict.fromkeys(ids[:7], now) | {one: now + timedelta(seconds=place) for place, one in enumerate(ids[7:])}
    pages = await trail.pages(trail.query(Filters(recorded_to=now + timedelta(days=1)), limit=5))
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [one for page in pages for one in page] == sorted(ids, key=lambda one: (at[one], one.bytes), reverse=True)


async def test_every_filter_selects(trail: Trail) -> None:
    session = uuid4()
    one = Event("REVOKED", trail.tenant, resource_type="token", resource_id="jti-1", request_id="request-1")
    two = Event("AUTH_LOGOUT", trail.tenant, resource_type="session", session_id=session, request_id="request-2")
    three = Event("SESSION_SECRET_REUSED", trail.tenant, "denied", resource_type="session", request_id=None)
    await trail.write(*(event.stored(None) for event in (one, two, three)))
    for filters, expected in {
        Filters(event_type="REVOKED"): [one],
        Filters(outcome="denied"): [three],
        Filters(session_id=session): [two],
        Filters(resource_type="session"): [three, two],
        Filters(resource_type="token", resource_id="jti-1"): [one],
        Filters(resource_type="token", resource_id="jti-2"): [],
        Filters(request_id="request-2", event_type="AUTH_LOGOUT", outcome="success"): [two],
        Filters(recorded_to=datetime(2026, 1, 1, tzinfo=UTC)): [],
        Filters(recorded_from=datetime(2999, 1, 1, tzinfo=UTC)): [],
    }.items():
        page = await trail.repository.page(
            trail.query(filters), lambda _: any_event(f"org-{uuid4()}")._replace(tenant_id=trail.tenant)
        )
        assert [row.id for row in page.rows] == [event.id for event in expected], filters


async def test_a_filter_that_matches_little_reads_a_bounded_part(trail: Trail) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    ids = await trail.insert_at([begin + timedelta(seconds=number) for number in range(30)])
    wanted = await trail.insert_at([begin + timedelta(seconds=3.5)], request_id="wanted")
    filters = Filters(request_id="wanted", recorded_to=begin + timedelta(days=1))
    assert await trail.pages(trail.query(filters, examined=10)) == [[], [], wanted, []]
    everything = await trail.pages(trail.query(Filters(recorded_to=begin + timedelta(days=1)), examined=10, limit=4))
    assert len([one for page in everything for one in page]) == len({*ids, *wanted}) == 31


async def test_a_user_with_several_keys_is_found_in_order(trail: Trail) -> None:
    owner = user_owner(trail.tenant, ISSUER, "user-1")
    for number in range(6):
        await trail.write(
            await sign_in(trail.keys, trail.tenant, "user-1"), await sign_in(trail.keys, trail.tenant, "other")
        )
        if number in {1, 3}:
            await trail.keys.rotate(owner, (await trail.keys.current(owner)).id)
    digests = [user_digest(key) for key in await trail.keys.usable(owner)]
    assert len(digests) == 3
    rows = [row for row in await recorded_events(trail.urls.admin_url, trail.tenant) if row["user_digest"] in digests]
    expected = [row["id"] for row in reversed(rows)]
    for examined in (100, 2, 1):
        pages = await trail.pages(trail.query(digests=digests, limit=4, examined=examined))
        assert [one for page in pages for one in page] == expected
    assert await trail.pages(trail.query(digests=[])) == [[]]
    assert await trail.pages(trail.query(Filters(outcome="denied"), digests=digests)) == [[]]


async def test_another_tenant_reads_nothing_with_the_same_position_user_or_id(trail: Trail) -> None:
    event = await sign_in(trail.keys, trail.tenant, "user-1")
    await trail.write(event)
    other = f"org-{uuid4()}"
    digests = [user_digest(await trail.keys.current(user_owner(trail.tenant, ISSUER, "user-1")))]
    for query in (trail.query(tenant_id=other), trail.query(tenant_id=other, digests=digests)):
        assert (await trail.repository.page(query, lambda _: any_event(other))).rows == []
    assert (
        await trail.repository.after(
            other, Position(datetime(2026, 1, 1, tzinfo=UTC), UUID(int=0)), before=LAST.recorded_at, limit=10
        )
        != []
    )
    page = await trail.service().page(trail.reader(other), Filters(user=(ISSUER, "user-1")), limit=10)
    assert page.events == []
    # A record in another log than the one that is read is refused by row-level security, and nothing is returned.
    with pytest.raises(StatementRefused):
        await trail.repository.page(trail.query(), lambda _: any_event(other))


async def test_a_reading_and_its_record_are_committed_together(trail: Trail) -> None:
    await trail.write(await sign_in(trail.keys, trail.tenant, "user-1"))
    bad = any_event(trail.tenant)._replace(outcome="unknown")
    with pytest.raises(StatementRefused):
        await trail.repository.page(trail.query(), lambda _: bad)
    page = await trail.service().page(trail.reader(), Filters(), limit=10)
    rows = await recorded_events(trail.urls.admin_url, trail.tenant)
    assert [row["event_type"] for row in rows] == ["AUTH_LOGIN_SUCCESS", "DATA_ACCESS"]
    assert [event.user_id for event in page.events] == ["user-1"]
    assert "auditor" not in str(rows)


async def test_an_export_while_events_are_written_has_every_event_of_its_time_once(trail: Trail) -> None:
    for _ in range(30):
        await trail.write(await sign_in(trail.keys, trail.tenant, "user-1"))
    export = TrailExport(trail.repository, trail.keys)
    began = await export.begin(trail.tenant, "export", Filters(), masked=True)
    before = {
        row["id"] for row in await recorded_events(trail.urls.admin_url, trail.tenant) if row["created_at"] < began
    }
    stop = asyncio.Event()

    async def write() -> int:
        count = 0
        while not stop.is_set():
            await trail.write(any_event(trail.tenant))
            count += 1
        return count

    writers = [asyncio.create_task(write()) for _ in range(3)]
    await asyncio.sleep(0.05)
    found: list[OpenedEvent] = [event async for event in export.between(trail.tenant, None, began)]
    stop.set()
    assert sum(await asyncio.gather(*writers)) > 0
    assert len(found) == len(before)
    assert {event.id for event in found} == before
    newest = await export.newest(trail.tenant, 5)
    assert [event.recorded_at for event in newest] == sorted(event.recorded_at for event in newest)
    assert replace(newest[-1].masked(), detail={}) == replace(newest[-1], detail={})
