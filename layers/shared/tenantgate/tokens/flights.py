"""Fetches that many callers wait for: one at a time for each provider, each in a thread of its own, with a deadline.

A silent provider may cost its own callers a bounded wait, and nothing else anything. No caller fetches by itself: it
begins a flight or joins the one under way, and waits until its deadline at most. A flight that is past its deadline has
failed, whichever thread sees it first, so that the pauses between fetches grow. The exception is a process that was
frozen, as Lambda freezes one between invocations: the clock then jumps far past anything that the fetch's own time-out
allows. The result is discarded, because its age is unknown, but the provider is not blamed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable

_log = logging.getLogger(__name__)

# What is left of a flight's budget for its own end, so that a fetch which runs into its time-out lands in time.
_LOAD_SHARE = 0.9
_MOST_FAILURES = 16


class Flight:
    """One fetch under way. `ends_at` is when its loading must have ended, `deadline` when waiting for it ends."""

    __slots__ = ("_clock", "_landed", "_lock", "_waiting", "deadline", "ends_at", "error")

    def __init__(self, now: float, budget: float, clock: Callable[[], float]) -> None:
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
        """Seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - self._clock())

    def wait(self, longest: float) -> None:
        """Block until it has landed, for at most `longest` seconds and never past the deadline."""
        self._landed.wait(min(longest, self.left()))

    def notify(self, callback: Callable[[], None], *, most: int) -> bool:
        """Have `callback` called once at the landing, by the landing thread, or now if that is past.

        False when `most` callbacks are waiting already.
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
    """Only a fetch can tell, and the caller allowed none. Wait for `join()`, then ask again.

    `join` begins or joins the fetch, without waiting: the flight, and how many seconds it is worth waiting for; None
    when asking again needs no fetch any more. `failure` is the result if asking again still needs one.
    """

    def __init__(self, join: Callable[[], tuple[Flight, float] | None], failure: TenantgateError) -> None:
        super().__init__()
        self.join = join
        self.failure = failure


type Fetch = Callable[[Flight], Callable[[], None]]
"""`fetch(flight)`: load by `flight.ends_at` and return what installs the result, which runs with the lock held."""


class Fetches:
    """The fetches of one thing from one provider. Call every method with `lock` held.

    `failed` learns, with the lock held, of a failure and until when (epoch seconds) no fetch is due. `freeze` is by how
    many seconds a deadline is past when the process must have been frozen.
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

    def under_way(self, now: float) -> Flight | None:
        """The flight to join, if there is one; one that is past its deadline becomes a failure here."""
        flight = self._flight
        if flight is None or flight.landed:
            return None
        if now < flight.deadline:
            return flight
        self._give_up(flight, now)
        return None

    def failure(self, now: float) -> ProviderUnreachable | None:
        """The last fetch's failure as an error of the caller's own, while it is too early for another fetch."""
        error = self._last_error
        # A pause longer than the longest one: the clock was set back meanwhile.
        if error is None or not 0 < self._retry_at - now <= self._longest_back_off:
            return None
        return type(error)(error.reason, detail=error.detail, **{**error.private, "issuer": self._issuer})

    def begin(self, now: float, budget: float, fetch: Fetch, *, thread_name: str) -> Flight:
        """Start a flight; none may be under way."""
        flight = self._flight = Flight(now, budget, self._clock)
        thread = threading.Thread(target=self._fly, args=(flight, fetch), name=thread_name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The process has no thread to spare: a failure like others, after which a pause is due.
            self._fail(flight, ProviderUnreachable("no thread could be started for a fetch", issuer=self._issuer), now)
        return flight

    def _fly(self, flight: Flight, fetch: Fetch) -> None:
        install: Callable[[], None] | None = None
        error = ProviderUnreachable("the fetch failed", issuer=self._issuer)
        try:
            install = fetch(flight)
        except ProviderUnreachable as failure:
            error = failure
        except BaseException:  # noqa: BLE001 - whatever it was, the callers must not wait for it
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
