"""`POST /api/v1/auth/backchannel-logout`: the provider ends its sessions (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.errors.tokens import TokenError
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.sessions.backchannel.service import LogoutTokenService
from tenantgate.sessions.wiring import logout_token_service
from tenantgate.web.errors import BodyTooLarge, MalformedBody, UnsupportedMediaType
from tenantgate.web.forms import FORM, form_fields
from tenantgate.web.models import StrictModel
from tenantgate.web.responses import PROVIDER_ERRORS, ErrorResponse, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

_NO_STORE = {"cache-control": "no-store"}


class LogoutFailure(StrictModel):
    """The form of errors that the specification requires here (§2.8, RFC 6749 §5.2)."""

    error: str
    error_description: str


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["logout_token"],
                    "properties": {"logout_token": {"type": "string", "description": "A signed JWT (§2.4)."}},
                }
            }
        },
    }
}


@router.post(
    "/backchannel-logout",
    operation_id="backchannel_logout",
    summary="Receive a logout token",
    openapi_extra=_BODY,
    response_class=Response,
    responses={
        200: {"description": "No session that the token names exists any more."},
        **error_responses(
            DatabaseUnreachable, SecretsUnavailable, CacheUnavailable, RevocationUnknown, *PROVIDER_ERRORS
        ),
        400: {"model": LogoutFailure | ErrorResponse, "description": "`invalid_request`: the logout token is refused."},
    },
)
async def backchannel_logout(
    request: Request, service: Annotated[LogoutTokenService, Depends(logout_token_service)]
) -> Response:
    """For the OpenID provider, from server to server: it needs no cookie, and sets none.

    A status of 500 or more means that the provider may send the same token again."""
    try:
        fields = await form_fields(request)
    except (BodyTooLarge, MalformedBody, UnsupportedMediaType):
        fields = []
    # Other parameters are ignored (§2.5).
    tokens = [value for name, value in fields if name == "logout_token"]
    if len(tokens) != 1:
        return _refused(f"Send one parameter logout_token in a body of the type {FORM}.")
    try:
        await service.receive(tokens[0])
    except TokenError:
        # The log has the reason. It isn't sent, because any client can ask here.
        return _refused("The logout token is invalid, has expired, or was received before.")
    return Response(headers=_NO_STORE)


def _refused(description: str) -> Response:
    body = {"error": "invalid_request", "error_description": description}
    return JSONResponse(body, status_code=400, headers=_NO_STORE)
