"""A time limit that is extended if this process itself notices its end late.

While a machine gives a process no processor time, the limits of all its commands continue, although the replies have
come. `asyncio.timeout` would then fail them all at once: a healthy Valkey would count as lost, and the database would
get its load. So a limit that is noticed late is extended by as much, and the loop reads first.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

# Below this, a late timer counts as on time.
_TOLERATED_SECONDS = 0.02


class within:  # noqa: N801  (used like `asyncio.timeout`)
    """Raise `TimeoutError` if the block takes longer than `seconds`: `async with within(0.5):`.

    Only the delay with which the end is noticed counts, not an earlier one. All extensions together are at most
    `seconds`, and the delays themselves come on top of both.
    """

    __slots__ = ("_due", "_left", "_limit", "_loop", "_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = self._left = seconds

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._arm(self._seconds)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def _arm(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds
        self._timer = self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        late = min(self._loop.time() - self._due, self._left)
        if late > _TOLERATED_SECONDS:
            self._left -= late
            self._arm(late)
        else:
            self._limit.reschedule(self._loop.time())
