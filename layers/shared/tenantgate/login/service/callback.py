"""The end of a sign-in: verify the provider's response, and start the session."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Protocol

from tenantgate.audit.line import mark
from tenantgate.audit.models import Event
from tenantgate.audit.service import Append
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import Overloaded, ProviderUnreachable
from tenantgate.login.attempts.transactions import transaction_cookie_name
from tenantgate.login.errors import ProviderRefusedClient, StateMismatch
from tenantgate.login.models import AuthorizationResponse, SignedIn, VerifiedSignIn
from tenantgate.tokens.tenant import DEPLOYMENT


class NewSession(Protocol):
    """A session that was just started. `secret`: its cookie's value. `expires_at`: epoch seconds, at the latest."""

    @property
    def secret(self) -> str: ...

    @property
    def expires_at(self) -> int: ...

    @property
    def csrf_token(self) -> str: ...


class Sessions(Protocol):
    """The part of sessions that the end of a sign-in uses."""

    async def start(self, verified: VerifiedSignIn, *, device: str | None, address: str | None) -> NewSession: ...

    async def end(self, secret: str) -> None:
        """End the session, if there is one."""
        ...


class Login(Protocol):
    """The part of `service.LoginService` that the end of a sign-in uses."""

    async def complete(
        self, response: AuthorizationResponse, *, by_redirect: bool, cookies: Mapping[str, str]
    ) -> VerifiedSignIn: ...


class CallbackService:
    """Completes sign-ins. `append` records those that fail. `clock` gives epoch seconds."""

    def __init__(
        self, login: Login, sessions: Sessions, *, append: Append = mark, clock: Callable[[], float] = time.time
    ) -> None:
        self._append = append
        self._login = login
        self._sessions = sessions
        self._clock = clock

    async def complete(
        self,
        response: AuthorizationResponse,
        *,
        by_redirect: bool,
        cookies: Mapping[str, str],
        session_cookie: str | None,
        device: str | None = None,
        address: str | None = None,
    ) -> SignedIn:
        """Complete the attempt that `response` belongs to, and replace the browser's session.

        `by_redirect`, `cookies` and the errors are those of `LoginService.complete`, and `DatabaseUnreachable` when the
        session can't be stored. `session_cookie`: the value of the session cookie that the browser sent. `device` and
        `address` (masked) are shown to the user. An error clears the attempt's cookie, unless the provider was
        unreachable or refused our client.
        """
        try:
            if response.is_ambiguous:
                raise StateMismatch("a parameter of the response is repeated")
            verified = await self._login.complete(response, by_redirect=by_redirect, cookies=cookies)
            if session_cookie is not None:
                # The new session replaces this cookie; end the old session so that a stolen copy stops working.
                await self._sessions.end(session_cookie)
            session = await self._sessions.start(verified, device=device, address=address)
        except TenantgateError as error:
            error.clears_cookies = _ended_attempt(error, response.state, cookies)
            # The request has just waited for the database: don't wait for it again.
            append = mark if isinstance(error, DatabaseUnreachable) else self._append
            await append(_failed(error, address))
            raise
        return SignedIn(
            access_token=verified.tokens.access_token,
            expires_in=verified.expires_in,
            return_to=verified.return_to,
            session_secret=session.secret,
            session_lifetime=max(0, session.expires_at - int(self._clock())),
            csrf_token=session.csrf_token,
            attempt_cookie=transaction_cookie_name(response.state or ""),
        )


def _failed(error: TenantgateError, address: str | None) -> Event:
    # In the deployment's own log, even if a verified token named a tenant: that tenant hasn't admitted the caller.
    return Event(
        "AUTH_LOGIN_FAILED",
        DEPLOYMENT,
        outcome="denied" if error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR else "failure",
        address=address,
        detail={"error_code": error.error.code, "check": type(error).__name__},
    )


def _ended_attempt(error: TenantgateError, state: str | None, cookies: Mapping[str, str]) -> tuple[str, ...]:
    """Name the attempt's cookie, if the browser sent it and must not use it again."""
    # Keep it when the provider was unreachable or refused our client, or too many requests waited for it: the code may
    # not have been redeemed, so reloading the page can still succeed.
    if state is None or isinstance(error, ProviderUnreachable | ProviderRefusedClient | Overloaded):
        return ()
    name = transaction_cookie_name(state)
    return (name,) if name in cookies else ()
