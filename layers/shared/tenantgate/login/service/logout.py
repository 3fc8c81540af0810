"""Sign out: end the session, revoke its tokens, and return the URL that ends the provider's session.

Sources: RP-Initiated Logout §2, RFC 7009.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tenantgate import time_limits
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.tokens import Overloaded, ProviderUnreachable
from tenantgate.login.attempts.redirects import RedirectPolicy
from tenantgate.login.provider.client import TokenTypeHint
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata, end_session_url, stated_logout_url
from tenantgate.login.service.access_tokens import KeyCheck
from tenantgate.tokens.verifier import VerifiedToken
from tenantgate.tokens.waiting import awaited

_log = logging.getLogger(__name__)

# For all tokens together. The user waits for it, and the session has ended already.
REVOCATION_SECONDS = time_limits.SIGN_OUT_REVOCATIONS


class EndedTokens(Protocol):
    @property
    def access_token(self) -> str: ...

    @property
    def id_token(self) -> str: ...

    @property
    def refresh_token(self) -> str | None: ...


class EndedSessions(Protocol):
    """Sessions that have ended. `unfinished`: the failure to end their copies in Valkey, too."""

    @property
    def tokens(self) -> Sequence[EndedTokens]: ...

    @property
    def unfinished(self) -> CacheUnavailable | None: ...


class SessionEnder(Protocol):
    """The part of sessions that a sign-out uses."""

    async def end(self, secret: str) -> EndedSessions:
        """End the session of a cookie, if there is one."""
        ...

    async def end_named(self, *, issuer: str, subject: str, sid: str) -> EndedSessions:
        """End the sessions that this subject started in the provider's session `sid`."""
        ...


class Verifier(Protocol):
    """The part of `tokens.verifier.TokenVerifier` that a sign-out uses."""

    def verify(self, token: str, *, fetch: bool, allow_expired: bool = False) -> VerifiedToken: ...


# Revokes a verified access token here. Raises `CacheUnavailable`: it is recorded, but not yet known everywhere.
type BearerRevoker = Callable[[VerifiedToken, str], Awaitable[None]]


