"""Refresh tokens, replaced at each use. A token that is used again ends its whole family (RFC 9700 §4.14.2).

Two parties then have tokens of the family, the client and a thief, and the provider can't tell which of them sent the
earlier one. The user signs in again.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace

from tenantgate.crypto.opaque import OpaqueSecret
from tenantgate.errors.base import Word
from tenantgate.openid_provider.models import (
    REFRESH_TOKEN_IDLE_SECONDS,
    REFRESH_TOKEN_LIFETIME_SECONDS,
    REFRESH_TOKENS,
    AuthorizationCode,
    BrowserSession,
    RefreshToken,
)
from tenantgate.openid_provider.storage.stores import RefreshTokenStore

_log = logging.getLogger(__name__)


class RefreshTokens:
    """Starts, finds, rotates and revokes refresh tokens. `text`: the token as the client has it, which isn't stored."""

    def __init__(self, store: RefreshTokenStore, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def start(self, text: str, code: AuthorizationCode) -> bool:
        """Store a new token, the first of the family that `code` begins.

        Return False if the code was sent again, or its user signed out, in the meantime: the client must not get it.
        """
        ends_at = int(self._clock()) + REFRESH_TOKEN_LIFETIME_SECONDS
        return await self._store.save(
            RefreshToken(
                family_id=str(uuid.uuid4()),
                digest=_digest(text),
                code_digest=code.digest,
                client_id=code.client_id,
                scope=code.scope,
                tenant_id=code.tenant_id,
                user_id=code.user_id,
                sid=code.sid,
                auth_time=code.auth_time,
                expires_at=self._expiry(ends_at),
                ends_at=ends_at,
            )
        )

    async def find_live(self, text: str, *, client_id: str) -> RefreshToken | None:
        """Return this client's token; None unless it is live and its family's latest. An earlier one ends the family.

        A live token isn't used up before `rotate`.
        """
        latest = await self._find(text, client_id=client_id)
        if latest is None or latest.expires_at <= self._clock():
            return None
        if latest.digest != _digest(text):
            await self._end_reused(latest)
            return None
        return latest

    async def rotate(self, token: RefreshToken, successor: str) -> bool:
        """Replace the token by its successor. If another request has used it in the meantime, end the family.

        Return False if the successor doesn't work: the client must not get it.
        """
        replaced = replace(token, digest=_digest(successor), expires_at=self._expiry(token.ends_at))
        if await self._store.rotate(token, replaced):
            return True
        await self._end_reused(token)
        return False

    async def revoke(self, text: str, *, client_id: str) -> None:
        """End the family of this client's token, which may be an earlier one. Do nothing for any other text."""
        if (latest := await self._find(text, client_id=client_id)) is not None:
            await self._store.revoke(latest)

    async def revoke_for_code(self, code: OpaqueSecret, *, client_id: str) -> None:
        """End the family that this code began: the code was sent a second time (RFC 6749 §4.1.2)."""
        await self._store.revoke_for_code(code.digest, tenant_id=code.tenant_id, client_id=client_id)

    async def revoke_for_session(self, session: BrowserSession) -> None:
        """End the families that began in this browser session."""
        await self._store.revoke_for_session(session.sid, tenant_id=session.tenant_id)

    async def _find(self, text: str, *, client_id: str) -> RefreshToken | None:
        secret = REFRESH_TOKENS.parse(text)
        latest = None if secret is None else await self._store.find(secret.digest, tenant_id=secret.tenant_id)
        return latest if latest is not None and latest.client_id == client_id else None

    async def _end_reused(self, token: RefreshToken) -> None:
        if await self._store.revoke(token):
            _log.warning(
                "a refresh token was used again: its family is revoked",
                extra={"context": {"event": Word("PROVIDER_REFRESH_TOKEN_REUSED"), "client_id": token.client_id}},
            )

    def _expiry(self, ends_at: int) -> int:
        return min(int(self._clock()) + REFRESH_TOKEN_IDLE_SECONDS, ends_at)


def _digest(text: str) -> bytes:
    secret = REFRESH_TOKENS.parse(text)
    if secret is None:
        raise ValueError("not a refresh token")
    return secret.digest
