"""`GET /api/v1/auth/validate`: validate the caller's token."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from tenantgate.web.dependencies import VerifiedPrincipal
from tenantgate.web.models import StrictModel, UserId
from tenantgate.web.openapi import NEEDS_TOKEN
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
    summary="Validate a token",
    openapi_extra=NEEDS_TOKEN,
    responses=error_responses(*BEARER_ERRORS),
)
async def validate(principal: VerifiedPrincipal) -> ValidateResponse:
    """Validate the caller's token; return its user and tenant. `expires_at` is in whole seconds since the epoch."""
    return ValidateResponse(user_id=principal.user_id, tenant_id=principal.tenant_id, expires_at=principal.expires_at)
