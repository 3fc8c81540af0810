"""Report the origins of pages that may not use this API: browsers tell the page only that the request failed."""

from __future__ import annotations

import logging
from collections.abc import Collection

from tenantgate.settings.allowed_origins import origin_remedy, parse_origin

# Any caller can send any origin.
MOST_REPORTED = 100

_log = logging.getLogger(__name__)


class RefusedOrigins:
    """The refused origins of one process. Each is reported once, and at most `MOST_REPORTED` of them."""

    def __init__(self, *, allowed: Collection[str], base_url: str) -> None:
        self._allowed = frozenset(allowed)
        self._base_url = base_url
        self._reported: set[str] = set()

    def remedy(self, origin: str) -> str | None:
        """Return the remedy for a refused origin that was not reported before; None for any other text."""
        if origin in self._allowed or origin == self._base_url or origin in self._reported:
            return None
        if len(self._reported) >= MOST_REPORTED or parse_origin(origin) is None:
            return None
        self._reported.add(origin)
        return origin_remedy(origin, allowed=self._allowed, base_url=self._base_url)

    def log(self, origin: str) -> None:
        """Log a refused origin, once."""
        remedy = self.remedy(origin)
        if remedy is not None:
            context = {"origin": origin, "remedy": remedy}
            _log.info("the origin of a page is not in ALLOWED_ORIGINS", extra={"context": context})
