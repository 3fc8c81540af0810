"""Sign out: end the session, and return the URL that ends the provider's session (RP-Initiated Logout §2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from tenantgate.errors.tokens import Overloaded, ProviderUnreachable
from tenantgate.login.attempts.redirects import RedirectPolicy
from tenantgate.login.provider.metadata import ClientRegistration, ProviderMetadata, end_session_url, stated_logout_url
from tenantgate.tokens.verifier import VerifiedToken
from tenantgate.tokens.waiting import awaited


class EndedTokens(Protocol):
    @property
    def id_token(self) -> str: ...


class EndedSession(Protocol):
    @property
    def tokens(self) -> EndedTokens: ...


class SessionEnder(Protocol):
    """The part of `sessions.service.SessionService` that a sign-out uses."""

    async def end(self, secret: str) -> EndedSession | None: ...


class Verifier(Protocol):
    """The part of `tokens.verifier.TokenVerifier` that a sign-out uses."""

    def verify(self, token: str, *, fetch: bool, allow_expired: bool = False) -> VerifiedToken: ...


@dataclass(frozen=True, slots=True)
class SignedOut:
    """A completed sign-out here. `outcome`: the URL to send the browser to, or the reason why it is unknown."""

    outcome: str | ProviderUnreachable | Overloaded = field(repr=False)

    def require_logout_url(self) -> str:
        """Return the URL that ends the provider's session. Raises `ProviderUnreachable`, `Overloaded`."""
        if isinstance(self.outcome, str):
            return self.outcome
        raise self.outcome


class LogoutService:
    """Ends sessions. Calls `sessions`, which needs the database, only when there is a session to end."""

    def __init__(
        self,
        *,
        registration: ClientRegistration,
        redirects: RedirectPolicy,
        provider: Callable[[], Awaitable[ProviderMetadata]],
        verifier: Verifier,
        sessions: Callable[[], Awaitable[SessionEnder]],
    ) -> None:
        self._registration = registration
        self._redirects = redirects
        self._provider = provider
        self._verifier = verifier
        self._sessions = sessions

    async def sign_out(self, *, redirect_uri: str | None, bearer: str | None, session_cookie: str | None) -> SignedOut:
        """Check everything, then end the session.

        `bearer`: an access token, which may be expired but must pass every other check. `session_cookie`: the value of
        the session cookie; its session may have ended before. The caller makes sure that at least one of them is given,
        and that a request with only the cookie came from the same site.

        Raises `TokenError`, `RedirectNotAllowed`, `DatabaseUnreachable`, and `ProviderUnreachable` when the keys to
        verify `bearer` can't be fetched. No session has ended then.
        """
        if bearer is not None:
            await awaited(lambda: self._verifier.verify(bearer, fetch=False, allow_expired=True))
        target = self._redirects.default_logout_target
        if redirect_uri is not None:
            target = self._redirects.require_redirect_uri(redirect_uri)
        ended = await (await self._sessions()).end(session_cookie) if session_cookie is not None else None
        id_token = ended.tokens.id_token if ended is not None else None
        try:
            return SignedOut(await self._logout_url(target, id_token))
        except (ProviderUnreachable, Overloaded) as error:
            error.detail = "You are signed out here; the identity provider can't be reached to sign you out there."
            return SignedOut(error)

    async def _logout_url(self, redirect_uri: str, id_token: str | None) -> str:
        stated = stated_logout_url(self._registration, redirect_uri=redirect_uri)
        if stated is not None:
            return stated
        provider = await self._provider()
        return end_session_url(provider, self._registration, redirect_uri=redirect_uri, id_token_hint=id_token)
