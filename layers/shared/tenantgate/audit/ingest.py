"""Store the events of requests that have no transaction, each once."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tenantgate.audit.line import Marked
from tenantgate.audit.models import StoredEvent, StoredUser, stored_user, user_owner
from tenantgate.audit.reading import LineRefused, event_of, read_line
from tenantgate.audit.service import Keys, key_for
from tenantgate.crypto.envelopes import DataKey, KeyOwner
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.unit import StatementRefused
from tenantgate.errors.base import Word
from tenantgate.secrets.errors import SecretsUnavailable

_log = logging.getLogger(__name__)

# Events of one transaction.
_MOST = 500
# Classes of SQLSTATE that are about an event's own values (PostgreSQL's documentation, appendix A).
_OF_VALUES = ("22", "23")
_OF_REFUSED_TOKENS = frozenset({"AUTH_TOKEN_EXPIRED", "AUTH_TOKEN_REFUSED"})


class OnceStore(Protocol):
    """A store of events."""

    async def add_once(self, tenant_id: str, events: Sequence[StoredEvent]) -> int:
        """Add those events of one log that aren't there; return their number.

        Raises `DatabaseUnreachable`, and `StatementRefused` if one of them can't be stored: then none is.
        """
        ...

    async def last_erasure(self, tenant_id: str, *, since: float) -> float | None:
        """Return when a person of the tenant was erased last, at `since` or later; None if none was. Epoch seconds.

        Raises `DatabaseUnreachable`.
        """
        ...


class PersonKeys(Keys, Protocol):
    """The part of `data_keys.service.DataKeys` that names the users of events."""

    async def existing(self, owner: KeyOwner) -> DataKey | None:
        """Return the owner's key; None if the owner has none. Raises as `current` does."""
        ...


@dataclass(frozen=True, slots=True)
class Ingested:
    """`stored`: new events. `known`: those that an earlier delivery stored. `dropped`: lines of another form."""

    stored: int = 0
    known: int = 0
    dropped: int = 0


class Ingest:
    """Stores marked events. Everything may be repeated: an event that is stored stays unchanged."""

    def __init__(self, store: OnceStore, keys: PersonKeys, *, is_tenant: Callable[[str], bool]) -> None:
        """Take the parts. `is_tenant`: may a token name this tenant?"""
        self._store = store
        self._keys = keys
        self._is_tenant = is_tenant

    async def lines(self, texts: Iterable[str]) -> Ingested:
        """Store the events of log lines. A line that isn't one is dropped and counted, so that it stops no other.

        Raises `DatabaseUnreachable`: then deliver all of them again.
        """
        events, refused = [], Counter[str]()
        for text in texts:
            try:
                events.append(read_line(text, is_tenant=self._is_tenant))
            except LineRefused as line:
                refused[line.reason] += 1
        if refused:
            _log_dropped(refused)
        ingested = await self.events(events)
        return Ingested(ingested.stored, ingested.known, ingested.dropped + refused.total())

    async def events(self, events: Iterable[Marked]) -> Ingested:
        """Store events, those of each log in separate transactions. Raises as `lines` does."""
        by_log: defaultdict[str, list[Marked]] = defaultdict(list)
        for event in events:
            by_log[event.log].append(event)
        stored = known = 0
        refused = Counter[str]()
        for log, of_log in by_log.items():
            users = await self._users(log, of_log)
            rows = [event_of(one, users.get(one.event_id)).stored(None) for one in of_log]
            for first in range(0, len(rows), _MOST):
                part = rows[first : first + _MOST]
                added, failed = await self._add(log, part)
                stored, known = stored + added, known + len(part) - added - failed
                refused["not storable"] += failed
        if refused.total():
            _log_dropped(refused)
        return Ingested(stored, known, refused.total())

    async def _add(self, log: str, events: Sequence[StoredEvent]) -> tuple[int, int]:
        """Return how many were added, and how many PostgreSQL refused."""
        try:
            return await self._store.add_once(log, events), 0
        except StatementRefused as refused:
            if refused.sqlstate is not None and refused.sqlstate[:2] not in _OF_VALUES:
                raise
            if len(events) == 1:
                return 0, 1
        # The half without the event that can't be stored must not be lost with it.
        middle = len(events) // 2
        halves = [await self._add(log, part) for part in (events[:middle], events[middle:])]
        return sum(added for added, _ in halves), sum(failed for _, failed in halves)

    async def _users(self, log: str, events: Iterable[Marked]) -> Mapping[str, StoredUser]:
        """Return the encrypted user of each event that may name one, by its id.

        A delivery may come hours after its events, and after the erasure of their user: a new key would name the person
        again. So events from before the tenant's last erasure name no user. It is read a second time because an
        erasure may have come before the key that was made. After it, clients still send the person's revoked tokens:
        no refused token makes a key.
        """
        named = [one for one in events if one.issuer is not None and one.user_id is not None]
        if not named:
            return {}
        first = min(one.occurred_at for one in named)
        erased = await self._store.last_erasure(log, since=first) or 0.0
        users: dict[tuple[str | None, str | None], StoredUser] = {}
        makes: dict[tuple[str | None, str | None], bool] = {}
        for one in named:
            if one.occurred_at > erased:
                person = (one.issuer, one.user_id)
                makes[person] = makes.get(person, False) or one.event not in _OF_REFUSED_TOKENS
        for (issuer, user_id), makes_key in makes.items():
            if (user := await self._user(log, str(issuer), str(user_id), makes_key=makes_key)) is not None:
                users[issuer, user_id] = user
        if users:
            erased = await self._store.last_erasure(log, since=first) or 0.0
        return {
            one.event_id: users[one.issuer, one.user_id]
            for one in named
            if one.occurred_at > erased and (one.issuer, one.user_id) in users
        }

    async def _user(self, log: str, issuer: str, user_id: str, *, makes_key: bool) -> StoredUser | None:
        owner = user_owner(log, issuer, user_id)
        try:
            key = await (key_for(self._keys, owner) if makes_key else self._keys.existing(owner))
        except (KeyServiceUnavailable, SecretsUnavailable):
            # As everywhere: an event waits for no key.
            return None
        return None if key is None else stored_user(key, issuer, user_id)


def _log_dropped(reasons: Counter[str]) -> None:
    counts = {Word(reason): count for reason, count in sorted(reasons.items())}
    _log.warning("audit lines were dropped", extra={"context": {"reasons": counts}})
