"""The snapshot of revocations, read from Valkey for the authorizer: on its own connection, without an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenantgate import time_limits
from tenantgate.cache_counts import REVOCATIONS, count
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revoked.snapshot import BODY_KEY, HEAD_KEY, LONGEST_BODY, Head, Snapshot

if TYPE_CHECKING:
    from typing import Protocol

    from tenantgate.revoked.holder import Holder

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
        holder = self._holder
        try:
            if holder.epoch is not None:
                (raw,) = self._values.get_many(HEAD_KEY, longest=_LONGEST_HEAD)
                if holder.accept_head(Head.from_json(raw)):
                    count(REVOCATIONS, found=True)
                    return
            # Both in one command: no publisher can come in between.
            raw, body = self._values.get_many(HEAD_KEY, BODY_KEY, longest=LONGEST_BODY, seconds=BODY_SECONDS)
        except CacheUnavailable as failure:
            count(REVOCATIONS, None)
            holder.failed(failure.reason)
            return
        count(REVOCATIONS, raw is not None and body is not None)
        if not holder.accept(Head.from_json(raw), Snapshot.from_json(body)):
            holder.failed()
