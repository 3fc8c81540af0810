"""Publishing again and again, and removing what has expired."""

from __future__ import annotations

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revocation.tasks import Republisher, prune

pytestmark = pytest.mark.anyio


class World:
    """A clock, and publications that take `lasting` seconds; every `failing`-th fails."""

    def __init__(
        self, *, lasting: float = 0.0, failing: int = 0, failure: type[TenantgateError] = DatabaseUnreachable
    ) -> None:
        self.now, self.lasting, self.failing, self.failure = 0.0, lasting, failing, failure
        self.began: list[float] = []

    async def publish(self) -> int:
        self.began.append(self.now)
        self.now += self.lasting
        if self.failing and len(self.began) % self.failing == 0:
            raise self.failure("down")
        return 1

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def run(self, seconds: float) -> tuple[int, int]:
        return await Republisher(self, monotonic=lambda: self.now, sleep=self.sleep).run(seconds)


async def test_a_publication_begins_every_second_until_the_time_is_over() -> None:
    world = World(lasting=0.3)
    assert await world.run(5) == (5, 0)
    assert world.began == [0, 1, 2, 3, 4]


async def test_a_slow_publication_is_followed_at_once() -> None:
    world = World(lasting=2.5)
    await world.run(6)
    assert world.began == [0, 2.5, 5.0]


async def test_a_failure_doesnt_end_it(caplog: pytest.LogCaptureFixture) -> None:
    world = World(failing=2)
    assert await world.run(6) == (3, 3)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3


async def test_while_valkey_is_away_the_next_attempt_comes_soon(caplog: pytest.LogCaptureFixture) -> None:
    world = World(failing=1, failure=CacheUnavailable)
    await world.run(2)
    assert world.began == [number / 4 for number in range(8)]
    assert len(caplog.records) == 2, "one line a second"


async def test_at_least_one_publication_takes_place() -> None:
    assert await World().run(0) == (1, 0)


async def test_pruning_ends_when_nothing_is_left() -> None:
    class Store:
        def __init__(self) -> None:
            self.pages = [1_000, 1_000, 3, 0]

        async def prune(self, *, now: float, limit: int) -> int:
            assert (now, limit) == (5.0, 1_000)
            return self.pages.pop(0)

    assert await prune(Store(), now=5.0) == 2_003
