"""`POST` and `GET /api/v1/auth/callback`: where signing in ends, with a token for an app or a session for a browser."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import CrossSiteRequest
from tenantgate.errors.tokens import IdTokenRefused, TenantMissing
from tenantgate.login.callback import CallbackService
from tenantgate.login.errors import AccessTokenUnusable, InvalidAuthorizationCode, StateMismatch
from tenantgate.login.models import AuthorizationResponse, SignedIn
from tenantgate.login.wiring import callback_service
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, set_cookie
from tenantgate.web.models import PageParameters, StrictModel
from tenantgate.web.origins import refuse_foreign_site
from tenantgate.web.pages.show_pages import ShowPages
from tenantgate.web.responses import BODY_ERRORS, PROVIDER_ERRORS, ErrorClasses, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

Callback = Annotated[CallbackService, Depends(callback_service)]

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


class CallbackParameters(PageParameters):
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
    responses=error_responses(*_SIGN_IN_ERRORS, CrossSiteRequest, *BODY_ERRORS),
)
async def redeem_code(request: Request, body: CallbackRequest, service: Callback) -> TokenResponse:
    """For an app that received the code itself: needs the cookie set by `GET /api/v1/auth/login`, and starts a session.

    When the session can't be stored no token is returned: every token handed out here has a session that can end it.
    """
    refuse_foreign_site(request)
    response = AuthorizationResponse(code=body.code, state=body.state, iss=body.iss)
    signed_in = await _complete(request, response, service, by_redirect=False)
    return TokenResponse(access_token=signed_in.access_token, expires_in=signed_in.expires_in)


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
    request: Request, parameters: Annotated[CallbackParameters, Query()], service: Callback
) -> RedirectResponse:
    """Where the provider returns the browser: starts a session, goes to `return_to`. A failure is shown as a page."""
    names = [name for name, _ in request.query_params.multi_items() if name in CallbackParameters.model_fields]
    response = AuthorizationResponse(**parameters.model_dump(), is_ambiguous=len(names) != len(set(names)))
    signed_in = await _complete(request, response, service, by_redirect=True)
    return RedirectResponse(signed_in.return_to, status_code=303)


async def _complete(
    request: Request, response: AuthorizationResponse, service: CallbackService, *, by_redirect: bool
) -> SignedIn:
    signed_in = await service.complete(
        response,
        by_redirect=by_redirect,
        cookies=request.cookies,
        session_cookie=request.cookies.get(SESSION_COOKIE),
    )
    set_cookie(request, SESSION_COOKIE, signed_in.session_secret, max_age=signed_in.session_lifetime)
    clear_cookie(request, signed_in.attempt_cookie)
    return signed_in