class TokenRevoker(Protocol):
    """The part of `provider.client.ProviderClient` that a sign-out uses."""

    async def revoke(self, provider: ProviderMetadata, token: str, *, hint: TokenTypeHint) -> None: ...


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A completed sign-out here. `outcome`: the URL to send the browser to, or the reason why it is unknown."""

    outcome: str | ProviderUnreachable | Overloaded | CacheUnavailable = field(repr=False)

    @property
    def needs_the_cookie(self) -> bool:
        """Tell whether the cookie is needed for another attempt, which ends the session or revokes the token."""
        return isinstance(self.outcome, CacheUnavailable)

    def require_logout_url(self) -> str:
        """Return the URL that ends the provider's session.

        Raises `ProviderUnreachable`, `Overloaded`, and `CacheUnavailable` if the session has not ended everywhere.
        """
        if isinstance(self.outcome, str):
            return self.outcome
        raise self.outcome


class LogoutService:
    """Ends sessions. Calls `sessions`, which needs the database, only when there is a session to end.

    `revoke_bearer`: None without a database: a bearer token then stays valid until it expires.
    """

    def __init__(
        self,
        *,
        registration: ClientRegistration,
        redirects: RedirectPolicy,
        provider: Callable[[], Awaitable[ProviderMetadata]],
        revoker: TokenRevoker,
        verifier: Verifier,
        sessions: Callable[[], Awaitable[SessionEnder]],
        require_key: KeyCheck,
        revoke_bearer: BearerRevoker | None = None,
        revocation_seconds: float = REVOCATION_SECONDS,
    ) -> None:
        self._registration = registration
        self._redirects = redirects
        self._provider = provider
        self._revoker = revoker
        self._verifier = verifier
        self._sessions = sessions
        self._require_key = require_key
        self._revoke_bearer = revoke_bearer
        self._revocation_seconds = revocation_seconds

    async def sign_out(self, *, redirect_uri: str | None, bearer: str | None, session_cookie: str | None) -> SignedOut:
        """Check everything, end the sessions, and revoke their tokens.

        `bearer`: an access token, which may be expired but must pass every other check. It is revoked, and ends the
        sessions that its subject started in the provider's session that its claim `sid` names.
        `session_cookie`: the value of the session cookie; its session may have ended before. The caller makes sure that
        at least one of them is given, and that a request with only the cookie came from the same site.

        A provider that can't be reached, or refuses, doesn't keep anyone signed in.

        Raises `TokenError`, `RedirectNotAllowed`, `RevocationUnknown`, `DatabaseUnreachable`, and `ProviderUnreachable`
        when the keys to verify `bearer` can't be fetched. No session has ended then.
        """
        verified = None
        if bearer is not None:
            verified = await awaited(lambda: self._verifier.verify(bearer, fetch=False, allow_expired=True))
            # Anyone may have a key that is revoked, and could end the sessions of others with it.
            await self._require_key(verified.issuer, verified.kid)
        target = self._redirects.default_logout_target
        if redirect_uri is not None:
            target = self._redirects.require_redirect_uri(redirect_uri)
        ended = await self._end(verified, session_cookie)
        token_failure = None if bearer is None or verified is None else await self._refuse(verified, bearer)
        outcome = await self._sign_out_at_provider(target, [tokens for part in ended for tokens in part.tokens])
        unfinished = next((part.unfinished for part in ended if part.unfinished is not None), None)
        return SignedOut(unfinished or token_failure or outcome)

    async def _refuse(self, bearer: VerifiedToken, token: str) -> CacheUnavailable | None:
        """Revoke the token here; return the failure to do so everywhere."""
        try:
            if self._revoke_bearer is not None:
                await self._revoke_bearer(bearer, token)
        except CacheUnavailable as error:
            return error
        return None

    async def _end(self, bearer: VerifiedToken | None, session_cookie: str | None) -> Sequence[EndedSessions]:
        ended: list[EndedSessions] = []
        if session_cookie is not None:
            ended.append(await (await self._sessions()).end(session_cookie))
        if bearer is not None:
            # `bearer.subject` may come from another claim.
            subject, sid = bearer.claims.get("sub"), bearer.claims.get("sid")
            if isinstance(subject, str) and isinstance(sid, str):
                sessions = await self._sessions()
                ended.append(await sessions.end_named(issuer=bearer.issuer, subject=subject, sid=sid))
        return ended

    async def _sign_out_at_provider(
        self, redirect_uri: str, ended: Sequence[EndedTokens]
    ) -> str | ProviderUnreachable | Overloaded:
        stated = stated_logout_url(self._registration, redirect_uri=redirect_uri)
        if stated is not None and not ended:
            return stated
        try:
            provider = await self._provider()
            await self._revoke(provider, ended)
            if stated is not None:
                return stated
            id_token = ended[0].id_token if ended else None
            return end_session_url(provider, self._registration, redirect_uri=redirect_uri, id_token_hint=id_token)
        except (ProviderUnreachable, Overloaded) as error:
            error.detail = "You are signed out here; the identity provider can't be reached to sign you out there."
            return stated or error

    async def _revoke(self, provider: ProviderMetadata, ended: Sequence[EndedTokens]) -> None:
        """Revoke the tokens at the provider. A failure is only logged."""
        calls = [self._revoker.revoke(provider, tokens.access_token, hint="access_token") for tokens in ended]
        calls += [
            self._revoker.revoke(provider, tokens.refresh_token, hint="refresh_token")
            for tokens in ended
            if tokens.refresh_token is not None
        ]
        failures: list[object] = []
        try:
            async with asyncio.timeout(self._revocation_seconds):
                results = await asyncio.gather(*calls, return_exceptions=True)
            for result in results:
                if isinstance(result, TenantgateError):
                    failures.append(result)
                elif result is not None:
                    raise result
        except TimeoutError:
            failures.append(f"no response within {self._revocation_seconds} s")
        if failures:
            context = {"failures": failures, "tokens": len(calls)}
            _log.warning("the provider didn't revoke the tokens of an ended session", extra={"context": context})
