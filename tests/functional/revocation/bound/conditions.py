"""The six conditions of Valkey, each as something that happens to it while credentials are revoked."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.faults.fault import Fault
from tests.functional.revocation.bound.stack import BoundStack, Valkey

# Two messages of a round trip: below the authorizer's limit of 0.3 s for a command.
SLOW = Fault(latency=0.08, jitter=0.04)


@dataclass
class Outages:
    """The times, in seconds of the monotonic clock, at which Valkey went and came back."""

    periods: list[tuple[float, float]] = field(default_factory=list)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the block as a period without Valkey."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.periods.append((began, time.monotonic()))


type Disturb = Callable[[BoundStack, float, Outages], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Condition:
    """`text`: for the table. `disturb`: runs for these seconds, while credentials are revoked."""

    text: str
    disturb: Disturb


async def _up(stack: BoundStack, seconds: float, outages: Outages) -> None:
    await asyncio.sleep(seconds)


async def _slow(stack: BoundStack, seconds: float, outages: Outages) -> None:
    await asyncio.to_thread(stack.valkey.link.apply, SLOW)
    try:
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(stack.valkey.link.heal)


async def _frozen(stack: BoundStack, seconds: float, outages: Outages) -> None:
    pid = stack.valkey.server.pid
    assert pid is not None
    await asyncio.sleep(seconds / 8)
    os.kill(pid, signal.SIGSTOP)
    try:
        with outages.noted():
            await asyncio.sleep(seconds * 7 / 8)
    finally:
        os.kill(pid, signal.SIGCONT)


async def _flushed(stack: BoundStack, seconds: float, outages: Outages) -> None:
    await _repeated(stack, seconds, Valkey.flush)


async def _restored(stack: BoundStack, seconds: float, outages: Outages) -> None:
    await asyncio.to_thread(stack.valkey.dump)
    await _repeated(stack, seconds, Valkey.restore)


async def _gone(stack: BoundStack, seconds: float, outages: Outages) -> None:
    valkey = stack.valkey
    await asyncio.sleep(seconds / 8)
    with outages.noted():
        await asyncio.to_thread(valkey.server.stop)
        with valkey.link.gone():
            await asyncio.sleep(seconds * 7 / 8)
            await asyncio.to_thread(valkey.server.start)


async def _repeated(stack: BoundStack, seconds: float, act: Callable[[Valkey], None]) -> None:
    """Act at random moments, about 2 s apart. An authorizer starts at the first one: it knows no list."""
    ends = time.monotonic() + seconds
    await asyncio.sleep(seconds / 4)
    await asyncio.to_thread(act, stack.valkey)
    random.choice(stack.authorizers).restart()
    while (pause := random.uniform(1.0, 3.0)) < ends - time.monotonic():
        await asyncio.sleep(pause)
        await asyncio.to_thread(act, stack.valkey)
    await asyncio.sleep(max(0.0, ends - time.monotonic()))


# Of acknowledged revocations an older dump knows nothing: an authorizer that starts then may let them in again, but not
# for longer than the bound.
FORGETS = "old dump"
CONDITIONS: Mapping[str, Condition] = {
    "up": Condition("nothing happens to it", _up),
    "slow": Condition("each message 80 ms late, ± 40 ms, in both directions", _slow),
    "frozen": Condition("stopped (SIGSTOP) for seven eighths of the time, then continued", _frozen),
    "flushed": Condition("emptied about every 2 s; then one authorizer starts again", _flushed),
    FORGETS: Condition("started about every 2 s from an older dump; then one authorizer starts again", _restored),
    "gone": Condition("stopped for seven eighths of the time, connections refused; then started, empty", _gone),
}
