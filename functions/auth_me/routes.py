"""`GET /api/v1/auth/me`: the caller, from the authorizer's context."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from tenantgate.sessions.credential import COOKIE_ERRORS
from tenantgate.web.dependencies import CurrentPrincipal
from tenantgate.web.models import StrictModel, UserId
from tenantgate.web.openapi import NEEDS_TOKEN_OR_SESSION
from tenantgate.web.openapi_common import BEHIND_AUTHORIZER
from tenantgate.web.responses import BEARER_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class MeResponse(StrictModel):
    user_id: UserId
    tenant_id: str
    issuer: str
    scopes: list[str]
    expires_at: int
    auth_method: Literal["bearer", "session", "api_key"]


@router.get(
    "/me",
    operation_id="currentPrincipal",
    summary="Current caller",
    openapi_extra={**NEEDS_TOKEN_OR_SESSION, **BEHIND_AUTHORIZER},
    responses=error_responses(*BEARER_ERRORS, *COOKIE_ERRORS),
)
async def me(principal: CurrentPrincipal) -> MeResponse:
    """Return the caller's user, tenant, issuer and scopes. `expires_at` is in whole seconds since the epoch."""
    return MeResponse(
        user_id=principal.user_id,
        tenant_id=principal.tenant_id,
        issuer=principal.issuer,
        scopes=sorted(principal.scopes),
        expires_at=principal.expires_at,
        auth_method=principal.auth_method,
    )
