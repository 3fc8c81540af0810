"""Data keys of owners: the one that encrypts, those that still decrypt, and their end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from typing import Literal, Protocol
from uuid import UUID, uuid4

from tenantgate.crypto.envelopes import KEY_BYTES, DataKey, KeyOwner, named_key, subject_digest
from tenantgate.crypto.errors import EnvelopeBroken, KeyDestroyed
from tenantgate.data_keys.cache import HeldKeys, Moment
from tenantgate.data_keys.models import KeyWrapper, NamedKeys, StoredKey, WrappedKey, require_owner
from tenantgate.database.unit import Unit
from tenantgate.errors.base import InternalError
from tenantgate.shared_calls import SharedCalls

# A key that was found may be destroyed, and another one made, before this call made its own.
_ATTEMPTS = 5
# Calls to AWS KMS at the same time, for one page of audit events.
_AT_ONCE = 8


class KeyStore(Protocol):
    """A store of wrapped keys. Every call is inside one tenant: another tenant's keys aren't found.

    Each raises `DatabaseUnreachable`, as every method of `DataKeys` does.
    """

    async def current(self, owner: KeyOwner) -> StoredKey | None:
        """Return the key that encrypts for the owner."""
        ...

    async def find(self, key_id: UUID, *, tenant_id: str) -> StoredKey | None: ...

    async def find_all(self, key_ids: Sequence[UUID], *, tenant_id: str) -> Sequence[StoredKey]: ...

    async def usable(self, owner: KeyOwner) -> Sequence[StoredKey]:
        """Return the owner's keys that aren't destroyed, the newest first."""
        ...

    async def add(self, key: StoredKey) -> bool:
        """Add the key that encrypts from now on; return False if its owner has one."""
        ...

    async def replace(self, key_id: UUID, by: StoredKey) -> bool:
        """Retire the key that encrypts and add its successor; return False if it no longer encrypts."""
        ...

    async def rewrap(self, key: StoredKey, wrapped: WrappedKey) -> bool:
        """Replace the wrapped form; return False if it has changed meanwhile, or the key was destroyed."""
        ...

    async def destroy(self, owner: KeyOwner) -> int:
        """Destroy all keys of the owner; return their number."""
        ...

    async def destroy_in(self, unit: Unit, owner: KeyOwner) -> int:
        """Do the work of `destroy` inside a unit of work in the owner's tenant."""
        ...

    async def hold_in(self, unit: Unit, key_id: UUID, *, tenant_id: str) -> bool:
        """Keep a key from being destroyed until the unit of work ends; return False if it is destroyed."""
        ...


