"""The share of requests that is shed while the event loop is late."""

from __future__ import annotations

import asyncio
import time

import pytest

from container.overload import Overload

pytestmark = pytest.mark.anyio


def overload() -> Overload:
    return Overload(begin_seconds=0.05, full_seconds=0.25)


def shed(measured: Overload, calls: int = 100) -> int:
    return sum(measured.sheds() for _ in range(calls))


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        pytest.param(0.0, 0, id="in time"),
        pytest.param(0.05, 0, id="at the first limit"),
        pytest.param(0.15, 50, id="in the middle"),
        pytest.param(0.25, 100, id="at the last limit"),
        pytest.param(5.0, 100, id="beyond it"),
    ],
)
def test_the_share_grows_with_the_delay(late: float, expected: int) -> None:
    measured = overload()
    for _ in range(100):
        measured.record(0.05 + late)
    assert shed(measured) == pytest.approx(expected, abs=1)


def test_the_shed_requests_are_evenly_distributed() -> None:
    measured = overload()
    for _ in range(100):
        measured.record(0.2)
    decisions = [measured.sheds() for _ in range(20)]
    assert decisions[:10] != [decisions[0]] * 10
    assert sum(decisions[:10]) == pytest.approx(sum(decisions[10:]), abs=1)


def test_the_delay_is_forgotten_within_two_seconds() -> None:
    measured = overload()
    measured.record(1.0)
    assert shed(measured) == 100
    for _ in range(40):
        measured.record(0.05)
    assert shed(measured) == 0


async def test_it_measures_the_loop_while_there_are_tasks_and_stops_afterwards() -> None:
    loop = asyncio.get_running_loop()
    measured = overload()
    task = loop.create_task(asyncio.sleep(60))
    tasks = {task}
    measured.measure(loop, tasks)
    measured.measure(loop, tasks)
    deadline = time.monotonic() + 20
    while not measured.sheds():
        assert time.monotonic() < deadline
        time.sleep(0.4)
        await asyncio.sleep(0.001)
    tasks.clear()
    task.cancel()
    while measured.is_measuring:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert not measured.sheds()
