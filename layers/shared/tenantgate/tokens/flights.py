"""Fetches that many callers wait for: one at a time for each provider, in its own thread, with a deadline.

A silent provider delays only its own callers, and only for a bounded time. A caller never fetches itself: it begins a
flight or joins the pending one, and waits until its deadline at most. A flight past its deadline has failed, no matter
which thread notices it first, so that the pauses between fetches grow. The exception is a process that was frozen, as
Lambda freezes one between invocations: the clock then jumps far past any time-out of the fetch. The result is
discarded, because its age is unknown, but it doesn't count as a failure of the provider.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable

_log = logging.getLogger(__name__)

# The share of a flight's budget for loading. The rest lets a fetch that reaches its time-out land before the deadline.
_LOAD_SHARE = 0.9
_MOST_FAILURES = 16
# The fetches that one caller waits for: one that began before it came, and then its own.
MOST_FETCHES = 2


class Flight:
    """One fetch, from `begun_at` on. `ends_at`: when its loading must have ended. `deadline`: when waiting ends."""

    __slots__ = ("_clock", "_landed", "_lock", "_waiting", "begun_at", "deadline", "ends_at", "error")

    def __init__(self, now: float, budget: float, clock: Callable[[], float]) -> None:
        self.begun_at = now
        self.ends_at = now + budget * _LOAD_SHARE
        self.deadline = now + budget
        self.error: ProviderUnreachable | None = None
        self._clock = clock
        self._landed = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []

    @property
    def landed(self) -> bool:
        return self._landed.is_set()

    def left(self) -> float:
        """Return the seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - self._clock())

    def wait(self, longest: float) -> None:
        """Block until it has landed, for at most `longest` seconds and never past the deadline."""
        self._landed.wait(min(longest, self.left()))

    def notify(self, callback: Callable[[], None], *, most: int) -> bool:
        """Call `callback` once when the flight lands, from the landing thread, or now if it has landed.

        Returns False if `most` callbacks are waiting already.
        """
        with self._lock:
            if not self.landed:
                if len(self._waiting) >= most:
                    return False
                self._waiting.append(callback)
                return True
        callback()
        return True

    def forget(self, callback: Callable[[], None]) -> None:
        """Undo `notify` for a caller that no longer waits."""
        with self._lock:
            if callback in self._waiting:
                self._waiting.remove(callback)

    def land(self, error: ProviderUnreachable | None) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self.error = error
            self._landed.set()
        for callback in waiting:
            callback()


class FetchNeeded(Exception):
    """The result needs a fetch, and the caller allowed none. Wait for `join()`, then call again.

    `join` begins or joins the fetch without waiting. It returns the flight and the longest useful wait in seconds, or
    None if the next call needs no fetch any more. `failure` is the error to raise if the next call still needs one.
    `asked_at`: the time of this call, if a flight that began earlier may bring too old a document. With `follows_copy`,
    this wait may follow another one, which was for a copy and not for the provider.
    """

    follows_copy = False

    def __init__(
        self,
        join: Callable[[], tuple[Flight, float] | None],
        failure: TenantgateError,
        *,
        asked_at: float = float("-inf"),
    ) -> None:
        super().__init__()
        self.join = join
        self.failure = failure
        self.asked_at = asked_at


type Fetch = Callable[[Flight], Callable[[], None]]
"""`fetch(flight)`: load by `flight.ends_at` and return what installs the result, which runs with the lock held."""


class Fetches:
    """The fetches of one document from one provider. Call every method with `lock` held.

    `failed` is called with the lock held, with the failure and the time (epoch seconds) of the next fetch. A process
    that notices a deadline more than `freeze` seconds late must have been frozen.
    """

    def __init__(
        self,
        issuer: str,
        lock: threading.Lock,
        *,
        failed: Callable[[ProviderUnreachable, float], None],
        clock: Callable[[], float],
        first_back_off: float,
        longest_back_off: float,
        freeze: float,
    ) -> None:
        self._issuer = issuer
        self._lock = lock
        self._failed = failed
        self._clock = clock
        self._first_back_off = first_back_off
        self._longest_back_off = longest_back_off
        self._freeze = freeze
        self._flight: Flight | None = None
        self._last_error: ProviderUnreachable | None = None
        self._retry_at = 0.0
        self.failures = 0

    def pending(self, now: float) -> Flight | None:
        """Return the flight to join, if any. A flight past its deadline becomes a failure here."""
        flight = self._flight
        if flight is None or flight.landed:
            return None
        if now < flight.deadline:
            return flight
        self._give_up(flight, now)
        return None

    def failure(self, now: float) -> ProviderUnreachable | None:
        """Return the last fetch's failure, as a new error, while it is too early for another fetch."""
        error = self._last_error
        # A pause longer than the longest one: the clock was set back meanwhile.
        if error is None or not 0 < self._retry_at - now <= self._longest_back_off:
            return None
        return type(error)(error.reason, detail=error.detail, **{**error.private, "issuer": self._issuer})

    def begin(self, now: float, budget: float, fetch: Fetch, *, thread_name: str) -> Flight:
        """Start a flight. No other one may be pending."""
        flight = self._flight = Flight(now, budget, self._clock)
        thread = threading.Thread(target=self._fly, args=(flight, fetch), name=thread_name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The process has no thread left: a failure like any other, with a pause after it.
            self._fail(flight, ProviderUnreachable("no thread could be started for a fetch", issuer=self._issuer), now)
        return flight

    def _fly(self, flight: Flight, fetch: Fetch) -> None:
        install: Callable[[], None] | None = None
        error = ProviderUnreachable("the fetch failed", issuer=self._issuer)
        try:
            install = fetch(flight)
        except ProviderUnreachable as failure:
            error = failure
        except BaseException:  # noqa: BLE001 - after any failure, the callers must not wait on
            _log.exception("a fetch failed", extra={"context": {"issuer": self._issuer}})
        with self._lock:
            now = self._clock()
            if flight.landed:
                _log.warning("late result discarded", extra={"context": {"issuer": self._issuer}})
            elif now >= flight.deadline:
                self._give_up(flight, now)
            elif install is None:
                self._fail(flight, error, now)
            else:
                self.failures, self._retry_at, self._last_error = 0, 0.0, None
                install()
                flight.land(None)

    def _give_up(self, flight: Flight, now: float) -> None:
        error = ProviderTimeout("a fetch didn't end by its deadline", issuer=self._issuer)
        if now - flight.deadline > self._freeze:
            _log.warning("frozen during a fetch; discarded", extra={"context": {"issuer": self._issuer}})
            flight.land(error)
        else:
            self._fail(flight, error, now)

    def _fail(self, flight: Flight, error: ProviderUnreachable, now: float) -> None:
        self._retry_at = now + min(self._longest_back_off, self._first_back_off * 2**self.failures)
        self.failures = min(self.failures + 1, _MOST_FAILURES)
        self._last_error = error
        self._failed(error, self._retry_at)
        flight.land(error)
