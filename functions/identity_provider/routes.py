"""`/idp`: the built-in OpenID provider, only in development.

Its protocol endpoints respond as OAuth and OpenID Connect require, also with errors. People see pages.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from functions.identity_provider.description import described
from functions.identity_provider.forms import submitted, submitted_form
from tenantgate.errors.access import CrossSiteRequest
from tenantgate.openid_provider.endpoints.authorization import SignedIn, SignInNeeded
from tenantgate.openid_provider.endpoints.end_session import SignedOut, SignOutNeedsConsent
from tenantgate.openid_provider.models import BROWSER_SESSION_LIFETIME_SECONDS, ProtocolResponse
from tenantgate.openid_provider.service import ProviderService
from tenantgate.openid_provider.wiring import metadata, provider_service
from tenantgate.web.cookies import clear_cookie, set_cookie
from tenantgate.web.errors import MalformedBody, NotFound, UnsupportedMediaType
from tenantgate.web.pages.rendering import page
from tenantgate.web.pages.show_pages import ShowPages

BROWSER_COOKIE = "__Host-tg_idp"

_PUBLIC = {"cache-control": "public, max-age=300"}
_SIGN_IN_FAILED = "The email or the password is wrong."


async def in_development_only(request: Request) -> None:
    """Respond with 404 in any other environment, because the demo user's password is public."""
    if not request.app.settings.is_development:
        raise NotFound


async def from_own_page(request: Request) -> None:
    """Refuse a form from another site's page, which could sign its visitor in as another user (login CSRF).

    The form carries its own credentials, so a client that sends neither header passes. Browsers send one of them.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        foreign = site != "same-origin"
    else:
        foreign = origin is not None and origin != request.app.settings.public_base_url
    if foreign:
        raise CrossSiteRequest("a form of another site", sec_fetch_site=site, origin=origin)


router = APIRouter(
    prefix="/idp",
    tags=["identity provider"],
    dependencies=[Depends(in_development_only)],
    default_response_class=Response,
)
Service = Annotated[ProviderService, Depends(provider_service)]


@router.get("/.well-known/openid-configuration", **described("discovery"))
async def discovery() -> Response:
    return JSONResponse(metadata(), headers=_PUBLIC)


@router.get("/jwks", **described("jwks"))
async def jwks(service: Service) -> Response:
    return JSONResponse(await service.jwks(), headers=_PUBLIC)


@router.get("/authorize", dependencies=[ShowPages], **described("authorize"))
@router.post("/authorize", dependencies=[ShowPages], **described("authorizeByForm"))
async def authorize(request: Request, service: Service) -> Response:
    result = await service.authorize(await submitted(request), cookie=request.cookies.get(BROWSER_COOKIE))
    if isinstance(result, SignInNeeded):
        return _sign_in_page(request, result)
    return _respond(result)


@router.post("/sign_in", status_code=303, dependencies=[ShowPages, Depends(from_own_page)], **described("signIn"))
async def sign_in(request: Request, service: Service) -> Response:
    form = (await submitted_form(request)).values
    form_token, cookie = form.get("form", ""), request.cookies.get(BROWSER_COOKIE)
    result: SignedIn | SignInNeeded
    if "persona" in form:
        result = await service.sign_in_as(form_token=form_token, persona_id=form["persona"], cookie=cookie)
    else:
        result = await service.sign_in(
            form_token=form_token,
            username=form.get("username", ""),
            password=form.get("password", ""),
            cookie=cookie,
        )
    if isinstance(result, SignInNeeded):
        return _sign_in_page(request, result)
    set_cookie(request, BROWSER_COOKIE, result.cookie, max_age=BROWSER_SESSION_LIFETIME_SECONDS)
    return _respond(result.response)


@router.post("/token", **described("token"))
async def token(request: Request, service: Service) -> Response:
    try:
        form = await submitted_form(request)
    except (MalformedBody, UnsupportedMediaType):
        return _respond(_invalid_request("The body must be application/x-www-form-urlencoded."))
    return _respond(await service.token(form, authorization=request.headers.get("authorization")))


@router.post("/revoke", **described("revokeToken"))
async def revoke(request: Request, service: Service) -> Response:
    try:
        form = await submitted_form(request)
    except (MalformedBody, UnsupportedMediaType):
        return _respond(_invalid_request("The body must be application/x-www-form-urlencoded."))
    return _respond(await service.revoke(form, authorization=request.headers.get("authorization")))


@router.get("/userinfo", **described("userinfo"))
@router.post("/userinfo", **described("userinfoByForm"))
async def userinfo(request: Request, service: Service) -> Response:
    authorization = request.headers.get("authorization")
    posted_token = None
    if request.method == "POST" and "content-type" in request.headers:
        try:
            posted_token = (await submitted_form(request)).values.get("access_token")
        except (MalformedBody, UnsupportedMediaType):
            return _respond(_invalid_request("The body must be application/x-www-form-urlencoded."))
    return _respond(await service.userinfo(authorization=authorization, posted_token=posted_token))


@router.get("/end_session", dependencies=[ShowPages], **described("endSession"))
@router.post("/end_session", dependencies=[ShowPages], **described("endSessionByForm"))
async def end_session(request: Request, service: Service) -> Response:
    result = await service.end_session(await submitted(request), cookie=request.cookies.get(BROWSER_COOKIE))
    if isinstance(result, SignOutNeedsConsent):
        targets = ("'self'", *request.app.settings.allowed_origins)
        return page("sign_out.html", action="/idp/sign_out", form_token=result.form_token, form_targets=targets)
    return _signed_out(request, result)


@router.post("/sign_out", dependencies=[ShowPages, Depends(from_own_page)], **described("signOut"))
async def sign_out(request: Request, service: Service) -> Response:
    form = (await submitted_form(request)).values
    result = await service.confirm_sign_out(form.get("form", ""), cookie=request.cookies.get(BROWSER_COOKIE))
    return _signed_out(request, result)


def _sign_in_page(request: Request, needed: SignInNeeded) -> Response:
    # The response to the form redirects through the client's callback to any allowed origin, and browsers apply the
    # form's policy to each redirect.
    response = page(
        "sign_in.html",
        status=400 if needed.failed else 200,
        form_targets=("'self'", *request.app.settings.allowed_origins),
        action="/idp/sign_in",
        client_name=needed.client_name,
        error=_SIGN_IN_FAILED if needed.failed else None,
        hidden={"form": needed.form_token},
        username=needed.username,
        personas=needed.personas,
    )
    # With `no-referrer` the browser would send the form with `Origin: null`.
    response.headers["referrer-policy"] = "same-origin"
    return response


def _signed_out(request: Request, result: SignedOut) -> Response:
    clear_cookie(request, BROWSER_COOKIE)
    return page("signed_out.html") if result.location is None else RedirectResponse(result.location, 303)


def _respond(result: ProtocolResponse) -> Response:
    headers = {"cache-control": "no-store", **{name.lower(): value for name, value in result.headers.items()}}
    if result.location is not None:
        # Always 303: the browser must never send the sign-in form's body to another page (RFC 9700 §4.12).
        return RedirectResponse(result.location, 303, headers=headers)
    if result.body is None:
        return Response(status_code=result.status, headers=headers)
    return JSONResponse(result.body, status_code=result.status, headers=headers)


def _invalid_request(description: str) -> ProtocolResponse:
    return ProtocolResponse(400, {"error": "invalid_request", "error_description": description})
