"""The moments of a key set: to the second, when it is refreshed, when it is waited for, and when it is dropped."""

from __future__ import annotations

import threading

import pytest

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, Timings
from tenantgate.tokens.keys import KeyFetchNeeded, KeySet
from tests.fixtures.tokens.issuer import ISSUER, NOW, ManualClock, public_jwks


class Source:
    """The issuer: responds with one key set, or fails."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.fetches = 0
        self.is_down = False

    def load(self, timeout: float) -> dict[str, object]:
        self.fetches += 1
        if self.is_down:
            raise ProviderUnreachable("down")
        return public_jwks("rsa-1")

    def keys(self, bundle: Bundle | None = None, **timings: float) -> CachedIssuerKeys:
        return CachedIssuerKeys(
            ISSUER,
            self.load,
            timings=Timings(**timings),  # type: ignore[arg-type]
            bundle=lambda: bundle,
            clock=self.clock,
            pause=lambda seconds: None,
        )


@pytest.fixture
def source() -> Source:
    return Source()


def landed() -> None:
    for thread in threading.enumerate():
        if thread.name == "tenantgate-jwks-refresh":
            thread.join(10)


def find(keys: CachedIssuerKeys, *, fetch: bool = False) -> object:
    return keys.find("rsa-1", "RS256", fetch=fetch)


def test_the_moments_of_a_fetched_set_count_from_the_start_of_its_fetch(source: Source) -> None:
    keys = source.keys()
    find(keys, fetch=True)
    held = keys.held
    assert (held.tend_at, held.stale_at, held.dropped_at) == (NOW + 2880, NOW + 3600, NOW + 86400)


def test_no_moment_is_after_the_age_cap(source: Source) -> None:
    keys = source.keys(max_age=1000)
    find(keys, fetch=True)
    assert (keys.held.tend_at, keys.held.dropped_at) == (NOW + 1000, NOW + 1000)


@pytest.mark.parametrize(("seconds", "waits"), [(3599.5, False), (3600.0, True)])
def test_keys_are_waited_for_from_their_time_to_live_on(source: Source, seconds: float, waits: bool) -> None:
    keys = source.keys()
    find(keys, fetch=True)
    source.is_down = True
    source.clock.now = NOW + seconds
    if waits:
        with pytest.raises(KeyFetchNeeded):
            find(keys)
    else:
        find(keys)
    landed()
    assert source.fetches >= 2


@pytest.mark.parametrize(("seconds", "held"), [(86399.5, True), (86400.0, False)])
def test_keys_are_dropped_at_the_age_cap(source: Source, seconds: float, held: bool) -> None:
    keys = source.keys()
    find(keys, fetch=True)
    source.is_down = True
    source.clock.now = NOW + seconds
    if held:
        find(keys, fetch=True)
    else:
        with pytest.raises(ProviderUnreachable):
            find(keys, fetch=True)
    assert bool(keys.held.keys) is held


@pytest.mark.parametrize(
    ("age", "tend_at", "stale_at"),
    [
        (0, NOW + 2880, NOW + 3600),
        (2000, NOW + 880, NOW + 3600),
        (2879, NOW + 60, NOW + 3600),
        (50000, NOW + 60, NOW + 3600),
        (-500, NOW + 2880, NOW + 3600),
    ],
    ids=["now", "half", "nearly-due", "old", "from-the-future"],
)
def test_a_bundle_is_fetched_again_when_it_is_due_but_not_at_the_start(
    source: Source, age: float, tend_at: float, stale_at: float
) -> None:
    keys = source.keys(Bundle(KeySet.parse(public_jwks("rsa-1")), NOW - age))
    find(keys)
    assert (keys.held.tend_at, keys.held.stale_at) == (tend_at, stale_at)
    assert keys.held.dropped_at == NOW - max(age, 0) + 86400
    assert source.fetches == 0


def test_until_a_fetch_has_ended_no_caller_begins_another(source: Source) -> None:
    entered, go = threading.Event(), threading.Event()
    keys = source.keys()
    find(keys, fetch=True)

    def slow(timeout: float) -> dict[str, object]:
        entered.set()
        go.wait(10)
        return public_jwks("rsa-1")

    keys._load = slow
    source.clock.now = NOW + 2880
    find(keys)
    assert entered.wait(10)
    # Its background budget is 10 seconds.
    assert keys.held.tend_at == NOW + 2890
    go.set()
    landed()
    assert keys.held.tend_at == NOW + 2880 + 2880
