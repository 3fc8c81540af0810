"""The snapshot that a process holds, and the rules by which it takes another one and for how long it trusts it.

A snapshot counts until `BOUND_SECONDS` after PostgreSQL was read for it. Then nothing is known any more: a credential
may have been revoked since. Neither the fetch nor any step of this machine's clock makes a snapshot younger.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenantgate.errors.base import Word
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.tokens.records import Record

if TYPE_CHECKING:
    from tenantgate.revoked.snapshot import Head, Snapshot

# The promised bound is 5 s; the clocks of publisher and reader may differ by one of them.
BOUND_SECONDS = 4.0
CLOCK_DIFFERENCE_SECONDS = 1.0
# The time for which a fetched snapshot is used without another look, and the pause after a failed fetch.
REFRESH_SECONDS = 0.5
PAUSE_SECONDS = 0.2
# After this, a held snapshot no longer shows which epochs are old. Valkey forgets a list after the same time.
FORGET_SECONDS = 60.0


class _Held(Record):
    """A snapshot, when PostgreSQL was read for it, and its age in seconds at a moment of the monotonic clock."""

    __slots__ = ()

    snapshot: Snapshot
    read_at: int
    age: float
    at: float


class Holder:
    """Holds the newest snapshot that was accepted. Knows nothing of the place from which snapshots come.

    Threads may share it: what is held is replaced as a whole, and two fetches at the same moment do no harm.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` returns epoch seconds. `monotonic` returns seconds that no step of the clock changes."""
        self._clock = clock
        self._monotonic = monotonic
        self._held: _Held | None = None
        # Seconds without a fetch, and the moment at which they began by either clock.
        self._pause = (0.0, 0.0, 0.0)
        self._problem = "nothing was fetched yet"

    @property
    def snapshot(self) -> Snapshot | None:
        """The held snapshot, None without one. Only `current` tells whether it counts."""
        held = self._held
        return None if held is None else held.snapshot

    def is_due(self) -> bool:
        """Tell whether a fetch should come before the next judgement."""
        seconds, at, monotonic_at = self._pause
        # By both clocks: one may have been stepped, and the other stood still while the machine was frozen.
        return not 0 <= self._clock() - at < seconds or self._monotonic() - monotonic_at >= seconds

    def accept_head(self, head: Head | None) -> bool:
        """Take a head that confirms the held snapshot. Return False if it doesn't: then fetch the rest, too."""
        held = self._held
        if head is None or held is None or not _fits(head, held.snapshot) or self._objection(head, held):
            return False
        self._take(head, held.snapshot)
        return True

    def accept(self, head: Head | None, snapshot: Snapshot | None) -> bool:
        """Take a snapshot with its head. Return False if it is missing, stale or older than the held one.

        Then call `failed`, or fetch from another place.
        """
        if head is None or snapshot is None:
            self._problem = "the snapshot is missing or malformed"
        elif not _fits(head, snapshot):
            self._problem = "head and snapshot don't fit"
        elif objection := self._objection(head, self._held):
            self._problem = objection
        else:
            self._take(head, snapshot)
            return True
        return False

    def failed(self, problem: str = "") -> None:
        """Note that a fetch failed: until the bound, the held snapshot counts. `problem`: for the log, no secrets."""
        self._problem = problem or self._problem
        self._wait(PAUSE_SECONDS)

    def current(self) -> Snapshot:
        """Return the held snapshot. Raises `RevocationUnknown` beyond the bound, and without one."""
        held = self._held
        if held is None:
            raise RevocationUnknown("no list of revocations is known", problem=Word(self._problem))
        age = self._age_of(held)
        if age >= BOUND_SECONDS:
            raise RevocationUnknown(
                "the list of revocations is too old",
                expected=f"less than {BOUND_SECONDS:g} s",
                actual=f"{age:.1f} s",
                problem=Word(self._problem),
            )
        return held.snapshot

    def _objection(self, head: Head, held: _Held | None) -> str:
        """Return the reason not to use the snapshot of this head, otherwise an empty text."""
        # A database that was restored from a backup begins again with an older epoch. In the meantime nothing counts.
        if held is not None and head.epoch < held.snapshot.epoch and self._age_of(held) < FORGET_SECONDS:
            return "an older epoch than before"
        age = self._age(head.read_at)
        if age < -CLOCK_DIFFERENCE_SECONDS:
            return "read in the future"
        return "read too long ago" if age >= BOUND_SECONDS else ""

    def _take(self, head: Head, snapshot: Snapshot) -> None:
        taken = _Held(snapshot, head.read_at, self._age(head.read_at), self._monotonic())
        held = self._held
        if held is not None and held.snapshot.epoch == snapshot.epoch and head.read_at <= held.read_at:
            # The same state of PostgreSQL, read earlier: the later reading counts.
            taken = _Held(snapshot, held.read_at, held.age, held.at)
        self._held = taken
        self._problem = "no newer one was fetched"
        # No longer than it counts: the next judgement may find a newer one.
        self._wait(min(REFRESH_SECONDS, BOUND_SECONDS - self._age_of(taken)))

    def _wait(self, seconds: float) -> None:
        self._pause = seconds, self._clock(), self._monotonic()

    def _age_of(self, held: _Held) -> float:
        """Return the age in seconds by the clock that shows more."""
        return max(self._age(held.read_at), held.age + self._monotonic() - held.at)

    def _age(self, read_at: int) -> float:
        return self._clock() - read_at / 1000


def _fits(head: Head, snapshot: Snapshot) -> bool:
    return head.epoch == snapshot.epoch and head.closed == snapshot.closed
