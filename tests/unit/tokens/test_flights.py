"""Fetches that many callers wait for: what is the provider's failure, who waits how long, what is discarded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable, UnknownKey
from tenantgate.tokens.flights import Fetches, FetchNeeded, Flight
from tenantgate.tokens.jwks import CachedIssuerKeys, Timings
from tests.fixtures.tokens.issuer import NOW, ManualClock, public_jwks

ISSUER = "https://issuer.example.test"
INLINE, STALE, BACKGROUND, FREEZE = 5.0, 2.0, 10.0, 5.0


class Issuer:
    """Stands in for the loading. `takes` seconds pass by the clock before it returns, or raises `error`."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.takes = 0.0
        self.error: BaseException | None = None
        self.jwks = public_jwks("rsa-1")
        self.asked: list[float] = []
        self.held: threading.Event | None = None

    def load(self, timeout: float) -> dict[str, object]:
        self.asked.append(timeout)
        self.clock.pass_by(self.takes)
        held, self.held = self.held, None
        if held is not None:
            held.wait(20)
        if self.error is not None:
            raise self.error
        return self.jwks


def _keys(issuer: Issuer, **timings: float) -> CachedIssuerKeys:
    given: dict[str, Any] = {"retries": 0, "freeze": FREEZE, **timings}
    return CachedIssuerKeys(
        ISSUER, issuer.load, timings=Timings(**given), clock=issuer.clock, pause=issuer.clock.pass_by
    )


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(ManualClock())


def _fails(keys: CachedIssuerKeys, kid: str = "rsa-1") -> TenantgateError:
    with pytest.raises((ProviderUnreachable, UnknownKey)) as refused:
        keys.find(kid, "RS256", fetch=True)
    return refused.value


LATE = [
    pytest.param(INLINE, id="exactly-at-the-deadline"),
    pytest.param(INLINE + 0.01, id="just-past-it"),
    pytest.param(INLINE + FREEZE, id="as-late-as-a-living-process-can-be"),
]


@pytest.mark.parametrize("error", [None, ProviderTimeout("too slow")], ids=["answered", "timed-out"])
@pytest.mark.parametrize("seconds", LATE)
def test_a_fetch_that_ends_at_or_past_its_deadline_is_a_failure_and_the_next_one_waits(
    seconds: float, error: ProviderTimeout | None, issuer: Issuer
) -> None:
    keys = _keys(issuer)
    issuer.takes, issuer.error = seconds, error
    assert isinstance(_fails(keys), ProviderTimeout)
    issuer.takes, issuer.error = 0, None
    for _ in range(50):
        assert isinstance(_fails(keys), ProviderTimeout)
    assert len(issuer.asked) == 1, "no second fetch before the pause has passed"
    issuer.clock.pass_by(2)
    assert keys.find("rsa-1", "RS256", fetch=True)


def test_the_pauses_grow_with_every_late_fetch(issuer: Issuer) -> None:
    keys = _keys(issuer)
    issuer.takes = INLINE
    _fails(keys)
    pauses = []
    for _ in range(7):
        fetches, ended = len(issuer.asked), issuer.clock.now
        while len(issuer.asked) == fetches:
            issuer.clock.pass_by(0.5)
            _fails(keys)
        pauses.append(issuer.clock.now - INLINE - ended)
    assert pauses == [2, 4, 8, 16, 32, 60, 60]


def test_a_clock_that_is_set_back_does_not_lengthen_a_pause(issuer: Issuer) -> None:
    keys = _keys(issuer)
    issuer.error = ProviderUnreachable("down")
    _fails(keys)
    issuer.error = None
    issuer.clock.pass_by(-3600)
    assert keys.find("rsa-1", "RS256", fetch=True)


def test_a_process_that_was_frozen_does_not_blame_the_issuer(issuer: Issuer) -> None:
    keys = _keys(issuer)
    issuer.takes = INLINE + FREEZE + 0.1
    assert isinstance(_fails(keys), ProviderTimeout), "how old the result is, is unknown"
    issuer.takes = 0
    assert keys.find("rsa-1", "RS256", fetch=True), "and the next caller asks again at once"
    assert len(issuer.asked) == 2


