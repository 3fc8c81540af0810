"""Work on all data keys: the rotation, and the change to another key-encryption key.

Every step is a small transaction, so that the work may be killed at any moment and repeated, and may run several times
at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

from tenantgate.crypto.envelopes import KEY_BYTES
from tenantgate.data_keys.models import UNREGISTERED_TENANTS, KeyContext, KeyGroup, KeyWrapper, StoredKey, WrappedKey

_PAGE = 200
_TENANTS = 1000
# KMS's and the database's latency is most of a step.
_AT_ONCE = 8
_FIRST = UUID(int=0)


class AllKeysStore(Protocol):
    """The part of `repository.DataKeyRepository` that this work uses. Every method raises `DatabaseUnreachable`."""

    async def tenants(self, *, after: str, limit: int) -> Sequence[str]: ...

    async def page(self, tenant_id: str, *, after: UUID, limit: int) -> Sequence[StoredKey]: ...

    async def groups(self, tenant_id: str) -> Sequence[KeyGroup]: ...

    async def replace(self, key_id: UUID, by: StoredKey) -> bool: ...

    async def rewrap(self, key: StoredKey, wrapped: WrappedKey) -> bool: ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The keys that a command works on; None: all. `made_before`: only keys that were made before this moment."""

    tenant_id: str | None = None
    purpose: str | None = None
    made_before: datetime | None = None

    def has(self, key: StoredKey) -> bool:
        """Tell whether the key is of the selection, apart from its tenant."""
        return self.purpose in (None, key.purpose) and (
            self.made_before is None or (key.created_at is not None and key.created_at < self.made_before)
        )


@dataclass
class Done:
    """The counts of a run. `tenants`: those with such keys. `skipped`: another process was faster with the key."""

    tenants: int = 0
    keys: int = 0
    skipped: int = 0


class AllKeys:
    """Goes through the keys of the registered tenants, and of `UNREGISTERED_TENANTS`."""

    def __init__(self, store: AllKeysStore, wrapper: KeyWrapper) -> None:
        self._store = store
        self._wrapper = wrapper

    async def groups(self, selection: Selection) -> AsyncIterator[KeyGroup]:
        """Yield the numbers of keys, by tenant, purpose and key-encryption key."""
        async for tenant_id in self._tenants(selection):
            for group in await self._store.groups(tenant_id):
                if selection.purpose in (None, group.purpose):
                    yield group

    async def rotate(self, selection: Selection, *, on_progress: Callable[[Done], None] = lambda _: None) -> Done:
        """Replace each key that encrypts by a new one. The old ones still decrypt.

        Raises `KeyServiceUnavailable` and `SecretsUnavailable`; a repeated call continues with the keys that are left,
        if `made_before` is given.
        """

        # Ids are random: a new key may be on one of the next pages.
        own: set[UUID] = set()

        async def rotate(key: StoredKey) -> bool | None:
            if key.retired_at is not None or key.id in own or not selection.has(key):
                return None
            made = key._replace(id=uuid4(), wrapped_key=None)
            own.add(made.id)
            wrapped = await self._wrapper.wrap(os.urandom(KEY_BYTES), made.context)
            return await self._store.replace(key.id, made._replace(**wrapped._asdict()))

        return await self._each(selection, rotate, on_progress)

    async def rewrap(
        self, selection: Selection, *, again: bool = False, on_progress: Callable[[Done], None] = lambda _: None
    ) -> Done:
        """Wrap each key with the newest key-encryption key, unless it is wrapped with it already.

        `again`: also those. Raises as `rotate` does, and `EnvelopeBroken` for a wrapped key that was changed.
        """
        newest = await self._wrapper.newest()

        async def rewrap(key: StoredKey) -> bool | None:
            if key.wrapped_key is None or not selection.has(key) or (key.wrapped_by == newest and not again):
                return None
            context: KeyContext = key.context
            unwrapped = await self._wrapper.unwrap(WrappedKey(key.wrapped_by, key.wrapped_key), context)
            return await self._store.rewrap(key, await self._wrapper.wrap(unwrapped, context))

        return await self._each(selection, rewrap, on_progress)

    async def _each(
        self,
        selection: Selection,
        work: Callable[[StoredKey], Awaitable[bool | None]],
        on_progress: Callable[[Done], None],
    ) -> Done:
        """Do the work on each key; it returns None for one that isn't concerned."""
        done = Done()
        async for tenant_id in self._tenants(selection):
            after, before = _FIRST, done.keys + done.skipped
            while page := await self._store.page(tenant_id, after=after, limit=_PAGE):
                after = page[-1].id
                for start in range(0, len(page), _AT_ONCE):
                    results = await asyncio.gather(*(work(key) for key in page[start : start + _AT_ONCE]))
                    done.keys += results.count(True)
                    done.skipped += results.count(False)
                    on_progress(done)
            done.tenants += done.keys + done.skipped > before
            on_progress(done)
        return done

    async def _tenants(self, selection: Selection) -> AsyncIterator[str]:
        if selection.tenant_id is not None:
            yield selection.tenant_id
            return
        for tenant_id in UNREGISTERED_TENANTS:
            yield tenant_id
        after = ""
        while page := await self._store.tenants(after=after, limit=_TENANTS):
            for tenant_id in page:
                yield tenant_id
            after = page[-1]
