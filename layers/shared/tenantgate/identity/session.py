"""The session behind a cookie, found only by its entry in Valkey.

The authorizer has no way to PostgreSQL. An entry lives a few minutes from the last read of PostgreSQL, and this module
never prolongs it. Without an entry, the caller signs in again or asks a web function, which puts it back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenantgate.cache_counts import LAST_USES, SESSIONS, count
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import Word
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_entry import (
    SESSION_SECRETS,
    TOMBSTONE,
    SessionEntry,
    live_entry,
    needs_mark,
    session_keys,
)
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from typing import Protocol

    class Values(Protocol):
        """The store of entries."""

        def get_many(self, *keys: str) -> list[bytes | None]:
            """Return the keys' values; None for a key without one. Raises `CacheUnavailable`."""
            ...

        def set(self, key: str, value: bytes, *, seconds: int) -> None:
            """Set a value that is forgotten after `seconds`. Raises `CacheUnavailable`."""
            ...


_log = logging.getLogger(__name__)


class FoundSession(Record):
    """A live session. `used_key`: the key to mark with this use, None if a recent use is marked already."""

    __slots__ = ()

    entry: SessionEntry
    used_key: str | None


class CachedSessions:
    """Finds sessions by their secrets. `clock` returns epoch seconds."""

    def __init__(self, values: Values, *, clock: Callable[[], float] = time.time) -> None:
        self._values = values
        self._clock = clock

    def find(self, secret: str) -> FoundSession:
        """Return the live session of a cookie's value.

        Raises `SessionEnded` without one that was read from PostgreSQL lately, and `CacheUnavailable`.
        """
        parsed = SESSION_SECRETS.parse(secret)
        if parsed is None:
            raise SessionEnded("the session cookie is malformed", actual=Word("malformed cookie"))
        keys = session_keys(parsed.tenant_id, parsed.digest)
        try:
            raw_entry, raw_used = self._values.get_many(keys.entry, keys.used)
        except CacheUnavailable:
            count(SESSIONS, None)
            count(LAST_USES, None)
            raise
        count(SESSIONS, raw_entry is not None)
        count(LAST_USES, raw_used is not None)
        now = self._clock()
        entry = live_entry(raw_entry, raw_used, now=now)
        if entry is None:
            raise SessionEnded("the session has no live entry in Valkey", actual=Word(_state(raw_entry, now)))
        if entry.tenant_id != parsed.tenant_id:
            # The key is made with the tenant: Tenantgate writes no other tenant's entry under it.
            raise SessionEnded("the session's entry names another tenant", actual=Word("malformed"))
        return FoundSession(entry, keys.used if needs_mark(entry, raw_used, now=now) else None)

    def mark_used(self, found: FoundSession) -> None:
        """Write that the session was used now, at most once a minute. A failure is only logged."""
        if found.used_key is None:
            return
        try:
            self._values.set(found.used_key, b"%d" % self._clock(), seconds=found.entry.idle_seconds)
        except CacheUnavailable as failure:
            _log.warning("the use of a session was not marked", extra={"context": failure.private})


def _state(raw_entry: bytes | None, now: float) -> str:
    """Return the state of an entry that is not live, for the log."""
    if raw_entry is None:
        return "missing"
    if raw_entry == TOMBSTONE:
        return "ended"
    entry = SessionEntry.from_json(raw_entry)
    if entry is None:
        return "malformed"
    if now >= entry.expires_at:
        return "expired"
    if now >= entry.fresh_until:
        return "stale"
    return "rotated" if entry.good_until is not None and now >= entry.good_until else "idle"
