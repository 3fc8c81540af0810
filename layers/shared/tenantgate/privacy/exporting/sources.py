"""The kinds of records of an export."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from tenantgate.audit.models import detail_place, user_place
from tenantgate.audit.models import user_digest as digest_of
from tenantgate.crypto.envelopes import DataKey, KeyOwner
from tenantgate.crypto.errors import EnvelopeBroken
from tenantgate.database.moments import moment, whole_seconds
from tenantgate.database.unit import Row
from tenantgate.privacy.models import Record, Subject
from tenantgate.privacy.repository import HeldKey

_FIRST = UUID(int=0)


class Store(Protocol):
    """The part of `repository.PrivacyRepository` that the sources use. Each method raises `DatabaseUnreachable`."""

    async def held_keys(self, subject: Subject) -> Sequence[HeldKey]: ...

    async def events(
        self, tenant_id: str, digest: bytes, *, after: tuple[datetime, UUID], until: datetime, limit: int
    ) -> Sequence[Row]: ...


class OpeningKeys(Protocol):
    """The part of `data_keys.service.DataKeys` that the sources use. Each method raises as `DataKeys.current` does."""

    async def usable(self, owner: KeyOwner) -> Sequence[DataKey]: ...

    async def decrypt(self, owner: KeyOwner, envelope: str, *, place: Sequence[str]) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """Records of which a person has few. `load` returns all of them, each with its position."""

    kind: str
    load: Callable[[Subject], Awaitable[Sequence[tuple[str, Record]]]]

    async def page(self, subject: Subject, *, after: str, until: int, limit: int) -> Sequence[tuple[str, Record]]:
        del until
        found = sorted(await self.load(subject), key=lambda one: one[0])
        return [one for one in found if one[0] > after][:limit]


@dataclass(frozen=True, slots=True)
class DataKeySource:
    """The person's data keys, without the keys."""

    store: Store
    kind: str = "data_keys"

    async def page(self, subject: Subject, *, after: str, until: int, limit: int) -> Sequence[tuple[str, Record]]:
        async def load(subject: Subject) -> Sequence[tuple[str, Record]]:
            return [(str(key.id), _key(key)) for key in await self.store.held_keys(subject)]

        return await Listed(self.kind, load).page(subject, after=after, until=until, limit=limit)


@dataclass(frozen=True, slots=True)
class EventSource:
    """The audit events about the person, opened. A position is the key, the time and the event."""

    store: Store
    keys: OpeningKeys
    kind: str = "audit_events"

    async def page(self, subject: Subject, *, after: str, until: int, limit: int) -> Sequence[tuple[str, Record]]:
        owner = subject.owners[0]
        first, since, last = after.split(" ") if after else ("", moment(0).isoformat(), str(_FIRST))
        found: list[tuple[str, Record]] = []
        # An event has the digest of the key that was current at its session's sign-in.
        for key in sorted(await self.keys.usable(owner), key=lambda one: str(one.id)):
            if str(key.id) < first:
                continue
            place = (datetime.fromisoformat(since), UUID(last)) if str(key.id) == first else (moment(0), _FIRST)
            digest = digest_of(key)
            # The second of `until` belongs to it.
            rows = await self.store.events(
                subject.tenant_id, digest, after=place, until=moment(until + 1), limit=limit - len(found)
            )
            found += [
                (f"{key.id} {row['created_at'].isoformat()} {row['id']}", await self._opened(owner, digest, row))
                for row in rows
            ]
            if len(found) == limit:
                break
        return found

    async def _opened(self, owner: KeyOwner, digest: bytes, row: Row) -> Record:
        user = await self._text(owner, row["encrypted_user"], user_place(digest))
        personal = await self._text(owner, row["encrypted_detail"], detail_place(row["id"]))
        return {
            "id": str(row["id"]),
            "event_type": row["event_type"],
            "outcome": row["outcome"],
            "actor": row["actor"],
            "resource_type": row["resource_type"],
            "resource_id": row["resource_id"],
            "request_id": row["request_id"],
            "session_id": None if row["session_id"] is None else str(row["session_id"]),
            "user": user,
            "detail": {**json.loads(row["detail"]), **personal},
            "occurred_at": whole_seconds(row["occurred_at"]),
        }

    async def _text(self, owner: KeyOwner, envelope: str | None, place: Sequence[str]) -> dict[str, object]:
        """Return the members in an envelope; none without one, or if its key was destroyed meanwhile."""
        if envelope is None:
            return {}
        try:
            opened: dict[str, object] = json.loads(await self.keys.decrypt(owner, envelope, place=place))
        except EnvelopeBroken:
            return {}
        return opened


def _key(key: HeldKey) -> Record:
    return {
        "id": str(key.id),
        "purpose": key.purpose,
        "wrapped_by": key.wrapped_by,
        "created_at": whole_seconds(key.created_at),
        "retired_at": None if key.retired_at is None else whole_seconds(key.retired_at),
    }
