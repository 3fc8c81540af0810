"""Protect changes against cross-site requests (OWASP "CSRF Prevention", Fetch Metadata)."""

from __future__ import annotations

from starlette.requests import Request

from tenantgate.errors.access import CrossSiteRequest
from tenantgate.settings.allowed_origins import name_remedy, origin_remedy
from tenantgate.settings.model import Settings


def require_same_site(request: Request, *, settings: Settings | None = None) -> None:
    """Raise `CrossSiteRequest` unless the request comes from our own origin or one of `ALLOWED_ORIGINS`.

    Use it for changes that are authenticated by a cookie. `Origin` decides when it is present. For a browser that
    doesn't send it with a POST, but does send Fetch Metadata, `Sec-Fetch-Site` decides. A request with neither is
    refused: no browser that implements `SameSite=Lax` is known to send one.
    """
    refuse_foreign_site(request, settings=settings)
    if "origin" not in request.headers and "sec-fetch-site" not in request.headers:
        raise CrossSiteRequest("no origin")


def refuse_foreign_site(request: Request, *, settings: Settings | None = None) -> None:
    """Raise `CrossSiteRequest` when the request's headers name another site.

    Use it for changes that need more than the cookie. Clients other than browsers, which send no such header, pass.
    """
    settings = settings or request.app.settings
    origin = request.headers.get("origin")
    if origin is not None:
        if origin != settings.public_base_url and origin not in settings.allowed_origins:
            allowed, base_url = settings.allowed_origins, settings.public_base_url
            remedy = origin_remedy(origin, allowed=allowed, base_url=base_url)
            # Only in development does the response say which origins are allowed.
            detail = remedy if settings.is_development else None
            raise CrossSiteRequest("foreign origin", detail=detail, origin=origin, remedy=remedy)
        refuse_other_loopback_name(request, settings=settings)
        return
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise CrossSiteRequest("no origin", sec_fetch_site=site)


def refuse_other_loopback_name(request: Request, *, settings: Settings | None = None) -> None:
    """Raise `CrossSiteRequest` for a page on this machine that calls the API by another name than its own.

    Only in local development. The browser neither stores nor sends a cookie then, so that a sign-in could only end with
    a message about a foreign browser.
    """
    settings = settings or request.app.settings
    origin = request.headers.get("origin")
    if origin is None or request.headers.get("sec-fetch-site") != "cross-site" or not settings.is_local_development:
        return
    host, base_url = request.headers.get("host", ""), settings.public_base_url
    remedy = name_remedy(origin, host, allowed=settings.allowed_origins, base_url=base_url)
    if remedy is not None:
        raise CrossSiteRequest("the page and the API have different loopback names", detail=remedy, origin=origin)
