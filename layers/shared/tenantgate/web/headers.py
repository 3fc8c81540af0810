"""The headers that every response carries, and those that cross-origin callers need. Standard library only.

On Lambda, API Gateway responds to preflights and writes the CORS headers itself. In the container `web/middleware.py`
does the same with the functions below. Fetch standard §3.2 (CORS), RFC 6797 (HSTS), CSP level 3.
"""

from __future__ import annotations

from collections.abc import Collection

from tenantgate.errors.base import TenantgateError

CORS_METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS")
CORS_REQUEST_HEADERS = (
    "authorization",
    "content-type",
    "traceparent",
    "tracestate",
    "x-api-key",
    "x-csrf-token",
    "x-request-id",
)
CORS_EXPOSED_HEADERS = (
    "apigw-requestid",
    "x-request-id",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "www-authenticate",
    "x-csrf-token",
)
CORS_MAX_AGE = 86_400

SECURE_HEADERS: dict[str, str] = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # A route may replace these two: pages have a policy with a nonce, and key sets may be cached.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cache-control": "no-store",
}


def preflight_headers(origin: str, allowed: Collection[str]) -> dict[str, str]:
    """Return the headers that API Gateway adds to its 204 for a preflight: none for a foreign origin."""
    if origin not in allowed:
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": ",".join(CORS_METHODS),
        "access-control-allow-headers": ",".join(CORS_REQUEST_HEADERS),
        "access-control-max-age": str(CORS_MAX_AGE),
    }


def response_headers(origin: str, allowed: Collection[str]) -> dict[str, str]:
    """Return the headers that API Gateway adds to the response to this `Origin`: none for a foreign one."""
    if origin not in allowed:
        return {}
    return {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": ",".join(CORS_EXPOSED_HEADERS),
    }


def error_headers(error: TenantgateError, *, allow: str | None = None) -> dict[str, str]:
    """Return the headers of an error response: no caching, its challenge, `Allow` of a 405, and `Retry-After`."""
    headers = {"cache-control": "no-store"}
    if error.challenge is not None:
        headers["www-authenticate"] = error.challenge
    if allow is not None:
        headers["allow"] = allow
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return headers
