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

# Seconds of a period, and the most events of a period: of one log, of the deployment's own, which needs no credential,
# and of all logs. A tenant's log needs a token or session that was verified.
PERIOD = 10.0
OF_A_TENANT = 20
OF_THE_DEPLOYMENT = 10
OF_ALL = 200
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
        self._of_log: dict[str, int] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def admits(self, log: str, event: str) -> bool:
        """Count an event; return False if it is left out."""
        with self._lock:
            self._begin_period()
            of_log = self._of_log.get(log, 0)
            if self._all < OF_ALL and of_log < (OF_THE_DEPLOYMENT if log == DEPLOYMENT else OF_A_TENANT):
                self._all += 1
                self._of_log[log] = of_log + 1
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
            self._began, self._all, self._of_log = now, 0, {}
