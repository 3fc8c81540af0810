"""`POST` and `GET /api/v1/auth/callback`: where signing in ends, with a token for an app or a session for a browser."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import Field

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import CrossSiteRequest
from tenantgate.errors.base import TenantgateError
from tenantgate.errors.tokens import IdTokenRefused, Overloaded, ProviderUnreachable, TenantMissing
from tenantgate.login.errors import AccessTokenUnusable, InvalidAuthorizationCode, StateMismatch
from tenantgate.login.models import AuthorizationAnswer, SignedIn
from tenantgate.login.service import LoginService
from tenantgate.login.transactions import transaction_cookie_name
from tenantgate.login.wiring import login_service
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.models import SessionTokens, StartedSession
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import session_service
from tenantgate.web.accept import prefers_html
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, set_cookie
from tenantgate.web.dependencies import ShowPages
from tenantgate.web.middleware import log_failure
from tenantgate.web.models import PageParameters, StrictModel
from tenantgate.web.origins import refuse_foreign_site
from tenantgate.web.responses import BODY_ERRORS, PROVIDER_ERRORS, ErrorClasses, error_response, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

Login = Annotated[LoginService, Depends(login_service)]
Sessions = Annotated[SessionService, Depends(session_service)]

_LONGEST = 4096
_SIGN_IN_ERRORS: ErrorClasses = (
    InvalidAuthorizationCode,
    StateMismatch,
    TenantMissing,
    IdTokenRefused,
    AccessTokenUnusable,
    DatabaseUnreachable,
    SecretsUnavailable,
    *PROVIDER_ERRORS,
)


class CallbackRequest(StrictModel):
    code: str = Field(max_length=_LONGEST, description="The `code` that the provider handed to the redirect URI.")
    state: str = Field(max_length=_LONGEST, description="The `state` beside it.")
    iss: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="The `iss` beside it (RFC 9207). May be left out, or null; a wrong one is refused.",
    )


class TokenResponse(StrictModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  (RFC 6750's name of the kind)
    expires_in: int = Field(description="Seconds that the token is still good for.")


class AuthorizationResponse(PageParameters):
    """What the provider adds to the redirect URI; other parameters, the provider's own or a link's, are ignored."""

    state: str | None = None
    code: str | None = None
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None


@router.post(
    "/callback",
    operation_id="redeemCode",
    summary="Trade the code for an access token",
    response_model=TokenResponse,
    responses=error_responses(*_SIGN_IN_ERRORS, CrossSiteRequest, *BODY_ERRORS),
)
async def redeem_code(request: Request, body: CallbackRequest, login: Login, sessions: Sessions) -> Response:
    """For an app that received the code itself: needs the cookie set by `GET /api/v1/auth/login`, and starts a session.

    When the session can't be stored no token is returned: every token handed out here has a session that can end it.
    """
    refuse_foreign_site(request)
    answer = AuthorizationAnswer(code=body.code, state=body.state, iss=body.iss)
    try:
        signed_in, started = await _sign_in(request, answer, login, sessions, by_redirect=False)
    except TenantgateError as failure:
        return _refused(request, failure, state=body.state, page=False)
    token = TokenResponse(access_token=signed_in.tokens.access_token, expires_in=signed_in.expires_in)
    response = JSONResponse(token.model_dump(), headers={"cache-control": "no-store"})
    _keep_session(response, started, state=body.state)
    return response


@router.get(
    "/callback",
    operation_id="completeLogin",
    summary="Complete signing in",
    status_code=303,
    response_class=Response,
    dependencies=[ShowPages],
    responses={
        303: {
            "description": "Signed in: to `return_to`, with the session's cookie.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **error_responses(*_SIGN_IN_ERRORS),
    },
)
async def complete_login(
    request: Request, parameters: Annotated[AuthorizationResponse, Query()], login: Login, sessions: Sessions
) -> Response:
    """Where the provider returns the browser: starts a session, goes to `return_to`. A failure is shown as a page."""
    answer = AuthorizationAnswer(**parameters.model_dump())
    try:
        _require_single_values(request)
        signed_in, started = await _sign_in(request, answer, login, sessions, by_redirect=True)
    except TenantgateError as failure:
        return _refused(request, failure, state=answer.state, page=prefers_html(request.headers.get("accept")))
    response = RedirectResponse(signed_in.return_to, status_code=303)
    _keep_session(response, started, state=answer.state or "")
    return response


def _require_single_values(request: Request) -> None:
    # RFC 6749 §3.1. Two readers of this URL may each take another of the values.
    names = [name for name, _ in request.query_params.multi_items() if name in AuthorizationResponse.model_fields]
    if len(names) != len(set(names)):
        raise StateMismatch("a parameter of the answer is there twice")


async def _sign_in(
    request: Request, answer: AuthorizationAnswer, login: LoginService, sessions: SessionService, *, by_redirect: bool
) -> tuple[SignedIn, StartedSession]:
    signed_in = await login.complete(answer, by_redirect=by_redirect, cookies=request.cookies)
    if (replaced := request.cookies.get(SESSION_COOKIE)) is not None:
        # The new session replaces this cookie; end the old session so that a stolen copy stops working.
        await sessions.end(replaced)
    tokens = signed_in.tokens
    started = await sessions.start(
        principal=signed_in.principal,
        tokens=SessionTokens(tokens.access_token, tokens.id_token, tokens.refresh_token),
    )
    return signed_in, started


def _keep_session(response: Response, started: StartedSession, *, state: str) -> None:
    """Have the browser keep the session, and forget the attempt that it came from."""
    lifetime = max(0, started.session.expires_at - int(time.time()))
    set_cookie(response, SESSION_COOKIE, started.secret, max_age=lifetime)
    clear_cookie(response, transaction_cookie_name(state))


def _refused(request: Request, failure: TenantgateError, *, state: str | None, page: bool) -> Response:
    """The failure as everywhere, and the attempt ended with it: its code must not be tried again from this browser."""
    log_failure(failure)
    debug = request.app.settings.is_development
    response: Response
    if page:
        from tenantgate.web.pages import failure_page  # noqa: PLC0415  (Jinja2 is for browsers alone)

        response = failure_page(failure, debug=debug)
    else:
        response = error_response(failure, debug=debug)
    # Kept when the provider was out of reach or there was no room to ask it: the code may not have been redeemed, and a
    # reload can still succeed.
    if state is not None and not isinstance(failure, ProviderUnreachable | Overloaded):
        name = transaction_cookie_name(state)
        if name in request.cookies:
            clear_cookie(response, name)
    return response
