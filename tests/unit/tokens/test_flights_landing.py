"""A flight and its provider's fetches, without keys: deadlines, callbacks, and the failures that are reported."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial

import pytest

from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.flights import Fetches, Flight
from tests.fixtures.tokens.issuer import NOW, ManualClock

ISSUER = "https://idp.example"


def test_a_flight_begins_without_a_result_and_with_all_its_time() -> None:
    clock = ManualClock()
    flight = Flight(NOW, 10.0, clock)
    assert (flight.landed, flight.error) == (False, None)
    assert flight.deadline == NOW + 10
    assert flight.ends_at == NOW + 9
    assert flight.left() == 10
    clock.now = NOW + 10
    assert flight.left() == 0
    clock.now = NOW + 11
    assert flight.left() == 0
    flight.wait(60)  # returns at once: the deadline has passed


def test_each_callback_is_called_once_at_the_landing() -> None:
    flight = Flight(NOW, 10.0, ManualClock())
    called: list[int] = []
    callbacks = [partial(called.append, number) for number in range(3)]
    assert all(flight.notify(callback, most=3) for callback in callbacks)
    assert not flight.notify(partial(called.append, 9), most=3)
    flight.forget(callbacks[1])
    flight.forget(callbacks[1])
    assert called == []
    error = ProviderTimeout("too slow")
    flight.land(error)
    assert (flight.landed, flight.error, called) == (True, error, [0, 2])
    flight.land(None)
    assert called == [0, 2]


def test_a_callback_is_called_at_once_after_the_landing() -> None:
    flight = Flight(NOW, 10.0, ManualClock())
    called: list[int] = []
    flight.land(None)
    assert flight.notify(partial(called.append, 1), most=0)
    assert called == [1]


class Line:
    """One provider's fetches, with the failures that were reported."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.lock = threading.Lock()
        self.failed: list[tuple[str, float]] = []
        self.fetches = Fetches(
            ISSUER,
            self.lock,
            failed=lambda error, retry_at: self.failed.append((type(error).__name__, retry_at - self.clock.now)),
            clock=self.clock,
            first_back_off=2.0,
            longest_back_off=60.0,
            freeze=5.0,
        )

    def fly(self, fetch: Callable[[Flight], Callable[[], None]]) -> Flight:
        with self.lock:
            flight = self.fetches.begin(self.clock.now, 10.0, fetch, thread_name="test-flight")
        for thread in threading.enumerate():
            if thread.name == "test-flight":
                thread.join(10)
        return flight


def test_a_result_is_installed_with_the_lock_held_and_ends_the_failures() -> None:
    line = Line()
    held: list[bool] = []
    assert isinstance(line.fly(fails(ProviderUnreachable("down"))).error, ProviderUnreachable)
    assert line.fetches.failures == 1
    line.clock.pass_by(2)
    flight = line.fly(lambda flight: lambda: held.append(line.lock.locked()))
    assert (flight.landed, flight.error, held, line.fetches.failures) == (True, None, [True], 0)
    assert line.fetches.failure(line.clock.now) is None
    assert line.failed == [("ProviderUnreachable", 2.0)]


def test_the_pauses_double_up_to_the_longest() -> None:
    line = Line()
    for _ in range(20):
        line.fly(fails(ProviderTimeout("silent")))
    assert [seconds for _, seconds in line.failed] == [2, 4, 8, 16, 32, *[60] * 15]
    assert line.fetches.failures == 16


def test_a_failure_is_reported_until_its_pause_has_passed() -> None:
    line = Line()
    assert line.fetches.failure(NOW) is None
    line.fly(fails(ProviderUnreachable("down", detail="ask again", url="u")))
    for passed in (0.0, 1.9):
        failure = line.fetches.failure(NOW + passed)
        assert failure is not None
        assert (failure.reason, failure.detail, failure.private) == (
            "down",
            "ask again",
            {"url": "u", "issuer": ISSUER},
        )
    assert line.fetches.failure(NOW + 2) is None
    # The clock was set back by more than the longest pause.
    assert line.fetches.failure(NOW - 58) is not None
    assert line.fetches.failure(NOW - 58.5) is None


def fails(error: BaseException) -> Callable[[Flight], Callable[[], None]]:
    def fetch(flight: Flight) -> Callable[[], None]:
        raise error

    return fetch


@pytest.mark.parametrize(("late", "reported"), [(0.0, True), (5.0, True), (5.5, False)])
def test_a_flight_past_its_deadline_is_a_failure_unless_the_process_was_frozen(
    late: float, reported: bool, caplog: pytest.LogCaptureFixture
) -> None:
    line, entered, go = Line(), threading.Event(), threading.Event()
    installed: list[int] = []

    def slow(flight: Flight) -> Callable[[], None]:
        entered.set()
        go.wait(10)
        return lambda: installed.append(1)

    with line.lock:
        flight = line.fetches.begin(NOW, 10.0, slow, thread_name="test-flight")
    assert entered.wait(10)
    with line.lock:
        assert line.fetches.pending(NOW + 9.9) is flight
        assert line.fetches.pending(NOW + 10 + late) is None
    assert isinstance(flight.error, ProviderTimeout)
    assert flight.error.private == {"issuer": ISSUER}
    assert bool(line.failed) is reported
    with caplog.at_level(logging.WARNING):
        go.set()
        for thread in threading.enumerate():
            if thread.name == "test-flight":
                thread.join(10)
    assert installed == []
    notes = [(record.message, record.context) for record in caplog.records]  # type: ignore[attr-defined]
    assert ("late result discarded", {"issuer": ISSUER}) in notes
    assert (("frozen during a fetch; discarded", {"issuer": ISSUER}) in notes) is not reported
