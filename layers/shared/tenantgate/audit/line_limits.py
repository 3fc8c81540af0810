"""Limits for the events of refused requests, so that a flood of them doesn't become a flood of the database.

Each process counts for itself. The events that are left out are counted by log and type, and each count becomes an
event. Standard library only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from tenantgate.tokens.records import Record
from tenantgate.tokens.tenant import DEPLOYMENT

# Seconds of a period, and the most events of a period: of one tenant's log, which needs a token or session that was
# verified; of a type in the deployment's own log, which needs no credential; of failed sign-ins; and of all.
PERIOD = 10.0
OF_A_TENANT = 20
OF_THE_DEPLOYMENT = 10
OF_SIGN_INS = 100
OF_ALL = 300
_SIGN_IN = "AUTH_LOGIN_FAILED"
# Different counts of a period. Further events that are left out count for the deployment.
_MOST_COUNTS = 100


class LeftOut(Record):
    """The number of events of one type that were left out of one log."""

    __slots__ = ()

    log: str
    event: str
    number: int


class LineLimits:
    """The limits of one process. Safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._all = 0
        self._counted: dict[tuple[str, str], int] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def admits(self, log: str, event: str) -> bool:
        """Count an event; return False if it is left out."""
        # A flood of one type must not keep those of the other types out of the deployment's log.
        place, most = (log, ""), OF_A_TENANT
        if log == DEPLOYMENT:
            place, most = (log, event), OF_SIGN_INS if event == _SIGN_IN else OF_THE_DEPLOYMENT
        with self._lock:
            self._begin_period()
            counted = self._counted.get(place, 0)
            if self._all < OF_ALL and counted < most:
                self._all += 1
                self._counted[place] = counted + 1
                return True
            count = (log, event)
            if count not in self._left_out and len(self._left_out) >= _MOST_COUNTS:
                count = (DEPLOYMENT, event)
            self._left_out[count] = self._left_out.get(count, 0) + 1
            return False

    def due(self) -> Sequence[LeftOut]:
        """Return the counts of a period that has ended, each once."""
        if not self._left_out or self._clock() - self._began < PERIOD:
            return ()
        with self._lock:
            counts, self._left_out = self._left_out, {}
            self._begin_period()
        return [LeftOut(log, event, count) for (log, event), count in counts.items()]

    def _begin_period(self) -> None:
        now = self._clock()
        if now - self._began >= PERIOD:
            self._began, self._all, self._counted = now, 0, {}
