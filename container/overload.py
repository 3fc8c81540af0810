"""Decide which requests to shed while the event loop can't keep up.

A number of requests in progress says nothing about the time that they take: a machine with little processor time needs
seconds for 200 of them, while 200 that wait for a slow provider disturb no other request. So the loop's delay decides:
all that runs on it waits for its turn that much longer, several times for each request.
"""

from __future__ import annotations

import asyncio
import math
import time

_BEAT_SECONDS = 0.05
# A single stall, as of a garbage collection, must not shed requests for long; a queue must not grow for long.
_AVERAGED_SECONDS = 0.5


class Overload:
    """The delay of one event loop, which is measured while requests are in progress, and the share to shed.

    `begin_seconds`: the delay from which requests are shed; at `full_seconds`, all of them are.
    """

    def __init__(self, *, begin_seconds: float, full_seconds: float) -> None:
        self._begin = begin_seconds
        self._full = full_seconds
        self._delay = 0.0
        self._beaten = 0.0
        self._measures = False
        self._owed = 0.0

    @property
    def is_measuring(self) -> bool:
        return self._measures

    def measure(self, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """Measure the delay of the loop as long as there are tasks."""
        if not self._measures:
            self._measures, self._beaten = True, time.monotonic()
            loop.call_later(_BEAT_SECONDS, self._beat, loop, tasks)

    def sheds(self) -> bool:
        """Return True for the share of the calls that the delay requires, evenly distributed."""
        share = (self._delay - self._begin) / (self._full - self._begin)
        if share <= 0:
            self._owed = 0.0
            return False
        self._owed += min(1.0, share)
        if self._owed < 1:
            return False
        self._owed -= 1
        return True

    def record(self, gap: float) -> None:
        """Add a measurement: the seconds between two beats."""
        late = max(0.0, gap - _BEAT_SECONDS)
        self._delay += (late - self._delay) * (1 - math.exp(-gap / _AVERAGED_SECONDS))

    def _beat(self, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        now = time.monotonic()
        self.record(now - self._beaten)
        if tasks or self._delay > _BEAT_SECONDS:
            self._beaten = now
            loop.call_later(_BEAT_SECONDS, self._beat, loop, tasks)
        else:
            self._measures, self._delay = False, 0.0
