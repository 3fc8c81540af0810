"""The environment of session cookies: the origins whose pages may make changes.

Read with the first cookie, by plain functions: most cold starts see none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tenantgate.authorizer.cookie_callers import CookieCallers
from tenantgate.errors.access import AuthenticationRequired
from tenantgate.identity.session import CachedSessions
from tenantgate.urls import parse_http_url

if TYPE_CHECKING:
    from tenantgate.authorizer.valkey import Valkey

_LONGEST_ORIGIN = 300


def cookie_callers(values: Mapping[str, str], valkey: Valkey | None) -> CookieCallers:
    """Build the callers of `PUBLIC_BASE_URL` and `ALLOWED_ORIGINS`; without the first, of the API's own address.

    Raises `AuthenticationRequired` without Valkey.
    """
    if valkey is None:
        raise AuthenticationRequired("a session cookie counts only if REDIS_URL is set", header="cookie")
    region = None if values.get("PUBLIC_BASE_URL", "").strip() else values.get("AWS_REGION")
    return CookieCallers(CachedSessions(valkey.values), allowed_origins(values), valkey.revocations, region=region)


def allowed_origins(values: Mapping[str, str]) -> frozenset[str]:
    """Return the origins of `PUBLIC_BASE_URL` and `ALLOWED_ORIGINS` in their serialized form.

    An invalid one allows nothing; the web functions, which read the same variables, refuse to start with it.
    """
    named = [values.get("PUBLIC_BASE_URL", ""), *values.get("ALLOWED_ORIGINS", "").split(",")]
    parsed = [parse_http_url(name.strip(), longest=_LONGEST_ORIGIN) for name in named]
    return frozenset(url.origin for url in parsed if url is not None and url.rest in ("", "/"))
