"""`GET /api/v1/auth/login`: the start of a sign-in."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode, urlsplit, urlunsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import Field

from tenantgate.errors.access import CrossSiteRequest, RedirectNotAllowed
from tenantgate.login.service.login import LoginService
from tenantgate.login.wiring import login_service
from tenantgate.secrets.errors import SecretsUnavailable
from tenantgate.settings.model import Settings
from tenantgate.urls import is_loopback
from tenantgate.web.accept import prefers_html
from tenantgate.web.cookies import clear_cookie, set_cookie
from tenantgate.web.models import PageParameters, StrictModel
from tenantgate.web.origins import refuse_other_loopback_name
from tenantgate.web.pages.show_pages import ShowPages
from tenantgate.web.responses import PROVIDER_ERRORS, error_responses

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class LoginParameters(PageParameters):
    redirect_uri: str | None = Field(
        default=None,
        description="The redirect URI of a single-page app that receives the code itself and posts it: a URL of an "
        "allowed origin. Default: the product's own callback, which starts a session.",
        examples=["http://localhost:5173/callback"],
    )
    return_to: str | None = Field(
        default=None,
        description="The page to which the product's own callback redirects after the sign-in: a path, or a URL of an "
        "allowed origin. Default: `/`.",
        examples=["/"],
    )


class AuthorizationUrl(StrictModel):
    authorization_url: str


@router.get(
    "/login",
    operation_id="beginLogin",
    summary="Begin a sign-in",
    status_code=302,
    response_class=Response,
    dependencies=[ShowPages],
    responses={
        200: {
            "description": "With `Accept: application/json`: the URL of the provider's sign-in page.",
            "model": AuthorizationUrl,
        },
        302: {
            "description": "Redirects to the provider's sign-in page.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **error_responses(RedirectNotAllowed, CrossSiteRequest, SecretsUnavailable, *PROVIDER_ERRORS),
    },
)
async def login(
    request: Request,
    parameters: Annotated[LoginParameters, Query()],
    service: Annotated[LoginService, Depends(login_service)],
) -> Response:
    """Send the browser to the provider. A sealed cookie, valid for 10 minutes, binds the response to this browser."""
    accept = request.headers.get("accept", "")
    if prefers_html(accept) and (elsewhere := _url_on_callback_host(request, parameters)) is not None:
        return RedirectResponse(elsewhere, status_code=302)
    refuse_other_loopback_name(request)
    started = await service.begin(
        redirect_uri=parameters.redirect_uri, return_to=parameters.return_to, cookies=request.cookies
    )
    response: Response
    if "application/json" in accept.lower() and not prefers_html(accept):
        response = JSONResponse({"authorization_url": started.authorization_url})
    else:
        response = RedirectResponse(started.authorization_url, status_code=302)
    response.headers["vary"] = "Accept"
    set_cookie(request, started.cookie.name, started.cookie.value, max_age=started.cookie.max_age)
    for name in started.stale_cookies:
        clear_cookie(request, name)
    return response


def _url_on_callback_host(request: Request, parameters: LoginParameters) -> str | None:
    # `localhost` and `127.0.0.1` don't share cookies, so the attempt must begin on the host of the redirect URI.
    settings: Settings = request.app.settings
    returned_to = urlsplit(settings.oidc_redirect_uri)
    hostname = request.url.hostname
    if hostname == returned_to.hostname or not (is_loopback(hostname) and is_loopback(returned_to.hostname)):
        return None
    query = urlencode(parameters.model_dump(exclude_none=True), safe="/:")
    return urlunsplit((returned_to.scheme, returned_to.netloc, request.url.path, query, ""))
