"""`POST /api/v1/security-events`: trusted issuers push security events (RFC 8935, Shared Signals Framework 1.0)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.signals.errors import DeliveryError, SecurityEventRefused
from tenantgate.signals.service import SecurityEventService
from tenantgate.signals.wiring import security_event_service
from tenantgate.web.errors import BodyTooLarge, MalformedBody
from tenantgate.web.models import StrictModel
from tenantgate.web.responses import PROVIDER_ERRORS, ErrorResponse, error_responses

router = APIRouter(prefix="/api/v1", tags=["security events"])

_MEDIA_TYPE = "application/secevent+jwt"
# RFC 8935 §2.4: the description's language. §2.2 and §2.3: no response may be stored.
_HEADERS = {"cache-control": "no-store", "content-language": "en"}


class DeliveryFailure(StrictModel):
    """The form of errors that RFC 8935 §2.3 requires here."""

    err: DeliveryError
    description: str


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _MEDIA_TYPE: {"schema": {"type": "string", "description": "A signed security event token (RFC 8417)."}}
        },
    }
}


@router.post(
    "/security-events",
    operation_id="receive_security_event",
    summary="Receive a security event token",
    openapi_extra=_BODY,
    status_code=202,
    response_class=Response,
    responses={
        202: {"description": "What the event's subject names has ended, or there was nothing to end."},
        **error_responses(
            DatabaseUnreachable, SecretsUnavailable, CacheUnavailable, RevocationUnknown, *PROVIDER_ERRORS
        ),
        400: {"model": DeliveryFailure | ErrorResponse, "description": "The token is refused (RFC 8935 §2.4)."},
    },
)
async def receive_security_event(
    request: Request, service: Annotated[SecurityEventService, Depends(security_event_service)]
) -> Response:
    """For trusted issuers, from server to server: it needs no cookie and no credential but the token's signature.

    A status of 500 or more means that the issuer may send the same token again."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _MEDIA_TYPE:
        return _refused("invalid_request", f"Send a body of the type {_MEDIA_TYPE}.")
    try:
        token = (await request.body()).decode("ascii").strip()
    except (BodyTooLarge, MalformedBody, UnicodeDecodeError):
        return _refused(SecurityEventRefused.err, SecurityEventRefused.description)
    try:
        await service.receive(token)
    except SecurityEventRefused as refused:
        return _refused(refused.err, refused.description)
    return Response(status_code=202, headers={"cache-control": "no-store"})


def _refused(err: DeliveryError, description: str) -> Response:
    return JSONResponse({"err": err, "description": description}, status_code=400, headers=_HEADERS)
