"""`POST` and `GET /api/v1/auth/callback`: the end of a sign-in, with a token for an app or a session for a browser."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field, ValidationInfo, field_validator

from tenantgate.crypto.errors import KeyServiceUnavailable
from tenantgate.database.errors import DatabaseUnreachable
from tenantgate.errors.access import AuthenticationRequired, CrossSiteRequest
from tenantgate.errors.revocation import RevocationUnknown
from tenantgate.errors.tokens import IdTokenRefused, TenantMissing
from tenantgate.login.errors import (
    AccessTokenUnusable,
    InvalidAuthorizationCode,
    ProviderRefusedClient,
    StateMismatch,
)
from tenantgate.login.models import AuthorizationResponse, SignedIn
from tenantgate.login.service.callback import CallbackService
from tenantgate.login.wiring import callback_service
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.web.client_address import client_network
from tenantgate.web.client_device import device_name
from tenantgate.web.cookies import SESSION_COOKIE, clear_cookie, session_cookie, set_cookie
from tenantgate.web.csrf import CSRF_HEADER
from tenantgate.web.models import PageParameters, RelayedParameters, StrictModel
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
    ProviderRefusedClient,
    DatabaseUnreachable,
    RevocationUnknown,
    SecretsUnavailable,
    KeyServiceUnavailable,
    *PROVIDER_ERRORS,
)


class CallbackRequest(RelayedParameters):
    """The parameters that the provider added to the redirect URI: `state` with `code`, or with `error`.

    Others are ignored, so that an app can post all of them.
    """

    state: str = Field(max_length=_LONGEST, description="The `state` that the provider sent to the redirect URI.")
    error: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="The `error` that came instead of a code, such as `access_denied` (RFC 6749 §4.1.2.1). The "
        "response is then an error, too, and the attempt has ended.",
    )
    error_description: str | None = Field(
        default=None, max_length=_LONGEST, description="The `error_description` that came with the `error`."
    )
    code: str | None = Field(
        default=None,
        max_length=_LONGEST,
        validate_default=True,
        description="The `code` that came with the `state`. Required, unless there is an `error`.",
    )
    iss: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="The `iss` that came with it (RFC 9207). Optional or null; a wrong one is refused.",
    )

    @field_validator("code")
    @classmethod
    def _required_without_an_error(cls, code: str | None, info: ValidationInfo) -> str | None:
        if code is None and info.data.get("error") is None:
            raise ValueError("Field required")
        return code


class TokenResponse(StrictModel):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  (the type's name in RFC 6750)
    expires_in: int = Field(description="Seconds until the token expires.")


class CallbackParameters(PageParameters):
    """The parameters that the provider adds to the redirect URI. Others, of the provider or a link, are ignored."""

    state: str | None = None
    code: str | None = None
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None


@router.post(
    "/callback",
    operation_id="redeemCode",
    summary="Exchange the code for an access token",
    responses={
        200: {
            "headers": {
                CSRF_HEADER: {"description": "The CSRF token of the new session.", "schema": {"type": "string"}}
            }
        },
        **error_responses(*_SIGN_IN_ERRORS, CrossSiteRequest, *BODY_ERRORS),
    },
)
async def redeem_code(request: Request, response: Response, body: CallbackRequest, service: Callback) -> TokenResponse:
    """Complete a sign-in for an app that received the code itself, and start a session.

    Requires the cookie that `GET /api/v1/auth/login` set. The session's CSRF token is in the response header
    `X-CSRF-Token`. If the session can't be stored, no token is returned: every token that is returned here has a
    session that can be ended.
    """
    refuse_foreign_site(request)
    parameters = AuthorizationResponse(**body.model_dump())
    signed_in = await _complete(request, parameters, service, by_redirect=False)
    response.headers[CSRF_HEADER] = signed_in.csrf_token
    return TokenResponse(access_token=signed_in.access_token, expires_in=signed_in.expires_in)


@router.get(
    "/callback",
    operation_id="completeLogin",
    summary="Complete a sign-in",
    status_code=303,
    response_class=Response,
    dependencies=[ShowPages],
    responses={
        303: {
            "description": "Signed in: redirects to `return_to` and sets the session cookie.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **error_responses(*_SIGN_IN_ERRORS),
    },
)
async def complete_login(
    request: Request, parameters: Annotated[CallbackParameters, Query()], service: Callback
) -> RedirectResponse:
    """Complete a sign-in for the browser that the provider returns, start a session, and redirect to `return_to`.

    A browser gets an error as a page.
    """
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
        session_cookie=_earlier_session(request),
        device=device_name(request.headers.get("user-agent")),
        address=client_network(request, trusted_proxies=request.app.settings.trusted_proxies),
    )
    set_cookie(request, SESSION_COOKIE, signed_in.session_secret, max_age=signed_in.session_lifetime)
    clear_cookie(request, signed_in.attempt_cookie)
    return signed_in


def _earlier_session(request: Request) -> str | None:
    """Return the secret of the session that the new one replaces.

    It is unknown if the cookie could be read in two ways, which must not prevent the sign-in that replaces it.
    """
    try:
        return session_cookie(request)
    except AuthenticationRequired:
        return None
