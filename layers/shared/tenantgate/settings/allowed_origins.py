"""The remedy for a page whose origin `ALLOWED_ORIGINS` doesn't have."""

from __future__ import annotations

from collections.abc import Collection

from tenantgate.urls import HttpUrl, is_loopback, parse_http_url

_LONGEST = 300


def parse_origin(text: str) -> HttpUrl | None:
    """Parse the header `Origin` (RFC 6454 §7); None for `null` and for any text that is not an http or https origin."""
    parsed = parse_http_url(text, longest=_LONGEST)
    return parsed if parsed is not None and parsed.origin == text else None


def origin_remedy(origin: str, *, allowed: Collection[str], base_url: str) -> str:
    """Return the step that lets a page of `origin`, which is not allowed, use the API at `base_url`.

    `localhost` and 127.0.0.1 are different sites for cookies (RFC 6265bis §5.2), so a page on one of them can't use an
    API on the other, even if its origin were allowed.
    """
    page, api = parse_origin(origin), parse_http_url(base_url, longest=_LONGEST)
    if page is None or api is None or page.host == api.host or not (is_loopback(page.host) and is_loopback(api.host)):
        return f"Add {origin} to ALLOWED_ORIGINS if it is your app."
    same_site = HttpUrl(page.scheme, api.host, page.port, "").origin
    why = f"browsers send no cookies of {api.host} from pages of {page.host}."
    if same_site in allowed or same_site == api.origin:
        return f"Open the app at {same_site}, which ALLOWED_ORIGINS has: {why}"
    return f"Add {same_site} to ALLOWED_ORIGINS if it is your app, and open the app there: {why}"
