"""The JWKS cache: a key set bundled at build time, then memory, then the issuer.

One issuer's keys go through these ages, counted from when the set was asked for (a bundle: from its build):

    fresh        served from memory
    refreshing   near the end of the time to live: served, while a thread fetches anew
    stale        past the time to live: one caller fetches inline, all others are served; after a failure served on,
                 with tries farther and farther apart
    dropped      past the age cap: withdrawn keys must go even when the issuer can't be asked, so nothing is served

Lambda freezes threads between invocations. A fetch therefore has a deadline by the wall clock: past it nobody waits for
it, its answer is thrown away, and another fetch may begin.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

from tenantgate.errors import ProviderTimeout, ProviderUnreachable, UnknownKey
from tenantgate.tokens.claims import shown
from tenantgate.tokens.keys import Check, KeyFetchNeeded, KeySet
from tenantgate.tokens.records import Record

_log = logging.getLogger(__name__)

type LoadJwks = Callable[[float], Mapping[str, object]]
"""`load(timeout seconds)`: fetch the JWK set once; raises `ProviderUnreachable`."""


class Timings(Record):
    """Seconds and counts. `budget`s bound a whole fetch, its retries included."""

    __slots__ = ()

    ttl: float = 3600
    max_age: float = 86400
    refresh_ahead: float = 0.8
    attempt: float = 3.0
    retries: int = 3
    first_pause: float = 0.1
    background_budget: float = 10.0
    inline_budget: float = 5.0
    stale_budget: float = 2.0
    first_back_off: float = 2.0
    longest_back_off: float = 60.0
    unknown_kid_burst: int = 3
    unknown_kid_every: float = 30.0
    bundle_rest: float = 60.0


class Bundle(Record):
    """A key set shipped with the code, and when it was fetched (epoch seconds)."""

    __slots__ = ()

    keys: KeySet
    fetched_at: float


class _Flight:
    """One fetch under way; `error` is set, or not, before `done` is."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.done = threading.Event()
        self.error: ProviderUnreachable | None = None


