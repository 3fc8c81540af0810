"""Opening stored events: known, erased, lost and tampered persons."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tenantgate.audit.models import Event, log_owner, user_owner
from tenantgate.audit.trail.models import OpenedEvent, StoredRow
from tenantgate.audit.trail.opening import opened
from tenantgate.crypto.errors import KeyServiceUnavailable
from tests.fixtures.audit.events import any_event
from tests.fixtures.audit.trail import ISSUER, MemoryEvents, sign_in
from tests.fixtures.data_keys.memory import KEY, NEW_KEY, MemoryKeyStore, data_keys_in_memory, local_keys

pytestmark = pytest.mark.anyio

TENANT = "org-1"


class Log:
    """Events of two users, and their keys."""

    def __init__(self) -> None:
        self.store, self.events = MemoryKeyStore(), MemoryEvents()
        self.keys = data_keys_in_memory(self.store)

    async def fill(self) -> None:
        for user in ("user-1", "user-2"):
            self.events.insert(await sign_in(self.keys, TENANT, user))
        self.events.insert(any_event(TENANT))

    async def opened(self, *rows: StoredRow) -> list[OpenedEvent]:
        # Another process, without a key in memory.
        return [*await opened(data_keys_in_memory(self.store), TENANT, rows or self.events.rows)]


@pytest.fixture
async def log() -> Log:
    made = Log()
    await made.fill()
    return made


async def test_shows_the_person_of_an_event(log: Log) -> None:
    first, second, third = await log.opened()
    assert (first.person, first.issuer, first.user_id, first.address) == ("known", ISSUER, "user-1", "203.0.113.0/24")
    assert first.detail == {"amr": ["pwd"], "device": "Firefox on Linux"}
    assert second.user_id == "user-2"
    assert first.user_ref != second.user_ref
    assert (third.person, third.user_id, third.address, third.user_ref) == (None, None, None, None)
    assert log.store.calls.count("find_all") == 1


async def test_events_of_an_erased_person_stay_without_the_person(log: Log) -> None:
    await log.keys.destroy(user_owner(TENANT, ISSUER, "user-1"))
    first, second, _ = await log.opened()
    assert (first.person, first.issuer, first.user_id, first.address) == ("erased", None, None, None)
    assert first.detail == {"amr": ["pwd"]}
    assert first.user_ref is not None
    assert second.person == "known"


async def test_a_lost_key_is_not_an_erasure(log: Log) -> None:
    log.store.rows.clear()
    first, *_ = await log.opened()
    assert (first.person, first.user_id, first.detail) == ("unavailable", None, {"amr": ["pwd"]})


async def test_a_key_service_that_is_away_shows_no_event(log: Log) -> None:
    away = data_keys_in_memory(log.store, local_keys(NEW_KEY))
    with pytest.raises(KeyServiceUnavailable):
        await opened(away, TENANT, log.events.rows)
    assert len(await opened(data_keys_in_memory(log.store, local_keys(NEW_KEY, KEY)), TENANT, log.events.rows)) == 3


async def test_tampered_and_moved_envelopes_do_not_open(log: Log) -> None:
    first, second, third = log.events.rows
    changed = [
        first._replace(encrypted_user=second.encrypted_user),
        first._replace(encrypted_detail=second.encrypted_detail),
        first._replace(id=uuid4()),
        first._replace(user_digest=second.user_digest),
        first._replace(user_digest=None),
        first._replace(encrypted_user="e1.AAAA"),
        first._replace(encrypted_user="not an envelope"),
        first._replace(encrypted_user=f"{(first.encrypted_user or '')[:-3]}AAA"),
        third._replace(encrypted_user=first.encrypted_user, user_digest=second.user_digest),
    ]
    assert [event.person for event in await log.opened(*changed)] == ["unavailable"] * len(changed)


async def test_the_keys_of_another_tenant_do_not_open(log: Log) -> None:
    rows = [row._replace(tenant_id="org-2") for row in log.events.rows]
    found = await opened(data_keys_in_memory(log.store), "org-2", rows)
    assert [event.person for event in found] == ["unavailable", "unavailable", None]


async def test_an_event_without_a_user_opens_by_the_key_of_its_log() -> None:
    log = Log()
    key = await log.keys.current(log_owner(TENANT))
    log.events.insert(Event("AUTH_LOGIN_FAILED", TENANT, "denied", address="203.0.113.0/24").stored(key))
    (event,) = await log.opened()
    assert (event.person, event.address, event.user_id) == ("known", "203.0.113.0/24", None)


async def test_masks_what_the_policy_masks() -> None:
    log = Log()
    for user in ("0b2f7c1e-0000-4000-8000-00000000beef", "jane@example.com", "short", "=cmd()|' /C calc'!A0"):
        log.events.insert(await sign_in(log.keys, TENANT, user, address="203.0.113.9"))
    log.events.insert(any_event(TENANT))
    events = [event.masked() for event in await log.opened()]
    assert [event.user_id for event in events] == ["***beef", "***@example.com", "***", "***", None]
    assert {event.address for event in events} == {"203.0.113.0/24", None}
    assert events[0].detail == {"amr": ["pwd"], "device": "***"}
    assert [event.masked() for event in events] == events
    assert {event.user_ref for event in events} == {event.user_ref for event in await log.opened()}


async def test_a_later_versions_event_is_shown_as_it_is_stored(log: Log) -> None:
    row = log.events.rows[2]._replace(event_type="LATER", detail='{"new":["x",1]}', id=UUID(int=1))
    (event,) = await log.opened(row)
    assert event.masked().detail == {"new": ["x", 1]}
