"""Data keys at rest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from tenantgate.crypto.envelopes import DataKey, KeyOwner, StoredOwner
from tenantgate.tokens.tenant import DEPLOYMENT

# Tenants with keys that the registry never lists.
UNREGISTERED_TENANTS: tuple[str, ...] = (DEPLOYMENT,)

_PURPOSE = re.compile(r"[a-z][a-z0-9-]{1,40}")


class StoredKey(NamedTuple):
    """A data key at rest.

    `subject_hash`: `subject_digest` of its owner. `wrapped_by`: the key-encryption key, `local:<id>` or `kms:<id>`.
    `wrapped_key` is None if the key was destroyed; then `subject_hash` is empty. `retired_at`: since when it encrypts
    nothing more.
    """

    id: UUID
    tenant_id: str
    purpose: str
    subject_hash: bytes
    wrapped_by: str
    wrapped_key: bytes | None
    created_at: datetime | None = None
    retired_at: datetime | None = None

    @property
    def owner(self) -> StoredOwner:
        return StoredOwner(self.tenant_id, self.purpose, self.subject_hash)

    @property
    def context(self) -> KeyContext:
        return KeyContext(self.tenant_id, self.purpose, str(self.id))


class KeyContext(NamedTuple):
    """The identity of a data key, to which its wrapped form is bound: it doesn't unwrap as another key's."""

    tenant: str
    purpose: str
    key: str


class WrappedKey(NamedTuple):
    """A wrapped data key, and the key-encryption key that wrapped it."""

    wrapped_by: str
    wrapped_key: bytes


class NamedKeys(NamedTuple):
    """The data keys that envelopes name, by their ids. A key in neither part was lost, or is another owner's."""

    keys: Mapping[UUID, DataKey]
    destroyed: AbstractSet[UUID]


class KeyWrapper(Protocol):
    """The key-encryption keys. The methods that wrap raise `KeyServiceUnavailable` and `SecretsUnavailable`."""

    async def newest(self) -> str:
        """Return the name of the key that wraps; make no call. Raises `SecretsUnavailable`."""
        ...

    async def wrap(self, key: bytes, context: KeyContext) -> WrappedKey:
        """Wrap a data key with the newest key-encryption key."""
        ...

    async def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> bytes:
        """Return the data key. Raises `EnvelopeBroken` if it was wrapped for another context, or was changed."""
        ...


class KeyGroup(NamedTuple):
    """The keys of a tenant for one purpose, by one key-encryption key. `subjects`: how many are of a single person.

    `oldest`: when the oldest one that encrypts was made.
    """

    tenant_id: str
    purpose: str
    wrapped_by: str
    current: int
    retired: int
    destroyed: int
    subjects: int
    oldest: datetime | None


def require_owner(owner: KeyOwner) -> None:
    """Raise `ValueError` for an owner that can't have a key."""
    if not owner.tenant_id or _PURPOSE.fullmatch(owner.purpose) is None or owner.subject == "":
        raise ValueError("an owner has a tenant, a purpose of lower-case words, and a subject that isn't empty")
