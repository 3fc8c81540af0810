"""`POST /api/v1/auth/logout`: end the session, and return the URL that ends the provider's session."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import AuthenticationRequired, CrossSiteRequest, RedirectNotAllowed
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.revocation import RevocationUnknown, TokenRevoked
from tenantgate.errors.tokens import TokenError
from tenantgate.identity.bearer import bearer_token
from tenantgate.login.service.logout import LogoutService
from tenantgate.login.wiring import logout_service
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, session_cookie
from tenantgate.web.models import StrictModel
from tenantgate.web.openapi import NEEDS_TOKEN_OR_SESSION
from tenantgate.web.origins import require_same_site
from tenantgate.web.responses import BODY_ERRORS, PROVIDER_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class LogoutRequest(StrictModel):
    redirect_uri: str | None = Field(
        default=None,
        description="The page to which the provider returns the browser: a URL of an allowed origin. Default: `/`.",
        examples=["http://localhost:3000/"],
    )


class LogoutResponse(StrictModel):
    logout_url: str


@router.post(
    "/logout",
    operation_id="logout",
    summary="Sign out",
    openapi_extra=NEEDS_TOKEN_OR_SESSION,
    responses=error_responses(
        TokenError,
        TokenRevoked,
        RedirectNotAllowed,
        AuthenticationRequired,
        CrossSiteRequest,
        *BODY_ERRORS,
        DatabaseUnreachable,
        CacheUnavailable,
        RevocationUnknown,
        SecretsUnavailable,
        *PROVIDER_ERRORS,
    ),
)
async def logout(
    request: Request, service: Annotated[LogoutService, Depends(logout_service)], body: LogoutRequest | None = None
) -> LogoutResponse:
    """Sign out by session cookie, or by bearer token, which may be expired. Send the browser to `logout_url` next.

    A bearer token is revoked: APIs refuse it within seconds (`AUTH_030`). With the claim `sid`, it also ends the
    sessions that its user started in that session of the provider. The tokens of an ended session are revoked here and
    at the provider. With `SYS_005`, send the request again: what ended has not yet ended everywhere. The body is
    optional."""
    # One that could be read in two ways is refused, with a bearer token too: it would leave a session behind.
    secret = session_cookie(request)
    authorization = request.headers.get("authorization")
    bearer: str | None = None
    if authorization is not None or secret is None:
        bearer = bearer_token(authorization)
    else:
        # A page of another site can send the cookie, but no Authorization header.
        require_same_site(request)
    redirect_uri = None if body is None else body.redirect_uri
    signed_out = await service.sign_out(redirect_uri=redirect_uri, bearer=bearer, session_cookie=secret)
    if secret is not None and not signed_out.needs_the_cookie:
        # The session has ended, even if the next line raises.
        clear_cookie(request, SESSION_COOKIE)
    return LogoutResponse(logout_url=signed_out.require_logout_url())
