"""Where the provider may send a browser back to: the configured callback, or any URI of an allowed origin."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

MAX_URI_CHARACTERS = 2000
# RFC 3986 §2: what a URI may consist of. Anything else (a backslash, a tab, a line break, a letter beyond ASCII) is
# read differently by different parsers.
_URI = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%]+\Z")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class RedirectRule:
    """Exact comparison with `exact`, or by parsed origin (scheme, host, port) with `origins`."""

    def __init__(self, *, exact: Collection[str], origins: Collection[str]) -> None:
        self._exact = frozenset(exact)
        self._origins = frozenset(origin_of(origin) for origin in origins) - {None}

    def __call__(self, uri: str) -> bool:
        return uri in self._exact or origin_of(uri) in self._origins


def origin_of(uri: str) -> tuple[str, str, int] | None:
    """The origin of an absolute http(s) URI without user info and fragment, else None (RFC 6749 §3.1.2)."""
    if len(uri) > MAX_URI_CHARACTERS or not _URI.match(uri):
        return None
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, _DEFAULT_PORTS[parts.scheme] if port is None else port
