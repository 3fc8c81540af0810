"""Events of lines are stored once, and no other line of a delivery prevents that."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from tenantgate.audit.ingest import Ingest, Ingested
from tenantgate.audit.line import LOGGER, MARK, Marked
from tenantgate.audit.models import StoredEvent, user_digest, user_owner, user_place
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.database.unit import StatementRefused
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.tokens.tenant import DEPLOYMENT
from tests.fixtures.audit.events import MemoryKeys

pytestmark = pytest.mark.anyio


def event(log: str = "org-1", user_id: str | None = "user-1", **changes: str) -> Marked:
    named = user_id is not None and log != DEPLOYMENT
    return Marked(
        changes.get("event", "AUTH_PERMISSION_DENIED"),
        str(uuid4()),
        log,
        "denied",
        None,
        changes.get("resource_type", "route"),
        None,
        None,
        "https://issuer.example" if named else None,
        user_id if named else None,
        changes.get("request_id"),
        {},
        time.time(),
    )


def text(one: Marked) -> str:
    members = dict(zip(Marked._fields, one, strict=True))
    context = {"event": members.pop("event"), "audit": members}
    return json.dumps({"logger": LOGGER, "message": MARK, "context": context})


class Store:
    """A store in memory that refuses the events whose request id is `bad`, as PostgreSQL does: the whole statement."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.rows: dict[UUID, StoredEvent] = {}
        self.failure = failure
        self.calls: list[int] = []
        # By tenant, those that the next calls return; the last one stays.
        self.erasures: dict[str, list[float | None]] = {}

    async def last_erasure(self, tenant_id: str, *, since: float) -> float | None:
        times = self.erasures.get(tenant_id, [None])
        at = times.pop(0) if len(times) > 1 else times[0]
        return at if at is not None and at >= since else None

    async def add_once(self, tenant_id: str, events: Sequence[StoredEvent]) -> int:
        self.calls.append(len(events))
        assert {one.tenant_id for one in events} == {tenant_id}
        if self.failure is not None:
            raise self.failure
        if any(one.request_id == "bad" for one in events):
            raise StatementRefused("refused", sqlstate="22P05")
        new = {one.id: one for one in events if one.id not in self.rows}
        self.rows |= new
        return len(new)


def ingest(store: Store, keys: MemoryKeys | None = None) -> Ingest:
    return Ingest(store, keys or MemoryKeys(), is_tenant=lambda tenant_id: tenant_id.startswith("org-"))


async def test_an_event_is_stored_once() -> None:
    store, one, other = Store(), text(event()), text(event())
    assert await ingest(store).lines([one, one, other]) == Ingested(stored=2, known=1)
    assert await ingest(store).lines([other, one]) == Ingested(known=2)


async def test_the_lines_around_a_poisoned_one_are_stored() -> None:
    store = Store()
    poisoned = ["{", text(event(log="other-tenant")), text(event(resource_type="session")), "x" * 100_000]
    assert await ingest(store).lines([text(event()), *poisoned, text(event())]) == Ingested(stored=2, dropped=4)


async def test_what_is_dropped_is_logged_without_its_content(caplog: pytest.LogCaptureFixture) -> None:
    await ingest(Store()).lines([text(event(log="foreign-tenant", user_id="personal"))] * 3 + ["{secret"])
    (record,) = caplog.records
    assert vars(record)["context"] == {"reasons": {"log": 3, "not JSON": 1}}
    assert "personal" not in str(vars(record))
    assert "secret" not in str(vars(record))


@pytest.mark.parametrize("place", [0, 3, 9])
async def test_an_event_that_postgresql_refuses_takes_no_other_with_it(place: int) -> None:
    store, events = Store(), [event() for _ in range(10)]
    events[place] = event(request_id="bad")
    assert await ingest(store).events(events) == Ingested(stored=9, dropped=1)
    # No endless repetition: halves, and halves of these.
    assert len(store.calls) < 12


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(DatabaseUnreachable("away"), id="away"),
        # Without the table, every event would be dropped.
        pytest.param(StatementRefused("refused", sqlstate="42P01"), id="no-table"),
    ],
)
async def test_without_the_database_nothing_is_dropped(failure: Exception) -> None:
    store = Store(failure)
    with pytest.raises(type(failure)):
        await ingest(store).lines([text(event())])
    assert store.calls == [1]


