"""The remedies for a page that can't use this API because of its origin, or because of the name that it calls."""

from __future__ import annotations

from collections.abc import Collection

from tenantgate.urls import HttpUrl, is_loopback, parse_http_url

# The header `Origin` of a page without one (Fetch standard §2.5).
NO_ORIGIN = "null"

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
    if page is None:
        return (
            "Serve the page from an origin that ALLOWED_ORIGINS has: "
            "a page that is opened as a file, or that runs in a sandbox, has none."
        )
    if api is None or page.host == api.host or not (is_loopback(page.host) and is_loopback(api.host)):
        return f"Add {origin} to ALLOWED_ORIGINS if it is your app."
    same_site = HttpUrl(page.scheme, api.host, page.port, "").origin
    why = f"browsers send no cookies of {api.host} from pages of {page.host}."
    if same_site in allowed or same_site == api.origin:
        return f"Open the app at {same_site}, which ALLOWED_ORIGINS has: {why}"
    return f"Add {same_site} to ALLOWED_ORIGINS if it is your app, and open the app there: {why}"


def name_remedy(origin: str, host: str, *, allowed: Collection[str], base_url: str) -> str | None:
    """Return the step for a page that calls the API by another loopback name than its own; None for any other page.

    `host`: the request's `Host`. No cookie is sent then, although the origin may be allowed.
    """
    page, api = parse_origin(origin), parse_http_url(base_url, longest=_LONGEST)
    called = parse_http_url(f"http://{host}", longest=_LONGEST)
    if page is None or api is None or called is None or page.host == called.host:
        return None
    if not (is_loopback(page.host) and is_loopback(called.host) and is_loopback(api.host)):
        return None
    if called.host != api.host:
        return f"Call the API at {api.origin}: browsers send no cookies of {called.host} from pages of {page.host}."
    return origin_remedy(origin, allowed=allowed, base_url=base_url)
