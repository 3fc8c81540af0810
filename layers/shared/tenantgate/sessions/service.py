"""Start, look-up and end of sessions."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from uuid import UUID, uuid4

from tenantgate import time_limits
from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.opaque import OpaqueSecret, random_token
from tenantgate.crypto.sealing import Sealer
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import Word
from tenantgate.identity.principal import Principal
from tenantgate.identity.session_entry import (
    MARK_SECONDS,
    SESSION_SECRETS,
    SessionEntry,
    last_use,
    live_entry,
    needs_mark,
    session_keys,
)
from tenantgate.observability.security_events import log_security_event
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.cache import SessionCache, csrf_text, entry_of
from tenantgate.sessions.ending.issued_tokens import with_token
from tenantgate.sessions.errors import SecretReused
from tenantgate.sessions.models import (
    BY_PROVIDER,
    BY_USER,
    REUSED,
    SIGN_OUT,
    End,
    Grants,
    Session,
    SessionPolicy,
    SessionTokens,
    SignIn,
    StartedSession,
    StoredSession,
    User,
    require_admitted,
)
from tenantgate.sessions.storing.interfaces import SessionStore
from tenantgate.sessions.storing.tokens import TokenEncryption, TokenKeys

_log = logging.getLogger(__name__)

LOOKUP_PURPOSE = "session-lookup"


class SessionService:
    """Starts, finds and ends sessions.

    A session's secret is opaque (`crypto/opaque.py`) and known only to its browser. Every method raises
    `DatabaseUnreachable`. PostgreSQL is the record; what `cache` holds is for the authorizer, and saves reads.
    """

    def __init__(
        self,
        store: SessionStore,
        sealer: Callable[[], Awaitable[Sealer]],
        *,
        keys: TokenKeys | None = None,
        policy: SessionPolicy | None = None,
        cache: SessionCache | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`sealer` returns the current keys and raises `SecretsUnavailable`. `clock` returns epoch seconds.

        `keys`: the data keys of tenants; None for sessions in the sealed form (`storing/tokens.py`).
        """
        self.policy = policy or SessionPolicy()
        self.encryption = TokenEncryption(sealer, keys)
        self._store = store
        self._sealer = sealer
        self._cache = cache or SessionCache(None, self.policy)
        self._clock = clock

    async def start(self, *, principal: Principal, tokens: SessionTokens, sign_in: SignIn) -> StartedSession:
        """Start a session of the caller that `principal` describes.

        Its id and secret are always new, so an attacker can't plant a known one before the sign-in (session fixation).
        Raises `TenantNotAllowed` if the tenant isn't registered, is suspended, or doesn't allow the issuer,
        `SessionEnded` if the provider has signed the user out meanwhile, and `KeyServiceUnavailable`.
        """
        tenant = await self._store.tenant(principal.tenant_id, register=self.policy.registers_tenants)
        require_admitted(tenant, principal)
        writer = await self.encryption.writer(principal.tenant_id)
        secret = SESSION_SECRETS.issue(principal.tenant_id)
        started_at = self._clock()
        now, session_id, sealer = int(started_at), uuid4(), await self._sealer()
        stored = StoredSession(
            id=session_id,
            tenant_id=principal.tenant_id,
            user_id=principal.user_id,
            issuer=principal.issuer,
            secret_hash=secret.digest,
            sealed_tokens=writer.tokens(tokens, session_id),
            created_at=now,
            expires_at=now + self.policy.absolute_seconds,
            auth_time=now,
            last_used_at=now,
            csrf_token=random_token(),
            grants=Grants.of(principal, acr=sign_in.acr, amr=sign_in.amr),
            provider_auth_time=sign_in.auth_time,
            device=sign_in.device,
            address=sign_in.address,
            issued_tokens=with_token((), principal, tokens.access_token, now=now, leeway=self.policy.leeway_seconds),
            tenant=tenant,
        )
        digests = [sealer.digests(text, purpose=LOOKUP_PURPOSE) for text in sign_in.lookup_texts]
        await self._store.add(stored, lookups=[found[0] for found in digests])
        # After the session was added: a logout token that comes later finds it, and one that came before is found here.
        if await self._store.was_logged_out([one for found in digests for one in found], since=sign_in.issued_at):
            await self.end_sessions([session_id], tenant_id=stored.tenant_id, end=BY_PROVIDER)
            raise SessionEnded("the provider ended it during the sign-in", session_id=session_id)
        await self._cache.put(stored, read_at=started_at)
        return StartedSession(secret=secret.text, session=self._opened(stored, tokens))

    async def authenticate(self, secret: str) -> SessionEntry:
        """Return what the session grants, from Valkey or PostgreSQL. Raises `SessionEnded`, `SecretReused`."""
        parsed = parse_secret(secret)
        keys = session_keys(parsed.tenant_id, parsed.digest)
        raw_entry, raw_used = await self._cache.read(keys)
        now = self._clock()
        entry = live_entry(raw_entry, raw_used, now=now)
        if entry is not None:
            if needs_mark(entry, raw_used, now=now):
                await self._cache.mark_used(keys, at=now, idle_seconds=entry.idle_seconds)
            return entry
        read_at = self._clock()
        stored = await self.locate(secret)
        return entry_of(stored, self.policy, read_at=read_at)

    async def locate(self, secret: str) -> StoredSession:
        """Return the live session of this secret from PostgreSQL, note its use, and put its entry into Valkey.

        Raises `SessionEnded` if it timed out, was ended, or never existed. An earlier secret whose grace is over ends
        the session, and raises `SecretReused`: it, or the one after it, was stolen.
        """
        parsed = parse_secret(secret)
        read_at = self._clock()
        stored = await self._store.find(parsed.digest, tenant_id=parsed.tenant_id)
        if stored is None:
            raise SessionEnded("unknown", tenant_id=parsed.tenant_id)
        stored = await self.require_live(stored)
        if parsed.digest != stored.secret_hash and (
            parsed.digest != stored.previous_hash or self._clock() >= stored.replays_until(self.policy)
        ):
            await self.end_reused(stored)
            raise SecretReused("an earlier secret", session_id=stored.id)
        if read_at - stored.last_used_at >= MARK_SECONDS:
            await self._store.mark_used(stored.id, tenant_id=stored.tenant_id, at=read_at)
            stored = replace(stored, last_used_at=int(read_at))
        await self._cache.put(stored, read_at=read_at)
        return stored

    async def find_live(self, secret: str) -> Session:
        """Return the session of this secret with its tokens, as `locate` does.

        Also raises `KeyServiceUnavailable` and `SecretsUnavailable`.
        """
        stored = await self.locate(secret)
        return self._opened(stored, await self.encryption.tokens(stored))

    async def of_user(self, user: User) -> Sequence[StoredSession]:
        """Return the user's live sessions, the one that was used last first."""
        live = []
        for stored in await self._store.of_user(user):
            with suppress(SessionEnded):
                live.append(await self.require_live(stored))
        return live

    async def end(self, secret: str, *, end: End = SIGN_OUT) -> StoredSession | None:
        """End the session, expired or not, and return it; None if it is unknown. No key is needed.

        Raises `EndedOnlyInPart` if it has ended in PostgreSQL only. A repeated call then tries the rest again.
        """
        if (parsed := SESSION_SECRETS.parse(secret)) is None:
            return None
        ended = await self._removed(parsed.digest, tenant_id=parsed.tenant_id, end=end)
        await self._cache.end(ended, secret=parsed)
        return ended[0] if ended else None

    async def tokens_of(self, ended: Sequence[StoredSession]) -> Sequence[SessionTokens]:
        """Return the tokens of sessions that have ended, except those that don't open within a second.

        Never raises: a sign-out is complete without the provider's part.
        """
        opened: list[SessionTokens] = []
        try:
            async with asyncio.timeout(time_limits.SIGN_OUT_KEYS):
                for stored in ended:
                    with suppress(SessionEnded):
                        opened.append(await self.encryption.tokens(stored))
        except (KeyServiceUnavailable, SecretsUnavailable, DatabaseUnreachable, TimeoutError) as error:
            context = {"error": Word(type(error).__name__), "sessions": len(ended) - len(opened)}
            _log.warning("the tokens of ended sessions can't be opened to revoke them", extra={"context": context})
        return opened

    async def end_of_user(self, user: User, session_id: UUID | None = None, *, end: End = BY_USER) -> int:
        """End all sessions of the user, or only one; return their number. Raises `EndedOnlyInPart` as `end` does."""
        ended = await self._store.remove_of_user(user, session_id, end=end)
        await self._cache.end(ended, actor=end.actor)
        return len(ended)

    async def end_sessions(
        self, session_ids: Sequence[UUID], *, tenant_id: str, end: End = BY_PROVIDER
    ) -> Sequence[StoredSession]:
        """End sessions by their ids and return those that existed. Raises `EndedOnlyInPart` as `end` does."""
        ended = await self._store.remove(session_ids, tenant_id=tenant_id, end=end)
        await self._cache.end(ended, actor=end.actor)
        return ended

    async def end_reused(self, stored: StoredSession) -> None:
        """Report that an earlier secret of a session was used, and end it. Raises `EndedOnlyInPart` as `end` does."""
        # Before it ends: no failure to end it may hide the theft.
        details = {"session_id": Word(str(stored.id)), "issuer": Word(stored.issuer), "user_id": Word(stored.user_id)}
        log_security_event(
            "SESSION_SECRET_REUSED", kind="session", actor=None, tenant_id=stored.tenant_id, details=details
        )
        ended = await self._removed(stored.secret_hash, tenant_id=stored.tenant_id, end=REUSED)
        await self._cache.end(ended, actor=REUSED.actor)

    async def publish_ends(self, ended: Sequence[StoredSession] = (), *, end: End = BY_PROVIDER) -> None:
        """Publish the ends of sessions that were recorded before. Raises `EndedOnlyInPart`.

        `ended`: those that another unit of work removed, which the cache doesn't know yet.
        """
        await self._cache.end(ended, actor=end.actor)

    async def _removed(self, secret_hash: bytes, *, tenant_id: str, end: End) -> Sequence[StoredSession]:
        """Remove the session that has, or once had, this secret; return it, or nothing if it is unknown."""
        while (found := await self._store.find(secret_hash, tenant_id=tenant_id)) is not None:
            # Nothing is removed if another request ended it, or if a refresh gave it another id.
            if removed := await self._store.remove([found.id], tenant_id=tenant_id, end=end):
                return removed
        return ()

    async def require_live(self, stored: StoredSession) -> StoredSession:
        """Return the session with the later of the two last uses. Raises `SessionEnded`."""
        now = self._clock()
        death = stored.death(self.policy, now=now)
        if death == "idle":
            _, raw_used = await self._cache.read(session_keys(stored.tenant_id, stored.secret_hash))
            stored = replace(stored, last_used_at=max(stored.last_used_at, last_use(raw_used)))
            death = stored.death(self.policy, now=now)
        if death is not None:
            raise SessionEnded(death, session_id=stored.id)
        return stored

    def _opened(self, stored: StoredSession, tokens: SessionTokens) -> Session:
        return Session(
            id=stored.id,
            user=stored.user,
            auth_time=stored.auth_time,
            last_used_at=stored.last_used_at,
            expires_at=stored.ends_at(self.policy),
            grants=stored.grants,
            csrf_token=csrf_text(stored.csrf_token),
            tokens=tokens,
        )


def parse_secret(secret: str) -> OpaqueSecret:
    """Read the value of a session cookie. Raises `SessionEnded` if it can't be one."""
    if (parsed := SESSION_SECRETS.parse(secret)) is None:
        raise SessionEnded("malformed")
    return parsed
