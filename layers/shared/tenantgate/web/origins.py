"""Whether a request that the browser signed with a cookie comes from our own pages (CSRF; OWASP, Fetch Metadata)."""

from __future__ import annotations

from starlette.requests import Request

from tenantgate.errors.access import CrossSiteRequest
from tenantgate.settings.model import Settings


def require_same_site(request: Request, *, settings: Settings | None = None) -> None:
    """Raise `CrossSiteRequest` unless the request comes from our own origin or one of `ALLOWED_ORIGINS`.

    For changes authenticated by a cookie. `Origin` decides when it is there; a browser too old to send it with a POST
    but new enough for Fetch Metadata is judged by `Sec-Fetch-Site`. Neither: no browser that keeps to `SameSite=Lax`
    is known to do that, so the request is refused.
    """
    refuse_foreign_site(request, settings=settings)
    if "origin" not in request.headers and "sec-fetch-site" not in request.headers:
        raise CrossSiteRequest("no origin")


def refuse_foreign_site(request: Request, *, settings: Settings | None = None) -> None:
    """Raise `CrossSiteRequest` when the request says that it comes from elsewhere.

    For changes that something beside the cookie authenticates too, which clients that aren't browsers may make.
    """
    settings = settings or request.app.settings
    origin = request.headers.get("origin")
    if origin is not None:
        if origin != settings.public_base_url and origin not in settings.allowed_origins:
            raise CrossSiteRequest("foreign origin", origin=origin)
        return
    site = request.headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        raise CrossSiteRequest("no origin", sec_fetch_site=site)
