"""The erasure of a person's data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID, uuid4

from tenantgate.audit.declarations import Actor
from tenantgate.crypto.envelopes import KeyOwner
from tenantgate.database.unit import Unit
from tenantgate.errors.access import StepUpRequired
from tenantgate.errors.base import InternalError, Word
from tenantgate.identity.principal import Principal
from tenantgate.privacy.models import (
    LEDGER,
    RECENT_SECONDS,
    Erased,
    LedgerEntry,
    Source,
    Subject,
)
from tenantgate.privacy.repository import Eraser, Erasers, HeldKey, KeysChanged

# A sign-in or a rotation makes a key between two statements; several times in a row, something else is wrong.
_ATTEMPTS = 5


class Store(Protocol):
    """The part of `repository.PrivacyRepository` that the service uses. Each method raises `DatabaseUnreachable`."""

    async def held_keys(self, subject: Subject) -> Sequence[HeldKey]: ...

    async def erase(
        self, subject: Subject, entry: LedgerEntry, erasers: Erasers, *, source: Source, actor: Actor, anchored: bool
    ) -> tuple[int, int]: ...


class Anchors(Protocol):
    """A store outside the database in which nothing is changed or removed. Raises `AnchorUnavailable`."""

    async def put(self, name: str, content: bytes) -> None:
        """Store an object under a name that no other has."""
        ...


class SessionEnds(Protocol):
    """Ends the sessions of one erasure: first in its unit of work, and after its commit in the cache, too."""

    async def __call__(self, unit: Unit, subject: Subject) -> int: ...

    async def spread(self) -> None:
        """Publish the ends. Raises `CacheUnavailable`: they are recorded, but not known everywhere."""
        ...


class SubjectKeys(Protocol):
    """The part of `data_keys.service.DataKeys` that the service uses."""

    def forget(self, owner: KeyOwner) -> None: ...


def require_recent(principal: Principal, *, now: float, leeway: int) -> None:
    """Raise `StepUpRequired` unless the caller signed in within the last 5 minutes, by the verified `auth_time`.

    `leeway`: seconds by which the issuer's clock may be ahead.
    """
    since = principal.auth_time
    if since is None:
        reason = "the time of the sign-in is unknown"
    elif now - since < -leeway:
        reason = "the time of the sign-in is in the future"
    elif now - since > RECENT_SECONDS:
        reason = "the sign-in is too long ago"
    else:
        return
    raise StepUpRequired(
        reason,
        max_age=RECENT_SECONDS,
        detail="Sign in again: this needs a sign-in of the last 5 minutes.",
        check=Word(reason),
        actual=since,
    )


class ErasureService:
    """Erases persons. `anchors`: None without a place outside the database. `clock` returns epoch seconds."""

    def __init__(
        self,
        store: Store,
        keys: SubjectKeys,
        sessions: Callable[[], SessionEnds],
        *,
        others: Callable[[Subject], Sequence[Eraser]] = lambda _: (),
        anchors: Anchors | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`sessions` returns a new object for each attempt. `others`: the deletions of further domains."""
        self._store = store
        self._keys = keys
        self._sessions = sessions
        self._others = others
        self._anchors = anchors
        self._clock = clock

    async def erase(self, subject: Subject, *, source: Source, actor: Actor) -> Erased:
        """Erase the data held about a person. May be repeated, and run several times at once.

        The entry of the ledger is anchored before the erasure is committed: an acknowledged erasure survives the loss
        of the database, and a restored one destroys the keys again. Raises `DatabaseUnreachable` and
        `AnchorUnavailable`: nothing is erased unless the commit's outcome is unknown; and `CacheUnavailable`: erased,
        but a session may be accepted for some seconds.
        """
        erasure_id = uuid4()
        named: set[UUID] = set()
        for attempt in range(1, _ATTEMPTS + 1):
            named |= {key.id for key in await self._store.held_keys(subject)}
            entry = LedgerEntry(erasure_id, subject.tenant_id, tuple(sorted(named)), int(self._clock()))
            anchored = await self._anchored(entry, attempt)
            ends = self._sessions()
            erasers = Erasers(ends, self._others(subject))
            try:
                sessions, rows = await self._store.erase(
                    subject, entry, erasers, source=source, actor=actor, anchored=anchored
                )
            except KeysChanged:
                continue
            for owner in subject.owners:
                self._keys.forget(owner)
            await ends.spread()
            return Erased(entry, sessions, rows)
        raise InternalError("keys of the person were made again and again", erasure_id=erasure_id)

    async def _anchored(self, entry: LedgerEntry, attempt: int) -> bool:
        """Anchor the entry; return False without a place for it."""
        # Also one without keys: sessions that began without a key-encryption key end in a restored database by it.
        if self._anchors is None:
            return False
        await self._anchors.put(f"{LEDGER}{entry.id}-{attempt}.json", entry.to_json())
        return True
