"""The key-encryption keys of a deployment: those of AWS KMS if there are any, otherwise those of the secret store.

Both unwrap, so that a deployment can move from one to the other.
"""

from __future__ import annotations

from tenantgate.data_keys.kms_keys import KMS, KmsKeys
from tenantgate.data_keys.local_keys import LocalKeys
from tenantgate.data_keys.models import KeyContext, WrappedKey


class KeyEncryption:
    """A `KeyWrapper`. `kms`: None without keys in KMS."""

    def __init__(self, local: LocalKeys, kms: KmsKeys | None) -> None:
        self._local = local
        self._kms = kms

    async def newest(self) -> str:
        """Return the name of the key that wraps. Raises `SecretsUnavailable`."""
        return await self._local.newest() if self._kms is None else self._kms.newest

    async def wrap(self, key: bytes, context: KeyContext) -> WrappedKey:
        return await (self._local if self._kms is None else self._kms).wrap(key, context)

    async def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> bytes:
        if self._kms is not None and wrapped.wrapped_by.startswith(KMS):
            return await self._kms.unwrap(wrapped, context)
        return await self._local.unwrap(wrapped, context)
