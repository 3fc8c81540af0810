"""Sessions in Valkey, for the authorizer and in front of PostgreSQL. `identity/session_entry.py` has keys and form.

Only a reading of PostgreSQL writes an entry, and the entry lives `cache_seconds` from just before that reading. A slow
reader must not restore what has changed meanwhile: a tombstone and an entry of a higher version are never replaced, and
both outlive every entry that a reader could still write.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from tenantgate.cache.interface import ScriptCall
from tenantgate.cache_counts import LAST_USES, SESSIONS, count
from tenantgate.crypto.opaque import OpaqueSecret
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session_entry import TOMBSTONE, SessionEntry, SessionKeys, last_use, session_keys
from tenantgate.observability.security_events import Actor, log_security_event
from tenantgate.sessions.errors import EndedOnlyInPart
from tenantgate.sessions.models import SessionPolicy, StoredSession

# Clocks may differ by this much.
_MARGIN_SECONDS = 60
_PUT = """
local held = redis.call('GET', KEYS[1])
if held == 'ended' then
  return 0
end
if held then
  local ok, entry = pcall(cjson.decode, held)
  local version, fresh_until = tonumber(ARGV[2]), tonumber(ARGV[3])
  if ok and type(entry) == 'table' and type(entry.version) == 'number' and type(entry.fresh_until) == 'number' then
    if entry.version > version or (entry.version == version and entry.fresh_until > fresh_until) then
      return 0
    end
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[4])
return 1
"""

_REMOVE_TOMBSTONE = """
if redis.call('GET', KEYS[1]) == 'ended' then
  return redis.call('DEL', KEYS[1])