class CachedIssuerKeys:
    """One issuer's keys, safe to share between threads. See the module for what happens when."""

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
        self._issuer = issuer
        self._load = load
        self._timings = timings
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._flight: _Flight | None = None
        self._keys: KeySet | None = None
        self._fetched_at = 0.0
        self._stale_at = 0.0
        self._dropped_at = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._last_error: ProviderUnreachable | None = None
        self._allowance = float(timings.unknown_kid_burst)
        self._allowance_at = clock()
        self.generation = 0
        self.tend_at = 0.0
        self._unread_bundle: Callable[[], Bundle | None] | None = bundle

    def find(self, kid: str | None, alg: str, *, fetch: bool) -> Check:
        """The check by the issuer's key of this `kid` that fits `alg`.

        Raises `UnknownKey`, `ProviderUnreachable` when no key set is held and none can be had, and without `fetch`
        `KeyFetchNeeded` when only a fetch could tell.
        """
        keys = self._keys
        if keys is None or self._clock() >= self.tend_at:
            keys = self._tended(fetch)
        found = keys.find(kid, alg)
        if found is None:
            found = self._asked_again(kid, alg, keys, fetch)
        if found is None:
            raise UnknownKey("the issuer publishes no key that fits", kid=shown(kid), alg=alg, issuer=self._issuer)
        return found

    def _tended(self, fetch: bool) -> KeySet:
        """The keys to use now, after what is due has been done or begun."""
        with self._lock:
            now = self._clock()
            self._read_bundle_once(now)
            self._drop_aged(now)
            keys, flight = self._keys, self._running(now)
            if keys is not None and (now < self.tend_at or flight is not None):
                return keys
            if keys is None:
                self._require_fetch(now, flight, fetch)
            # Who holds no keys waits; of those who hold stale ones, the one who begins the fetch.
            inline = keys is None or (now >= self._stale_at and fetch)
            leading = flight is None
            if flight is None:
                flight = self._begin(now, self._budget(keys, inline))
            retries = 0 if inline and keys is not None else self._timings.retries
        if leading and not inline:
            name = "tenantgate-jwks-refresh"
            threading.Thread(target=self._fly, args=(flight, retries), name=name, daemon=True).start()
        elif leading:
            self._fly(flight, retries)
        else:
            self._wait(flight, self._timings.inline_budget)
        return self._keys_after(flight)

    def _drop_aged(self, now: float) -> None:
        if self._keys is not None and now >= self._dropped_at:
            _log.error("keys dropped: past the age cap", extra={"context": {"issuer": self._issuer}})
            self._keys = None
            self.generation += 1

    def _require_fetch(self, now: float, flight: _Flight | None, fetch: bool) -> None:
        if flight is None and now < self._retry_at and self._last_error is not None:
            # Asked a moment ago, in vain: each caller asking anew would make it worse.
            raise type(self._last_error)(self._last_error.reason, issuer=self._issuer)
        if not fetch:
            raise KeyFetchNeeded

    def _budget(self, keys: KeySet | None, inline: bool) -> float:
        if keys is None:
            return self._timings.inline_budget
        return self._timings.stale_budget if inline else self._timings.background_budget

    def _keys_after(self, flight: _Flight) -> KeySet:
        keys = self._keys
        if keys is not None:
            return keys
        error = flight.error or ProviderTimeout("the issuer's keys did not come in time")
        raise type(error)(error.reason, issuer=self._issuer) from error

    def _asked_again(self, kid: str | None, alg: str, seen: KeySet, fetch: bool) -> Check | None:
        """Ask the issuer about an unknown `kid`, as often as the allowance permits and no more."""
        with self._lock:
            now = self._clock()
            if self._keys is not None and self._keys is not seen:
                return self._keys.find(kid, alg)
            flight, leading = self._running(now), False
            if flight is None:
                if not self._allowed(now) or now < self._retry_at:
                    return None
                if fetch:
                    self._allowance -= 1
                    flight, leading = self._begin(now, self._timings.stale_budget), True
            if not fetch or flight is None:
                raise KeyFetchNeeded
        if leading:
            self._fly(flight, retries=0)
        else:
            self._wait(flight, self._timings.stale_budget)
        keys = self._keys
        return keys.find(kid, alg) if keys is not None else None

    def _allowed(self, now: float) -> bool:
        earned = max(0.0, now - self._allowance_at) / self._timings.unknown_kid_every
        self._allowance = min(float(self._timings.unknown_kid_burst), self._allowance + earned)
        self._allowance_at = now
        return self._allowance >= 1

    def _running(self, now: float) -> _Flight | None:
        flight = self._flight
        return flight if flight is not None and not flight.done.is_set() and now < flight.deadline else None

    def _begin(self, now: float, budget: float) -> _Flight:
        self._flight = _Flight(now + budget)
        if self._keys is not None:
            # Until then nobody needs to look after a fetch under way.
            self.tend_at = min(self._flight.deadline, self._dropped_at)
        return self._flight

    def _wait(self, flight: _Flight, longest: float) -> None:
        flight.done.wait(max(0.0, min(longest, flight.deadline - self._clock())))

    def _fly(self, flight: _Flight, retries: int) -> None:
        try:
            for attempt in range(retries + 1):
                asked_at = self._clock()
                try:
                    keys = KeySet.parse(self._load(min(self._timings.attempt, max(0.1, flight.deadline - asked_at))))
                except ProviderUnreachable as failure:
                    flight.error = failure
                except ValueError as failure:
                    flight.error = ProviderUnreachable("the issuer's key set is unusable", problem=str(failure))
                else:
                    self._install(flight, keys, asked_at)
                    return
                pause = self._timings.first_pause * 2**attempt
                if attempt == retries or self._clock() + pause >= flight.deadline:
                    break
                self._pause(pause)
            self._note_failure(flight)
        finally:
            flight.done.set()

    def _install(self, flight: _Flight, keys: KeySet, asked_at: float) -> None:
        with self._lock:
            now = self._clock()
            if flight is not self._flight or now >= flight.deadline:
                # Thawed after a freeze: how old this answer is, nobody knows.
                flight.error = ProviderTimeout("a fetch ended past its deadline")
                _log.warning("late key set discarded", extra={"context": {"issuer": self._issuer}})
                return
            self._failures, self._retry_at, self._last_error, flight.error = 0, 0.0, None, None
            self._hold(keys, asked_at)
            self.tend_at = min(asked_at + self._timings.ttl * self._timings.refresh_ahead, self._dropped_at)
            _log.debug("key set fetched", extra={"context": {"issuer": self._issuer, "keys": len(keys)}})

    def _hold(self, keys: KeySet, fetched_at: float) -> None:
        if self._keys is not None and not self._keys.identities <= keys.identities:
            self.generation += 1
            _log.info("a key was withdrawn", extra={"context": {"issuer": self._issuer}})
        if keys.skipped:
            _log.info("keys skipped", extra={"context": {"issuer": self._issuer, "skipped": keys.skipped}})
        self._keys, self._fetched_at = keys, fetched_at
        self._stale_at = fetched_at + self._timings.ttl
        self._dropped_at = fetched_at + self._timings.max_age

    def _note_failure(self, flight: _Flight) -> None:
        with self._lock:
            if flight is not self._flight:
                return
            timings, now, error = self._timings, self._clock(), flight.error
            self._retry_at = now + min(timings.longest_back_off, timings.first_back_off * 2**self._failures)
            self._failures = min(self._failures + 1, 16)
            self._last_error = error
            self.tend_at = min(self._retry_at, self._dropped_at) if self._keys is not None else 0.0
        context = {"issuer": self._issuer, "served_stale": self._keys is not None, "failures": self._failures}
        if error is not None:
            context |= {"reason": error.reason, **error.private}
        _log.warning("the issuer's keys could not be fetched", extra={"context": context})

    def _read_bundle_once(self, now: float) -> None:
        read, self._unread_bundle = self._unread_bundle, None
        bundle = read() if read is not None else None
        if bundle is None:
            return
        # A build time in the future would put the age cap off.
        self._hold(bundle.keys, min(bundle.fetched_at, now))
        # A cold start fetches nothing, however old the bundle is within its cap.
        self._stale_at = max(self._stale_at, now + self._timings.ttl)
        ahead = self._fetched_at + self._timings.ttl * self._timings.refresh_ahead
        self.tend_at = min(max(ahead, now + self._timings.bundle_rest), self._dropped_at)


class JwksCache:
    """The keys of every trusted issuer, by issuer."""

    def __init__(self, issuers: Mapping[str, CachedIssuerKeys]) -> None:
        self._issuers = dict(issuers)

    def of(self, issuer: str) -> CachedIssuerKeys:
        return self._issuers[issuer]
