"""`/api/v1/privacy`: what is held about the caller in its tenant, and its erasure."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import CrossSiteRequest, StepUpRequired
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.principal import Principal
from tenantgate.privacy.errors import CursorRefused
from tenantgate.privacy.exporting.service import ExportService
from tenantgate.privacy.models import Subject
from tenantgate.privacy.service import ErasureService, require_recent
from tenantgate.privacy.wiring import erasure_service, export_service
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.credential import COOKIE_ERRORS
from tenantgate.transparency.errors import AnchorUnavailable
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie
from tenantgate.web.csrf import CSRF_PARAMETER
from tenantgate.web.dependencies import CurrentPrincipal
from tenantgate.web.models import StrictModel, UserId
from tenantgate.web.openapi import NEEDS_TOKEN_OR_SESSION
from tenantgate.web.openapi_common import BEHIND_AUTHORIZER
from tenantgate.web.responses import BEARER_ERRORS, BODY_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/privacy", tags=["privacy"])

_CHANGE = {**NEEDS_TOKEN_OR_SESSION, **BEHIND_AUTHORIZER, "parameters": [CSRF_PARAMETER]}
_ERRORS = (*BEARER_ERRORS, *COOKIE_ERRORS, CrossSiteRequest, KeyServiceUnavailable, DatabaseUnreachable)


class ExportRequest(StrictModel):
    cursor: str | None = Field(default=None, max_length=2000, description="`next_cursor` of the page before.")


class ExportResponse(StrictModel):
    """A page of the export. Times are in whole seconds since the epoch."""

    user_id: UserId
    tenant_id: str
    issuer: str
    records: dict[str, list[dict[str, Any]]] = Field(
        description="By kind: `sessions`, `data_keys`, `revocations`, `provider`, `audit_events`."
    )
    next_cursor: str | None = Field(description="For the next page, for an hour. Null on the last one.")


class ErasureResponse(StrictModel):
    erasure_id: str = Field(description="The entry in the ledger of erasures. It names no person.")
    erased_at: int
    sessions: int = Field(description="The number of sessions that ended.")


@router.post(
    "/exports",
    operation_id="exportOwnData",
    summary="Export own data",
    openapi_extra=_CHANGE,
    responses=error_responses(*_ERRORS, CursorRefused, SecretsUnavailable, *BODY_ERRORS),
)
async def export_own_data(
    principal: CurrentPrincipal,
    service: Annotated[ExportService, Depends(export_service)],
    body: ExportRequest | None = None,
) -> ExportResponse:
    """Return the data held about the caller in its tenant, at most 5 MB at once. The body is optional.

    The provider's tokens are left out: they are credentials. Each page is recorded in the audit trail."""
    page = await service.page(_subject(principal), None if body is None else body.cursor)
    return ExportResponse(
        user_id=principal.user_id,
        tenant_id=principal.tenant_id,
        issuer=principal.issuer,
        records={kind: [dict(one) for one in found] for kind, found in page.records.items()},
        next_cursor=page.cursor,
    )


@router.delete(
    "/me",
    operation_id="eraseOwnData",
    summary="Erase own data",
    openapi_extra=_CHANGE,
    responses=error_responses(*_ERRORS, StepUpRequired, CacheUnavailable, AnchorUnavailable),
)
async def erase_own_data(
    request: Request, principal: CurrentPrincipal, service: Annotated[ErasureService, Depends(erasure_service)]
) -> ErasureResponse:
    """Erase the data held about the caller in its tenant. This can't be undone.

    It needs a sign-in of the last 5 minutes (`AUTH_011`). Sessions end, their rows are deleted, and the keys that
    encrypt the caller's audit events are destroyed. `SYS_005`: erased, but the sessions have not yet ended everywhere.
    `SYS_015`: nothing was erased, because the ledger of erasures can't be written.
    """
    require_recent(principal, now=time.time(), leeway=request.app.settings.token_policy.leeway_seconds)
    try:
        erased = await service.erase(_subject(principal), source="request", actor="user")
    except CacheUnavailable as failure:
        # It is erased in PostgreSQL.
        failure.clears_cookies = (SESSION_COOKIE,)
        raise
    if principal.session_id is not None:
        clear_cookie(request, SESSION_COOKIE)
    return ErasureResponse(erasure_id=str(erased.entry.id), erased_at=erased.entry.erased_at, sessions=erased.sessions)


def _subject(principal: Principal) -> Subject:
    return Subject(principal.tenant_id, principal.issuer, principal.user_id)
