"""Report the origins of pages that may not use this API: browsers tell the page only that the request failed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from tenantgate.settings.allowed_origins import NO_ORIGIN, origin_remedy, parse_origin

# Any caller can send any origin.
MOST_REPORTED = 100

_log = logging.getLogger(__name__)


class RefusedOrigins:
    """The refused origins of one process. Each is reported once, and at most `MOST_REPORTED` of them."""

    def __init__(self, *, allowed: Collection[str], base_url: str) -> None:
        self._allowed = frozenset(allowed)
        self._base_url = base_url
        self._reported: set[str] = set()

    def found_in(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str] | None:
        """Return the request's origin and its remedy, if it is refused and was not reported before."""
        origin = mode = None
        for name, value in headers:
            if name == b"origin":
                origin = value.decode("latin-1")
            elif name == b"sec-fetch-mode":
                mode = value
        if origin is None or origin in self._allowed or origin == self._base_url or origin in self._reported:
            return None
        # The forms of our own pages have this origin, too: with `Referrer-Policy: no-referrer` browsers send no other.
        is_page = parse_origin(origin) is not None or (origin == NO_ORIGIN and mode == b"cors")
        if not is_page or len(self._reported) >= MOST_REPORTED:
            return None
        self._reported.add(origin)
        return origin, origin_remedy(origin, allowed=self._allowed, base_url=self._base_url)

    def log(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Log the request's origin if it is refused, once."""
        found = self.found_in(headers)
        if found is not None:
            origin, remedy = found
            context = {"origin": origin, "remedy": remedy}
            _log.info("the origin of a page is not in ALLOWED_ORIGINS", extra={"context": context})
