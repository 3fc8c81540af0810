"""Waiting for fetches on an event loop: without a thread, and limited in number and time.

Not for the authorizer, which has no event loop and blocks.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

from tenantgate.errors.tokens import Overloaded
from tenantgate.tokens.flights import MOST_FETCHES, FetchNeeded, Flight

# For each flight. Anyone can send tokens that name a trusted issuer, so only a few requests may wait for a silent one.
MOST_WAITING = 64


async def awaited[Result](attempt: Callable[[], Result]) -> Result:
    """Return the result of `attempt`. If it raises `FetchNeeded`, await the fetch and call it once more.

    A request waits once; and once more if the first fetch had begun before it came (`FetchNeeded.asked_at`), or was for
    another process's copy (`FetchNeeded.follows_copy`).

    Raises `Overloaded` if `MOST_WAITING` callers wait for the same fetch, and every error of `attempt`.
    """
    is_own = False
    for waits in range(MOST_FETCHES + 1):
        try:
            return attempt()
        except FetchNeeded as needed:
            if waits == MOST_FETCHES or (is_own and not needed.follows_copy):
                raise needed.failure from None
            joined, asked_at = needed.join(), needed.asked_at
        if joined is not None:
            await landing(*joined)
            is_own = joined[0].begun_at >= asked_at
    raise AssertionError("the last attempt returns or raises")


async def landing(flight: Flight, longest: float) -> None:
    """Wait until the flight has landed, for at most `longest` seconds and never past its deadline.

    Raises `Overloaded` if `MOST_WAITING` callers wait for it already.
    """
    loop = asyncio.get_running_loop()
    landed = asyncio.Event()

    def notify() -> None:
        # The loop may be closed by now; no caller waits on it then.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(landed.set)

    if not flight.notify(notify, most=MOST_WAITING):
        raise Overloaded("too many requests wait for this issuer", retry_after=max(1, math.ceil(flight.left())))
    try:
        async with asyncio.timeout(min(longest, flight.left())):
            await landed.wait()
    except TimeoutError:
        return
    finally:
        flight.forget(notify)
