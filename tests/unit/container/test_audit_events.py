"""The container's audit events: no request waits for them, none is lost silently, and the end is bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from container import audit_events
from container.audit_events import MOST_STORED, MOST_WAITING, storing_audit_events
from tenantgate.audit import line
from tenantgate.audit.line import Marked, refused
from tenantgate.audit.line_limits import LineLimits
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.tokens.tenant import DEPLOYMENT

pytestmark = pytest.mark.anyio


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Marked]:
    """The events that became log lines. There are no limits."""
    found: list[Marked] = []
    monkeypatch.setattr(audit_events, "write_line", found.append)
    monkeypatch.setattr(audit_events, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(audit_events, "AT_THE_END", 0.3)
    monkeypatch.setattr(LineLimits, "admits", lambda *_: True)
    return found


class Database:
    """A store that fails while `failure` is set, and hangs while `free` isn't."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.batches: list[list[str]] = []

    async def store(self, events: Sequence[Marked]) -> None:
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        self.batches.append([one.event_id for one in events])

    @property
    def stored(self) -> list[str]:
        return [one for batch in self.batches for one in batch]


def refuse(number: int = 1) -> None:
    for _ in range(number):
        refused("AUTH_TOKEN_REFUSED", DEPLOYMENT, resource_type="token", detail={})


async def until(done: object, *, seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not (done() if callable(done) else done):
            await asyncio.sleep(0.005)


async def test_events_are_stored_in_batches_and_from_any_thread(written: list[Marked]) -> None:
    database = Database()
    async with storing_audit_events(database.store):
        threads = [threading.Thread(target=refuse, args=(100,)) for _ in range(4)]
        for one in threads:
            one.start()
        await until(lambda: len(database.stored) == 400)
    assert len({*database.stored}) == 400
    assert max(map(len, database.batches)) <= MOST_STORED
    assert written == []
    assert line._sink is not None


async def test_events_wait_while_the_database_is_away_and_are_stored_once(written: list[Marked]) -> None:
    database = Database()
    database.failure = DatabaseUnreachable("away")
    async with storing_audit_events(database.store):
        refuse(3)
        await asyncio.sleep(0.05)
        assert database.stored == []
        refuse(2)
        database.failure = None
        await until(lambda: len(database.stored) == 5)
    assert len({*database.stored}) == 5
    assert written == []


async def test_a_full_queue_makes_log_lines_and_no_request_waits(written: list[Marked]) -> None:
    database = Database()
    database.free.clear()
    async with storing_audit_events(database.store):
        refuse(MOST_WAITING + 7)
        assert len(written) == 7
        database.free.set()
    assert len(database.stored) == MOST_WAITING


@pytest.mark.parametrize("hangs", [True, False])
async def test_what_waits_at_the_end_is_written_within_a_bound(written: list[Marked], *, hangs: bool) -> None:
    database = Database()
    database.failure = DatabaseUnreachable("away")
    if hangs:
        database.free.clear()
    began = asyncio.get_running_loop().time()
    async with storing_audit_events(database.store):
        refuse(MOST_STORED + 5)
        await asyncio.sleep(0.02)
    assert asyncio.get_running_loop().time() - began < 3
    assert len({one.event_id for one in written}) == MOST_STORED + 5
    # Afterwards, events are lines again.
    assert line._sink is line.write_line


async def test_a_bug_of_the_store_stops_no_later_event(written: list[Marked]) -> None:
    database = Database()
    database.failure = RuntimeError("a bug")
    async with storing_audit_events(database.store):
        refuse()
        await until(lambda: len(written) == 1)
        database.failure = None
        refuse()
        await until(lambda: len(database.stored) == 1)


async def test_a_store_that_is_interrupted_repeats_its_batch_at_the_end(written: list[Marked]) -> None:
    database = Database()
    database.free.clear()
    async with storing_audit_events(database.store):
        refuse(2)
        await asyncio.sleep(0.02)
        asyncio.get_running_loop().call_later(0.05, database.free.set)
    assert len(database.stored) == 2
    assert written == []
