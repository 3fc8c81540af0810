"""Exports: pages by size, their cursors, and the event of each page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tenantgate.audit.models import Event
from tenantgate.crypto.envelopes import framed
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.sealing import Sealer
from tenantgate.privacy.errors import CursorRefused
from tenantgate.privacy.exporting.service import CURSOR_SECONDS, LARGEST_PAGE, ExportService
from tenantgate.privacy.models import Record, Subject
from tenantgate.secrets.errors import SecretMissing
from tests.fixtures.audit.events import MemoryKeys
from tests.fixtures.databases.session_stores import KEY
from tests.fixtures.providers.built_in import sealing_key

pytestmark = pytest.mark.anyio
SUBJECT = Subject("org-1", "https://issuer.example", "user-1")
SEALER = Sealer([KEY])


@dataclass
class Numbers:
    """Records with the numbers from 0 on."""

    kind: str
    count: int
    text: str = ""

    async def page(self, subject: Subject, *, after: str, until: int, limit: int) -> Sequence[tuple[str, Record]]:
        first = int(after) + 1 if after else 0
        return [(str(n), {"n": n, "text": self.text}) for n in range(first, min(self.count, first + limit))]


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    async def record(self, event: Event) -> None:
        self.events.append(event)


def service(
    *sources: Numbers,
    store: Recorder | None = None,
    keys: MemoryKeys | None = None,
    largest: int = LARGEST_PAGE,
    now: float = 1000.0,
    sealer: Sealer = SEALER,
) -> ExportService:
    return ExportService(store or Recorder(), keys or MemoryKeys(), sources, sealer, clock=lambda: now, largest=largest)


async def test_one_page_has_everything_that_fits() -> None:
    page = await service(Numbers("a", 1200), Numbers("b", 3)).page(SUBJECT)
    assert (len(page.records["a"]), len(page.records["b"]), page.cursor) == (1200, 3, None)


async def test_pages_are_at_most_as_large_as_allowed_and_have_each_record_once() -> None:
    made = service(Numbers("a", 1200, "x" * 50), Numbers("b", 700, "y" * 50), largest=20_000)
    found: list[tuple[str, object]] = []
    pages, cursor = 0, None
    while True:
        page = await made.page(SUBJECT, cursor)
        assert sum(len(json.dumps(one)) for some in page.records.values() for one in some) <= 20_000
        found += [(kind, one["n"]) for kind, some in page.records.items() for one in some]
        pages, cursor = pages + 1, page.cursor
        if cursor is None:
            break
    assert found == [("a", n) for n in range(1200)] + [("b", n) for n in range(700)]
    assert pages > 5


async def test_a_record_that_is_larger_than_a_page_is_a_separate_page() -> None:
    made = service(Numbers("a", 3, "x" * 100), largest=50)
    page = await made.page(SUBJECT)
    assert [one["n"] for one in page.records["a"]] == [0]
    assert [one["n"] for one in (await made.page(SUBJECT, page.cursor)).records["a"]] == [1]


async def test_each_page_is_recorded_with_the_person() -> None:
    store = Recorder()
    made = service(Numbers("a", 3, "x" * 100), largest=250, store=store)
    await made.page(SUBJECT, (await made.page(SUBJECT)).cursor)
    assert [(one.type, one.detail["records"]) for one in store.events] == [
        ("PRIVACY_EXPORTED", 2),
        ("PRIVACY_EXPORTED", 1),
    ]
    assert None not in [one.user for one in store.events]


async def test_without_a_key_encryption_key_the_event_names_no_user() -> None:
    store = Recorder()
    await service(store=store, keys=MemoryKeys(SecretMissing("missing"))).page(SUBJECT)
    assert [one.user for one in store.events] == [None]


async def test_while_the_key_service_is_away_nothing_is_returned() -> None:
    with pytest.raises(KeyServiceUnavailable):
        await service(Numbers("a", 1), keys=MemoryKeys(KeyServiceUnavailable("away"))).page(SUBJECT)


@pytest.mark.parametrize("now", [1000.0 + CURSOR_SECONDS + 1, 999.0], ids=["late", "early"])
async def test_a_cursor_is_valid_for_an_hour(now: float) -> None:
    cursor = (await service(Numbers("a", 3, "x" * 100), largest=250).page(SUBJECT)).cursor
    with pytest.raises(CursorRefused):
        await service(Numbers("a", 3), now=now).page(SUBJECT, cursor)


async def test_a_forged_or_foreign_cursor_is_refused() -> None:
    cursor = (await service(Numbers("a", 3, "x" * 100), largest=250).page(SUBJECT)).cursor
    assert cursor is not None
    flipped = cursor[:40] + ("A" if cursor[40] != "A" else "B") + cursor[41:]
    text, context = json.dumps([1000, 0, "0"]).encode(), framed(*SUBJECT)
    other = Sealer([sealing_key()]).seal(text, purpose="privacy-export", context=context)
    forged = [
        "",
        "x",
        cursor + "=",
        cursor[:-1],
        flipped,
        other,
        SEALER.seal(text, purpose="session-tokens", context=context),
    ]
    for one in forged:
        with pytest.raises(CursorRefused):
            await service(Numbers("a", 3)).page(SUBJECT, one)
    for subject in (SUBJECT._replace(user_id="user-2"), SUBJECT._replace(tenant_id="org-2")):
        with pytest.raises(CursorRefused):
            await service(Numbers("a", 3)).page(subject, cursor)
