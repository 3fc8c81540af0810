"""Find the highest rate that holds: in a short phase, everything is served, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.load.mix import Mix
from benchmarks.load.phases import Phase, run_phase

HELD_P99 = 250.0
STEP_SECONDS = 6.0
# A short phase holds a rate that a long one doesn't.
MARGIN = 0.9
_FIRST, _FACTOR, _HALVINGS = 80.0, 1.5, 3
_PAUSE_SECONDS = 1.0


def held(phase: Phase) -> bool:
    """Return True if each request was served, and 99 of 100 within `HELD_P99` milliseconds."""
    times = phase.times("served")
    return times is not None and len(phase.of("served")) == len(phase.records) and times.p99 <= HELD_P99


async def highest_rate(mix: Mix, tell: Callable[[str], None]) -> float:
    """Return the highest rate that held, less `MARGIN`. Raises SystemExit if the first one doesn't hold."""

    async def holds(rate: float) -> bool:
        phase = await run_phase(mix, rate, STEP_SECONDS)
        await asyncio.sleep(_PAUSE_SECONDS)
        times = phase.times("served")
        tell(f"{rate:.0f} per second: p99 {times.p99 if times else 0:.0f} ms, {phase.shed_share:.0%} shed")
        return held(phase)

    return MARGIN * await search(holds)


async def search(holds: Callable[[float], Awaitable[bool]]) -> float:
    """Raise the rate until it doesn't hold twice, and halve the last step."""
    low, high = 0.0, _FIRST
    # The second attempt is for a moment in which the machine did something else.
    while await holds(high) or await holds(high):
        low, high = high, high * _FACTOR
    if not low:
        raise SystemExit(f"not even {_FIRST:.0f} requests per second hold: is the machine busy?")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if await holds(middle) or await holds(middle):
            low = middle
        else:
            high = middle
    return low
