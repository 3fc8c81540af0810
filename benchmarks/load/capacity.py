"""Find the highest rate that holds: in a short phase, everything is served, in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.load.mix import Mix
from benchmarks.load.phases import Phase, run_phase

HELD_P99 = 250.0
STEP_SECONDS = 6.0
# A short phase holds a rate that a long one doesn't: a rate is confirmed by a longer one, or lowered by this factor.
CONFIRM_SECONDS = 30.0
MARGIN = 0.9
_FIRST, _FACTOR, _HALVINGS, _CONFIRMATIONS = 80.0, 1.5, 3, 8
_PAUSE_SECONDS = 1.0


def held(phase: Phase) -> bool:
    """Return True if each request was served, and 99 of 100 within `HELD_P99` milliseconds."""
    times = phase.times("served")
    return times is not None and len(phase.of("served")) == len(phase.records) and times.p99 <= HELD_P99


async def highest_rate(mix: Mix, tell: Callable[[str], None]) -> float:
    """Return the highest confirmed rate, less `MARGIN`. Raises SystemExit without one."""

    async def holds(rate: float, seconds: float = STEP_SECONDS) -> bool:
        phase = await run_phase(mix, rate, seconds)
        await asyncio.sleep(_PAUSE_SECONDS)
        times = phase.times("served")
        tell(f"{rate:.0f} per second: p99 {times.p99 if times else 0:.0f} ms, {phase.shed_share:.0%} shed")
        return held(phase)

    return MARGIN * await confirmed(await search(holds), lambda rate: holds(rate, CONFIRM_SECONDS))


async def confirmed(rate: float, holds: Callable[[float], Awaitable[bool]]) -> float:
    """Lower the rate until it holds. Raises SystemExit if it never does."""
    for _ in range(_CONFIRMATIONS):
        if await holds(rate):
            return rate
        rate *= MARGIN
    raise SystemExit(f"{rate:.0f} requests per second don't hold for {CONFIRM_SECONDS:.0f} s: is the machine busy?")


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
