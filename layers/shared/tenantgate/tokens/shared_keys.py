"""One issuer's keys in a process that shares key sets with others: memory, then a copy, then the issuer.

A copy counts as fetched at the time of its own fetch: all ages of `jwks.py` count from there, so no key is used for
longer than by a process that has been running since. A process without keys uses a copy that isn't due for
its refresh. Every refresh, and an unknown `kid`, asks the issuer; if that fails, a newer copy replaces the held keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import override

from tenantgate.errors.tokens import ProviderUnreachable
from tenantgate.tokens.copies import Copies, Copy
from tenantgate.tokens.flights import Flight
from tenantgate.tokens.jwks import Bundle, CachedIssuerKeys, LoadJwks, Timings
from tenantgate.tokens.keys import HeldKeys, KeyFetchNeeded, KeySet

# Copies have whole milliseconds: a copy of the held keys must not pass for a newer one.
_TICK = 0.002


class SharedIssuerKeys(CachedIssuerKeys):
    """`CachedIssuerKeys` with `copies` of the key set, which it reads before it fetches, and writes after."""

    def __init__(
        self,
        issuer: str,
        load: LoadJwks,
        *,
        copies: Copies,
        timings: Timings,
        bundle: Callable[[], Bundle | None] = lambda: None,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._loaded: Copy | None = None

        def noted(timeout: float) -> Mapping[str, object]:
            asked_at = clock()
            document = load(timeout)
            self._loaded = Copy(document, asked_at)
            return document

        super().__init__(issuer, noted, timings=timings, bundle=bundle, clock=clock, pause=pause)
        self._copies = copies
        self._copied: KeySet | None = None
        # A copy that is due to be refreshed, for a fetch that fails.
        self._spare: Bundle | None = None

    @override
    def _refresh(self, flight: Flight, retries: int) -> Callable[[], None]:
        copy, timings = self._newer(self._read_copy()), self._timings
        if (
            copy is not None
            and not self.held.keys
            and self._clock() < copy.fetched_at + timings.ttl * timings.refresh_ahead
        ):
            self._copied = copy.keys
            return lambda: self._install(copy.keys, copy.fetched_at)
        self._spare = copy
        return self._fetch(flight, retries)

    @override
    def _refetched(self, kid: str | None, alg: str, seen: HeldKeys, asked_at: float, fetch: bool) -> HeldKeys:
        try:
            return super()._refetched(kid, alg, seen, asked_at, fetch)
        except KeyFetchNeeded as needed:
            # A key that is newer than the copy must not be refused without asking the issuer.
            needed.follows_copy = self.held.keys is self._copied
            raise

    @override
    def _fetch(self, flight: Flight, retries: int) -> Callable[[], None]:
        install = super()._fetch(flight, retries)
        if (loaded := self._loaded) is not None:
            self._copies.write(loaded.document, loaded.fetched_at, seconds=flight.ends_at - self._clock())
        return install

    @override
    def _note_failure(self, error: ProviderUnreachable, retry_at: float) -> None:
        spare, self._spare = self._newer(self._spare), None
        if spare is not None and self._clock() < spare.fetched_at + self._timings.max_age:
            stale_at = spare.fetched_at + self._timings.ttl
            self._hold(spare.keys, spare.fetched_at, stale_at=stale_at, tend_at=retry_at)
        super()._note_failure(error, retry_at)

    def _read_copy(self) -> Bundle | None:
        copy = self._copies.read()
        try:
            return None if copy is None else Bundle(KeySet.parse(copy.document), copy.fetched_at)
        except ValueError:
            return None

    def _newer(self, copy: Bundle | None) -> Bundle | None:
        held = self.held
        if copy is None or (held.keys and copy.fetched_at < held.dropped_at - self._timings.max_age + _TICK):
            return None
        return copy