async def test_each_log_has_its_own_transactions_of_a_bounded_size() -> None:
    store = Store()
    mixed = [event(log) for _ in range(600) for log in ("org-1", "org-2")]
    assert await ingest(store).events([*mixed, event(DEPLOYMENT)]) == Ingested(stored=1201)
    assert store.calls == [500, 100, 500, 100, 1]


async def test_the_user_is_encrypted_under_its_own_key() -> None:
    store, keys = Store(), MemoryKeys()
    await ingest(store, keys).events([event(), event(), event(user_id="user-2"), event(DEPLOYMENT)])
    mine = keys.keys[user_owner("org-1", "https://issuer.example", "user-1")]
    rows = [one for one in store.rows.values() if one.user_digest == user_digest(mine)]
    assert len(rows) == 2
    assert len(keys.keys) == 2
    for row in rows:
        opened = mine.decrypt(str(row.encrypted_user), place=user_place(row.user_digest or b""))
        assert json.loads(opened) == {"issuer": "https://issuer.example", "user_id": "user-1"}
    assert "user-1" not in str(store.rows)
    assert "issuer.example" not in str(store.rows)


@pytest.mark.parametrize("failure", [KeyServiceUnavailable("away"), SecretsUnavailable("no key")])
async def test_without_a_key_an_event_is_stored_without_its_user(failure: Exception) -> None:
    store = Store()
    assert await ingest(store, MemoryKeys(failure)).events([event()]) == Ingested(stored=1)
    (row,) = store.rows.values()
    assert (row.user_digest, row.encrypted_user) == (None, None)


@pytest.mark.parametrize(
    ("erasures", "named"),
    [
        pytest.param([None], 3, id="none"),
        pytest.param([-60.0], 3, id="before-the-events"),
        pytest.param([60.0], 0, id="after-the-events"),
        # After the first look, and before a key was made.
        pytest.param([None, 60.0], 0, id="meanwhile"),
    ],
)
async def test_a_late_event_names_no_user_that_may_have_been_erased(erasures: list[float | None], named: int) -> None:
    store, keys, now = Store(), MemoryKeys(), time.time()
    store.erasures["org-1"] = [None if seconds is None else now + seconds for seconds in erasures]
    assert await ingest(store, keys).events([event(), event(), event(user_id="user-2")]) == Ingested(stored=3)
    assert sum(row.encrypted_user is not None for row in store.rows.values()) == named
    if erasures == [60.0]:
        assert keys.keys == {}
    # Another tenant's erasures don't matter.
    assert await ingest(store, keys).events([event("org-2")]) == Ingested(stored=1)
    (other,) = (row for row in store.rows.values() if row.tenant_id == "org-2")
    assert other.encrypted_user is not None


@pytest.mark.parametrize("type_", ["AUTH_TOKEN_EXPIRED", "AUTH_TOKEN_REFUSED"])
async def test_a_refused_token_makes_no_key_and_uses_one_that_is_there(type_: str) -> None:
    store, keys = Store(), MemoryKeys()
    refused = event(event=type_, resource_type="token")
    assert await ingest(store, keys).events([refused]) == Ingested(stored=1)
    assert keys.keys == {}
    await keys.current(user_owner("org-1", "https://issuer.example", "user-1"))
    again = event(event=type_, resource_type="token")
    assert await ingest(store, keys).events([again]) == Ingested(stored=1)
    named = {str(event_id): row.encrypted_user is not None for event_id, row in store.rows.items()}
    assert named == {refused.event_id: False, again.event_id: True}
