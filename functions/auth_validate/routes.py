"""`GET /api/v1/auth/validate`: validate the caller's token or session."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from tenantgate.revocation.credential import current_revocations
from tenantgate.sessions.credential import COOKIE_ERRORS, session_credential
from tenantgate.web.dependencies import VerifiedCaller, verified_caller
from tenantgate.web.models import StrictModel, UserId
from tenantgate.web.openapi import NEEDS_TOKEN_OR_SESSION
from tenantgate.web.responses import BEARER_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class ValidateResponse(StrictModel):
    valid: Literal[True] = True
    user_id: UserId
    tenant_id: str
    expires_at: int


@router.get(
    "/validate",
    operation_id="validateToken",
    summary="Validate a token or session",
    openapi_extra=NEEDS_TOKEN_OR_SESSION,
    responses=error_responses(*BEARER_ERRORS, *COOKIE_ERRORS),
)
async def validate(
    caller: Annotated[VerifiedCaller, Depends(verified_caller(session_credential, current_revocations))],
) -> ValidateResponse:
    """Validate the caller's token or session cookie; return its user and tenant.

    `expires_at` is in whole seconds since the epoch. A session may end earlier, when it isn't used."""
    principal = caller.principal
    return ValidateResponse(user_id=principal.user_id, tenant_id=principal.tenant_id, expires_at=principal.expires_at)
