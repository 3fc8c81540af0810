"""Waiting on an event loop: awaited, bounded in number and time, and away from every thread that others need."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenantgate.errors.tokens import IdTokenRefused, Overloaded, ProviderTimeout, ProviderUnreachable, UnknownKey
from tenantgate.tokens.flights import FetchNeeded, Flight
from tenantgate.tokens.jwks import CachedIssuerKeys, JwksCache, Timings
from tenantgate.tokens.verifier import TokenVerifier
from tenantgate.tokens.waiting import MOST_WAITING, awaited
from tests.fixtures.tokens.issuer import ISSUER, good_claims, policy_of, public_jwks, sign

pytestmark = pytest.mark.anyio


class Issuer:
    """Loads its key set once `open` is set."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.fetches = 0

    def load(self, timeout: float) -> dict[str, object]:
        self.fetches += 1
        if not self.open.wait(timeout):
            raise ProviderTimeout("silent")
        return public_jwks("rsa-1")

    def keys(self, **timings: float) -> CachedIssuerKeys:
        return CachedIssuerKeys(ISSUER, self.load, timings=Timings(retries=0, **timings))  # type: ignore[arg-type]


def _verifier(keys: CachedIssuerKeys) -> TokenVerifier:
    return TokenVerifier(policy_of(), JwksCache({ISSUER: keys}))


def _token(kid: str = "rsa-1", **claims: object) -> str:
    return sign(good_claims(int(time.time()), **claims), kid=kid)


def test_many_wait_for_one_fetch_and_none_in_a_thread() -> None:
    issuer = Issuer()
    verifier = _verifier(issuer.keys())

    class NoThreads(ThreadPoolExecutor):
        def submit(self, *_: object, **__: object) -> object:  # type: ignore[override]
            raise AssertionError("the executor that others need was used")

    async def wait() -> list[str | None]:
        asyncio.get_running_loop().set_default_executor(NoThreads())
        before = threading.active_count()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(awaited(lambda n=n: verifier.verify(_token(jti=str(n)), fetch=False)))  # type: ignore[misc]
                for n in range(20)
            ]
            await asyncio.sleep(0.05)
            assert threading.active_count() <= before + 1
            issuer.open.set()
        return [task.result().token_id for task in tasks]

    # A separate loop: the tests' shared loop would keep the executor and fail whichever test needs a thread next.
    assert asyncio.run(wait()) == [str(n) for n in range(20)]
    assert issuer.fetches == 1


async def test_a_wait_ends_at_the_deadline_though_the_fetch_does_not() -> None:
    issuer = Issuer()
    keys = issuer.keys(inline_budget=0.2)
    keys._load = lambda _: issuer.open.wait(20) or {}  # type: ignore[assignment, return-value]
    started = time.monotonic()
    with pytest.raises(ProviderTimeout):
        await awaited(lambda: keys.find("rsa-1", "RS256", fetch=False))
    assert time.monotonic() - started < 2
    with pytest.raises(ProviderUnreachable):
        # Recorded: the next one doesn't wait at all.
        await awaited(lambda: keys.find("rsa-1", "RS256", fetch=True))
    issuer.open.set()


async def test_one_more_than_the_bound_is_refused_and_one_that_leaves_makes_room() -> None:
    issuer = Issuer()
    keys = issuer.keys()

    async def wait() -> object:
        return await awaited(lambda: keys.find("rsa-1", "RS256", fetch=False))

    tasks = [asyncio.create_task(wait()) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded) as refused:
        await wait()
    assert refused.value.retry_after in range(1, 6)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    room = asyncio.create_task(wait())
    await asyncio.sleep(0.05)
    assert not room.done()
    issuer.open.set()
    assert len(await asyncio.gather(*tasks[1:], room)) == MOST_WAITING
    assert issuer.fetches == 1


async def test_one_caller_awaits_the_fetch_that_replaces_a_stale_set_and_others_are_served() -> None:
    # A thread in the background is frozen with the process when the request is over, and never gets to the end of it.
    issuer = Issuer()
    issuer.open.set()
    keys = issuer.keys(ttl=0.2, refresh_ahead=1.0)
    await awaited(lambda: keys.find("rsa-1", "RS256", fetch=False))
    issuer.open.clear()
    await asyncio.sleep(0.25)
    first = asyncio.create_task(awaited(lambda: keys.find("rsa-1", "RS256", fetch=False)))
    await asyncio.sleep(0.05)
    assert not first.done()
    keys.find("rsa-1", "RS256", fetch=False)
    stale = keys.held.stale_at
    issuer.open.set()
    await first
    assert keys.held.stale_at > stale
    assert issuer.fetches == 2


async def test_a_stale_set_serves_after_the_wait_for_a_silent_issuer() -> None:
    issuer = Issuer()
    issuer.open.set()
    keys = issuer.keys(ttl=0.1, refresh_ahead=1.0, stale_budget=0.3)
    await awaited(lambda: keys.find("rsa-1", "RS256", fetch=False))
    issuer.open.clear()
    await asyncio.sleep(0.15)
    for _ in range(5):
        assert await awaited(lambda: keys.find("rsa-1", "RS256", fetch=False))
    assert issuer.fetches == 2, "after a failure, the next try waits"
    issuer.open.set()


async def test_an_unknown_key_is_fetched_once_and_then_unknown() -> None:
    issuer = Issuer()
    issuer.open.set()
    keys = issuer.keys()
    verifier = _verifier(keys)
    await awaited(lambda: verifier.verify(_token(), fetch=False))
    with pytest.raises(UnknownKey):
        await awaited(lambda: verifier.verify(_token("rsa-2"), fetch=False))
    assert issuer.fetches == 2


async def test_an_id_token_by_an_unknown_key_is_refused_as_an_id_token() -> None:
    issuer = Issuer()
    issuer.open.set()
    verifier = _verifier(issuer.keys())
    await awaited(lambda: verifier.verify(_token(), fetch=False))
    with pytest.raises(IdTokenRefused) as refused:
        await awaited(
            lambda: verifier.verify_id_token(_token("rsa-2"), client_id="c", nonce=None, access_token=None, fetch=False)
        )
    assert refused.value.private["check"] == "UnknownKey"


async def test_a_fetch_that_is_not_needed_any_more_is_not_waited_for() -> None:
    answers: Iterator[str | FetchNeeded] = iter([FetchNeeded(lambda: None, UnknownKey("unknown")), "found"])

    def attempt() -> str:
        answer = next(answers)
        if isinstance(answer, FetchNeeded):
            raise answer
        return answer

    assert await awaited(attempt) == "found"


def test_a_landing_after_the_loop_was_closed_has_no_effect() -> None:
    class NeverForgets(Flight):
        def forget(self, _: object) -> None:
            return

    flight = NeverForgets(time.time(), 60, time.time)

    async def leave() -> None:
        needed = FetchNeeded(lambda: (flight, 60), UnknownKey("unknown"))

        def attempt() -> None:
            raise needed

        task = asyncio.create_task(awaited(attempt))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    flight.land(None)
    assert flight.landed
