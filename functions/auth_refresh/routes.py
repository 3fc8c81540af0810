"""`POST /api/v1/auth/refresh`: a new access token for the browser's session, and a new secret in its cookie."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import AuthenticationRequired, CrossSiteRequest, SessionEnded
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.errors.tokens import TenantNotAllowed
from tenantgate.login.errors import AccessTokenUnusable, ProviderRefusedClient
from tenantgate.login.refreshing.wiring import refresh_service
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.errors import NoRefreshToken, SecretReused
from tenantgate.sessions.refreshing.service import RefreshService
from tenantgate.web.cookies import SESSION_COOKIE, session_cookie, set_cookie, set_header
from tenantgate.web.csrf import CSRF_HEADER
from tenantgate.web.models import StrictModel
from tenantgate.web.openapi import NEEDS_SESSION
from tenantgate.web.origins import require_same_site
from tenantgate.web.responses import PROVIDER_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class RefreshResponse(StrictModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  (the type's name in RFC 6750)
    expires_in: int = Field(description="Seconds until the token expires.")


async def _own_session(request: Request) -> str:
    """Return the session cookie's value. Raises `AuthenticationRequired`, `CrossSiteRequest`."""
    secret = session_cookie(request)
    if secret is None:
        raise AuthenticationRequired("no session cookie", detail="Send the session cookie that a sign-in set.")
    # Enough without the CSRF token: a page that was just loaded has none, and another site can't read the response.
    require_same_site(request)
    return secret


@router.post(
    "/refresh",
    operation_id="refresh",
    summary="Refresh the session",
    openapi_extra=NEEDS_SESSION,
    responses={
        200: {
            "headers": {
                CSRF_HEADER: {
                    "description": "The session's CSRF token. Error responses have it, too, while the session is live.",
                    "schema": {"type": "string"},
                }
            }
        },
        **error_responses(
            AuthenticationRequired,
            CrossSiteRequest,
            SessionEnded,
            SecretReused,
            NoRefreshToken,
            TenantNotAllowed,
            AccessTokenUnusable,
            ProviderRefusedClient,
            DatabaseUnreachable,
            CacheUnavailable,
            RevocationUnknown,
            SecretsUnavailable,
            KeyServiceUnavailable,
            *PROVIDER_ERRORS,
        ),
    },
)
async def refresh(
    request: Request,
    secret: Annotated[str, Depends(_own_session)],
    service: Annotated[RefreshService, Depends(refresh_service)],
) -> RefreshResponse:
    """Get a new access token by session cookie, and a new cookie. The request has no body.

    Concurrent requests get the same token and cookie. The replaced cookie stays valid for a few seconds; afterwards its
    use ends the session.
    """
    try:
        outcome = await service.refresh(secret)
    except (SessionEnded, SecretReused) as error:
        error.clears_cookies = (SESSION_COOKIE,)
        raise
    set_header(request, CSRF_HEADER, outcome.csrf_token)
    refreshed = outcome.require()
    set_cookie(request, SESSION_COOKIE, refreshed.secret, max_age=refreshed.lifetime)
    return RefreshResponse(access_token=refreshed.access_token, expires_in=refreshed.expires_in)
