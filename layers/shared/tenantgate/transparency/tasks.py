"""The sealer: appends queued events to the logs, signs checkpoints, and anchors them.

Each batch of a tenant is one transaction: its leaves, the tree, the checkpoint and the end of its queue entries are
committed together. Anchoring follows the commit; a checkpoint stays in its queue until it is anchored. So the work may
be killed at any moment, and may run several times at once: one process works on a tenant, the others skip it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Protocol
from uuid import UUID

from tenantgate.errors.base import InternalError, TenantgateError, Word
from tenantgate.transparency.anchors.objects import Anchors, checkpoints_name, checkpoints_object
from tenantgate.transparency.checkpoints import Checkpoint, open_checkpoint, sealed_checkpoint
from tenantgate.transparency.errors import LogBroken, NoteUnsigned, Unproven
from tenantgate.transparency.leaves import leaf_data
from tenantgate.transparency.models import Batch, Leaf, Sealed, SealedCheckpoint, microseconds
from tenantgate.transparency.notes import VerifierKey, split_note
from tenantgate.transparency.repository import Work
from tenantgate.transparency.tree import Frontier, leaf_hash

logger = logging.getLogger(__name__)

# Events of a transaction: it takes some 100 ms.
BATCH = 2000
_TENANTS = 1000
# Checkpoints of an object.
_ANCHORED_TOGETHER = 5000
_FIRST = ("", UUID(int=0))


class LogStore(Protocol):
    """The part of `repository.LogRepository` that the sealer uses. Every method raises `DatabaseUnreachable`."""

    async def waiting(self, *, after: str, limit: int) -> Sequence[str]: ...

    async def seal(self, tenant_id: str, work: Work, *, limit: int) -> tuple[int, SealedCheckpoint | None]: ...

    async def unanchored(self, *, after: tuple[str, UUID], limit: int) -> Sequence[tuple[str, UUID]]: ...

    async def checkpoints(self, tenant_id: str, ids: Sequence[UUID]) -> Sequence[SealedCheckpoint]: ...

    async def mark_anchored(self, tenant_id: str, ids: Sequence[UUID]) -> None: ...


class Signer(Protocol):
    """The part of `signers.SigningKeys` that the sealer uses. Raises `SecretsUnavailable`, `KeyServiceUnavailable`."""

    async def public_keys(self) -> Sequence[bytes]: ...

    async def sign(self, text: str, name: str) -> str: ...


@dataclass
class SealRun:
    """The counts of a run. `missing`: queued events whose rows are gone. `broken`: logs that can't be continued."""

    tenants: int = 0
    events: int = 0
    checkpoints: int = 0
    anchored: int = 0
    missing: int = 0
    broken: int = 0


