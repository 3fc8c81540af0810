"""A provider's metadata (OpenID Connect Discovery §4), kept like its keys: an hour, and past failures for a day."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from copy import replace

from tenantgate.errors import ProviderUnreachable
from tenantgate.tokens.fetch import FetchJson, fetch_json
from tenantgate.tokens.forms import is_loopback_url, is_outward_url
from tenantgate.tokens.records import Record

_log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 3.0
_FRESH_SECONDS = 3600
_USABLE_SECONDS = 86400
_RETRY_SECONDS = 5


type _Place = tuple[str, str]
"""The issuer, and the URL of its document."""


class _Kept(Record):
    metadata: Mapping[str, object]
    fresh_until: float
    usable_until: float


class ProviderDirectory:
    """The metadata of the providers that settings name, fetched when first asked for. Safe to share between threads."""

    def __init__(self, *, fetcher: FetchJson = fetch_json, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetcher
        self._clock = clock
        self._kept: dict[_Place, _Kept] = {}
        self._locks: dict[_Place, threading.Lock] = {}

    def metadata(
        self, issuer: str, discovery_url: str | None = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> Mapping[str, object]:
        """The document at `discovery_url`, by default the issuer's well-known path.

        Raises `ProviderUnreachable` when the provider gives none, or one that isn't the issuer's own. `endpoint` checks
        its other members.
        """
        place = issuer, discovery_url or well_known_url(issuer)
        kept = self._kept.get(place)
        if kept is not None and self._clock() < kept.fresh_until:
            return kept.metadata
        # One at a time for each issuer: who waited finds what the first one fetched. But a thread frozen while it holds
        # the lock must not hold up the others.
        lock = self._locks.setdefault(place, threading.Lock())
        locked = lock.acquire(timeout=timeout)
        try:
            return self._renewed(place, timeout)
        finally:
            if locked:
                lock.release()

    def doubt(self, issuer: str, discovery_url: str | None = None) -> None:
        """Ask again next time, as when what the metadata points to is gone."""
        place = issuer, discovery_url or well_known_url(issuer)
        kept = self._kept.get(place)
        if kept is not None:
            self._kept[place] = replace(kept, fresh_until=0)

    def _renewed(self, place: _Place, timeout: float) -> Mapping[str, object]:
        kept, now = self._kept.get(place), self._clock()
        if kept is not None and now < kept.fresh_until:
            return kept.metadata
        try:
            metadata = _fetched(place, self._fetch, timeout)
        except ProviderUnreachable:
            if kept is None or now >= kept.usable_until:
                raise
            _log.warning("provider metadata is kept past its time", extra={"context": {"issuer": place[0]}})
            self._kept[place] = replace(kept, fresh_until=now + _RETRY_SECONDS)
            return kept.metadata
        self._kept[place] = _Kept(metadata, now + _FRESH_SECONDS, now + _USABLE_SECONDS)
        return metadata


def well_known_url(issuer: str) -> str:
    """Where an issuer's document is unless a setting says otherwise (Discovery §4.1: without a terminating slash)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def endpoint(metadata: Mapping[str, object], name: str, *, source: str) -> str | None:
    """The URL that the metadata has under `name`; None where it is missing, null or empty.

    Raises `ProviderUnreachable` for any other value that isn't https, or http from one loopback server to another;
    `source` is the URL that the metadata came from. Only what is used is asked for, because providers publish null,
    empty and odd values under names that a caller has no use for.
    """
    url = metadata.get(name)
    if url is None or url == "":
        return None
    if isinstance(url, str) and is_outward_url(url, loopback_http=is_loopback_url(source)):
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
    issuer: str, discovery_url: str | None = None, *, fetcher: FetchJson = fetch_json
) -> Mapping[str, object]:
    """The metadata of `issuer` from this process's directory for `fetcher`; blocking when it must be fetched."""
    return provider_directory(fetcher).metadata(issuer, discovery_url)


def provider_directory(fetcher: FetchJson = fetch_json) -> ProviderDirectory:
    """This process's directory: one for each fetcher."""
    return _directories.setdefault(fetcher, ProviderDirectory(fetcher=fetcher))
