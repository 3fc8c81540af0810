"""One refresh per process for all callers with the same secret, so that a burst occupies one database connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Flights[Key, Result]:
    """The running refreshes of one event loop."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[Result]] = {}

    async def share(self, key: Key, begin: Callable[[], Awaitable[Result]]) -> Result:
        """Return the result, or raise the error, of the running call for this key, or of a new one.

        A caller that goes away doesn't cancel the call: the provider may have redeemed the token already.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(_run(begin))
            task.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(task)

    def _landed(self, key: Key, task: asyncio.Task[Result]) -> None:
        del self._running[key]
        if not task.cancelled():
            # Without this, asyncio reports an error whose callers have all gone away.
            task.exception()


async def _run[Result](begin: Callable[[], Awaitable[Result]]) -> Result:
    return await begin()
