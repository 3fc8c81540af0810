"""The provider's tokens of a session at rest, and the result of its last rotation (decision 0070).

They are envelopes under the tenant's data key. Rows of earlier versions have the sealed form, under
`COOKIE_SEALING_KEYS`; so have those of a deployment without a key-encryption key.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Protocol
from uuid import UUID

from tenantgate.crypto.envelopes import DataKey, KeyOwner, is_envelope
from tenantgate.crypto.errors import EnvelopeBroken
from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.errors.access import SessionEnded
from tenantgate.secrets.errors import SecretMissing
from tenantgate.sessions.models import SessionTokens, StoredSession

_log = logging.getLogger(__name__)

# Of data keys, and of the sealed form.
PURPOSE = "session-tokens"
_REPLAY_PURPOSE = "session-replay"
_TABLE = "sessions"


class TokenKeys(Protocol):
    """The part of `data_keys.service.DataKeys` that sessions use.

    Both methods raise `KeyServiceUnavailable`, `DatabaseUnreachable`, and `SecretMissing` without a key-encryption key.
    """

    async def current(self, owner: KeyOwner) -> DataKey: ...

    async def decrypt(self, owner: KeyOwner, envelope: str, *, place: Sequence[str]) -> bytes: ...


class TokenWriter:
    """Encrypts for the sessions of one tenant. It makes no call. `key`: None for the sealed form."""

    def __init__(self, key: DataKey | None, sealer: Sealer) -> None:
        self._key = key
        self._sealer = sealer

    def tokens(self, tokens: SessionTokens, session_id: UUID) -> str:
        """Return the tokens for the session's row; copied into another row, they don't open there."""
        text = json.dumps(asdict(tokens)).encode()
        if self._key is None:
            return self._sealer.seal(text, purpose=PURPOSE, context=session_id.bytes)
        return self._key.encrypt(text, place=_place("sealed_tokens", session_id))

    def replay(self, replay: bytes, session_id: UUID) -> str:
        """Return the result of a rotation for the session's row."""
        if self._key is None:
            return self._sealer.seal(replay, purpose=_REPLAY_PURPOSE, context=session_id.bytes)
        return self._key.encrypt(replay, place=_place("sealed_replay", session_id))


class TokenEncryption:
    """Opens what sessions keep, and makes the writers. `keys`: None for only the sealed form.

    Every method may open a unit of work and call AWS KMS: call it before a unit of work begins. They raise
    `KeyServiceUnavailable`, `DatabaseUnreachable` and `SecretsUnavailable`.
    """

    def __init__(self, sealer: Callable[[], Awaitable[Sealer]], keys: TokenKeys | None) -> None:
        self._sealer = sealer
        self._keys = keys

    async def writer(self, tenant_id: str) -> TokenWriter:
        """Return what encrypts for a tenant that was verified."""
        # The sealer first: if the secrets can't be read at all, this isn't a deployment without a key-encryption key.
        sealer = await self._sealer()
        return TokenWriter(await self._key(tenant_id), sealer)

    async def tokens(self, stored: StoredSession) -> SessionTokens:
        """Return a session's tokens. Raises `SessionEnded`: their key is gone, or the row was changed."""
        opened = await self._opened(stored, "sealed_tokens", stored.sealed_tokens, PURPOSE)
        return SessionTokens(**json.loads(opened))

    async def replay(self, stored: StoredSession) -> bytes:
        """Return what the session's last rotation returned. Raises `SessionEnded` as `tokens` does."""
        return await self._opened(stored, "sealed_replay", stored.sealed_replay or "", _REPLAY_PURPOSE)

    async def _opened(self, stored: StoredSession, column: str, text: str, purpose: str) -> bytes:
        try:
            if self._keys is not None and is_envelope(text):
                return await self._keys.decrypt(_owner(stored.tenant_id), text, place=_place(column, stored.id))
            return (await self._sealer()).open(text, purpose=purpose, context=stored.id.bytes)
        except (SealBroken, EnvelopeBroken):
            raise SessionEnded(f"{column} doesn't open", session_id=stored.id) from None

    async def _key(self, tenant_id: str) -> DataKey | None:
        if self._keys is None:
            return None
        try:
            return await self._keys.current(_owner(tenant_id))
        except SecretMissing:
            _warn()
            return None


@cache
def _warn() -> None:
    _log.warning("provider tokens have no data keys: set KEY_ENCRYPTION_KEYS or KEY_ENCRYPTION_KMS_KEYS")


def _owner(tenant_id: str) -> KeyOwner:
    return KeyOwner(tenant_id, PURPOSE)


def _place(column: str, session_id: UUID) -> tuple[str, ...]:
    return (_TABLE, column, str(session_id))