def test_a_late_set_is_discarded_and_the_next_caller_fetches(issuer: Issuer) -> None:
    keys = _keys(issuer, refresh_ahead=0.5)
    keys.find("rsa-1", "RS256", fetch=True)
    issuer.jwks, issuer.takes = public_jwks("rsa-late"), BACKGROUND + FREEZE + 1
    issuer.clock.pass_by(1800)
    keys.find("rsa-1", "RS256", fetch=False)
    _join("tenantgate-jwks-refresh")
    issuer.jwks, issuer.takes = public_jwks("rsa-1", "rsa-2"), 0
    keys.find("rsa-1", "RS256", fetch=False)
    _join("tenantgate-jwks-refresh")
    assert keys.find("rsa-2", "RS256", fetch=False)
    assert len(issuer.asked) == 3


@pytest.mark.parametrize(
    ("seconds", "blamed"), [(0.0, True), (FREEZE, True), (FREEZE + 1, False)], ids=["at-once", "late", "frozen"]
)
def test_a_caller_that_finds_a_fetch_past_its_deadline_records_the_failure(
    seconds: float, blamed: bool, issuer: Issuer
) -> None:
    keys = _keys(issuer, refresh_ahead=0.5)
    keys.find("rsa-1", "RS256", fetch=True)
    issuer.held = held = threading.Event()
    issuer.clock.pass_by(1800)
    keys.find("rsa-1", "RS256", fetch=False)
    _until(lambda: len(issuer.asked) == 2)
    issuer.clock.pass_by(BACKGROUND + seconds)
    keys.find("rsa-1", "RS256", fetch=False)
    if blamed:
        assert len(issuer.asked) == 2, "no second fetch during the stuck one"
        issuer.clock.pass_by(2)
        keys.find("rsa-1", "RS256", fetch=False)
    _until(lambda: len(issuer.asked) == 3)
    issuer.jwks = public_jwks("rsa-late")
    held.set()
    _join("tenantgate-jwks-refresh")
    assert not _knows(keys, "rsa-late"), "the late result of the stuck one is discarded"


def test_the_load_has_less_time_than_its_callers_wait(issuer: Issuer) -> None:
    keys = _keys(issuer, retries=9, attempt=3.0)

    def silent(timeout: float) -> dict[str, object]:
        issuer.asked.append(timeout)
        issuer.clock.pass_by(timeout)
        raise ProviderTimeout("silent")

    keys._load = silent
    assert isinstance(_fails(keys), ProviderTimeout)
    assert issuer.clock.now - NOW < INLINE, "it ends before the deadline, so its failure is its own"
    assert issuer.clock.now - NOW > 0.8 * INLINE
    assert keys._fetches.failures == 1


def test_a_load_that_ignores_every_time_out_holds_no_caller_past_the_deadline(issuer: Issuer) -> None:
    issuer.held = held = threading.Event()
    issuer.clock = ManualClock(time.time())
    keys = CachedIssuerKeys(ISSUER, issuer.load, timings=Timings(inline_budget=0.3))
    started = time.monotonic()
    try:
        with pytest.raises(ProviderTimeout):
            keys.find("rsa-1", "RS256", fetch=True)
        assert time.monotonic() - started < 3
        time.sleep(0.05)
        with pytest.raises(ProviderTimeout):
            keys.find("rsa-1", "RS256", fetch=True)
        assert len(issuer.asked) == 1, "the failure was recorded though the fetch never ended"
    finally:
        held.set()


@pytest.mark.parametrize(
    "error", [RuntimeError("a defect"), SystemExit("a defect"), MemoryError()], ids=lambda error: type(error).__name__
)
def test_a_load_that_fails_in_an_unforeseen_way_is_a_failure_like_others(error: BaseException, issuer: Issuer) -> None:
    keys = _keys(issuer)
    issuer.error = error
    for _ in range(5):
        assert isinstance(_fails(keys), ProviderUnreachable)
    assert len(issuer.asked) == 1