end
return 0
"""


class Cache(Protocol):
    """The part of `cache.Cache` that sessions use. Every method raises `CacheUnavailable`."""

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]: ...

    async def set(self, key: str, value: bytes, *, seconds: int) -> None: ...

    async def run_script(self, script: str, keys: Sequence[str], args: Sequence[bytes | str | int]) -> object: ...

    async def run_script_for_each(self, script: str, calls: Sequence[ScriptCall]) -> None: ...


class SessionCache:
    """The entries of sessions. Without a cache, it holds nothing and does nothing.

    `publish`: publishes all revocations that PostgreSQL has by then, and returns once Valkey has them. Raises
    `CacheUnavailable`, `DatabaseUnreachable`.
    """

    def __init__(
        self, cache: Cache | None, policy: SessionPolicy, *, publish: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._cache = cache
        self._policy = policy
        self._publish = publish

    async def read(self, keys: SessionKeys) -> tuple[bytes | None, bytes | None]:
        """Return the values of both keys; None for both if Valkey can't be reached: PostgreSQL then decides."""
        if self._cache is None:
            return None, None
        try:
            entry, used = await self._cache.get_many((keys.entry, keys.used))
        except CacheUnavailable:
            count(SESSIONS, None)
            count(LAST_USES, None)
            return None, None
        count(SESSIONS, entry is not None)
        count(LAST_USES, used is not None)
        return entry, used

    async def put(self, session: StoredSession, *, read_at: float) -> None:
        """Write the entries of a live session's secrets. `read_at`: just before PostgreSQL was read.

        Without effect if Valkey can't be reached: the authorizer then doesn't know the session.
        """
        if self._cache is None:
            return
        calls = [_put(entry_of(session, self._policy, read_at=read_at), session.secret_hash)]
        if session.previous_hash is not None and session.replays_until(self._policy) > read_at:
            calls.append(_put(entry_of(session, self._policy, read_at=read_at, rotated=True), session.previous_hash))
        with suppress(CacheUnavailable):
            await self._cache.run_script_for_each(_PUT, calls)

    async def mark_used(self, keys: SessionKeys, *, at: float, idle_seconds: int) -> None:
        """Write the session's last use. Without effect if Valkey can't be reached."""
        if self._cache is None:
            return
        try:
            await self._cache.set(keys.used, b"%d" % at, seconds=idle_seconds)
        except CacheUnavailable:
            return

    async def end(
        self, ended: Sequence[StoredSession], *, actor: Actor = "user", secret: OpaqueSecret | None = None
    ) -> None:
        """Write the tombstones of sessions that have ended in PostgreSQL, and publish their revocations.

        `actor`: who ended them, for the security events. `secret`: its tombstone is written if its session had ended
        before. Raises `EndedOnlyInPart`; a repeated call, also without sessions, publishes what was recorded before.
        """
        for session in ended:
            log_security_event("SESSION_ENDED", kind="session", actor=actor, tenant_id=session.tenant_id)
        try:
            for session in ended:
                for secret_hash in session.secret_hashes:
                    await self.end_secret(session.tenant_id, secret_hash)
            if secret is not None and not ended:
                await self.end_secret(secret.tenant_id, secret.digest)
            if self._cache is not None and self._publish is not None:
                await self._publish()
        except (CacheUnavailable, DatabaseUnreachable) as error:
            raise EndedOnlyInPart(ended, error) from error

    async def end_secret(self, tenant_id: str, secret_hash: bytes) -> None:
        """Write the tombstone of a secret. Raises `CacheUnavailable`."""
        if self._cache is not None:
            key = session_keys(tenant_id, secret_hash).entry
            await self._cache.set(key, TOMBSTONE, seconds=self._policy.cache_seconds + _MARGIN_SECONDS)

    @property
    def is_absent(self) -> bool:
        """Tell whether there is no cache at all."""
        return self._cache is None

    async def last_use(self, tenant_id: str, secret_hashes: Iterable[bytes]) -> int:
        """Return the latest use under these secrets in epoch seconds; 0 without one. Raises `CacheUnavailable`."""
        if self._cache is None:
            return 0
        latest = 0
        for secret_hash in secret_hashes:
            (raw_used,) = await self._cache.get_many((session_keys(tenant_id, secret_hash).used,))
            latest = max(latest, last_use(raw_used))
        return latest

    async def remove_tombstone(self, tenant_id: str, secret_hash: bytes) -> None:
        """Remove the tombstone of a secret whose session is live again. Raises `CacheUnavailable`.

        The caller holds the session's row, so that it can't end meanwhile and need the tombstone.
        """
        if self._cache is not None:
            await self._cache.run_script(_REMOVE_TOMBSTONE, (session_keys(tenant_id, secret_hash).entry,), ())


def entry_of(session: StoredSession, policy: SessionPolicy, *, read_at: float, rotated: bool = False) -> SessionEntry:
    """Return the entry of a session that PostgreSQL returned at `read_at`. `rotated`: of the secret before its own."""
    return SessionEntry(
        session_id=str(session.id),
        tenant_id=session.tenant_id,
        user_id=session.user_id,
        issuer=session.issuer,
        csrf_token=csrf_text(session.csrf_token),
        scopes=session.grants.scopes,
        roles=session.grants.roles,
        amr=session.grants.amr,
        acr=session.grants.acr,
        auth_time=session.auth_time,
        provider_auth_time=session.provider_auth_time,
        expires_at=session.ends_at(policy),
        idle_seconds=session.idle_seconds(policy),
        last_used_at=session.last_used_at,
        fresh_until=int(read_at) + policy.cache_seconds,
        version=session.version,
        good_until=int(session.replays_until(policy)) if rotated else None,
    )


def _put(entry: SessionEntry, secret_hash: bytes) -> ScriptCall:
    until = entry.fresh_until
    if entry.good_until is not None:
        # It keeps readers of the time before the rotation from restoring the old secret's entry.
        until += _MARGIN_SECONDS
    key = session_keys(entry.tenant_id, secret_hash).entry
    return ScriptCall((key,), (entry.to_json(), entry.version, entry.fresh_until, until * 1000))


def csrf_text(token: bytes) -> str:
    """Return a CSRF token as clients send it: unpadded base64url, 43 characters."""
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()
