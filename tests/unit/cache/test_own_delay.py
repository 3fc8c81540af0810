"""A time limit, on a loop that keeps its time and on one that doesn't."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import uvloop

from tenantgate.cache.own_delay import within

LOOPS = [pytest.param(asyncio.new_event_loop, id="asyncio"), pytest.param(uvloop.new_event_loop, id="uvloop")]


def stall(seconds: float) -> None:
    """Take the loop's time, as a machine without processor time does."""
    time.sleep(seconds)


async def _elapsed(limit: float, *, stalls: float = 0.0, forever: bool = False) -> float:
    """Return the seconds until the limit ends the block. `forever`: the loop stalls again and again."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()

    async def busy() -> None:
        while forever:
            stall(stalls)
            await asyncio.sleep(0)

    task = asyncio.create_task(busy())
    if stalls and not forever:
        loop.call_soon(stall, stalls)
    try:
        with pytest.raises(TimeoutError):
            async with within(limit):
                await asyncio.Event().wait()
    finally:
        task.cancel()
    return time.monotonic() - began


@pytest.mark.parametrize("new_loop", LOOPS)
def test_the_limit_ends_a_block_that_waits(new_loop: object) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        assert 0.09 <= runner.run(_elapsed(0.1)) < 10


@pytest.mark.parametrize("new_loop", LOOPS)
def test_the_loops_own_delay_is_added_once(new_loop: object) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        # Due after 0.2 s, noticed after 0.3 s.
        assert 0.35 <= runner.run(_elapsed(0.2, stalls=0.3)) < 10


@pytest.mark.parametrize("new_loop", LOOPS)
def test_the_extensions_of_a_loop_that_is_always_late_end(new_loop: object) -> None:
    with asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        assert 0.45 <= runner.run(_elapsed(0.3, stalls=0.1, forever=True)) < 10


@pytest.mark.parametrize("new_loop", LOOPS)
@pytest.mark.parametrize("limit", ["asyncio.timeout", "within"])
def test_a_response_that_came_during_a_stall_is_read(new_loop: object, limit: str) -> None:
    async def ask(here: socket.socket, there: socket.socket) -> bytes:
        def respond() -> None:
            there.send(b"here")
            # Now the process gets no time for longer than the limit.
            stall(0.3)

        loop = asyncio.get_running_loop()
        loop.call_later(0.05, respond)
        async with asyncio.timeout(0.2) if limit == "asyncio.timeout" else within(0.2):
            return await loop.sock_recv(here, 10)

    here, there = socket.socketpair()
    here.setblocking(False)
    with here, there, asyncio.Runner(loop_factory=new_loop) as runner:  # type: ignore[arg-type]
        if limit == "within":
            assert runner.run(ask(here, there)) == b"here"
        else:
            # The fault that it repairs.
            with pytest.raises(TimeoutError):
                runner.run(ask(here, there))


@pytest.mark.anyio
async def test_an_error_and_a_cancellation_pass() -> None:
    with pytest.raises(OSError, match="down"):
        async with within(5):
            raise OSError("down")

    async def waits() -> None:
        async with within(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
