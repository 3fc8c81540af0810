"""Pages of the trail for a tenant's users, and the stream for operators: each is recorded before it is returned."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tenantgate.audit.models import user_owner
from tenantgate.audit.trail.models import Filters
from tenantgate.audit.trail.opening import opened
from tenantgate.audit.trail.service import BATCH, Follower, Reader, TrailExport, TrailService
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.sealing import Sealer, new_sealing_key
from tenantgate.data_keys.service import DataKeys
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import ValidationFailed
from tenantgate.secrets.errors import SecretMissing
from tests.fixtures.audit.events import any_event
from tests.fixtures.audit.trail import BEGIN, ISSUER, MemoryEvents, sign_in
from tests.fixtures.data_keys.memory import KEY, NEW_KEY, MemoryKeyStore, data_keys_in_memory, local_keys

pytestmark = pytest.mark.anyio

TENANT = "org-1"
READER = Reader(TENANT, ISSUER, "auditor", uuid4(), "198.51.100.0/24")
SEALER = Sealer([new_sealing_key()])


async def sealer() -> Sealer:
    return SEALER


def service_of(events: MemoryEvents, keys: DataKeys | None = None) -> TrailService:
    return TrailService(events, keys or data_keys_in_memory(), sealer)


async def filled(keys: DataKeys, number: int, *, tenant_id: str = TENANT) -> MemoryEvents:
    events = MemoryEvents()
    for place in range(number):
        events.insert(await sign_in(keys, tenant_id, f"user-{place % 3}"))
    return events


async def test_pages_show_each_event_once_although_each_reading_adds_one() -> None:
    keys = data_keys_in_memory()
    events = await filled(keys, 25)
    expected = [row.id for row in reversed(events.rows)]
    service, found, cursor, sizes = service_of(events, keys), [], None, []
    while True:
        page = await service.page(READER, Filters(), limit=10, after=cursor)
        found += [event.id for event in page.events]
        sizes.append(len(page.events))
        if (cursor := page.cursor) is None:
            break
    assert (found, sizes) == (expected, [10, 10, 5])


async def test_a_reading_is_recorded_with_its_reader_and_without_the_values_of_filters() -> None:
    store = MemoryKeyStore()
    keys = data_keys_in_memory(store)
    events = await filled(keys, 4)
    filters = Filters(event_type="AUTH_LOGIN_SUCCESS", user=(ISSUER, "user-0"), recorded_from=BEGIN)
    page = await service_of(events, keys).page(READER, filters, limit=1)
    recorded = events.last()
    assert json.loads(recorded.detail) == {
        "operation": "list",
        "filters": ["event_type", "user_id", "from"],
        "form": "unmasked",
        "events": 1,
        "page": "first",
    }
    assert "user-0" not in str(recorded)
    (event,) = await opened(data_keys_in_memory(store), TENANT, [recorded])
    assert (event.event_type, event.actor, event.resource_type, event.session_id) == (
        "DATA_ACCESS",
        "user",
        "audit_events",
        READER.session_id,
    )
    assert (event.user_id, event.issuer, event.address) == ("auditor", ISSUER, READER.address)
    await service_of(events, keys).page(READER, filters, limit=1, after=page.cursor)
    assert json.loads(events.last().detail)["page"] == "next"


async def test_without_the_record_nothing_is_returned() -> None:
    keys = data_keys_in_memory()
    events = await filled(keys, 3)
    events.failure = DatabaseUnreachable("away")
    with pytest.raises(DatabaseUnreachable):
        await service_of(events, keys).page(READER, Filters(), limit=10)


async def test_while_the_key_service_is_away_nothing_is_returned() -> None:
    store = MemoryKeyStore()
    events = await filled(data_keys_in_memory(store), 3)
    away = data_keys_in_memory(store, local_keys(NEW_KEY))
    with pytest.raises(KeyServiceUnavailable):
        await service_of(events, away).page(READER, Filters(), limit=10)


async def test_a_deployment_without_a_key_encryption_key_records_no_reader() -> None:
    class NoKey:
        async def newest(self) -> str:
            raise SecretMissing("none")

        async def wrap(self, *_: object) -> None:
            raise SecretMissing("none")

        unwrap = wrap

    events = MemoryEvents()
    events.insert(any_event(TENANT))
    keys = data_keys_in_memory(wrapper=NoKey())  # type: ignore[arg-type]
    page = await service_of(events, keys).page(READER, Filters(), limit=10)
    assert [event.person for event in page.events] == [None]
    assert (events.last().encrypted_user, events.last().encrypted_detail) == (None, None)


async def test_a_user_is_found_under_every_key_and_not_after_an_erasure() -> None:
    keys = data_keys_in_memory()
    events = await filled(keys, 6)
    owner = user_owner(TENANT, ISSUER, "user-0")
    await keys.rotate(owner, (await keys.current(owner)).id)
    events.insert(await sign_in(keys, TENANT, "user-0"))
    service = service_of(events, keys)
    page = await service.page(READER, Filters(user=(ISSUER, "user-0")), limit=10)
    assert [event.user_id for event in page.events] == ["user-0"] * 3
    for unknown in ((ISSUER, "user-9"), ("https://other.example", "user-0")):
        assert (await service.page(READER, Filters(user=unknown), limit=10)).events == []
    other = replace(READER, tenant_id="org-2")
    assert (await service.page(other, Filters(user=(ISSUER, "user-0")), limit=10)).events == []
    await keys.destroy(owner)
    page = await service.page(READER, Filters(user=(ISSUER, "user-0")), limit=10)
    assert (page.events, page.cursor) == ([], None)
    shown = await service.page(READER, Filters(event_type="AUTH_LOGIN_SUCCESS"), limit=50)
    assert [event.person for event in shown.events].count("erased") == 3


async def test_a_cursor_of_another_tenant_is_refused_before_anything_is_read() -> None:
    keys = data_keys_in_memory()
    events = await filled(keys, 3)
    page = await service_of(events, keys).page(READER, Filters(), limit=1)
    count = len(events.rows)
    with pytest.raises(ValidationFailed):
        await service_of(events, keys).page(replace(READER, tenant_id="org-2"), Filters(), limit=1, after=page.cursor)
    assert len(events.rows) == count


async def test_an_export_is_recorded_first_and_streams_in_batches() -> None:
    keys = data_keys_in_memory()
    events = await filled(keys, BATCH * 2 + 7)
    export = TrailExport(events, keys)
    began = await export.begin(TENANT, "export", Filters(recorded_from=BEGIN, recorded_to=BEGIN), masked=False)
    assert json.loads(events.last().detail) == {
        "operation": "export",
        "filters": ["from", "to"],
        "form": "unmasked",
        "from": "2026-11-27T03:00:00.000000Z",
        "to": "2026-11-27T03:00:00.000000Z",
    }
    assert (events.last().actor, events.last().created_at) == ("operator", began)
    found = [event.recorded_at async for event in export.between(TENANT, None, began)]
    assert len(found) == BATCH * 2 + 7
    assert found == sorted(found)
    since = BEGIN + timedelta(seconds=5)
    some = [event.recorded_at async for event in export.between(TENANT, since, since + timedelta(seconds=2))]
    assert some == [since, since + timedelta(seconds=1)]


async def test_an_export_fails_rather_than_losing_persons() -> None:
    store = MemoryKeyStore()
    events = await filled(data_keys_in_memory(store), 3)
    export = TrailExport(events, data_keys_in_memory(store, local_keys(NEW_KEY)))
    with pytest.raises(KeyServiceUnavailable):
        [event async for event in export.between(TENANT, None, datetime.now(UTC) + timedelta(days=9999))]
    assert await export.begin(TENANT, "export", Filters(), masked=True)
    events.failure = DatabaseUnreachable("away")
    with pytest.raises(DatabaseUnreachable):
        await export.begin(TENANT, "export", Filters(), masked=True)


async def test_following_shows_each_event_once_also_those_committed_late() -> None:
    keys = data_keys_in_memory(wrapper=local_keys(KEY))
    events = await filled(keys, 5)
    export = TrailExport(events, keys)
    began = await export.begin(TENANT, "tail", Filters(), masked=True)
    shown = await export.newest(TENANT, 3)
    assert [event.recorded_at for event in shown] == [row.created_at for row in events.rows[-3:]]
    follower = Follower(events, keys, TENANT, shown, began=began)
    assert await follower.more() == []
    newer = events.insert(any_event(TENANT))
    assert [event.id for event in await follower.more()] == [newer.id]
    # Its transaction began before, and was committed after the last look.
    late = events.insert(any_event(TENANT), at=newer.created_at - timedelta(milliseconds=500))
    events.insert(any_event("org-2"))
    assert [event.id for event in await follower.more()] == [late.id]
    assert await follower.more() == []


async def test_following_an_empty_log_begins_at_its_begin() -> None:
    events, keys = MemoryEvents(), data_keys_in_memory()
    follower = Follower(events, keys, TENANT, [], began=BEGIN)
    events.insert(any_event(TENANT), at=BEGIN - timedelta(seconds=1))
    one = events.insert(any_event(TENANT), at=BEGIN + timedelta(seconds=1))
    assert [event.id for event in await follower.more()] == [one.id]
