"""Key-encryption keys of the secret store: `KEY_ENCRYPTION_KEYS`, newest first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tenantgate.crypto.envelopes import framed
from tenantgate.crypto.errors import EnvelopeBroken, KeyServiceUnavailable
from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.data_keys.models import KeyContext, WrappedKey

LOCAL = "local:"
_PURPOSE = "data-keys"


class LocalKeys:
    """Wraps and unwraps with AES-256-GCM (`crypto/sealing.py`), without any call."""

    def __init__(self, sealer: Callable[[], Awaitable[Sealer]]) -> None:
        """`sealer` returns the current keys and raises `SecretsUnavailable`."""
        self._sealer = sealer

    async def newest(self) -> str:
        """Return the name of the newest key."""
        return LOCAL + (await self._sealer()).key_ids[0]

    async def wrap(self, key: bytes, context: KeyContext) -> WrappedKey:
        sealer = await self._sealer()
        sealed = sealer.seal(key, purpose=_PURPOSE, context=framed(*context))
        return WrappedKey(LOCAL + sealer.key_ids[0], sealed.encode())

    async def unwrap(self, wrapped: WrappedKey, context: KeyContext) -> bytes:
        sealer = await self._sealer()
        if wrapped.wrapped_by.removeprefix(LOCAL) not in sealer.key_ids:
            raise KeyServiceUnavailable(
                "a data key is wrapped with a key that KEY_ENCRYPTION_KEYS doesn't have", wrapped_by=wrapped.wrapped_by
            )
        try:
            return sealer.open(wrapped.wrapped_key.decode("ascii"), purpose=_PURPOSE, context=framed(*context))
        except (SealBroken, UnicodeDecodeError):
            raise EnvelopeBroken("a wrapped data key doesn't unwrap", key_id=context.key) from None
