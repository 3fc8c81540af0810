"""The failure of the cache: Valkey holds sessions for the authorizer, and PostgreSQL has the record of them."""

from __future__ import annotations

from tenantgate.errors.base import TenantgateError, register

SYS_005 = register(
    "SYS_005",
    503,
    "The cache can't be reached",
    cause="Valkey is down, unreachable or too slow. If it happened while something was ended, that has ended, but "
    "other parts may accept it for some seconds. Repeat the request to learn when it has ended everywhere.",
    remedy="Try again shortly. Operators: see the readiness check and `REDIS_URL`.",
)


class CacheUnavailable(TenantgateError):
    """Valkey didn't respond, or not in time."""

    error = SYS_005
    retry_after = 1
