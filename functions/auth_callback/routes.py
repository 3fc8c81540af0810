"""`POST` and `GET /api/v1/auth/callback`: where signing in ends, with a token for an app or a session for a browser."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from tenantgate.errors import AUTH_005, AUTH_008, SYS_004, ProviderUnreachable, TenantgateError
from tenantgate.login.models import AuthorizationAnswer
from tenantgate.login.service import LoginService
from tenantgate.login.transactions import transaction_cookie_name
from tenantgate.login.wiring import login_service
from tenantgate.service_errors import AUTH_001, AUTH_002, AUTH_009, SYS_001, SYS_002, VAL_001, VAL_002, VAL_003, VAL_004
from tenantgate.sessions.models import SessionTokens
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import session_service
from tenantgate.web.accept import prefers_html
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, set_cookie
from tenantgate.web.dependencies import ShowPages
from tenantgate.web.middleware import log_failure
from tenantgate.web.models import StrictModel
from tenantgate.web.responses import error_response, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

Login = Annotated[LoginService, Depends(login_service)]
Sessions = Annotated[SessionService, Depends(session_service)]

_LONGEST = 4096


class CallbackRequest(StrictModel):
    code: str = Field(max_length=_LONGEST, description="The `code` that the provider handed to the redirect URI.")
    state: str = Field(max_length=_LONGEST, description="The `state` beside it.")
    iss: str | None = Field(default=None, max_length=_LONGEST, description="The `iss` beside it, if any (RFC 9207).")


class TokenResponse(StrictModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  (RFC 6750's name of the kind)
    expires_in: int = Field(description="Seconds that the token is still good for.")


class AuthorizationResponse(BaseModel):
    """What the provider adds to the redirect URI. Providers add members of their own, which mean nothing here."""

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
    responses=error_responses(
        AUTH_001, AUTH_002, AUTH_005, AUTH_008, AUTH_009, VAL_001, VAL_002, VAL_003, VAL_004, SYS_002, SYS_004
    ),
)
async def redeem_code(request: Request, body: CallbackRequest, login: Login) -> Response:
    """For an app that received the code itself: needs the cookie set by `GET /api/v1/auth/login`, starts no session."""
    answer = AuthorizationAnswer(code=body.code, state=body.state, iss=body.iss)
    try:
        signed_in = await login.complete(answer, cookies=request.cookies)
    except TenantgateError as failure:
        return _refused(request, failure, state=body.state, page=False)
    token = TokenResponse(access_token=signed_in.tokens.access_token, expires_in=signed_in.expires_in)
    response = JSONResponse(token.model_dump(), headers={"cache-control": "no-store"})
    clear_cookie(response, transaction_cookie_name(body.state))
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
        **error_responses(AUTH_001, AUTH_002, AUTH_005, AUTH_008, AUTH_009, SYS_001, SYS_002, SYS_004),
    },
)
async def complete_login(
    request: Request, parameters: Annotated[AuthorizationResponse, Query()], login: Login, sessions: Sessions
) -> Response:
    """Where the provider returns the browser: starts a session, goes to `return_to`. A failure is shown as a page."""
    answer = AuthorizationAnswer(**parameters.model_dump())
    try:
        signed_in = await login.complete(answer, cookies=request.cookies)
        tokens = signed_in.tokens
        if (replaced := request.cookies.get(SESSION_COOKIE)) is not None:
            # This browser forgets its cookie now; nobody who kept a copy shall go on with it.
            await sessions.end(replaced)
        started = await sessions.start(
            principal=signed_in.principal,
            tokens=SessionTokens(tokens.access_token, tokens.id_token, tokens.refresh_token),
        )
    except TenantgateError as failure:
        return _refused(request, failure, state=answer.state, page=prefers_html(request.headers.get("accept")))
    response = RedirectResponse(signed_in.return_to, status_code=303)
    lifetime = max(0, started.session.expires_at - int(time.time()))
    set_cookie(response, SESSION_COOKIE, started.cookie_value, max_age=lifetime)
    clear_cookie(response, transaction_cookie_name(answer.state or ""))
    return response


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
    # Kept when the provider was out of reach: the code may not have been redeemed, and a reload can still succeed.
    if state is not None and not isinstance(failure, ProviderUnreachable):
        name = transaction_cookie_name(state)
        if name in request.cookies:
            clear_cookie(response, name)
    return response
