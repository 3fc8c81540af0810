"""The snapshot of revocations, read from Valkey for the authorizer: on its own connection, without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate import time_limits
from tenantgate.cache_counts import REVOCATIONS, count
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revoked.fetching import fetch_into
from tenantgate.revoked.snapshot import LONGEST_BODY

if TYPE_CHECKING:
    from typing import Protocol

    from tenantgate.revoked.holder import Holder
    from tenantgate.revoked.snapshot import Snapshot

    class Values(Protocol):
        """The store of the snapshot."""

        def get_many(self, *keys: str, longest: int, seconds: float | None = None) -> list[bytes | None]:
            """Return the keys' values of at most `longest` bytes each. Raises `CacheUnavailable`."""
            ...


_LONGEST_HEAD = 256
# A large snapshot takes longer than the short values for which the connection's own limit is made.
BODY_SECONDS = time_limits.REVOCATION_LIST


class RevocationReader:
    """Returns the current snapshot, and fetches another one if the held one is due."""

    def __init__(self, values: Values, holder: Holder) -> None:
        self._values = values
        self._holder = holder

    def current(self) -> Snapshot:
        """Return a snapshot that is recent enough. Raises `RevocationUnknown`."""
        if self._holder.is_due():
            self._fetch()
        return self._holder.current()

    def _fetch(self) -> None:
        steps = fetch_into(self._holder)
        keys = next(steps)
        try:
            while True:
                if len(keys) == 1:
                    values = self._values.get_many(*keys, longest=_LONGEST_HEAD)
                else:
                    values = self._values.get_many(*keys, longest=LONGEST_BODY, seconds=BODY_SECONDS)
                keys = steps.send(values)
        except CacheUnavailable as failure:
            count(REVOCATIONS, None)
            self._holder.failed(failure.reason)
        except StopIteration as end:
            found, taken = end.value
            count(REVOCATIONS, found)
            if not taken:
                self._holder.failed()
