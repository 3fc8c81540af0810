"""Calls that are shared by all callers at the same time."""

from __future__ import annotations

import asyncio

import pytest

from tenantgate.shared_calls import SharedCalls

pytestmark = pytest.mark.anyio


class Work:
    """A call that ends when the test lets it."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return self.begun


@pytest.fixture
def work() -> Work:
    return Work()


async def test_all_callers_get_the_result_in_the_same_iteration_of_the_loop(work: Work) -> None:
    shared, iterations, ended_in = SharedCalls[str, int](), 0, []

    async def caller() -> int:
        result = await shared.share("a", work)
        ended_in.append(iterations)
        return result

    callers = [asyncio.create_task(caller()) for _ in range(1000)]
    await asyncio.sleep(0.01)
    work.may_end.set()
    while not all(one.done() for one in callers):
        iterations += 1
        await asyncio.sleep(0)

    assert [one.result() for one in callers] == [1] * 1000
    assert len(set(ended_in)) == 1
    assert max(ended_in) < 6


async def test_other_keys_and_later_calls_begin_their_own(work: Work) -> None:
    shared = SharedCalls[str, int]()
    work.may_end.set()
    assert await shared.share("a", work) == 1
    assert await shared.share("a", work) == 2
    await asyncio.gather(shared.share("a", work), shared.share("b", work))
    assert work.begun == 4


async def test_a_caller_that_goes_away_does_not_cancel_it_for_others(work: Work) -> None:
    shared = SharedCalls[str, int]()
    first, second = (asyncio.create_task(shared.share("a", work)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    assert first.cancelled()
    work.may_end.set()
    assert await second == 1


async def test_a_failure_reaches_every_caller_and_is_forgotten(work: Work) -> None:
    shared = SharedCalls[str, int]()
    work.failure = OSError("down")
    callers = [asyncio.create_task(shared.share("a", work)) for _ in range(3)]
    await asyncio.sleep(0)
    work.may_end.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 3
    work.failure = None
    assert await shared.share("a", work) == 2
