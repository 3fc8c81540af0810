"""The environment of session cookies: Valkey's address, and the origins whose pages may make changes.

Read with the first cookie, by plain functions: most cold starts see none.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantgate.authorizer.cookie_callers import CookieCallers
from tenantgate.cache_url import parse_cache_url
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.errors.cache import CacheUnavailable
from tenantgate.identity.session import CachedSessions
from tenantgate.urls import parse_http_url

_LONGEST_ORIGIN = 300


def cookie_callers(values: Mapping[str, str]) -> CookieCallers:
    """Build the callers of `REDIS_URL`, `REDIS_TLS`, `PUBLIC_BASE_URL` and `ALLOWED_ORIGINS`.

    Raises `AuthenticationRequired` without `REDIS_URL`, and `CacheUnavailable` for a value that can't be used.
    """
    url = values.get("REDIS_URL", "").strip()
    if not url:
        raise AuthenticationRequired("a session cookie counts only if REDIS_URL is set", header="cookie")
    relaxed = values.get("ENVIRONMENT", "").strip().lower() in ("development", "test")
    try:
        address = parse_cache_url(url, protection=values.get("REDIS_TLS", "").strip() or "verify-full", relaxed=relaxed)
    except ValueError as form:
        raise CacheUnavailable("REDIS_URL or REDIS_TLS is malformed", expected=str(form)) from None
    # Imported here: it opens sockets, and nothing else does.
    from tenantgate.valkey_reader.reader import ValkeyReader  # noqa: PLC0415

    return CookieCallers(CachedSessions(ValkeyReader(address)), allowed_origins(values))


def allowed_origins(values: Mapping[str, str]) -> frozenset[str]:
    """Return the origins of `PUBLIC_BASE_URL` and `ALLOWED_ORIGINS` in their serialized form.

    An invalid one allows nothing; the web functions, which read the same variables, refuse to start with it.
    """
    named = [values.get("PUBLIC_BASE_URL", ""), *values.get("ALLOWED_ORIGINS", "").split(",")]
    parsed = [parse_http_url(name.strip(), longest=_LONGEST_ORIGIN) for name in named]
    return frozenset(url.origin for url in parsed if url is not None and url.rest in ("", "/"))
