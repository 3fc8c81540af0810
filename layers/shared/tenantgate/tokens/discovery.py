"""A provider's metadata (OpenID Connect Discovery §4): fresh for an hour, and during failures used for a day."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from copy import replace
from typing import TYPE_CHECKING

from tenantgate import time_limits
from tenantgate.errors.base import Word
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable
from tenantgate.tokens.fetch import FetchJson, fetch_json
from tenantgate.tokens.flights import Fetches, FetchNeeded, Flight
from tenantgate.tokens.records import Record
from tenantgate.urls import is_endpoint_url, is_loopback_url

if TYPE_CHECKING:
    from tenantgate.tokens.copies import Copies, Copy

_log = logging.getLogger(__name__)

TIMEOUT_SECONDS = time_limits.METADATA
_FRESH_SECONDS = 3600
USABLE_SECONDS = 86400
# Short, because people are waiting for the sign-in to work again.
_FIRST_BACK_OFF = 1.0
_LONGEST_BACK_OFF = 15.0
_FREEZE_SECONDS = 5.0


type _Place = tuple[str, str]
"""The issuer, and the URL of its document."""


class _Kept(Record):
    __slots__ = ()

    metadata: Mapping[str, object]
    fetched_at: float
    fresh_until: float


class ProviderDirectory:
    """The metadata of the providers in the settings, fetched when first needed. Safe to share between threads.

    Each provider has its own flights (`flights.py`): a silent provider doesn't delay the callers of another one.
    """

    def __init__(self, *, fetcher: FetchJson = fetch_json, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetcher
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[_Place, _Kept] = {}
        self._fetches: dict[_Place, Fetches] = {}
        # Copies from other processes, for a fetch that fails.
        self._spares: dict[_Place, Copy] = {}

    def metadata(
        self,
        issuer: str,
        discovery_url: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        fetch: bool = True,
        copies: Copies | None = None,
    ) -> Mapping[str, object]:
        """Return the document at `discovery_url`, by default the issuer's well-known path.

        Raises `ProviderUnreachable` if the provider sends no document, or that of another issuer. `endpoint` checks
        the other members. `timeout` is the longest wait in seconds. Without `fetch`, the call never waits: it returns
        metadata past its hour while that is fetched again, and raises `FetchNeeded` if no metadata is held. Without
        metadata, a copy from another process (`copies`) counts as fetched at the time of the copy's own fetch.
        """
        place = issuer, discovery_url or well_known_url(issuer)
        kept = self._kept.get(place)
        if kept is not None and self._clock() < kept.fresh_until:
            return kept.metadata
        with self._lock:
            if not fetch and self._held(place) is None and self._failure(place) is None:
                raise FetchNeeded(lambda: self._join(place, copies), _too_slow(issuer))
            flight = self._flight(place, copies)
            if flight is None or not fetch:
                return self._result(place)
        flight.wait(timeout)
        with self._lock:
            return self._result(place)

    def doubt(self, issuer: str, discovery_url: str | None = None) -> None:
        """Fetch again next time, because an endpoint of the metadata failed."""
        place = issuer, discovery_url or well_known_url(issuer)
        with self._lock:
            kept = self._kept.get(place)
            if kept is not None:
                self._kept[place] = replace(kept, fresh_until=0)

    def forget(self, issuer: str, discovery_url: str | None = None) -> None:
        """Don't return this metadata again, because it lacks a member that is needed."""
        with self._lock:
            self._kept.pop((issuer, discovery_url or well_known_url(issuer)), None)

    def _held(self, place: _Place) -> Mapping[str, object] | None:
        kept = self._kept.get(place)
        return kept.metadata if kept is not None and self._clock() < kept.fetched_at + USABLE_SECONDS else None

    def _result(self, place: _Place) -> Mapping[str, object]:
        held = self._held(place)
        if held is None:
            raise self._failure(place) or _too_slow(place[0])
        return held

    def _failure(self, place: _Place) -> ProviderUnreachable | None:
        """Return the last failure while it is too early for another fetch, and none is pending."""
        now, fetches = self._clock(), self._fetches_of(place)
        return fetches.failure(now) if fetches.pending(now) is None else None

    def _flight(self, place: _Place, copies: Copies | None) -> Flight | None:
        """Return the flight to wait for, begun if necessary; None while it is too early for another one."""
        now, fetches = self._clock(), self._fetches_of(place)
        flight = fetches.pending(now)
        if flight is None and fetches.failure(now) is None:
            flight = fetches.begin(
                now,
                TIMEOUT_SECONDS,
                lambda flight: self._load(place, flight, copies),
                thread_name="tenantgate-discovery",
            )
        return flight

    def _join(self, place: _Place, copies: Copies | None) -> tuple[Flight, float] | None:
        with self._lock:
            flight = self._flight(place, copies) if self._held(place) is None else None
            return None if flight is None else (flight, TIMEOUT_SECONDS)

    def _load(self, place: _Place, flight: Flight, copies: Copies | None) -> Callable[[], None]:
        if copies is not None and (copy := self._newer(place, copies.read())) is not None:
            if self._held(place) is None and self._clock() < copy.fetched_at + _FRESH_SECONDS:
                return lambda: self._keep(place, copy.document, copy.fetched_at)
            self._spares[place] = copy
        asked_at = self._clock()
        metadata = _fetched(place, self._fetch, max(0.1, flight.ends_at - asked_at))
        if copies is not None:
            copies.write(metadata, asked_at, seconds=flight.ends_at - self._clock())
        return lambda: self._keep(place, metadata, asked_at)

    def _keep(self, place: _Place, metadata: Mapping[str, object], fetched_at: float) -> None:
        self._kept[place] = _Kept(metadata, fetched_at, fetched_at + _FRESH_SECONDS)

    def _newer(self, place: _Place, copy: Copy | None) -> Copy | None:
        """Return a copy of the issuer's document that is newer than the held one: that may have been doubted."""
        if copy is None or copy.document.get("issuer") != place[0]:
            return None
        kept = self._kept.get(place)
        return copy if kept is None or copy.fetched_at > kept.fetched_at else None

    def _keep_spare(self, place: _Place) -> None:
        if (spare := self._newer(place, self._spares.pop(place, None))) is not None:
            self._keep(place, spare.document, spare.fetched_at)

    def _fetches_of(self, place: _Place) -> Fetches:
        def failed(error: ProviderUnreachable, _: float) -> None:
            self._keep_spare(place)
            context = {"issuer": Word(place[0]), "served_stale": self._held(place) is not None, "reason": error}
            _log.warning(
                "the provider's metadata could not be fetched", extra={"context": {**error.private, **context}}
            )

        fetches = self._fetches.get(place)
        if fetches is None:
            fetches = self._fetches[place] = Fetches(
                place[0],
                self._lock,
                failed=failed,
                clock=self._clock,
                first_back_off=_FIRST_BACK_OFF,
                longest_back_off=_LONGEST_BACK_OFF,
                freeze=_FREEZE_SECONDS,
            )
        return fetches


