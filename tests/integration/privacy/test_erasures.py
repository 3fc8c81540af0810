"""Erasures in PostgreSQL: what is left of a person, races with sign-ins, and the export before and after."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from tenantgate.audit.ingest import Ingest, Ingested
from tenantgate.audit.line import Marked
from tenantgate.audit.models import user_owner, user_place
from tenantgate.audit.repository import EventRepository
from tenantgate.cache.client import ValkeyCache
from tenantgate.cache_url import parse_cache_url
from tenantgate.crypto.envelopes import subject_digest
from tenantgate.crypto.errors import KeyDestroyed
from tenantgate.data_keys.cache import HELD_SECONDS, HeldKeys
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.pool import PooledDatabase
from tenantgate.database.unit import Unit
from tenantgate.identity.session_entry import session_keys
from tenantgate.privacy.errors import CursorRefused
from tenantgate.privacy.models import LEDGER, LedgerEntry, Subject
from tenantgate.privacy.service import ErasureService
from tenantgate.privacy.wiring import EndedSessions
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.sessions.models import ERASED, User
from tests.fixtures.audit.events import recorded_events
from tests.fixtures.databases.postgres import DatabaseUrls
from tests.fixtures.databases.session_stores import session_service_of
from tests.fixtures.privacy.person import POLICY, MemoryAnchors, Process, new_subject

pytestmark = pytest.mark.anyio
DEVICE, ADDRESS = "Lynx on Plan 9", "198.51.100.0/24"


@pytest.fixture
async def database(database_urls: DatabaseUrls) -> AsyncIterator[PooledDatabase]:
    made = PooledDatabase(database_urls.app_url)
    yield made
    await made.dispose()


async def rows_of_all_tables(admin_url: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, as the superuser sees them."""
    connection = await asyncpg.connect(admin_url)
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            row["tablename"]: [dict(one) for one in await connection.fetch(f'SELECT * FROM "{row["tablename"]}"')]
            for row in names
        }
    finally:
        await connection.close()


def forms_of(text: str) -> set[bytes]:
    """Return the forms in which a text could be in a row."""
    raw = text.encode()
    return {raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}


def places_of(tables: dict[str, list[dict[str, Any]]], *texts: str) -> set[str]:
    """Return the columns whose values have one of the texts."""
    found = set()
    for table, rows in tables.items():
        for row in rows:
            for column, value in row.items():
                raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                if any(form in raw for text in texts for form in forms_of(text)):
                    found.add(f"{table}.{column}")
    return found


