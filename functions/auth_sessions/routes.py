"""`/api/v1/auth/sessions`: the caller's own sessions. All other sessions don't exist here."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from tenantgate.errors.access import CrossSiteRequest
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.revocation.credential import current_revocations
from tenantgate.sessions.credential import COOKIE_ERRORS, recorded_session
from tenantgate.sessions.models import StoredSession, User
from tenantgate.sessions.service import SessionService
from tenantgate.sessions.wiring import session_service
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie
from tenantgate.web.csrf import CSRF_PARAMETER
from tenantgate.web.dependencies import VerifiedCaller, verified_caller
from tenantgate.web.errors import NotFound
from tenantgate.web.models import StrictModel
from tenantgate.web.openapi import NEEDS_TOKEN_OR_SESSION
from tenantgate.web.responses import BEARER_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/auth/sessions", tags=["auth"])

# From PostgreSQL: a session that another browser has ended must not manage the others.
Caller = Annotated[VerifiedCaller, Depends(verified_caller(recorded_session, current_revocations))]
Sessions = Annotated[SessionService, Depends(session_service)]

_CHANGE = {**NEEDS_TOKEN_OR_SESSION, "parameters": [CSRF_PARAMETER]}
_ERRORS = (*BEARER_ERRORS, *COOKIE_ERRORS)


class SessionMember(StrictModel):
    """A session. Times are in whole seconds since the epoch."""

    id: str
    created_at: int
    last_used_at: int = Field(description="Accurate to about a minute.")
    expires_at: int = Field(description="The end, at the latest. A session that isn't used ends earlier.")
    device: str | None = Field(description="The browser and system of the sign-in, such as `Firefox on Linux`.")
    address: str | None = Field(description="The network of the sign-in: the address without its last part.")
    current: bool = Field(description="True for the session that made this request.")


class SessionsResponse(StrictModel):
    sessions: list[SessionMember]
    csrf_token: str | None = Field(description="For `X-CSRF-Token`. Null for a caller with a bearer token.")


@router.get(
    "",
    operation_id="listSessions",
    summary="List sessions",
    openapi_extra=NEEDS_TOKEN_OR_SESSION,
    responses=error_responses(*_ERRORS),
)
async def list_sessions(caller: Caller, service: Sessions) -> SessionsResponse:
    """Return the caller's live sessions, the one that was used last first, and the CSRF token of its own session.

    The authorizer knows the caller's session again afterwards, if it had no recent copy."""
    found = await service.of_user(User.of(caller.principal))
    members = [_member(stored, service, current=_is_current(caller, stored.id)) for stored in found]
    return SessionsResponse(sessions=members, csrf_token=caller.csrf_token)


@router.delete(
    "/{session_id}",
    operation_id="endSession",
    summary="End a session",
    status_code=204,
    openapi_extra=_CHANGE,
    responses=error_responses(*_ERRORS, CrossSiteRequest, NotFound, CacheUnavailable),
)
async def end_session(request: Request, session_id: str, caller: Caller, service: Sessions) -> None:
    """End one of the caller's sessions. The provider's own session continues.

    Its access tokens are revoked. `SYS_005`: it has ended, but not yet everywhere."""
    wanted = _parsed(session_id)
    if not await _end(request, caller, service, wanted, is_current=_is_current(caller, wanted)):
        raise NotFound("no session of the caller", session_id=wanted)


@router.delete(
    "",
    operation_id="endSessions",
    summary="Sign out everywhere",
    status_code=204,
    openapi_extra=_CHANGE,
    responses=error_responses(*_ERRORS, CrossSiteRequest, CacheUnavailable),
)
async def end_sessions(request: Request, caller: Caller, service: Sessions) -> None:
    """End all sessions of the caller, its own included, and revoke the access tokens that they gave it.

    `SYS_005`: they have ended, but not yet everywhere. Send the request again."""
    await _end(request, caller, service, None, is_current=caller.principal.session_id is not None)


async def _end(
    request: Request, caller: VerifiedCaller, service: SessionService, session_id: UUID | None, *, is_current: bool
) -> int:
    cleared = (SESSION_COOKIE,) if is_current else ()
    try:
        ended = await service.end_of_user(User.of(caller.principal), session_id)
    except CacheUnavailable as failure:
        # It has ended in PostgreSQL.
        failure.clears_cookies = cleared
        raise
    for name in cleared:
        clear_cookie(request, name)
    return ended


def _parsed(session_id: str) -> UUID:
    """Return the id, if it is written as responses write it. Others are not found, as unknown ones are."""
    try:
        parsed = UUID(session_id)
    except ValueError:
        raise NotFound("not a session id") from None
    if str(parsed) != session_id:
        raise NotFound("not a session id")
    return parsed


def _is_current(caller: VerifiedCaller, session_id: UUID) -> bool:
    return caller.principal.session_id == str(session_id)


def _member(stored: StoredSession, service: SessionService, *, current: bool) -> SessionMember:
    return SessionMember(
        id=str(stored.id),
        created_at=stored.created_at,
        last_used_at=stored.last_used_at,
        expires_at=stored.ends_at(service.policy),
        device=stored.device,
        address=stored.address,
        current=current,
    )
