"""The refresh of a session (decision 0046): the cookie is the refresh token, and each refresh replaces its secret.

1. One caller takes the lease of the session's row, redeems the provider's refresh token, and stores the result in the
   statement that frees the lease. Another one takes over only when the lease has run out.
2. All others wait for the row to change, and return the same result: its cookie is kept sealed in the row.
3. The replaced secret returns that result, too, until the grace is over. Later, its use ends the session.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from tenantgate.crypto.opaque import OpaqueSecret, random_token
from tenantgate.crypto.sealing import SealBroken, Sealer
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable, TenantNotAllowed
from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.sessions.cache import SessionCache, csrf_text
from tenantgate.sessions.ending.issued_tokens import with_token
from tenantgate.sessions.errors import NoRefreshToken, SecretReused
from tenantgate.sessions.models import REFRESH_REFUSED, REVOKED, Grants, SessionTokens, StoredSession
from tenantgate.sessions.refreshing.interfaces import Provider, RefreshStore
from tenantgate.sessions.refreshing.lease import Limits, extended, repeated
from tenantgate.sessions.refreshing.models import Redeemed, Refreshed, RefreshOutcome, Verified
from tenantgate.sessions.service import SessionService, open_tokens, parse_secret, seal_tokens
from tenantgate.shared_calls import SharedCalls

_REPLAY_PURPOSE = "session-replay"
type SharedRefreshes = SharedCalls[tuple[str, bytes], RefreshOutcome]


class _Held(NamedTuple):
    """A session whose lease this caller holds, with its tokens opened. `read_at`: just before PostgreSQL was read.

    `ends`: the moment of the monotonic clock at which the caller must respond.
    """

    session: StoredSession
    read_at: float
    ends: float
    holder: UUID
    tokens: SessionTokens
    sealer: Sealer


class RefreshService:
    """Refreshes sessions. `sealer`, `clock` and the policy are those of `SessionService`."""

    def __init__(
        self,
        store: RefreshStore,
        sessions: SessionService,
        provider: Provider[Any],
        sealer: Callable[[], Awaitable[Sealer]],
        *,
        shared: SharedRefreshes,
        cache: SessionCache | None = None,
        unrevoked: Callable[[StoredSession], Awaitable[None]] | None = None,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`unrevoked` raises `SessionEnded` for a session that is revoked; by default none is."""
        self._store = store
        self._sessions = sessions
        self._policy = sessions.policy
        self._provider = provider
        self._sealer = sealer
        self._shared = shared
        self._cache = cache or SessionCache(None, sessions.policy)
        self._unrevoked = unrevoked
        self._limits = limits
        self._clock = clock

    async def refresh(self, secret: str) -> RefreshOutcome:
        """Refresh the session of this secret, or return the result of a refresh that another caller makes or has made.

        Raises `SessionEnded` and `SecretReused`: the session has ended. While it is live, errors are in the outcome:
        `NoRefreshToken`, `TenantNotAllowed`, `ProviderUnreachable` and those of the provider's side. Also raises
        `DatabaseUnreachable`, `RevocationUnknown` and `SecretsUnavailable`.
        """
        parsed = parse_secret(secret)
        return await self._shared.share((parsed.tenant_id, parsed.digest), lambda: self._refresh(parsed))

    async def _refresh(self, secret: OpaqueSecret) -> RefreshOutcome:
        sealer, began, patience_ends = await self._sealer(), self._clock(), time.monotonic() + self._limits.wait
        pause, waits = self._limits.first_pause, False
        while True:
            holder, read_at = uuid4(), self._clock()
            claim = await self._store.claim(
                secret.digest,
                tenant_id=secret.tenant_id,
                holder=holder,
                seconds=self._limits.lease,
                rotated_before=self._clock() - self._policy.grace_seconds,
                only_expired=waits,
            )
            if claim is None:
                raise SessionEnded("unknown", tenant_id=secret.tenant_id)
            session = await self._sessions.require_live(claim.session)
            await self._require_unrevoked(session)
            outcome = (
                await self._renew(sealer, session, holder, read_at=read_at)
                if claim.is_taken
                else await self._found(sealer, session, secret, began=began, read_at=read_at, waits=waits)
            )
            if outcome is not None:
                return outcome
            if time.monotonic() >= patience_ends:
                return _failed(session, ProviderTimeout("another refresh takes too long"), retry_after=5)
            # Only after a refresh by another caller was seen does its failure count for this one.
            waits = waits or session.lease_holder is not None
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, self._limits.longest_pause)

    async def _require_unrevoked(self, session: StoredSession) -> None:
        """End the session if it, its user or its tenant is revoked: new tokens would count as issued later."""
        try:
            if self._unrevoked is not None:
                await self._unrevoked(session)
        except SessionEnded:
            with suppress(CacheUnavailable):
                await self._sessions.end_sessions([session.id], tenant_id=session.tenant_id, end=REVOKED)
            raise

    async def _found(
        self,
        sealer: Sealer,
        session: StoredSession,
        secret: OpaqueSecret,
        *,
        began: float,
        read_at: float,
        waits: bool,
    ) -> RefreshOutcome | None:
        """Return the outcome to a caller without the lease; None if it has to wait."""
        rotated_at = session.rotated_at
        is_current = secret.digest == session.secret_hash
        # A request that came before the rotation doesn't reuse the secret, even if its turn comes after the grace.
        is_timely = rotated_at is not None and (
            self._clock() < session.replays_until(self._policy) or began <= rotated_at
        )
        if is_timely and (is_current or secret.digest == session.previous_hash):
            return await self._replay(sealer, session, read_at=read_at)
        if not is_current:
            await self._sessions.end_reused(session)
            raise SecretReused("an earlier secret", session_id=session.id)
        if waits and session.lease_holder is None:
            return _failed(session, ProviderUnreachable("the refresh of another request failed"), retry_after=1)
        return None

    async def _replay(self, sealer: Sealer, session: StoredSession, *, read_at: float) -> RefreshOutcome:
        """Return what the last rotation returned."""
        try:
            opened = sealer.open(session.sealed_replay or "", purpose=_REPLAY_PURPOSE, context=session.id.bytes)
        except SealBroken:
            raise SessionEnded("the replay doesn't open", session_id=session.id) from None
        kept = json.loads(opened)
        await self._cache.put(session, read_at=read_at)
        return self._outcome(session, open_tokens(sealer, session), kept["secret"], expires_at=kept["expires_at"])

    async def _renew(
        self, sealer: Sealer, session: StoredSession, holder: UUID, *, read_at: float
    ) -> RefreshOutcome | None:
        """Ask the provider and store the result; None if the lease was lost, and with it the result."""
        ends = time.monotonic() + self._limits.wait
        held = _Held(session, read_at, ends, holder, open_tokens(sealer, session), sealer)
        if session.tenant is None and not self._policy.registers_tenants:
            return await self._given_up(held, TenantNotAllowed("the tenant isn't registered"))
        if held.tokens.refresh_token is None:
            return await self._given_up(held, NoRefreshToken("the provider gave no refresh token"))
        async with extended(self._store, session, holder, seconds=self._limits.lease):
            try:
                redeemed = await self._provider.redeem(session, held.tokens)
            except SessionEnded as ended:
                return await self._ended(held, ended)
            except TenantgateError as error:
                return await self._given_up(held, error)
            return await self._redeemed(held, redeemed)

    async def _redeemed(self, held: _Held, redeemed: Redeemed[Any]) -> RefreshOutcome | None:
        """Verify the new tokens and store the result."""
        failure: TenantgateError
        try:
            async with asyncio.timeout(self._limits.to_verify(held.ends - time.monotonic())):
                verified = await self._provider.verify(held.session, held.tokens, redeemed)
        except SessionEnded as ended:
            await self._revoke(redeemed)
            return await self._ended(held, ended)
        except TimeoutError:
            failure = ProviderTimeout("the provider's keys took too long")
        except TenantgateError as error:
            failure = error
        else:
            return await self._rotate(held, redeemed, verified)
        return await self._given_up(held, failure, tokens=redeemed.tokens)

    async def _rotate(self, held: _Held, redeemed: Redeemed[Any], verified: Verified) -> RefreshOutcome | None:
        before, now = held.session, self._clock()
        secret = SESSION_SECRETS.issue(before.tenant_id)
        acr = before.grants.acr if verified.acr is None else verified.acr
        amr = before.grants.amr if verified.amr is None else verified.amr
        grants = Grants.of(verified.principal, acr=acr, amr=amr)
        # A page that knows the id or the CSRF token of lesser rights must not get more (session fixation).
        session_id, csrf_token = (
            (before.id, before.csrf_token) if grants == before.grants else (uuid4(), random_token())
        )
        replay = json.dumps({"secret": secret.text, "expires_at": verified.expires_at}).encode()
        after = replace(
            before,
            id=session_id,
            secret_hash=secret.digest,
            previous_hash=before.secret_hash,
            rotated_at=now,
            sealed_tokens=seal_tokens(held.sealer, redeemed.tokens, session_id),
            sealed_replay=held.sealer.seal(replay, purpose=_REPLAY_PURPOSE, context=session_id.bytes),
            csrf_token=csrf_token,
            grants=grants,
            issued_tokens=with_token(
                before.issued_tokens,
                verified.principal,
                redeemed.tokens.access_token,
                now=now,
                leeway=self._policy.leeway_seconds,
            ),
            version=before.version + 1,
            last_used_at=max(before.last_used_at, int(now)),
            lease_holder=None,
            lease_until=None,
        )
        rotation = await self._written(held, lambda: self._store.rotate(before, held.holder, to=after))
        if rotation == "ended":
            # By a sign-out, for example: the new tokens must not outlive the session.
            await self._revoke(redeemed)
            raise SessionEnded("ended during its refresh", session_id=before.id)
        if rotation == "lost":
            return None
        await self._cache.put(after, read_at=now)
        return self._outcome(after, redeemed.tokens, secret.text, expires_at=verified.expires_at)

    async def _written[T](self, held: _Held, write: Callable[[], Awaitable[T]]) -> T:
        """Write new tokens, as `repeated` does."""
        until = min(held.ends, time.monotonic() + self._limits.store)
        return await repeated(write, until=until, pause=self._limits.longest_pause)

    async def _given_up(
        self, held: _Held, error: TenantgateError, *, tokens: SessionTokens | None = None
    ) -> RefreshOutcome:
        """Free the lease, keep new tokens if there are any, and return the error of a session that stays."""
        used_at = self._clock()
        sealed = None if tokens is None else seal_tokens(held.sealer, tokens, held.session.id)

        async def release() -> None:
            await self._store.release(held.session, held.holder, used_at=used_at, sealed_tokens=sealed)

        await (release() if tokens is None else self._written(held, release))
        session = replace(held.session, last_used_at=max(held.session.last_used_at, int(used_at)))
        # Not later than the reading: in the meantime the session may have ended while Valkey was away.
        await self._cache.put(session, read_at=held.read_at)
        return RefreshOutcome(csrf_text(session.csrf_token), error)

    async def _ended(self, held: _Held, reason: SessionEnded) -> RefreshOutcome | None:
        """End the session and raise the reason, or return None if the lease was lost."""
        ended = await self._store.end(held.session, held.holder)
        if ended is None:
            return None
        # Valkey's entry expires within minutes. The caller must not try again.
        with suppress(CacheUnavailable):
            await self._cache.end([ended], actor=REFRESH_REFUSED.actor)
        raise reason

    async def _revoke(self, redeemed: Redeemed[Any]) -> None:
        if redeemed.tokens.refresh_token is not None:
            await self._provider.revoke(redeemed.tokens.refresh_token)

    def _outcome(
        self, session: StoredSession, tokens: SessionTokens, secret: str, *, expires_at: int
    ) -> RefreshOutcome:
        now = int(self._clock())
        refreshed = Refreshed(
            access_token=tokens.access_token,
            expires_in=max(0, expires_at - now),
            secret=secret,
            lifetime=max(0, session.ends_at(self._policy) - now),
        )
        return RefreshOutcome(csrf_text(session.csrf_token), refreshed)


def _failed(session: StoredSession, error: TenantgateError, *, retry_after: int) -> RefreshOutcome:
    error.retry_after = retry_after
    return RefreshOutcome(csrf_text(session.csrf_token), error)