async def test_nothing_in_any_table_tells_who_the_erased_person_was(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    subject, process = new_subject(), Process(database, MemoryAnchors())
    texts = (subject.user_id, DEVICE, ADDRESS)
    session = await process.sign_in(subject, device=DEVICE, address=ADDRESS)
    assert places_of(await rows_of_all_tables(database_urls.admin_url), *texts) == {
        *("sessions.user_id", "sessions.device", "sessions.address")
    }
    (held,) = await process.privacy.held_keys(subject)

    erased = await process.erase(subject)

    assert (erased.sessions, erased.entry.key_ids) == (1, (held.id,))
    tables = await rows_of_all_tables(database_urls.admin_url)
    assert places_of(tables, *texts) == set()
    # No digest by which the keys of the person could be found is left, and no wrapped key.
    digests = [subject_digest(owner) for owner in subject.owners]
    assert [row for row in tables["data_keys"] if row["subject_hash"] in digests] == []
    assert [row["wrapped_key"] for row in tables["data_keys"] if row["id"] == held.id] == [None]
    # Stored envelopes open no more, in this process and in one that never saw the key.
    rows = [row for row in tables["audit_events"] if row["tenant_id"] == subject.tenant_id]
    sealed = [row for row in rows if row["encrypted_user"] is not None]
    assert {row["session_id"] for row in sealed} == {session.id}
    for keys in (process.keys, Process(database).keys):
        for row in sealed:
            with pytest.raises(KeyDestroyed):
                await keys.decrypt(user_owner(*subject), row["encrypted_user"], place=user_place(row["user_digest"]))


async def test_an_erasure_is_recorded_without_a_name_and_anchored(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    subject, anchors = new_subject(), MemoryAnchors()
    process = Process(database, anchors)
    for _ in range(2):
        await process.sign_in(subject)
    erased = await process.erase(subject)
    rows = await recorded_events(database_urls.admin_url, subject.tenant_id)
    assert sorted(row["event_type"] for row in rows[2:]) == ["SESSION_ENDED", "SESSION_ENDED", "USER_ERASED"]
    (event,) = [row for row in rows if row["event_type"] == "USER_ERASED"]
    assert event["user_digest"] is event["encrypted_user"] is event["encrypted_detail"] is event["session_id"] is None
    assert (event["actor"], event["resource_id"]) == ("user", str(erased.entry.id))
    assert json.loads(event["detail"]) == {"source": "request", "sessions": 2, "keys": 1}
    ((name, content),) = anchors.objects.items()
    assert name.startswith(f"{LEDGER}{erased.entry.id}")
    assert LedgerEntry.from_json(content) == erased.entry
    ledger = (await rows_of_all_tables(database_urls.admin_url))["privacy_erasures"]
    (row,) = [row for row in ledger if row["tenant_id"] == subject.tenant_id]
    assert (row["id"], row["key_ids"], row["anchored"]) == (erased.entry.id, [*erased.entry.key_ids], True)


async def test_a_refused_request_that_is_delivered_after_the_erasure_does_not_name_the_person(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    subject, process = new_subject(), Process(database)
    await process.sign_in(subject)
    before = refused(subject, at=time.time())
    await process.erase(subject)
    ingest = Ingest(EventRepository(database), process.keys, is_tenant=lambda _: True)
    assert await ingest.events([before]) == Ingested(stored=1)
    assert await process.keys.existing(user_owner(*subject)) is None
    # An app still sends the person's tokens, which the erasure revoked.
    assert await ingest.events([refused(subject, at=time.time() + 1)]) == Ingested(stored=1)
    assert await process.keys.existing(user_owner(*subject)) is None
    # A request with a new token is that of a person who is here again.
    denied = refused(subject, at=time.time() + 1, event="AUTH_PERMISSION_DENIED", resource_type="route")
    assert await ingest.events([denied, refused(subject, at=time.time() + 1)]) == Ingested(stored=2)
    rows = await recorded_events(database_urls.admin_url, subject.tenant_id)
    named = [row["encrypted_user"] is not None for row in rows if row["outcome"] == "denied"]
    assert named == [False, False, True, True]


async def test_a_first_sign_in_between_the_keys_and_the_sessions_is_erased_whole(database: PooledDatabase) -> None:
    subject, process = new_subject(), Process(database)

    class Meanwhile(EndedSessions):
        async def __call__(self, unit: Unit, subject: Subject) -> int:
            if not await process.privacy.held_keys(subject):
                await process.sign_in(subject)
            return await super().__call__(unit, subject)

    service = session_service_of(process.sessions, cache=None)
    erasures = ErasureService(
        process.privacy, process.keys, lambda: Meanwhile(process.sessions, service, ERASED), anchors=MemoryAnchors()
    )
    erased = await erasures.erase(subject, source="request", actor="user")
    assert (erased.sessions, len(erased.entry.key_ids)) == (1, 1)
    assert await process.privacy.held_keys(subject) == []
    assert await process.sessions.of_user(User(*subject)) == []


def refused(subject: Subject, *, at: float, event: str = "AUTH_TOKEN_EXPIRED", resource_type: str = "token") -> Marked:
    """Return the event of a refused request; without changes, of one with an expired token."""
    return Marked(
        event=event,
        event_id=str(uuid4()),
        log=subject.tenant_id,
        outcome="denied",
        actor=None,
        resource_type=resource_type,
        resource_id=None,
        session_id=None,
        issuer=subject.issuer,
        user_id=subject.user_id,
        request_id=None,
        detail={},
        occurred_at=at,
    )


async def test_another_person_another_issuer_and_another_tenant_keep_everything(database: PooledDatabase) -> None:
    subject, process = new_subject(), Process(database)
    others = [
        subject._replace(user_id=f"other-{uuid4()}"),
        subject._replace(issuer="https://other.example"),
        subject._replace(tenant_id=f"org-{uuid4()}"),
    ]
    for one in (subject, *others):
        await process.sign_in(one)
    await process.erase(subject)
    for one in others:
        page = await process.exports().page(one)
        assert len(page.records["sessions"]) == len(page.records["audit_events"]) == 1


async def test_the_same_person_signs_in_again_with_other_keys(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    subject, process = new_subject(), Process(database)
    await process.sign_in(subject)
    await process.erase(subject)
    again = await process.sign_in(subject)
    rows = [row for row in await recorded_events(database_urls.admin_url, subject.tenant_id) if row["user_digest"]]
    assert len({row["user_digest"] for row in rows}) == 2
    page = await process.exports().page(subject)
    assert [one["session_id"] for one in page.records["audit_events"]] == [str(again.id)]


async def test_no_session_begins_with_a_key_that_another_process_destroyed(database: PooledDatabase) -> None:
    subject, process, other = new_subject(), Process(database), Process(database)
    await other.sign_in(subject)
    await process.erase(subject)
    # The other process still has the destroyed key in memory.
    session = await other.sign_in(subject)
    page = await process.exports().page(subject)
    assert [one["session_id"] for one in page.records["audit_events"]] == [str(session.id)]


async def test_sign_ins_and_erasures_at_the_same_time_leave_no_half(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    """Each sign-in is erased whole, or is there whole: its row, its event, and the key that opens it."""
    subject = new_subject()
    processes = [Process(database, MemoryAnchors()) for _ in range(4)]

    async def sign_in(process: Process) -> None:
        for _ in range(6):
            await process.sign_in(subject)

    async def erase(process: Process) -> None:
        for _ in range(4):
            await process.erase(subject)

    await asyncio.gather(*(sign_in(one) for one in processes[:2]), *(erase(one) for one in processes[2:]))
    page = await Process(database).exports().page(subject)
    opened = {one["session_id"] for one in page.records["audit_events"] if one["event_type"] == "AUTH_LOGIN_SUCCESS"}
    left = {str(one.id) for one in await processes[0].sessions.of_user(User(*subject))}
    assert opened == left
    # Every destroyed key is in the ledger outside of the database.
    named = {
        key_id
        for process in processes
        for content in getattr(process.anchors, "objects", {}).values()
        for key_id in LedgerEntry.from_json(content).key_ids
    }
    keys = (await rows_of_all_tables(database_urls.admin_url))["data_keys"]
    destroyed = {row["id"] for row in keys if row["tenant_id"] == subject.tenant_id and row["wrapped_key"] is None}
    assert destroyed <= named
    await processes[0].erase(subject)
    assert await processes[0].privacy.held_keys(subject) == []


async def test_erasures_at_the_same_time_all_succeed(database: PooledDatabase) -> None:
    subject, process = new_subject(), Process(database, MemoryAnchors())
    for _ in range(3):
        await process.sign_in(subject)
    erased = await asyncio.gather(*(Process(database, MemoryAnchors()).erase(subject) for _ in range(4)))
    assert sum(one.sessions for one in erased) == 3
    assert (await process.erase(subject)).sessions == 0


async def test_without_its_anchor_nothing_is_erased(database: PooledDatabase) -> None:
    subject = new_subject()
    process = Process(database, MemoryAnchors(DatabaseUnreachable("the anchors are away")))
    await process.sign_in(subject)
    with pytest.raises(DatabaseUnreachable):
        await process.erase(subject)
    assert len(await process.privacy.held_keys(subject)) == 1
    assert len((await Process(database).exports().page(subject)).records["sessions"]) == 1


async def test_an_erasure_whose_sessions_are_not_yet_ended_everywhere_says_so(database: PooledDatabase) -> None:
    class Away:
        async def set(self, key: str, value: bytes, *, seconds: int) -> None:
            raise EndedOnlyInPart((), DatabaseUnreachable("away"))

    subject = new_subject()
    process = Process(database, cache=SessionCache(Away(), POLICY))  # type: ignore[arg-type]
    await process.sign_in(subject)
    with pytest.raises(EndedOnlyInPart):
        await process.erase(subject)
    assert await process.privacy.held_keys(subject) == []


async def test_an_export_has_the_persons_records_opened(database: PooledDatabase) -> None:
    subject, process = new_subject(), Process(database)
    session = await process.sign_in(subject, device=DEVICE, address=ADDRESS)
    (held,) = await process.privacy.held_keys(subject)
    page = await process.exports().page(subject)
    assert page.cursor is None
    assert page.records["sessions"] == [{"device": DEVICE}]
    assert [one["id"] for one in page.records["data_keys"]] == [str(held.id)]
    (event,) = page.records["audit_events"]
    assert event["user"] == {"issuer": subject.issuer, "user_id": subject.user_id}
    assert event["session_id"] == str(session.id)
    assert event["detail"] == {
        "acr": "urn:acr:2",
        "amr": ["pwd", "otp"],
        "address": ADDRESS,
        "device": DEVICE,
    }
    # The export itself is an event about the person.
    again = await process.exports(clock=lambda: 4_000_000_000.0).page(subject)
    assert [one["event_type"] for one in again.records["audit_events"]] == ["AUTH_LOGIN_SUCCESS", "PRIVACY_EXPORTED"]


async def test_pages_together_have_each_record_once(database: PooledDatabase) -> None:
    subject, process = new_subject(), Process(database)
    sessions = [await process.sign_in(subject) for _ in range(6)]
    (key,) = await process.keys.usable(subject.owners[0])
    await process.keys.rotate(subject.owners[0], key.id)
    sessions += [await process.sign_in(subject) for _ in range(6)]
    service = process.exports(largest=1500)
    pages = [await service.page(subject)]
    while pages[-1].cursor is not None:
        pages.append(await service.page(subject, pages[-1].cursor))
    assert len(pages) > 3
    events = [one["session_id"] for page in pages for one in page.records.get("audit_events", ())]
    assert sorted(str(one) for one in events if one is not None) == sorted(str(one.id) for one in sessions)


async def test_an_export_whose_person_is_erased_between_two_pages_has_nothing_more(database: PooledDatabase) -> None:
    subject, process = new_subject(), Process(database)
    for _ in range(6):
        await process.sign_in(subject)
    service = process.exports(largest=1500)
    first = await service.page(subject)
    assert first.cursor is not None
    await Process(database).erase(subject)
    rest = await service.page(subject, first.cursor)
    assert not any(rest.records.values())


@pytest.mark.parametrize(
    "other",
    [
        lambda subject: subject._replace(user_id="another"),
        lambda subject: subject._replace(tenant_id="org-another"),
        lambda subject: subject._replace(issuer="https://another.example"),
        lambda subject: Subject(subject.tenant_id + subject.issuer[:1], subject.issuer[1:], subject.user_id),
    ],
    ids=["user", "tenant", "issuer", "shifted"],
)
async def test_a_cursor_opens_only_for_its_person(database: PooledDatabase, other: Any) -> None:
    subject, process = new_subject(), Process(database)
    for _ in range(6):
        await process.sign_in(subject)
    cursor = (await process.exports(largest=1500).page(subject)).cursor
    assert cursor is not None
    with pytest.raises(CursorRefused):
        await process.exports().page(other(subject), cursor)


async def test_another_process_opens_nothing_a_minute_after_the_erasure(
    database: PooledDatabase, database_urls: DatabaseUrls
) -> None:
    now = 1_800_000_000.0
    subject = new_subject()
    other = Process(database, held=HeldKeys(clock=lambda: now, monotonic=lambda: now))
    await other.sign_in(subject)
    await Process(database).erase(subject)
    (row, *_) = [row for row in await recorded_events(database_urls.admin_url, subject.tenant_id) if row["user_digest"]]
    place = user_place(row["user_digest"])
    # It has the key in memory: the bound is real.
    assert await other.keys.decrypt(user_owner(*subject), row["encrypted_user"], place=place)
    now += HELD_SECONDS
    with pytest.raises(KeyDestroyed):
        await other.keys.decrypt(user_owner(*subject), row["encrypted_user"], place=place)
    # An export reads the table: it has nothing even within the minute.
    assert (await Process(database).exports().page(subject)).records["audit_events"] == []


async def test_valkey_has_nothing_of_the_erased_person(database: PooledDatabase, redis_url: str) -> None:
    subject, values = new_subject(), ValkeyCache(parse_cache_url(redis_url, protection="private-network", relaxed=True))
    client = Redis.from_url(redis_url)
    try:
        process = Process(database, cache=SessionCache(values, POLICY))
        session = await process.sign_in(subject)
        await SessionCache(values, POLICY).put(session, read_at=session.last_used_at)
        entry = session_keys(subject.tenant_id, session.secret_hash).entry
        await client.persist(entry)
        assert subject.user_id in str(await client.get(entry))

        await process.erase(subject)

        names = [name async for name in client.scan_iter(count=1000)]
        # All are texts: DUMP would compress them.
        stored = str([(name, await client.get(name)) for name in names])
        assert subject.user_id not in stored
        assert await client.get(entry) == b"ended"
    finally:
        await client.aclose()
        await values.dispose()
