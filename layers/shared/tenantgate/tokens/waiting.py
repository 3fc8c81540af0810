"""Waiting for fetches on an event loop: awaited rather than parked in a thread, and bounded in number and time.

Not for the authorizer, which has no event loop and waits where it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

from tenantgate.errors.tokens import Overloaded
from tenantgate.tokens.flights import FetchNeeded, Flight

# For each flight. Anyone can send tokens that name a trusted issuer: what waits for a silent one must stay few.
MOST_WAITING = 64


async def awaited[Result](attempt: Callable[[], Result]) -> Result:
    """The result of `attempt`, which raises `FetchNeeded` where only a fetch can tell: then await that, and try again.

    Raises `Overloaded` when `MOST_WAITING` callers wait for the same fetch, and what `attempt` raises.
    """
    try:
        return attempt()
    except FetchNeeded as needed:
        if (joined := needed.join()) is not None:
            await landing(*joined)
    try:
        return attempt()
    except FetchNeeded as needed:
        # One wait for each request: what came of it decides.
        raise needed.failure from None


async def landing(flight: Flight, longest: float) -> None:
    """Wait until the flight has landed, for at most `longest` seconds and never past its deadline.

    Raises `Overloaded` when `MOST_WAITING` callers wait for it already.
    """
    loop = asyncio.get_running_loop()
    landed = asyncio.Event()

    def notify() -> None:
        # No caller waits on a loop that was closed meanwhile.
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