def _too_slow(issuer: str) -> ProviderTimeout:
    return ProviderTimeout("the provider's metadata did not come in time", issuer=issuer)


def well_known_url(issuer: str) -> str:
    """Return the default URL of an issuer's document (Discovery §4.1: without the issuer's terminating slash)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def endpoint(metadata: Mapping[str, object], name: str, *, source: str) -> str | None:
    """Return the URL under `name` in the metadata; None if it is missing, null or empty.

    Raises `ProviderUnreachable` for any other value that isn't https, or http from one loopback server to another;
    `source` is the URL that the metadata came from. Members that no caller uses are never checked, because providers
    publish null, empty and odd values there.
    """
    url = metadata.get(name)
    if url is None or url == "":
        return None
    if isinstance(url, str) and is_endpoint_url(url, loopback_http=is_loopback_url(source)):
        return url
    raise ProviderUnreachable("the provider's metadata has an unusable URL", member=name, actual=str(url)[:200])


def _fetched(place: _Place, fetch: FetchJson, timeout: float) -> Mapping[str, object]:
    issuer, url = place
    metadata = fetch(url, timeout=timeout)
    # Discovery §4.3: otherwise one provider could stand in for another.
    if metadata.get("issuer") != issuer:
        raise ProviderUnreachable(
            "the provider's metadata names another issuer", expected=issuer, actual=str(metadata.get("issuer"))[:200]
        )
    return metadata


_directories: dict[FetchJson, ProviderDirectory] = {}


def provider_metadata(
    issuer: str,
    discovery_url: str | None = None,
    *,
    fetcher: FetchJson = fetch_json,
    fetch: bool = True,
    copies: Copies | None = None,
) -> Mapping[str, object]:
    """Return the metadata of `issuer` from this process's directory; see `ProviderDirectory.metadata`."""
    return provider_directory(fetcher).metadata(issuer, discovery_url, fetch=fetch, copies=copies)


def provider_directory(fetcher: FetchJson = fetch_json) -> ProviderDirectory:
    """Return this process's directory for the fetcher."""
    return _directories.setdefault(fetcher, ProviderDirectory(fetcher=fetcher))
