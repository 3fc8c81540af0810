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
from typing import Any
from uuid import UUID, uuid4

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.crypto.opaque import OpaqueSecret, random_token
from tenantgate.errors.access import SessionEnded
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.tokens import ProviderTimeout, ProviderUnreachable, TenantNotAllowed
from tenantgate.identity.session_entry import SESSION_SECRETS
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.cache import SessionCache
from tenantgate.sessions.ending.issued_tokens import with_token
from tenantgate.sessions.errors import NoRefreshToken, SecretReused
from tenantgate.sessions.models import REFRESH_REFUSED, REVOKED, Grants, SessionTokens, StoredSession
from tenantgate.sessions.refreshing.interfaces import Provider, RefreshStore
from tenantgate.sessions.refreshing.lease import Limits, extended, repeated
from tenantgate.sessions.refreshing.models import Held, Redeemed, RefreshOutcome, Verified
from tenantgate.sessions.refreshing.outcomes import failed, succeeded
from tenantgate.sessions.service import SessionService, parse_secret
from tenantgate.shared_calls import SharedCalls

type SharedRefreshes = SharedCalls[tuple[str, bytes], RefreshOutcome]


class RefreshService:
    """Refreshes sessions. `clock`, the policy and the keys are those of `SessionService`."""

    def __init__(
        self,
        store: RefreshStore,
        sessions: SessionService,
        provider: Provider[Any],
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
        self._encryption = sessions.encryption
        self._shared = shared
        self._cache = cache or SessionCache(None, sessions.policy)
        self._unrevoked = unrevoked
        self._limits = limits
        self._clock = clock

    async def refresh(self, secret: str) -> RefreshOutcome:
        """Refresh the session of this secret, or return the result of a refresh that another caller makes or has made.

        Raises `SessionEnded` and `SecretReused`: the session has ended. While it is live, errors are in the outcome:
        `NoRefreshToken`, `TenantNotAllowed`, `KeyServiceUnavailable`, `ProviderUnreachable` and those of the provider's
        side. Also raises `DatabaseUnreachable`, `RevocationUnknown`, `KeyServiceUnavailable` and `SecretsUnavailable`.
        """
        parsed = parse_secret(secret)
        return await self._shared.share((parsed.tenant_id, parsed.digest), lambda: self._refresh(parsed))

    async def _refresh(self, secret: OpaqueSecret) -> RefreshOutcome:
        began, patience_ends = self._clock(), time.monotonic() + self._limits.wait
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
                await self._renew(session, holder, read_at=read_at)
                if claim.is_taken
                else await self._found(session, secret, began=began, read_at=read_at, waits=waits)
            )
            if outcome is not None:
                return outcome
            if time.monotonic() >= patience_ends:
                return failed(session, ProviderTimeout("another refresh takes too long"), retry_after=5)
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
            return await self._replay(session, read_at=read_at)
        if not is_current:
            await self._sessions.end_reused(session)
            raise SecretReused("an earlier secret", session_id=session.id)
        if waits and session.lease_holder is None:
            return failed(session, ProviderUnreachable("the refresh of another request failed"), retry_after=1)
        return None

    async def _replay(self, session: StoredSession, *, read_at: float) -> RefreshOutcome:
        """Return what the last rotation returned."""
        kept = json.loads(await self._encryption.replay(session))
        tokens = await self._encryption.tokens(session)
        await self._cache.put(session, read_at=read_at)
        return self._succeeded(session, tokens, kept["secret"], kept["expires_at"])

    async def _renew(self, session: StoredSession, holder: UUID, *, read_at: float) -> RefreshOutcome | None:
        """Ask the provider and store the result; None if the lease was lost, and with it the result."""
        ends = time.monotonic() + self._limits.wait
        async with extended(self._store, session, holder, seconds=self._limits.lease):
            if session.tenant is None and not self._policy.registers_tenants:
                return await self._freed(
                    session, holder, TenantNotAllowed("the tenant isn't registered"), read_at=read_at
                )
            try:
                # Before the provider replaces the refresh token: what it then returns can't be lost for lack of a key.
                tokens, writer = (
                    await self._encryption.tokens(session),
                    await self._encryption.writer(session.tenant_id),
                )
            except (KeyServiceUnavailable, SecretsUnavailable) as error:
                return await self._freed(session, holder, error, read_at=read_at)
            held = Held(session, read_at, ends, holder, tokens, writer)
            if tokens.refresh_token is None:
                return await self._given_up(held, NoRefreshToken("the provider gave no refresh token"))
            try:
                redeemed = await self._provider.redeem(session, held.tokens)
            except SessionEnded as ended:
                return await self._ended(held, ended)
            except TenantgateError as error:
                return await self._given_up(held, error)
            return await self._redeemed(held, redeemed)

    async def _redeemed(self, held: Held, redeemed: Redeemed[Any]) -> RefreshOutcome | None:
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

    async def _rotate(self, held: Held, redeemed: Redeemed[Any], verified: Verified) -> RefreshOutcome | None:
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
            sealed_tokens=held.writer.tokens(redeemed.tokens, session_id),
            sealed_replay=held.writer.replay(replay, session_id),
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
        rotation = await self._written(held.ends, lambda: self._store.rotate(before, held.holder, to=after))
        if rotation == "ended":
            # By a sign-out, for example: the new tokens must not outlive the session.
            await self._revoke(redeemed)
            raise SessionEnded("ended during its refresh", session_id=before.id)
        if rotation == "lost":
            return None
        await self._cache.put(after, read_at=now)
        return self._succeeded(after, redeemed.tokens, secret.text, verified.expires_at)

    async def _written[T](self, ends: float, write: Callable[[], Awaitable[T]]) -> T:
        """Write new tokens, as `repeated` does."""
        until = min(ends, time.monotonic() + self._limits.store)
        return await repeated(write, until=until, pause=self._limits.longest_pause)

    async def _given_up(
        self, held: Held, error: TenantgateError, *, tokens: SessionTokens | None = None
    ) -> RefreshOutcome:
        """Free the lease, keep new tokens if there are any, and return the error of a session that stays."""
        sealed = None if tokens is None else held.writer.tokens(tokens, held.session.id)
        return await self._freed(held.session, held.holder, error, read_at=held.read_at, ends=held.ends, sealed=sealed)

    async def _freed(
        self,
        session: StoredSession,
        holder: UUID,
        error: TenantgateError,
        *,
        read_at: float,
        ends: float = 0.0,
        sealed: str | None = None,
    ) -> RefreshOutcome:
        """Free the lease and return the error. `sealed`: new tokens to keep, for which a write is repeated."""
        used_at = self._clock()

        async def release() -> None:
            await self._store.release(session, holder, used_at=used_at, sealed_tokens=sealed)

        await (release() if sealed is None else self._written(ends, release))
        session = replace(session, last_used_at=max(session.last_used_at, int(used_at)))
        # Not later than the reading: in the meantime the session may have ended while Valkey was away.
        await self._cache.put(session, read_at=read_at)
        return failed(session, error)

    async def _ended(self, held: Held, reason: SessionEnded) -> RefreshOutcome | None:
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

    def _succeeded(self, session: StoredSession, tokens: SessionTokens, secret: str, expires_at: int) -> RefreshOutcome:
        now = int(self._clock())
        return succeeded(session, tokens.access_token, secret, expires_at=expires_at, policy=self._policy, now=now)
