"""A provider's metadata (OpenID Connect Discovery §4), kept like its keys: an hour, and past failures for a day."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from copy import replace

from tenantgate.errors import ProviderUnreachable
from tenantgate.tokens.fetch import FetchJson, fetch_json
from tenantgate.tokens.forms import is_loopback_url
from tenantgate.tokens.records import Record

_log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 3.0
_FRESH_SECONDS = 3600
_USABLE_SECONDS = 86400
_RETRY_SECONDS = 5


class _Kept(Record):
    metadata: Mapping[str, object]
    fresh_until: float
    usable_until: float


class ProviderDirectory:
    """The metadata of the providers that settings name, fetched when first asked for. Safe to share between threads."""

    def __init__(self, *, fetcher: FetchJson = fetch_json, clock: Callable[[], float] = time.time) -> None:
        self._fetch = fetcher
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._locks: dict[str, threading.Lock] = {}

    def metadata(self, issuer: str, *, timeout: float = TIMEOUT_SECONDS) -> Mapping[str, object]:
        """Raises `ProviderUnreachable` when the provider gives none, or one that isn't its own."""
        kept = self._kept.get(issuer)
        if kept is not None and self._clock() < kept.fresh_until:
            return kept.metadata
        # One at a time for each issuer: who waited finds what the first one fetched. But a thread frozen while it holds
        # the lock must not hold up the others.
        lock = self._locks.setdefault(issuer, threading.Lock())
        locked = lock.acquire(timeout=timeout)
        try:
            return self._renewed(issuer, timeout)
        finally:
            if locked:
                lock.release()

    def doubt(self, issuer: str) -> None:
        """Ask again next time, as when what the metadata points to is gone."""
        kept = self._kept.get(issuer)
        if kept is not None:
            self._kept[issuer] = replace(kept, fresh_until=0)

    def _renewed(self, issuer: str, timeout: float) -> Mapping[str, object]:
        kept, now = self._kept.get(issuer), self._clock()
        if kept is not None and now < kept.fresh_until:
            return kept.metadata
        try:
            metadata = _fetched(issuer, self._fetch, timeout)
        except ProviderUnreachable:
            if kept is None or now >= kept.usable_until:
                raise
            _log.warning("provider metadata is kept past its time", extra={"context": {"issuer": issuer}})
            self._kept[issuer] = replace(kept, fresh_until=now + _RETRY_SECONDS)
            return kept.metadata
        self._kept[issuer] = _Kept(metadata, now + _FRESH_SECONDS, now + _USABLE_SECONDS)
        return metadata


def _fetched(issuer: str, fetch: FetchJson, timeout: float) -> Mapping[str, object]:
    # Discovery §4.1: a terminating slash goes before the well-known path is added.
    metadata = fetch(issuer.removesuffix("/") + "/.well-known/openid-configuration", timeout=timeout)
    # Discovery §4.3: otherwise one provider could stand in for another.
    if metadata.get("issuer") != issuer:
        raise ProviderUnreachable(
            "the provider's metadata names another issuer", expected=issuer, actual=str(metadata.get("issuer"))[:200]
        )
    for name, value in metadata.items():
        if name == "jwks_uri" or name.endswith("_endpoint"):
            _require_url(name, value, issuer)
    if "jwks_uri" not in metadata:
        raise ProviderUnreachable("the provider's metadata has no jwks_uri", issuer=issuer)
    return metadata


def _require_url(name: str, value: object, issuer: str) -> None:
    if isinstance(value, str) and value.isprintable() and value.isascii():
        if value.startswith("https://"):
            return
        if value.startswith("http://") and is_loopback_url(value) and is_loopback_url(issuer):
            return
    raise ProviderUnreachable("the provider's metadata has an endpoint that isn't https", issuer=issuer, member=name)


_directories: dict[FetchJson, ProviderDirectory] = {}


def provider_metadata(issuer: str, *, fetcher: FetchJson = fetch_json) -> Mapping[str, object]:
    """The metadata of `issuer` from this process's directory for `fetcher`; blocking when it must be fetched."""
    return provider_directory(fetcher).metadata(issuer)


def provider_directory(fetcher: FetchJson = fetch_json) -> ProviderDirectory:
    """This process's directory: one for each fetcher."""
    return _directories.setdefault(fetcher, ProviderDirectory(fetcher=fetcher))
