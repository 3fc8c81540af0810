"""The load generator of the refresh benchmark: its pace and its counts."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.refreshes import Figure, at_once, paced, table
from benchmarks.sessions import Figure as SessionFigure
from benchmarks.sessions import percentile
from benchmarks.sessions import table as session_table
from tenantgate_cli.stack.seeding import Size

pytestmark = pytest.mark.anyio


async def test_a_request_that_waits_for_its_turn_is_measured_from_the_time_it_was_due() -> None:
    turn = asyncio.Lock()

    async def slow(_: str) -> str:
        async with turn:
            await asyncio.sleep(0.02)
        return "200"

    figure = await paced(slow, [""] * 10, rate=1000)
    assert figure.outcomes == {"200": 10}
    assert figure.p99 >= 150


async def test_every_secret_is_used_once() -> None:
    used: list[str] = []

    async def act(secret: str) -> str:
        used.append(secret)
        return "200" if len(used) > 1 else "503"

    figure = await at_once(act, [f"{number}" for number in range(100)])
    assert sorted(used, key=int) == [f"{number}" for number in range(100)]
    assert figure.outcomes == {"503": 1, "200": 99}


def test_the_tables_have_a_row_for_each_phase_and_call() -> None:
    phase = Figure("paced, 300 per second", 299.8, 9.0, 48.5, {"200": 6000}, {"container": 5.0})
    assert "| paced, 300 per second | 300 | 9 | 48 | 6,000 × 200 | 5.00 |" in table([phase])
    call = SessionFigure("read", 1.0, 1.1, 2.0, 2.5)
    assert "| read | 1.0 | 1.1 | 2.0 | 2.5 | 1.25 | ≤ 1.5 |" in session_table([call], Size(1, 1, 1000))


def test_percentile_of_few_times_is_one_of_them() -> None:
    assert (percentile([3.0, 1.0, 2.0], 0.5), percentile([3.0, 1.0, 2.0], 0.99)) == (2.0, 3.0)