def test_a_process_without_a_thread_to_spare_is_a_failure_like_others(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    keys = _keys(issuer)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        assert "thread" in _fails(keys).reason
    assert "thread" in _fails(keys).reason, "a pause is due"
    issuer.clock.pass_by(2)
    assert keys.find("rsa-1", "RS256", fetch=True)


def test_the_pauses_between_the_tries_of_one_fetch(issuer: Issuer) -> None:
    pauses: list[float] = []
    issuer.error = ProviderUnreachable("down")
    keys = CachedIssuerKeys(ISSUER, issuer.load, timings=Timings(), clock=issuer.clock, pause=pauses.append)
    _fails(keys)
    assert pauses == [0.1, 0.2, 0.4]
    assert len(issuer.asked) == 4


def test_a_needed_fetch_is_begun_once_and_joined_by_all(issuer: Issuer) -> None:
    keys = _keys(issuer)
    issuer.held = held = threading.Event()
    needed = []
    for _ in range(3):
        with pytest.raises(FetchNeeded) as raised:
            keys.find("rsa-1", "RS256", fetch=False)
        needed.append(raised.value)
    assert issuer.asked == [], "saying so fetches nothing"
    joined = [each.join() for each in needed]
    assert len({id(one[0]) for one in joined if one is not None}) == 1
    held.set()
    assert joined[0] is not None
    joined[0][0].wait(10)
    assert keys.find("rsa-1", "RS256", fetch=False)
    assert needed[0].join() is None, "what came meanwhile needs no fetch"
    assert len(issuer.asked) == 1


class TestNotification:
    def test_it_comes_once_and_at_once_after_the_landing(self) -> None:
        flight, notified = Flight(NOW, 5, ManualClock()), []
        assert flight.notify(lambda: notified.append("first"), most=2)
        flight.land(None)
        flight.land(None)
        assert flight.notify(lambda: notified.append("late"), most=2)
        assert notified == ["first", "late"]

    def test_it_is_bounded_and_makes_room_when_a_caller_leaves(self) -> None:
        flight = Flight(NOW, 5, ManualClock())
        callers: list[Callable[[], None]] = [lambda n=n: None for n in range(3)]  # type: ignore[misc]
        assert [flight.notify(caller, most=2) for caller in callers] == [True, True, False]
        flight.forget(callers[0])
        assert flight.notify(callers[2], most=2)


def test_an_error_of_a_waiting_caller_is_its_own(issuer: Issuer) -> None:
    """Callers put their own detail on it; another one's must not show."""
    keys = _keys(issuer)
    issuer.error = ProviderUnreachable("down", failure="ConnectionRefusedError")
    first, second = _fails(keys), _fails(keys)
    first.detail = "for the first caller"
    assert first is not second
    assert _fails(keys).detail is None
    assert second.private["failure"] == "ConnectionRefusedError"


def test_providers_have_separate_fetches() -> None:
    clock, held = ManualClock(), threading.Event()

    def of(load: Callable[[Flight], Callable[[], None]]) -> Flight:
        lock = threading.Lock()
        fetches = Fetches(ISSUER, lock, failed=print, clock=clock, first_back_off=1, longest_back_off=1, freeze=FREEZE)
        with lock:
            return fetches.begin(NOW, 5, load, thread_name="tenantgate-test-fetch")

    def silent(_: Flight) -> Callable[[], None]:
        held.wait(20)
        return lambda: None

    flights = [of(silent) for _ in range(20)]
    good = of(lambda _: lambda: None)
    good.wait(5)
    assert good.landed
    assert not any(flight.landed for flight in flights)
    held.set()
    _join("tenantgate-test-fetch")


def _knows(keys: CachedIssuerKeys, kid: str) -> bool:
    return keys.held.keys.find(kid, "RS256") is not None


def _join(name: str) -> None:
    for thread in threading.enumerate():
        if thread.name == name:
            thread.join(10)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
