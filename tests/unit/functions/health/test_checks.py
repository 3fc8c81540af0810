"""The checks run concurrently with one deadline. See tests/functional for real dependencies."""

import asyncio
import time

import pytest

from functions.health.checks import Check, Readiness, Status

pytestmark = pytest.mark.anyio


async def fine() -> Status:
    return "ok"


async def broken() -> Status:
    raise ConnectionError("refused")


async def hanging() -> Status:
    # Not even a cancellation stops it.
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if stopping.is_set():
                raise


stopping = asyncio.Event()


async def test_each_check_has_its_status() -> None:
    assert await Readiness({"a": Check(fine), "b": Check(broken)}).run() == {"a": "ok", "b": "failed"}


@pytest.mark.timed
async def test_checks_run_concurrently_and_those_that_hang_are_overdue() -> None:
    stopping.clear()
    readiness = Readiness(
        {"a": Check(hanging), "b": Check(fine), "c": Check(hanging, lambda: "warning")}, deadline=0.05
    )
    started = time.monotonic()
    assert await readiness.run() == {"a": "failed", "b": "ok", "c": "warning"}
    assert time.monotonic() - started < 0.5
    stopping.set()


async def test_a_check_that_hangs_is_not_started_again_until_it_ends() -> None:
    started = 0
    over = asyncio.Event()

    async def slow() -> Status:
        nonlocal started
        started += 1
        await over.wait()
        return "ok"

    readiness = Readiness({"slow": Check(slow)}, deadline=0.01)
    for _ in range(3):
        assert await readiness.run() == {"slow": "failed"}
    assert started == 1
    over.set()
    assert await readiness.run() == {"slow": "ok"}
    assert await readiness.run() == {"slow": "ok"}
    assert started == 2
