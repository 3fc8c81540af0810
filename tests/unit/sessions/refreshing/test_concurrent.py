"""Refreshes of one session at the same time, in one process and in several."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import override
from uuid import UUID

import pytest

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.sessions.models import StoredSession
from tenantgate.sessions.refreshing.models import Rotation
from tests.fixtures.databases.refresh_stores import MemoryRefreshStore
from tests.fixtures.login.refreshes import QUICK, Refreshes

pytestmark = pytest.mark.anyio


async def pause() -> None:
    await asyncio.sleep(0.05)


@pytest.fixture
def refreshes() -> Refreshes:
    return Refreshes()


@pytest.mark.parametrize("processes", [1, 4])
async def test_all_callers_get_the_result_of_one_redemption(processes: int, refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.before = pause
    services = [refreshes.service() for _ in range(processes)]
    calls = [services[number % processes].refresh(started.secret) for number in range(200)]
    outcomes = await asyncio.gather(*calls)
    assert refreshes.provider.redeemed == ["refresh-0"]
    assert {(outcome.require().access_token, outcome.require().secret) for outcome in outcomes} == {
        ("access-1", outcomes[0].require().secret)
    }


async def test_a_caller_that_goes_away_does_not_lose_the_result(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.after = pause
    service = refreshes.service()
    leaving = asyncio.create_task(service.refresh(started.secret))
    await asyncio.sleep(0.01)
    leaving.cancel()
    outcome = await service.refresh(started.secret)
    assert outcome.require().access_token == "access-1"
    assert refreshes.provider.redeemed == ["refresh-0"]


async def test_a_failure_of_the_holder_is_reported_to_all_after_one_attempt(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    attempts = 0

    async def fail() -> None:
        nonlocal attempts
        attempts += 1
        await pause()
        raise ProviderUnreachable("down")

    refreshes.provider.before = fail
    outcomes = await asyncio.gather(*(refreshes.service().refresh(started.secret) for _ in range(8)))
    assert attempts == 1
    failures = [outcome.result for outcome in outcomes if isinstance(outcome.result, ProviderUnreachable)]
    assert sorted(failure.retry_after or 0 for failure in failures) == [0] + [1] * 7
    assert refreshes.row.lease_holder is None


async def test_all_callers_learn_that_the_session_ended(refreshes: Refreshes) -> None:
    started = await refreshes.start()
    refreshes.provider.current, refreshes.provider.before = "revoked", pause
    results = await asyncio.gather(
        *(refreshes.service().refresh(started.secret) for _ in range(8)), return_exceptions=True
    )
    assert [type(result) for result in results] == [SessionEnded] * 8
    assert refreshes.provider.redeemed == ["refresh-0"]


async def test_a_slow_provider_keeps_its_caller_the_lease(refreshes: Refreshes) -> None:
    started = await refreshes.start()

    async def slow() -> None:
        await asyncio.sleep(3 * QUICK.lease)

    refreshes.provider.before = slow
    outcomes = await asyncio.gather(*(refreshes.service().refresh(started.secret) for _ in range(8)))
    assert refreshes.provider.redeemed == ["refresh-0"]
    assert len({outcome.require().secret for outcome in outcomes}) == 1


async def test_a_caller_that_waits_too_long_learns_when_to_try_again(refreshes: Refreshes) -> None:
    started = await refreshes.start()

    async def slow() -> None:
        await asyncio.sleep(0.4)

    refreshes.provider.before = slow
    holder = asyncio.create_task(refreshes.service().refresh(started.secret))
    await asyncio.sleep(0.02)
    refreshes.limits = replace(QUICK, wait=0.1)
    waiting = await refreshes.service().refresh(started.secret)
    assert isinstance(waiting.result, ProviderTimeout)
    assert (waiting.result.http_status, waiting.result.retry_after) == (504, 5)
    assert (await holder).require().access_token == "access-1"


class LossyStore(MemoryRefreshStore):
    """Loses the connection at the writes of new tokens whose numbers are given, after the commit if `commits`."""

    failing: Collection[int] = ()
    commits = False
    rotations = 0
    releases = 0

    @override
    async def release(
        self, session: StoredSession, holder: UUID, *, used_at: float, sealed_tokens: str | None = None
    ) -> None:
        self.releases += 1
        if self.releases in self.failing:
            raise DatabaseUnreachable("lost")
        await super().release(session, holder, used_at=used_at, sealed_tokens=sealed_tokens)

    @override
    async def rotate(self, session: StoredSession, holder: UUID, *, to: StoredSession) -> Rotation:
        self.rotations += 1
        if self.rotations not in self.failing:
            return await super().rotate(session, holder, to=to)
        if self.commits:
            await super().rotate(session, holder, to=to)
        raise DatabaseUnreachable("lost")


@pytest.mark.parametrize("commits", [True, False])
async def test_a_lost_commit_is_repeated(commits: bool) -> None:
    refreshes = Refreshes()
    store = LossyStore(refreshes.sessions)
    store.failing, store.commits = (1, 2), commits
    refreshes.store = store
    started = await refreshes.start()
    result = (await refreshes.service().refresh(started.secret)).require()
    assert (await refreshes.session_service.find_live(result.secret)).tokens.refresh_token == "refresh-1"


def lossy(failing: Collection[int], *, store: float) -> tuple[Refreshes, LossyStore]:
    """Return services on a database that is away for these writes. `store`: the seconds for which they are repeated."""
    refreshes = Refreshes(limits=replace(QUICK, store=store))
    lossy_store = LossyStore(refreshes.sessions)
    lossy_store.failing, refreshes.store = failing, lossy_store
    return refreshes, lossy_store


async def test_new_tokens_are_kept_if_the_database_is_back_in_time() -> None:
    """A restart of PostgreSQL takes seconds, and the provider has replaced the refresh token."""
    refreshes, store = lossy(range(1, 15), store=1.5)
    started = await refreshes.start()
    result = (await refreshes.service().refresh(started.secret)).require()
    assert store.rotations == 15
    assert (await refreshes.session_service.find_live(result.secret)).tokens.refresh_token == "refresh-1"


async def test_new_tokens_that_were_not_verified_are_kept_as_well() -> None:
    refreshes, store = lossy(range(1, 15), store=1.5)
    refreshes.provider.verification_error = ProviderUnreachable("no keys")
    started = await refreshes.start()
    outcome = await refreshes.service().refresh(started.secret)
    assert outcome.result is refreshes.provider.verification_error
    assert store.releases == 15
    assert (await refreshes.session_service.find_live(started.secret)).tokens.refresh_token == "refresh-1"


async def test_a_database_that_stays_away_is_reported_in_time() -> None:
    refreshes, _ = lossy(range(1, 1000), store=0.1)
    started = await refreshes.start()
    with pytest.raises(DatabaseUnreachable):
        await asyncio.wait_for(refreshes.service().refresh(started.secret), 1)
    # There are no new tokens to keep.
    refreshes.limits = replace(QUICK, store=60)
    refreshes.provider.error = ProviderUnreachable("down")
    other = await refreshes.start()
    with pytest.raises(DatabaseUnreachable):
        await asyncio.wait_for(refreshes.service().refresh(other.secret), 1)


async def test_a_lease_that_was_lost_makes_its_holder_wait_for_the_other(refreshes: Refreshes) -> None:
    """A process that was frozen for longer than its lease stores nothing, and returns the other's result."""
    started = await refreshes.start()
    taken_over = asyncio.Event()

    async def frozen() -> None:
        if refreshes.provider.before is not None:
            refreshes.provider.before = None
            # The lease runs out, as it does while the whole process is stopped.
            refreshes.sessions.rows = {
                key: replace(row, lease_until=0.0) for key, row in refreshes.sessions.rows.items()
            }
            await taken_over.wait()
            # The other caller has redeemed the refresh token, and replaced it.
            refreshes.provider.current = "refresh-0"

    refreshes.provider.before = frozen
    first = asyncio.create_task(refreshes.service().refresh(started.secret))
    await asyncio.sleep(0.02)
    second = (await refreshes.service().refresh(started.secret)).require()
    taken_over.set()
    assert (await first).require() == second
    assert refreshes.provider.revoked == [], "the other's tokens may be of the same grant"


async def test_a_secret_that_was_replaced_while_its_request_waited_is_not_reused(refreshes: Refreshes) -> None:
    started = await refreshes.start()

    async def rotated_long_ago() -> None:
        await asyncio.sleep(0.1)
        refreshes.clock.pass_by(1)

    refreshes.provider.before = rotated_long_ago
    holder = asyncio.create_task(refreshes.service().refresh(started.secret))
    await asyncio.sleep(0.02)
    refreshes.limits = replace(QUICK, first_pause=0.3, longest_pause=0.3)
    waiting = asyncio.create_task(refreshes.service().refresh(started.secret))
    result = (await holder).require()
    refreshes.clock.pass_by(20)
    assert (await waiting).require().secret == result.secret
