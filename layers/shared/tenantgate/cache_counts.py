"""Hits and misses of each use of the cache, counted in this process and written to the log about once a minute.

The lines are written at the end of a request, after its response is known, and have the form of CloudWatch's embedded
metrics (`observability/figures.py`). The counts of a process's last minute are lost with it. Without imports: the
authorizer counts, too.
"""

from __future__ import annotations

import logging
import time

from tenantgate.context import at_request_end
from tenantgate.errors.base import Word

_log = logging.getLogger("tenantgate.figures")
# Figures are not a matter of LOG_LEVEL.
_log.setLevel(logging.INFO)

EVERY_SECONDS = 60.0
# The uses that `cache/uses.py` declares.
SESSIONS = "sessions"
LAST_USES = "last uses"
REVOCATIONS = "revocations"
RATE_LIMITS = "rate limits"
METADATA = "provider metadata"
KEY_SETS = "key sets"


class Counts:
    """The readings of each use that found a value, that found none, and that Valkey didn't serve."""

    def __init__(self) -> None:
        self._by_use: dict[str, list[int]] = {}
        self._next = time.monotonic() + EVERY_SECONDS

    def add(self, use: str, found: bool | None) -> None:
        """Count a reading. `found`: None if Valkey couldn't be reached."""
        counts = self._by_use.setdefault(use, [0, 0, 0])
        counts[2 if found is None else 0 if found else 1] += 1

    def write_if_due(self) -> None:
        """Write and reset the counts if the last time was a minute ago."""
        now = time.monotonic()
        if now < self._next or not self._by_use:
            return
        written, self._by_use = self._by_use, {}
        self._next = now + EVERY_SECONDS
        for use, (hits, misses, failures) in list(written.items()):
            context = {"use": Word(use), "cache_hits": hits, "cache_misses": misses, "cache_failures": failures}
            _log.info("readings of the cache", extra={"context": context})


_counts = Counts()
at_request_end(_counts.write_if_due)
count = _counts.add
