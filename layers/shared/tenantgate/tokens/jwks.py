"""The JWKS cache: a key set bundled at build time, then memory, then the issuer.

The keys of an issuer go through these ages, counted from the start of the fetch (of a bundle: from its build):

    fresh        used from memory
    refreshing   near the end of the time to live: used, while a thread fetches the keys again
    stale        past the time to live: one caller waits for a fetch, all others use the keys; after a failure they
                 stay in use, with longer and longer pauses between attempts
    dropped      past the age cap: no longer used, because withdrawn keys must go even if the issuer can't be reached

Every fetch is a flight (`flights.py`): one at a time, in its own thread, with a deadline by the wall clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from tenantgate import time_limits
from tenantgate.errors.base import Word
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable, UnknownKey
from tenantgate.tokens.claims import shown
from tenantgate.tokens.flights import MOST_FETCHES, Fetch, Fetches, Flight
from tenantgate.tokens.keys import Found, HeldKeys, KeyFetchNeeded, KeySet
from tenantgate.tokens.records import Record

_log = logging.getLogger(__name__)

type LoadJwks = Callable[[float], Mapping[str, object]]
"""`load(timeout seconds)`: fetch the JWK set once; raises `ProviderUnreachable`."""


class Timings(Record):
    """Seconds and counts. A `budget` limits a whole fetch with its retries. A deadline that is noticed `freeze` late
    means that the process was frozen: a running one never exceeds its time-outs so far."""

    __slots__ = ()

    ttl: float = 3600
    max_age: float = 86400
    refresh_ahead: float = 0.8
    attempt: float = time_limits.KEYS_ATTEMPT
    retries: int = 3
    first_pause: float = 0.1
    background_budget: float = time_limits.BACKGROUND_KEYS
    inline_budget: float = time_limits.KEYS_TOTAL
    stale_budget: float = time_limits.STALE_KEYS
    first_back_off: float = 2.0
    longest_back_off: float = 60.0
    unknown_kid_burst: int = 3
    unknown_kid_every: float = 30.0
    bundle_rest: float = 60.0
    freeze: float = 5.0


class Bundle(Record):
    """A key set shipped with the code, and the time of its fetch (epoch seconds)."""

    __slots__ = ()

    keys: KeySet
    fetched_at: float


_NONE = KeySet([], skipped=0)


class CachedIssuerKeys:
    """One issuer's keys. Safe to share between threads. The module describes their ages."""

    def __init__(
        self,
        issuer: str,
        load: LoadJwks,
        *,
        timings: Timings,
        bundle: Callable[[], Bundle | None] = lambda: None,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._issuer = Word(issuer)
        self._load = load
        self._timings = timings
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._fetches = Fetches(
            issuer,
            self._lock,
            failed=self._note_failure,
            clock=clock,
            first_back_off=timings.first_back_off,
            longest_back_off=timings.longest_back_off,
            freeze=timings.freeze,
        )
        self._allowance = float(timings.unknown_kid_burst)
        self._allowance_at = clock()
        self._unread_bundle: Callable[[], Bundle | None] | None = bundle
        self.held = HeldKeys(_NONE, 0, float("-inf"), 0.0, 0.0)

    def find(self, kid: str | None, alg: str, *, fetch: bool) -> Found:
        """Return the check by the issuer's keys with this `kid` that fit `alg`, and the generation of the key set.

        Raises `UnknownKey`; `ProviderUnreachable` if no key set is held and none could be fetched; and without `fetch`
        `KeyFetchNeeded` if only a fetch could find the key.
        """
        held, asked_at = self.held, self._clock()
        if asked_at >= held.tend_at:
            held = self._tended(fetch)
        if (check := held.keys.find(kid, alg)) is None:
            held = self._refetched(kid, alg, held, asked_at, fetch)
            if (check := held.keys.find(kid, alg)) is None:
                raise self._unknown(kid, alg)
        # Only keys of the set are kept, so a flood of random kids fills no memory.
        found = held.found[kid, alg] = check, held.generation
        return found

    def _unknown(self, kid: str | None, alg: str) -> UnknownKey:
        return UnknownKey("the issuer publishes no key that fits", kid=shown(kid), alg=alg, issuer=self._issuer)

    def _tended(self, fetch: bool) -> HeldKeys:
        """Do or begin the work that is due, and return the keys to use now."""
        with self._lock:
            now = self._clock()
            self._read_bundle_once(now)
            self._drop_aged(now)
            flight = self._fetches.pending(now)
            held = self.held
            if held.keys:
                if now < held.tend_at or flight is not None:
                    return held
                # If the keys are stale, the caller that begins the fetch waits for it: in a process that is frozen
                # between requests, a background thread may never complete one.
                stale = now >= held.stale_at
                budget = self._timings.stale_budget if stale else self._timings.background_budget
                retries = 0 if stale else self._timings.retries
                flight = begun = self._begin(now, budget, lambda flight: self._refresh(flight, retries))
                if not stale:
                    return held
                if not fetch:
                    raise KeyFetchNeeded(lambda: (begun, budget), self._too_slow(), asked_at=now)
            else:
                flight = self._first_flight(now, flight, fetch)
        return self._after(flight, self._timings.inline_budget)

    def _first_flight(self, now: float, flight: Flight | None, fetch: bool) -> Flight:
        if flight is None and (failure := self._fetches.failure(now)) is not None:
            # A fetch failed a moment ago. One more from every caller would make things worse.
            raise failure
        if not fetch:
            raise KeyFetchNeeded(self._join_first, self._too_slow(), asked_at=now)
        retries = self._timings.retries
        return flight or self._begin(now, self._timings.inline_budget, lambda flight: self._refresh(flight, retries))

    def _too_slow(self) -> ProviderTimeout:
        return ProviderTimeout("no keys came in time", issuer=self._issuer)

    def _join_first(self) -> tuple[Flight, float] | None:
        with self._lock:
            now = self._clock()
            flight = self._fetches.pending(now)
            if self.held.keys or (flight is None and self._fetches.failure(now) is not None):
                return None
            return self._first_flight(now, flight, fetch=True), self._timings.inline_budget

    def _after(self, flight: Flight, longest: float) -> HeldKeys:
        """Wait for the flight, and return the keys that are held then."""
        flight.wait(longest)
        with self._lock:
            self._fetches.pending(self._clock())
            if self.held.keys:
                return self.held
        error = flight.error or ProviderTimeout("the issuer's keys did not come in time")
        raise type(error)(error.reason, issuer=self._issuer) from error

    def _drop_aged(self, now: float) -> None:
        held = self.held
        if held.keys and now >= held.dropped_at:
            _log.error("keys dropped: past the age cap", extra={"context": {"issuer": self._issuer}})
            self.held = HeldKeys(_NONE, held.generation + 1, float("-inf"), 0.0, 0.0)

    def _refetched(self, kid: str | None, alg: str, seen: HeldKeys, asked_at: float, fetch: bool) -> HeldKeys:
        """Fetch again for an unknown `kid`, if the allowance permits, and return the keys that are held then."""
        if not fetch:
            with self._lock:
                if self._may_refetch(seen, self._clock()):
                    raise KeyFetchNeeded(lambda: self._join_refetch(seen), self._unknown(kid, alg), asked_at=asked_at)
            return self.held
        for _ in range(MOST_FETCHES):
            if (joined := self._join_refetch(seen)) is not None:
                joined[0].wait(joined[1])
            # An earlier flight may bring the key set of before the issuer published this key.
            is_last = self.held.keys is seen.keys if joined is None else joined[0].begun_at >= asked_at
            seen = self.held
            if is_last or seen.keys.find(kid, alg) is not None:
                break
        return self.held

    def _join_refetch(self, seen: HeldKeys) -> tuple[Flight, float] | None:
        with self._lock:
            now = self._clock()
            if not self._may_refetch(seen, now):
                return None
            flight = self._fetches.pending(now)
            if flight is None:
                self._allowance -= 1
                flight = self._begin(now, self._timings.stale_budget, lambda flight: self._fetch(flight, retries=0))
            return flight, self._timings.stale_budget

    def _may_refetch(self, seen: HeldKeys, now: float) -> bool:
        if self.held.keys is not seen.keys:
            return False
        if self._fetches.pending(now) is not None:
            return True
        return self._allowed(now) and self._fetches.failure(now) is None

    def _allowed(self, now: float) -> bool:
        earned = max(0.0, now - self._allowance_at) / self._timings.unknown_kid_every
        self._allowance = min(float(self._timings.unknown_kid_burst), self._allowance + earned)
        self._allowance_at = now
        return self._allowance >= 1

    def _begin(self, now: float, budget: float, fetch: Fetch) -> Flight:
        flight = self._fetches.begin(now, budget, fetch, thread_name="tenantgate-jwks-refresh")
        if not flight.landed:
            # No caller needs to check the pending fetch before its deadline.
            self._tend_at(flight.deadline)
        return flight

    def _tend_at(self, moment: float) -> None:
        held = self.held
        if held.keys:
            moment = min(moment, held.dropped_at)
            self.held = HeldKeys(held.keys, held.generation, moment, held.stale_at, held.dropped_at)

    def _refresh(self, flight: Flight, retries: int) -> Callable[[], None]:
        """Load keys because of the age of the held ones. An unknown `kid` always asks the issuer."""
        return self._fetch(flight, retries)

    def _fetch(self, flight: Flight, retries: int) -> Callable[[], None]:
        attempt, timings, clock = 0, self._timings, self._clock
        while True:
            asked_at = clock()
            try:
                keys = KeySet.parse(self._load(min(timings.attempt, max(0.1, flight.ends_at - asked_at))))
            except ProviderUnreachable as failure:
                error = failure
            except ValueError as failure:
                error = ProviderUnreachable("the issuer's key set is unusable", problem=str(failure))
            else:
                return lambda: self._install(keys, asked_at)
            pause = timings.first_pause * 2**attempt
            if attempt == retries or clock() + pause >= flight.ends_at:
                raise error
            self._pause(pause)
            attempt += 1

    def _install(self, keys: KeySet, asked_at: float) -> None:
        tend_at = asked_at + self._timings.ttl * self._timings.refresh_ahead
        self._hold(keys, asked_at, stale_at=asked_at + self._timings.ttl, tend_at=tend_at)
        _log.debug("key set fetched", extra={"context": {"issuer": self._issuer, "keys": len(keys)}})

    def _hold(self, keys: KeySet, fetched_at: float, *, stale_at: float, tend_at: float) -> None:
        generation, dropped_at = self.held.generation, fetched_at + self._timings.max_age
        if not self.held.keys.identities <= keys.identities:
            generation += 1
            _log.info("a key was withdrawn", extra={"context": {"issuer": self._issuer}})
        if keys.skipped:
            _log.info("keys skipped", extra={"context": {"issuer": self._issuer, "skipped": keys.skipped}})
        self.held = HeldKeys(keys, generation, min(tend_at, dropped_at), stale_at, dropped_at)

    def _note_failure(self, error: ProviderUnreachable, retry_at: float) -> None:
        self._tend_at(retry_at)
        context = {"issuer": self._issuer, "served_stale": bool(self.held.keys), "failures": self._fetches.failures}
        context |= {"reason": error, **error.private}
        _log.warning("the issuer's keys could not be fetched", extra={"context": context})

    def _read_bundle_once(self, now: float) -> None:
        read, self._unread_bundle = self._unread_bundle, None
        bundle = read() if read is not None else None
        if bundle is None:
            return
        # A build time in the future would postpone the age cap.
        fetched_at, ttl = min(bundle.fetched_at, now), self._timings.ttl
        # A cold start never fetches, even with an old bundle, within its age cap.
        stale_at = max(fetched_at, now) + ttl
        tend_at = max(fetched_at + ttl * self._timings.refresh_ahead, now + self._timings.bundle_rest)
        self._hold(bundle.keys, fetched_at, stale_at=stale_at, tend_at=tend_at)


class JwksCache:
    """The keys of every trusted issuer."""

    def __init__(self, issuers: Mapping[str, CachedIssuerKeys]) -> None:
        self._issuers = dict(issuers)

    def of(self, issuer: str) -> CachedIssuerKeys:
        return self._issuers[issuer]
