"""One call for all callers that need its result at the same time.

It replaces a lock, whose waiters continue one after the other, each in a later iteration of the event loop. Under load
an iteration takes a tenth of a second, and the last of many waiters would wait for seconds.

The call runs in the context of its first caller: its log lines have that request's id. Context variables that it sets
are set for no caller.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class SharedCalls[Key, Result]:
    """The running calls of one event loop."""

    def __init__(self) -> None:
        self._running: dict[Key, asyncio.Task[Result]] = {}

    async def share(self, key: Key, begin: Callable[[], Awaitable[Result]]) -> Result:
        """Return the result, or raise the error, of the running call for this key, or of a new one.

        A caller that goes away doesn't cancel the call: others may wait for it, and it may have changed something.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(_run(begin))
            task.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(task)

    def _ended(self, key: Key, done: asyncio.Task[Result]) -> None:
        del self._running[key]
        if not done.cancelled():
            # Without this, asyncio reports an error whose callers have all gone away.
            done.exception()


async def _run[Result](begin: Callable[[], Awaitable[Result]]) -> Result:
    return await begin()
