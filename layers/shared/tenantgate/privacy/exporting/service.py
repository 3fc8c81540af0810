"""The pages of an export."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tenantgate.audit.models import Event, stored_user
from tenantgate.audit.service import Keys, key_for
from tenantgate.crypto.envelopes import framed
from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.privacy.errors import CursorRefused
from tenantgate.privacy.models import ExportPage, Record, Subject

# API Gateway and Lambda carry 6 MB.
LARGEST_PAGE = 5_000_000
CURSOR_SECONDS = 3600
_CURSOR = "privacy-export"
_AT_ONCE = 500


class Store(Protocol):
    """The part of `repository.PrivacyRepository` that the service uses."""

    async def record(self, event: Event) -> None:
        """Record an event. Raises `DatabaseUnreachable`."""
        ...


class ExportSource(Protocol):
    """One kind of records of a person."""

    @property
    def kind(self) -> str: ...

    async def page(self, subject: Subject, *, after: str, until: int, limit: int) -> Sequence[tuple[str, Record]]:
        """Return up to `limit` records with their positions, in the order of these: those after `after`.

        `until`: records that were made later, in epoch seconds, may be left out. Fewer than `limit`: there are no more.
        """
        ...


class ExportService:
    """Exports what is held about a person, in pages. `clock` returns epoch seconds."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        sources: Sequence[ExportSource],
        sealer: Sealer,
        *,
        clock: Callable[[], float] = time.time,
        largest: int = LARGEST_PAGE,
    ) -> None:
        """Take the sources in the order of the export. `largest`: the bytes of a page as JSON."""
        self._store = store
        self._keys = keys
        self._sources = sources
        self._sealer = sealer
        self._clock = clock
        self._largest = largest

    async def page(self, subject: Subject, cursor: str | None = None) -> ExportPage:
        """Return the first page, or the one that a cursor names. Each is recorded as an event before it is returned.

        Raises `CursorRefused`, `KeyServiceUnavailable`, `DatabaseUnreachable`.
        """
        started, place, after = (int(self._clock()), 0, "") if cursor is None else self._opened(subject, cursor)
        found: dict[str, list[Record]] = {}
        size = 0
        for number in range(place, len(self._sources)):
            source = self._sources[number]
            records = found.setdefault(source.kind, [])
            is_more = True
            while is_more:
                page = await source.page(subject, after=after, until=started, limit=_AT_ONCE)
                for position, one in page:
                    size += len(json.dumps(one))
                    # A record that is larger than a page is a separate page.
                    if size > self._largest and any(found.values()):
                        await self._record(subject, found)
                        return ExportPage(found, self._sealed(subject, started, number, after))
                    records.append(one)
                    after = position
                is_more = len(page) == _AT_ONCE
            after = ""
        await self._record(subject, found)
        return ExportPage(found, None)

    async def _record(self, subject: Subject, found: dict[str, list[Record]]) -> None:
        key = await key_for(self._keys, subject.owners[0])
        event = Event(
            "PRIVACY_EXPORTED",
            subject.tenant_id,
            actor="user",
            resource_type="user",
            user=None if key is None else stored_user(key, subject.issuer, subject.user_id),
            detail={"records": sum(map(len, found.values()))},
        )
        await self._store.record(event)

    def _sealed(self, subject: Subject, started: int, place: int, after: str) -> str:
        text = json.dumps([started, place, after])
        return self._sealer.seal(text.encode(), purpose=_CURSOR, context=framed(*subject))

    def _opened(self, subject: Subject, cursor: str) -> tuple[int, int, str]:
        # The context is the caller's: a cursor of another user or tenant doesn't open.
        try:
            opened = self._sealer.open(cursor, purpose=_CURSOR, context=framed(*subject))
        except SealBroken:
            raise CursorRefused("the cursor doesn't open for this user") from None
        started, place, after = json.loads(opened)
        if not 0 <= self._clock() - started <= CURSOR_SECONDS:
            raise CursorRefused("the cursor is too old", actual=started)
        return started, place, after
