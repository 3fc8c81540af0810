"""Copies of providers' documents in Valkey, read and written from the threads that fetch them.

Each access has its own short connection by the authorizer's client: redis-py and an event loop aren't needed for it.
A copy only saves a fetch: after any failure here, the document is fetched.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from tenantgate import time_limits
from tenantgate.cache.pause import Pause
from tenantgate.cache_counts import count
from tenantgate.crypto.sealing import Sealer
from tenantgate.errors.base import TenantgateError, Word
from tenantgate.provider_copies.entry import (
    LARGEST_DIFFERENCE_SECONDS,
    LONGEST_ENTRY,
    TIME_DIGITS,
    Place,
    RefusedEntry,
    read,
    written,
)
from tenantgate.tokens.copies import Copy

_log = logging.getLogger(__name__)

# Also for a process that reads its sealing keys first.
READ_SECONDS = time_limits.COPIES_READ
WRITE_SECONDS = time_limits.COPIES_WRITE
PAUSE_SECONDS = 30.0
# A failure that takes no longer delays nothing, so that the next fetch may try again.
_QUICK_SECONDS = 0.1

# KEYS: the entry's. ARGV: the entry, its time in ms, the latest time that is not in the future, and the seconds to
# keep it. A newer copy stays. An entry of another form has no time, and one from the future would keep out all others.
_WRITE = f"""
local held = tonumber(redis.pcall('GETRANGE', KEYS[1], 0, {TIME_DIGITS - 1}))
if not (held and held >= tonumber(ARGV[2]) and held <= tonumber(ARGV[3])) then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[4])
end
return redis.status_reply('OK')
"""


type IsUsable = Callable[[Mapping[str, object]], bool]


class Values(Protocol):
    """The part of `ValkeyReader` that copies need. Both methods raise `CacheUnavailable`."""

    def get_many(self, *keys: str, longest: int) -> list[bytes | None]: ...

    def run_script(self, script: str, key: str, *args: bytes) -> None: ...

    def close(self) -> None: ...


class ProviderCopies:
    """The copies of one process. Safe to share between threads.

    `values` and `sealer` are called in a thread when they are needed; `sealer` may block and raise. One access runs at
    a time. After one that failed slowly, none is tried for `PAUSE_SECONDS`.
    """

    def __init__(
        self,
        values: Callable[[], Values],
        sealer: Callable[[], Sealer],
        *,
        clock: Callable[[], float] = time.time,
        pause: Pause | None = None,
    ) -> None:
        self._values = values
        self._sealer = sealer
        self.clock = clock
        self._pause = Pause(PAUSE_SECONDS) if pause is None else pause
        self._turn = threading.Lock()
        self._is_away = False

    def of(self, place: Place, key: str, *, longest_age: int, is_usable: IsUsable = lambda _: True) -> DocumentCopies:
        """Return the copies of one document, under `key`, which are used for `longest_age` seconds from its fetch.

        Documents that aren't usable are neither written nor returned.
        """
        return DocumentCopies(self, place, key, longest_age=longest_age, is_usable=is_usable)

    def run[T](self, work: Callable[[Values, Sealer], T], *, seconds: float) -> list[T]:
        """Return the result of `work` in a list, which is empty without a result within `seconds`."""
        ends_at = time.monotonic() + seconds
        if seconds <= 0 or not self._pause.admits() or not self._turn.acquire(timeout=seconds):
            return []
        results: list[T] = []
        done = threading.Event()

        def run() -> None:
            # A name server that is silent blocks this thread, and not the fetch.
            began, failure = time.monotonic(), None
            try:
                values, sealer = self._values(), self._sealer()
                try:
                    results.append(work(values, sealer))
                finally:
                    # Lambda freezes a process between two fetches, which would break a kept connection.
                    values.close()
            except TenantgateError as error:
                failure = error
            finally:
                self._note(failure, time.monotonic() - began)
                self._turn.release()
                done.set()

        try:
            threading.Thread(target=run, name="tenantgate-provider-copies", daemon=True).start()
        except RuntimeError:
            self._turn.release()
            return []
        if not done.wait(ends_at - time.monotonic()):
            self._pause.failed()
        return results[:1]

    def _note(self, failure: TenantgateError | None, seconds: float) -> None:
        if failure is None:
            self._pause.succeeded()
        elif seconds > _QUICK_SECONDS:
            self._pause.failed()
        if failure is not None and not self._is_away:
            _log.warning(
                "copies of providers' documents can't be read or written; each process asks the provider",
                extra={"context": {"reason": failure, **failure.private}},
            )
        self._is_away = failure is not None


class DocumentCopies:
    """`tokens.copies.Copies` of one document."""

    def __init__(
        self, copies: ProviderCopies, place: Place, key: str, *, longest_age: int, is_usable: IsUsable
    ) -> None:
        self._copies = copies
        self._place = place
        self._key = key
        self._longest_age = longest_age
        self._is_usable = is_usable
        self._is_refused = False

    def read(self) -> Copy | None:
        def work(values: Values, sealer: Sealer) -> tuple[bytes | None, Sealer]:
            (entry,) = values.get_many(self._key, longest=LONGEST_ENTRY)
            return entry, sealer

        found = self._copies.run(work, seconds=READ_SECONDS)
        if not found:
            count(self._place.use, None)
            return None
        entry, sealer = found[0]
        count(self._place.use, entry is not None)
        if entry is None:
            return None
        try:
            copy = read(self._place, entry, sealer, now=self._copies.clock(), longest_age=self._longest_age)
            if not self._is_usable(copy.document):
                raise RefusedEntry("its document lacks a member")
        except RefusedEntry as problem:
            self._report(problem)
            return None
        self._is_refused = False
        return copy

    def write(self, document: Mapping[str, object], fetched_at: float, *, seconds: float) -> None:
        if not self._is_usable(document):
            return

        def work(values: Values, sealer: Sealer) -> None:
            entry = written(self._place, document, fetched_at, sealer)
            now = self._copies.clock()
            lifetime = int(fetched_at + self._longest_age - now)
            if entry is None or lifetime < 1:
                return
            times = fetched_at * 1000, (now + LARGEST_DIFFERENCE_SECONDS) * 1000
            numbers = (b"%d" % number for number in (*times, lifetime))
            values.run_script(_WRITE, self._key, entry, *numbers)

        self._copies.run(work, seconds=min(seconds, WRITE_SECONDS))

    def _report(self, problem: RefusedEntry) -> None:
        # Once: the entry stays until the next fetch replaces it.
        if not self._is_refused:
            _log.warning(
                "a copy of a provider's document was refused; it is fetched from the provider",
                extra={
                    "context": {
                        "use": Word(self._place.use),
                        "issuer": Word(self._place.issuer),
                        "problem": Word(str(problem)),
                    }
                },
            )
        self._is_refused = True