class DataKeys:
    """The data keys of one event loop.

    Take a key before a unit of work begins: these methods may open another one, and call AWS KMS; on Lambda there
    is only one connection. `held` and the methods of `DataKey` make no call. Keys are made on demand: the tenant must
    be one that was verified.
    """

    def __init__(self, store: KeyStore, wrapper: KeyWrapper, *, held: HeldKeys | None = None) -> None:
        self._store = store
        self._wrapper = wrapper
        self._held = HeldKeys() if held is None else held
        self._shared: SharedCalls[tuple[KeyOwner, UUID | Literal["current", "made"]], DataKey | None] = SharedCalls()

    def held(self, owner: KeyOwner) -> DataKey | None:
        """Return the key that encrypts, if it is in memory. Waits for nothing."""
        return self._held.find(owner, None)

    async def current(self, owner: KeyOwner) -> DataKey:
        """Return the key that encrypts for the owner; make the first one.

        Raises `KeyServiceUnavailable` and `SecretsUnavailable` if it isn't in memory and can't be unwrapped or wrapped.
        """
        if (held := self._held.find(owner, None)) is not None:
            return held
        require_owner(owner)
        # A deployment without a key-encryption key has no data keys: don't read the database for each use.
        await self._wrapper.newest()
        key = await self._shared.share((owner, "made"), lambda: self._read_or_made(owner))
        if key is None:
            raise InternalError("the keys of an owner are destroyed again and again", purpose=owner.purpose)
        return key

    async def existing(self, owner: KeyOwner) -> DataKey | None:
        """Return the key that encrypts for the owner; None if the owner has none. Raises as `current` does."""
        if (held := self._held.find(owner, None)) is not None:
            return held
        require_owner(owner)
        return await self._shared.share((owner, "current"), lambda: self._read_current(owner))

    async def usable(self, owner: KeyOwner) -> Sequence[DataKey]:
        """Return the owner's keys that aren't destroyed, the newest first. Reads PostgreSQL. Raises as `current` does.

        For digests: a value may have been digested under any of them.
        """
        require_owner(owner)
        read_at, forgotten = self._held.now(), self._held.forgotten
        return [
            self._held.find(owner, stored.id) or await self._unwrapped(stored, read_at, forgotten)
            for stored in await self._store.usable(owner)
        ]

    async def decrypt(self, owner: KeyOwner, envelope: str, *, place: Sequence[str]) -> bytes:
        """Return the plaintext of an envelope of the owner. `place`: as in `DataKey.encrypt`.

        Raises `EnvelopeBroken`; its subclass `KeyDestroyed` if the key that it names is gone; and as `current` does.
        """
        key_id = named_key(envelope)
        key = self._held.find(owner, key_id)
        if key is None:
            require_owner(owner)
            key = await self._shared.share((owner, key_id), lambda: self._read(owner, key_id))
        if key is None:
            raise KeyDestroyed("no key of this owner has this id", key_id=key_id, purpose=owner.purpose)
        return key.decrypt(envelope, place=place)

    async def named(self, tenant_id: str, purpose: str, key_ids: Iterable[UUID]) -> NamedKeys:
        """Return the keys that the envelopes of a purpose name, without knowing whose they are.

        Each key opens only the envelopes of its own subject. Raises as `current` does.
        """
        keys: dict[UUID, DataKey] = {}
        missing: list[UUID] = []
        for key_id in set(key_ids):
            if (held := self._held.find_named(tenant_id, purpose, key_id)) is None:
                missing.append(key_id)
            else:
                keys[key_id] = held
        if not missing:
            return NamedKeys(keys, frozenset())
        read_at, forgotten = self._held.now(), self._held.forgotten
        rows = [row for row in await self._store.find_all(missing, tenant_id=tenant_id) if row.purpose == purpose]
        whole = [row for row in rows if row.wrapped_key is not None]
        for first in range(0, len(whole), _AT_ONCE):
            opened = (self._opened(row, read_at, forgotten) for row in whole[first : first + _AT_ONCE])
            keys |= {key.id: key for key in await asyncio.gather(*opened) if key is not None}
        return NamedKeys(keys, frozenset(row.id for row in rows if row.wrapped_key is None))

    async def rotate(self, owner: KeyOwner, key_id: UUID) -> bool:
        """Replace the key that encrypts by a new one; return False if another process was faster.

        Other processes encrypt with the old key until they read again, within 60 seconds. It still decrypts.
        """
        made, _ = await self._new(owner)
        replaced = await self._store.replace(key_id, made)
        self._held.forget(owner)
        return replaced

    async def rewrap(self, stored: StoredKey) -> bool:
        """Wrap a data key with the newest key-encryption key. The data key stays the same.

        Returns False if another process was faster, or the key was destroyed.
        """
        wrapped = WrappedKey(stored.wrapped_by, _material(stored))
        key = await self._wrapper.unwrap(wrapped, stored.context)
        return await self._store.rewrap(stored, await self._wrapper.wrap(key, stored.context))

    async def destroy(self, owner: KeyOwner) -> int:
        """Destroy all keys of an owner, also those that only decrypt; return their number.

        This process forgets them at once, every other one within 60 seconds. The next `current` makes a new one.
        """
        destroyed = await self._store.destroy(owner)
        self._held.forget(owner)
        return destroyed

    async def destroy_in(self, unit: Unit, owner: KeyOwner) -> int:
        """Destroy as `destroy` does, inside a unit of work in the owner's tenant. Call `forget` after its commit."""
        return await self._store.destroy_in(unit, owner)

    async def hold_in(self, unit: Unit, owner: KeyOwner, key: DataKey) -> bool:
        """Keep a key of the owner from being destroyed until the unit of work ends.

        Returns False if another process has destroyed it. It is forgotten then: the next `current` returns another one.
        """
        if await self._store.hold_in(unit, key.id, tenant_id=owner.tenant_id):
            return True
        self._held.forget(owner)
        return False

    def forget(self, owner: KeyOwner) -> None:
        """Forget the owner's keys in this process."""
        self._held.forget(owner)

    async def _read_or_made(self, owner: KeyOwner) -> DataKey | None:
        for _ in range(_ATTEMPTS):
            if (key := await self._read_current(owner) or await self._made(owner)) is not None:
                return key
        return None

    async def _read_current(self, owner: KeyOwner) -> DataKey | None:
        read_at, forgotten = self._held.now(), self._held.forgotten
        stored = await self._store.current(owner)
        return None if stored is None else await self._unwrapped(stored, read_at, forgotten)

    async def _read(self, owner: KeyOwner, key_id: UUID) -> DataKey | None:
        read_at, forgotten = self._held.now(), self._held.forgotten
        stored = await self._store.find(key_id, tenant_id=owner.tenant_id)
        if stored is None or stored.wrapped_key is None:
            return None
        if stored.purpose != owner.purpose or stored.subject_hash != subject_digest(owner):
            # An envelope that was moved to another purpose or subject.
            raise EnvelopeBroken("the envelope names a key of another owner", key_id=key_id, purpose=owner.purpose)
        return await self._unwrapped(stored, read_at, forgotten)

    async def _made(self, owner: KeyOwner) -> DataKey | None:
        """Make the owner's first key; None if another call was faster."""
        read_at, forgotten = self._held.now(), self._held.forgotten
        made, key = await self._new(owner)
        if not await self._store.add(made):
            return None
        if forgotten == self._held.forgotten:
            self._held.keep(key, read_at=read_at, is_current=True)
        return key

    async def _new(self, owner: KeyOwner) -> tuple[StoredKey, DataKey]:
        require_owner(owner)
        key, key_id = os.urandom(KEY_BYTES), uuid4()
        stored = StoredKey(key_id, owner.tenant_id, owner.purpose, subject_digest(owner), "", None)
        wrapped = await self._wrapper.wrap(key, stored.context)
        return stored._replace(**wrapped._asdict()), DataKey(owner, key_id, key)

    async def _opened(self, stored: StoredKey, read_at: Moment, forgotten: int) -> DataKey | None:
        """Unwrap a key; None if its row was changed or moved."""
        try:
            return await self._unwrapped(stored, read_at, forgotten)
        except EnvelopeBroken:
            return None

    async def _unwrapped(self, stored: StoredKey, read_at: Moment, forgotten: int) -> DataKey:
        wrapped = WrappedKey(stored.wrapped_by, _material(stored))
        key = DataKey(stored.owner, stored.id, await self._wrapper.unwrap(wrapped, stored.context))
        # A key that was forgotten meanwhile may be destroyed.
        if forgotten == self._held.forgotten:
            self._held.keep(key, read_at=read_at, is_current=stored.retired_at is None)
        return key


def _material(stored: StoredKey) -> bytes:
    if stored.wrapped_key is None:
        raise KeyDestroyed("the key was destroyed", key_id=stored.id, purpose=stored.purpose)
    return stored.wrapped_key