class Sealer:
    """Seals the logs of all tenants."""

    def __init__(
        self,
        store: LogStore,
        signer: Signer,
        anchors: Anchors | None,
        origin: Callable[[str], str],
        *,
        at_once: int = 1,
        seconds: float = 600.0,
        batch: int = BATCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`origin` returns the origin of a tenant's new log. `at_once`: tenants. `seconds`: of a run, about."""
        self._store = store
        self._signer = signer
        self._anchors = anchors
        self._origin = origin
        self._at_once = at_once
        self._seconds = seconds
        self._batch = batch
        self._clock = clock

    async def run(self, *, on_progress: Callable[[SealRun], None] = lambda _: None) -> SealRun:
        """Seal what waits, anchor the checkpoints, log the counts and return them.

        Raises `SecretsUnavailable` and `KeyServiceUnavailable` without a key, `DatabaseUnreachable`,
        `AnchorUnavailable`; and at the end `LogBroken` if a log can't be continued: the others are sealed then.
        """
        done, deadline = SealRun(), self._clock() + self._seconds
        made: dict[UUID, SealedCheckpoint] = {}
        keys = await self._signer.public_keys()

        async def seal(tenant_id: str) -> str | None:
            if self._clock() >= deadline:
                return None
            is_all = await self._seal(tenant_id, keys, done, made)
            on_progress(done)
            return None if is_all else tenant_id

        async for page in self._waiting():
            done.tenants += len(page)
            left = list(page)
            # A batch of each: one tenant with many events doesn't delay the others.
            while left:
                left = [one for one in await self._each(seal, left) if one is not None]
                await self._anchor(keys, done, made)
        if not done.tenants:
            # Those of a run that was killed.
            await self._anchor(keys, done, made)
        if any(asdict(done).values()):
            logger.info("audit events sealed", extra={"context": asdict(done)})
        if done.broken:
            raise LogBroken("logs can't be continued", logs=done.broken)
        return done

    async def _waiting(self) -> AsyncIterator[Sequence[str]]:
        after = ""
        while page := await self._store.waiting(after=after, limit=_TENANTS):
            yield page
            after = page[-1]

    async def _seal(
        self, tenant_id: str, keys: Sequence[bytes], done: SealRun, made: dict[UUID, SealedCheckpoint]
    ) -> bool:
        """Seal a batch; return whether nothing is left to do, or another process does it."""

        async def work(batch: Batch) -> Sealed | None:
            return await self._sealed(batch, keys, done)

        try:
            count, checkpoint = await self._store.seal(tenant_id, work, limit=self._batch)
        except Exception as error:
            if isinstance(error, TenantgateError) and not isinstance(error, InternalError):
                # A part of the deployment is away.
                raise
            # One tenant's log, in which a login may have written any value, must not keep the others from being sealed.
            done.broken += 1
            private = error.private if isinstance(error, TenantgateError) else {"kind": type(error)}
            context = {"tenant_id": tenant_id, **private}
            logger.error("a log can't be continued: %s", error, extra={"context": context})
            return True
        if checkpoint is not None:
            made[checkpoint.id] = checkpoint
            done.checkpoints += 1
        return count < self._batch

    async def _sealed(self, batch: Batch, keys: Sequence[bytes], done: SealRun) -> Sealed | None:
        tree, origin = self._continued(batch, keys)
        missing = [event.id for event in batch.events if event.row is None and not event.is_sealed]
        if missing:
            done.missing += len(missing)
            context = {"tenant_id": batch.tenant_id, "events": len(missing), "first": str(missing[0])}
            logger.error(
                "queued audit events are gone: they were removed before they were sealed", extra={"context": context}
            )
        if any(event.is_moved and not event.is_sealed for event in batch.events):
            # The times of leaves and checkpoints are signed: they may only be those of events.
            raise LogBroken("its queue has other times than its events", tenant_id=batch.tenant_id, size=batch.size)
        leaves = [
            Leaf(event.id, leaf_hash(leaf_data(event.row)), event.recorded_at)
            for event in batch.events
            if event.row is not None and event.recorded_at is not None and not event.is_sealed
        ]
        if not leaves:
            return None
        tree.extend(leaf.leaf_hash for leaf in leaves)
        # No event that was recorded earlier is missing, apart from the window: those that weren't committed yet.
        sealed_at = batch.now if batch.is_all else min(batch.now, max(leaf.recorded_at for leaf in leaves))
        checkpoint = sealed_checkpoint(
            origin,
            tree.size,
            tree.root(),
            sealed_at=microseconds(sealed_at),
            signed_at=microseconds(batch.now),
            continues=batch.size,
        )
        note = await self._signer.sign(checkpoint.text, origin)
        done.events += len(leaves)
        return Sealed(leaves, tree.size, tree.hashes, note)

    def _continued(self, batch: Batch, keys: Sequence[bytes]) -> tuple[Frontier, str]:
        """Return the tree and the origin of the log, if it is the one that was sealed last. Raises `LogBroken`.

        The application's login may write the frontier: a changed one must not get a signature.
        """
        expected = self._origin(batch.tenant_id)
        try:
            tree = Frontier(batch.size, batch.frontier)
        except ValueError as error:
            raise LogBroken(f"its tree isn't one: {error}", tenant_id=batch.tenant_id, size=batch.size) from None
        if not batch.size:
            return tree, expected
        if batch.note is None:
            raise LogBroken("its last checkpoint is missing", tenant_id=batch.tenant_id, size=batch.size)
        try:
            origin, last = self._opened(batch.note, batch.tenant_id, keys)
        except (Unproven, ValueError) as error:
            raise LogBroken(
                f"its last checkpoint doesn't verify: {error}", tenant_id=batch.tenant_id, size=batch.size
            ) from None
        if (last.size, last.root) != (batch.size, tree.root()):
            raise LogBroken("its tree isn't that of its last checkpoint", tenant_id=batch.tenant_id, size=batch.size)
        return tree, origin

    def _opened(self, note: str, tenant_id: str, keys: Sequence[bytes]) -> tuple[str, Checkpoint]:
        """Return the origin and the checkpoint of a note of a tenant's log. Raises `Unproven` or `ValueError`."""
        text, _ = split_note(note)
        # A log keeps its first origin when the address of the deployment changes.
        origin = text.partition("\n")[0]
        if _log(origin) != _log(self._origin(tenant_id)):
            raise NoteUnsigned("it is a checkpoint of another log")
        return origin, open_checkpoint(note, [VerifierKey(origin, key) for key in keys])

    async def _anchor(self, keys: Sequence[bytes], done: SealRun, made: dict[UUID, SealedCheckpoint]) -> None:
        """Anchor what was sealed, also by earlier runs; without a store of anchors, it stays in the queue."""
        if self._anchors is None:
            made.clear()
            return
        while page := await self._store.unanchored(after=_FIRST, limit=_ANCHORED_TOGETHER):
            by_tenant = {tenant_id: [one for _, one in rows] for tenant_id, rows in groupby(page, itemgetter(0))}
            notes: list[str] = []
            for tenant_id, ids in by_tenant.items():
                notes += await self._notes(tenant_id, ids, keys, made)
            if notes:
                await self._anchors.put(checkpoints_name(datetime.now(UTC)), checkpoints_object(notes))
            await self._mark(by_tenant)
            done.anchored += len(notes)
            done.broken += sum(map(len, by_tenant.values())) - len(notes)
        made.clear()

    async def _notes(
        self, tenant_id: str, ids: Sequence[UUID], keys: Sequence[bytes], made: Mapping[UUID, SealedCheckpoint]
    ) -> Sequence[str]:
        """Return the notes to anchor: those of this run, and those of earlier ones that verify.

        The application's login may add checkpoints, and no role can remove an anchor: a forged one must not become one.
        """
        known = [made[one].note for one in ids if one in made]
        others = [one for one in ids if one not in made]
        if others:
            for one in await self._store.checkpoints(tenant_id, others):
                try:
                    self._opened(one.note, tenant_id, keys)
                except (Unproven, ValueError) as error:
                    context = {"tenant_id": tenant_id, "checkpoint": Word(one.id)}
                    logger.error("a checkpoint isn't anchored: %s", error, extra={"context": context})
                else:
                    known.append(one.note)
        return known

    async def _mark(self, by_tenant: Mapping[str, Sequence[UUID]]) -> None:
        async def mark(tenant_id: str) -> None:
            await self._store.mark_anchored(tenant_id, by_tenant[tenant_id])

        await self._each(mark, list(by_tenant))

    async def _each[T](self, work: Callable[[str], Awaitable[T]], tenants: Sequence[str]) -> list[T]:
        """Do the work for a few tenants at once. After a failure, no more of it begins, and none is left running."""
        results: list[T] = []
        for start in range(0, len(tenants), self._at_once):
            some = await asyncio.gather(*map(work, tenants[start : start + self._at_once]), return_exceptions=True)
            for one in some:
                if isinstance(one, BaseException):
                    raise one
                results.append(one)
        return results


def _log(origin: str) -> str:
    """Return the part of an origin that names the tenant."""
    return origin.rpartition("/audit/")[2]
