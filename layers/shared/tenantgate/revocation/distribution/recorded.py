"""The list of revocations as PostgreSQL has it, read again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from tenantgate.revoked.additions import Additions
from tenantgate.revoked.snapshot import Head, Snapshot

# A snapshot with more additions is replaced by a whole one, which every reader must get. One more revocation costs all
# of them in Valkey and at each reader, so their number is limited, too.
MOST_ADDITIONS = 2_000


class Store(Protocol):
    """The part of `repository.RevocationRepository` that is read. Both methods raise `DatabaseUnreachable`."""

    async def additions(self, *, since: int, rules: int, most: int) -> Additions | None: ...

    async def snapshot(self, *, now: float) -> Snapshot: ...


class Recorded:
    """The snapshot as PostgreSQL has it. `clock` returns epoch seconds.

    It remembers the last one: most readings only find that nothing has changed, or a few additions.
    """

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time, most: int = MOST_ADDITIONS) -> None:
        self._store = store
        self._clock = clock
        self._most = most
        self._known: Snapshot | None = None

    async def read(self) -> tuple[Head, Snapshot]:
        """Read PostgreSQL; `Head.read_at` is earlier. Raises `DatabaseUnreachable`."""
        read_at = self._clock()
        known = None if self._known is None else await self._extended(self._known)
        if known is None:
            known = await self._store.snapshot(now=read_at)
        self._known = known
        return known.head(int(read_at * 1000)), known

    async def read_on(self, published: Head, current: Snapshot) -> Snapshot | None:
        """Return `current`, or a later one, with its additions counted from the published body.

        None if that is not possible: the body doesn't show a change that additions can't, or too much was added.
        Raises `DatabaseUnreachable`.
        """
        base = published.body_epoch
        if published.rules != current.rules or published.closed != current.closed or base > current.epoch:
            return None
        additions = await self._store.additions(since=base, rules=current.rules, most=self._most)
        if additions is None or additions.epoch < current.epoch:
            return None
        whole = current.whole()
        if additions.epoch > base:
            until = {**whole.until, **additions.until}
            whole = whole.__replace__(epoch=additions.epoch, until=until, additions=additions)
        self._known = whole
        return whole

    def take(self, snapshot: Snapshot) -> None:
        """Remember a snapshot that was made from the one that `read` returned."""
        self._known = snapshot

    async def _extended(self, known: Snapshot) -> Snapshot | None:
        """Return the snapshot with the additions since; None if it needs to be read as a whole."""
        later = await self._store.additions(since=known.epoch, rules=known.rules, most=self._most)
        if later is None or later.epoch < known.epoch:
            return None
        if later.epoch == known.epoch:
            return known
        additions = later if known.additions is None else known.additions.followed_by(later)
        return None if additions.size > self._most else known.with_additions(additions)
