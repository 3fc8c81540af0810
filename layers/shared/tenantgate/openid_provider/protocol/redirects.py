"""Allowed redirect targets: the configured callback, and any URI of an allowed origin."""

from __future__ import annotations

from collections.abc import Collection

from tenantgate.urls import parse_http_url

MAX_URI_CHARACTERS = 2000


class RedirectRule:
    """Allows a URI that equals one of `exact`, or whose parsed origin equals one of `origins`."""

    def __init__(self, *, exact: Collection[str], origins: Collection[str]) -> None:
        self._exact = frozenset(exact)
        self._origins = frozenset(_origin_of(origin) for origin in origins) - {None}

    def __call__(self, uri: str) -> bool:
        return uri in self._exact or _origin_of(uri) in self._origins


def _origin_of(uri: str) -> str | None:
    parsed = parse_http_url(uri, longest=MAX_URI_CHARACTERS)
    # RFC 6749 §3.1.2: a redirection URI has no fragment.
    return None if parsed is None or parsed.has_fragment else parsed.origin
